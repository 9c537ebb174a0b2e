//! The functions that `host.mjs` provides.

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    #[link_name = "report"]
    fn host_report(text: *const u8, len: usize);
    #[link_name = "fail"]
    fn host_fail(text: *const u8, len: usize);
    #[link_name = "succeed"]
    safe fn host_succeed();
    #[link_name = "schedule"]
    safe fn host_schedule();
    #[link_name = "timer"]
    safe fn host_timer(promise: u32, milliseconds: u32);
}

/// Prints a line.
pub(crate) fn report(text: &str) {
    // SAFETY: the text is there until the call returns; only its bytes are read.
    unsafe { host_report(text.as_ptr(), text.len()) };
}

/// Ends the process with a failure.
pub(crate) fn fail(text: &str) {
    // SAFETY: as in `report`.
    unsafe { host_fail(text.as_ptr(), text.len()) };
}

/// Lets the process end well.
pub(crate) fn succeed() {
    host_succeed();
}

/// Queues a microtask that calls the exported `run_tasks`.
pub(crate) fn schedule() {
    host_schedule();
}

/// Makes a promise, and has the exported `settle` called with this number when it is settled. It is kept, with
/// the number of milliseconds that it took, or rejected if that number is zero.
pub(crate) fn timer(promise: u32, milliseconds: u32) {
    host_timer(promise, milliseconds);
}
