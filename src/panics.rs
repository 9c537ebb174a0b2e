//! Panics that meet other panics.

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
