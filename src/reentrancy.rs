//! Debug builds with `std` find out when an initializer waits for its own cell.
//!
//! While an initializer runs, in its closure or in a poll, a frame on its stack names the cell and the waker
//! of the task; the frames of a thread form a list. Whoever is about to wait for a cell looks for that cell among
//! the frames of the thread.
//!
//! A thread that would block there would block the initializer below it. A future that is being polled with the same
//! waker is polled from inside the initializer, by the initializer's own task, and would wait for itself. The waker
//! keeps legitimate programs out: an initializer that blocks on an executor may have it run other
//! tasks in the meantime, and those may well wait for the cell. (Unless all tasks share one waker. And a task that
//! awaits its own cell beside a timeout is told too, though it would not wait for ever.) Two branches of one `join!` share a waker,
//! but not a stack: the first one's frame is gone when the second is polled.

#[cfg(all(debug_assertions, feature = "std", not(any(oncelot_loom, oncelot_shuttle))))]
pub(crate) use self::watched::*;

#[cfg(not(all(debug_assertions, feature = "std", not(any(oncelot_loom, oncelot_shuttle)))))]
pub(crate) use self::unwatched::*;

use core::task::Waker;

/// Who runs an initializer, or waits.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "only looked at where it is watched")]
pub(crate) enum Runner<'a> {
    /// The task of this waker.
    Task(&'a Waker),
    /// A thread that blocks.
    #[cfg(feature = "std")]
    Thread,
}

#[cfg(all(debug_assertions, feature = "std", not(any(oncelot_loom, oncelot_shuttle))))]
mod watched {
    use core::{cell::Cell, ptr};

    use super::Runner;

    std::thread_local! {
        /// The innermost frame of this thread, or null.
        static INNERMOST: Cell<*const Frame<'static>> = const { Cell::new(ptr::null()) };
    }

    struct Frame<'a> {
        cell: *const (),
        runner: Runner<'a>,
        outer: *const Frame<'static>,
    }

    struct Popped(*const Frame<'static>);

    impl Drop for Popped {
        fn drop(&mut self) {
            INNERMOST.set(self.0);
        }
    }

    /// Has `runner` run a part of the initializer of `cell`.
    pub(crate) fn initializing<C, R>(cell: &C, runner: Runner<'_>, run: impl FnOnce() -> R) -> R {
        let outer = INNERMOST.get();
        let frame = Frame {
            cell: ptr::from_ref(cell).cast(),
            runner,
            outer,
        };
        let _popped = Popped(outer);
        INNERMOST.set(ptr::from_ref(&frame).cast());
        run()
    }

    /// Panics if `runner`, which is about to wait for `cell`, is inside the cell's initializer.
    #[track_caller]
    pub(crate) fn assert_outside<C>(cell: &C, runner: Runner<'_>) {
        let cell = ptr::from_ref(cell).cast();
        let mut next = INNERMOST.get();
        // SAFETY: a frame of this thread, and the waker in it, live until it is popped, by returning or by unwinding.
        while let Some(frame) = unsafe { next.as_ref() } {
            let would_wait_for_itself = match (frame.runner, runner) {
                (_, Runner::Thread) => true,
                (Runner::Task(initializing), Runner::Task(waiting)) => initializing.will_wake(waiting),
                (Runner::Thread, Runner::Task(_)) => false,
            };
            assert!(
                frame.cell != cell || !would_wait_for_itself,
                "deadlock: the initializer of a `OnceCell` awaits its own cell; compute the value without \
                 the cell, or move the wait out of the initializer"
            );
            next = frame.outer;
        }
    }
}

#[cfg(not(all(debug_assertions, feature = "std", not(any(oncelot_loom, oncelot_shuttle)))))]
mod unwatched {
    use super::Runner;

    #[inline(always)]
    pub(crate) fn initializing<C, R>(_cell: &C, _runner: Runner<'_>, run: impl FnOnce() -> R) -> R {
        run()
    }

    #[inline(always)]
    pub(crate) fn assert_outside<C>(_cell: &C, _runner: Runner<'_>) {}
}
