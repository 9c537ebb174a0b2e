//! Panics that meet other panics.

use core::mem;

/// Whether this thread is unwinding, as far as can be told.
#[cfg(feature = "std")]
pub(crate) fn is_panicking() -> bool {
    std::thread::panicking()
}

#[cfg(not(feature = "std"))]
pub(crate) fn is_panicking() -> bool {
    false
}

/// Runs `f` and keeps its panic to itself. Without `std`, where no panic can be caught, it goes on.
#[cfg(feature = "std")]
pub(crate) fn swallow_panic(f: impl FnOnce()) {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // A payload can panic in its destructor too; what that leaves behind is given up.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(payload);
        }
    }
}

#[cfg(not(feature = "std"))]
pub(crate) fn swallow_panic(f: impl FnOnce()) {
    f();
}

/// Runs `work`, and after each panic runs it again, until it returns. Each call continues what the call before has left.
///
/// # Panics
///
/// If calls of `work` panic, the first panic propagates after the last call. Later panics are swallowed. If the thread was
/// unwinding before, all panics are swallowed. Without `std`, where no panic can be caught, a second panic aborts, as it
/// does in any destructor.
#[inline(always)]
pub(crate) fn complete(work: impl FnMut()) {
    let mut unfinished = Unfinished(work);
    if !is_panicking() {
        (unfinished.0)();
        mem::forget(unfinished);
    }
}

/// Runs the work to its end when it is dropped.
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
