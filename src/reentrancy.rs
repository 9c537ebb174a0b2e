//! Debug builds with `std` find out when an initializer awaits its own cell.
//!
//! While an initializer runs, in its closure or in a poll, a frame on its stack names the cell and the waker
//! of the task; the frames of a thread form a list. A future that is about to wait for a cell looks for that
//! cell among the frames of its thread. If one is there with the same waker, the future is being polled from
//! inside the initializer, by the initializer's own task, and would wait for itself.
//!
//! The waker keeps legitimate programs out: an initializer that blocks on an executor may have it run other
//! tasks in the meantime, and those may well wait for the cell. (Unless all tasks share one waker. And a task that
//! awaits its own cell beside a timeout is told too, though it would not wait for ever.) Two branches of one `join!` share a waker,
//! but not a stack: the first one's frame is gone when the second is polled.

#[cfg(all(debug_assertions, feature = "std", not(oncelot_loom)))]
pub(crate) use self::watched::*;

#[cfg(not(all(debug_assertions, feature = "std", not(oncelot_loom))))]
pub(crate) use self::unwatched::*;

#[cfg(all(debug_assertions, feature = "std", not(oncelot_loom)))]
mod watched {
    use core::{cell::Cell, ptr, task::Waker};

    std::thread_local! {
        /// The innermost frame of this thread, or null.
        static INNERMOST: Cell<*const Frame> = const { Cell::new(ptr::null()) };
    }

    struct Frame {
        cell: *const (),
        waker: *const Waker,
        outer: *const Frame,
    }

    struct Popped(*const Frame);

    impl Drop for Popped {
        fn drop(&mut self) {
            INNERMOST.set(self.0);
        }
    }

    /// Runs a part of the initializer of `cell`, in the task of `waker`.
    pub(crate) fn initializing<C, R>(cell: &C, waker: &Waker, run: impl FnOnce() -> R) -> R {
        let outer = INNERMOST.get();
        let frame = Frame {
            cell: ptr::from_ref(cell).cast(),
            waker,
            outer,
        };
        let _popped = Popped(outer);
        INNERMOST.set(&frame);
        run()
    }

    /// Panics if the task of `waker` is inside the initializer of `cell`.
    #[track_caller]
    pub(crate) fn assert_outside<C>(cell: &C, waker: &Waker) {
        let cell = ptr::from_ref(cell).cast();
        let mut next = INNERMOST.get();
        // SAFETY: a frame of this thread lives until it is popped, by returning or by unwinding.
        while let Some(frame) = unsafe { next.as_ref() } {
            // SAFETY: the waker is borrowed by the same call that the frame belongs to.
            let is_same_task = unsafe { &*frame.waker }.will_wake(waker);
            assert!(
                frame.cell != cell || !is_same_task,
                "deadlock: the initializer of a `OnceCell` awaits its own cell; compute the value without \
                 the cell, or move the wait out of the initializer"
            );
            next = frame.outer;
        }
    }
}

#[cfg(not(all(debug_assertions, feature = "std", not(oncelot_loom))))]
mod unwatched {
    use core::task::Waker;

    #[inline(always)]
    pub(crate) fn initializing<C, R>(_cell: &C, _waker: &Waker, run: impl FnOnce() -> R) -> R {
        run()
    }

    #[inline(always)]
    pub(crate) fn assert_outside<C>(_cell: &C, _waker: &Waker) {}
}
