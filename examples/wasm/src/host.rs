//! The functions that `host.mjs` provides, and those that it calls.

use std::{ffi::c_void, future::Future, panic};

use async_executor::{LocalExecutor, Task};
use futures_channel::oneshot;

thread_local! {
    /// Runs tasks whenever JavaScript calls the module.
    static EXECUTOR: LocalExecutor<'static> = const { LocalExecutor::new() };
}

pub(crate) fn spawn<R: 'static>(task: impl Future<Output = R> + 'static) -> Task<R> {
    EXECUTOR.with(|executor| executor.spawn(task))
}

fn run_tasks() {
    EXECUTOR.with(|executor| while executor.try_tick() {});
}

/// The promise was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rejected;

type Settle = oneshot::Sender<Result<u32, Rejected>>;

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    #[link_name = "report"]
    fn host_report(text: *const u8, len: usize);
    #[link_name = "fail"]
    fn host_fail(text: *const u8, len: usize);
    #[link_name = "succeed"]
    safe fn host_succeed();
    #[link_name = "timer"]
    safe fn host_timer(settle: *mut c_void, milliseconds: u32);
}

/// Prints a line.
pub(crate) fn report(text: &str) {
    // SAFETY: the text is there until the call returns; only its bytes are read.
    unsafe { host_report(text.as_ptr(), text.len()) };
}

/// Ends the process with a failure.
fn fail(text: &str) {
    // SAFETY: as in `report`.
    unsafe { host_fail(text.as_ptr(), text.len()) };
}

/// Awaits a promise of JavaScript. It is resolved after a number of milliseconds, with that number, or rejected if the number
/// is zero.
pub(crate) async fn timer(milliseconds: u32) -> Result<u32, Rejected> {
    let (settle, settled) = oneshot::channel();
    host_timer(Box::into_raw(Box::new(settle)).cast(), milliseconds);
    settled.await.expect("JavaScript settles each promise")
}

/// Is called by JavaScript when a promise is settled.
///
/// # Safety
///
/// `settle` comes from `timer`, and is passed once.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn settle(settle: *mut c_void, value: u32, is_kept: bool) {
    // SAFETY: `timer` has got it from a box, and the caller passes it once.
    let settle = unsafe { Box::from_raw(settle.cast::<Settle>()) };
    // This fails if the future of `timer` was dropped.
    let _ = settle.send(if is_kept { Ok(value) } else { Err(Rejected) });
    run_tasks();
}

/// Is called by JavaScript first.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn start() {
    panic::set_hook(Box::new(|panic| fail(&panic.to_string())));
    spawn(async {
        crate::run().await;
        host_succeed();
    })
    .detach();
    run_tasks();
}
