//! Handling panics that occur while another panic is unwinding.

use core::mem;

/// Returns `true` if this thread is unwinding. Without `std`, that cannot be detected, and this returns `false`.
#[cfg(feature = "std")]
pub(crate) fn is_panicking() -> bool {
    std::thread::panicking()
}

#[cfg(not(feature = "std"))]
pub(crate) fn is_panicking() -> bool {
    false
}

/// Runs `f` and discards its panic. Without `std`, where no panic can be caught, the panic propagates.
#[cfg(feature = "std")]
pub(crate) fn swallow_panic(f: impl FnOnce()) {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // The destructor of the payload can panic, too. The payload of that panic is leaked.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(payload);
        }
    }
}

#[cfg(not(feature = "std"))]
pub(crate) fn swallow_panic(f: impl FnOnce()) {
    f();
}

/// Runs `work` until it returns, and runs it again after each panic. Each call continues where the previous call panicked.
///
/// # Panics
///
/// If calls of `work` panic, the first panic propagates after the last call, and later panics are discarded. If the thread was
/// already unwinding, all panics are discarded. Without `std`, where no panic can be caught, a second panic aborts the process.
#[inline(always)]
pub(crate) fn complete(work: impl FnMut()) {
    let mut unfinished = Unfinished(work);
    if !is_panicking() {
        (unfinished.0)();
        mem::forget(unfinished);
    }
}

/// Runs the rest of the work when it is dropped.
struct Unfinished<F: FnMut()>(F);

impl<F: FnMut()> Drop for Unfinished<F> {
    fn drop(&mut self) {
        let mut is_finished = false;
        while !is_finished {
            swallow_panic(|| {
                (self.0)();
                is_finished = true;
            });
        }
    }
}
