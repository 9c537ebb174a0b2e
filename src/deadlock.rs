//! Debug builds with `std` find out when an initializer waits for its own cell.
//!
//! While an initializer runs, in its closure or in a poll, a frame of its thread names the cell and the waker of the task.
//! Whoever is about to wait for a cell looks for that cell among the frames of the thread.
//!
//! A thread that would block there would block the initializer below it. A future that is being polled with the same
//! waker is polled from inside the initializer, by the initializer's own task, and would wait for itself. The waker
//! keeps legitimate programs out: an initializer that blocks on an executor may have it run other
//! tasks in the meantime, and those may well wait for the cell. (Unless all tasks share one waker. And a task that
//! awaits its own cell beside a timeout is told too, though it would not wait for ever.) Two branches of one `join!` share a waker,
//! but not a stack: the first one's frame is gone when the second is polled.
//!
//! With the feature `tracing`, the subscriber is called while the claim is taken, to create, enter and exit the span of an
//! initializer. It has a frame of its own then: no wait for the cell ends before it returns, whatever the waker.
//!
//! Frames are addresses that are compared and never followed. So a program that leaves a stack in mid-poll, and goes on
//! with it later or on another thread, as stackful coroutines do, may miss a report or get a false one, and nothing worse.

#[cfg(all(debug_assertions, feature = "std", not(oncelot_loom)))]
pub(crate) use self::enabled::*;

#[cfg(not(all(debug_assertions, feature = "std", not(oncelot_loom))))]
pub(crate) use self::disabled::*;

use core::task::Waker;

/// Who runs an initializer, or waits.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "only looked at where it is enabled")]
pub(crate) enum Runner<'a> {
    /// The task of this waker.
    Task(&'a Waker),
    /// A thread, which may block.
    Thread,
    /// A `tracing` subscriber that is called while the claim is taken.
    #[cfg(feature = "tracing")]
    Subscriber,
}

#[cfg(all(debug_assertions, feature = "std", not(oncelot_loom)))]
mod enabled {
    use core::{cell::Cell, ptr, task::RawWakerVTable};

    use super::Runner;

    /// How many initializers may be at work inside each other. What is deeper is not enabled.
    const DEPTH: usize = 16;

    std::thread_local! {
        /// The frames of this thread, in no order.
        static FRAMES: [Cell<Option<Frame>>; DEPTH] = const { [const { Cell::new(None) }; DEPTH] };
    }

    /// Calls `f` with the frames of this thread, or returns `None` if std has destroyed them, which it may do before it
    /// destroys another thread-local, whose destructor uses a cell.
    fn with_frames<R>(f: impl FnOnce(&[Cell<Option<Frame>>; DEPTH]) -> R) -> Option<R> {
        FRAMES.try_with(f).ok()
    }

    #[derive(Clone, Copy)]
    struct Frame {
        /// What tells it from all others: where its guard is.
        guard: *const FrameGuard,
        cell: *const (),
        waits: Waits,
    }

    /// Which waits for the cell of a frame, on its thread, would never end.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Waits {
        /// Those by the task of this waker, and those that block.
        OfTask(*const (), *const RawWakerVTable),
        /// Those that block.
        Blocking,
        /// All: a call to a subscriber returns before anything else on the thread goes on.
        #[cfg(feature = "tracing")]
        OfSubscriber,
    }

    /// Takes a frame away when it is dropped.
    struct FrameGuard {
        /// Gives it an address of its own.
        _place: u8,
    }

    impl Drop for FrameGuard {
        fn drop(&mut self) {
            let guard = ptr::from_ref(self);
            let ours = |frame: Frame| frame.guard == guard;
            with_frames(|frames| {
                if let Some(place) = frames.iter().find(|place| place.get().is_some_and(ours)) {
                    place.set(None);
                }
            });
        }
    }

    impl Runner<'_> {
        fn waits(self) -> Waits {
            match self {
                Self::Task(waker) => Waits::OfTask(waker.data(), ptr::from_ref(waker.vtable())),
                Self::Thread => Waits::Blocking,
                #[cfg(feature = "tracing")]
                Self::Subscriber => Waits::OfSubscriber,
            }
        }
    }

    /// Has `runner` run a part of the initializer of `cell`.
    pub(crate) fn with_frame<C, R>(cell: &C, runner: Runner<'_>, run: impl FnOnce() -> R) -> R {
        let frame_guard = FrameGuard { _place: 0 };
        with_frames(|frames| {
            if let Some(place) = frames.iter().find(|place| place.get().is_none()) {
                place.set(Some(Frame {
                    guard: &frame_guard,
                    cell: ptr::from_ref(cell).cast(),
                    waits: runner.waits(),
                }));
            }
        });
        run()
    }

    /// Panics if `runner`, which is about to wait for `cell`, is inside the cell's initializer, or inside a subscriber that
    /// was called while the claim is taken.
    pub(crate) fn assert_outside<C>(cell: &C, runner: Runner<'_>) {
        let cell = ptr::from_ref(cell).cast();
        let waits = runner.waits();
        with_frames(|frames| {
            for frame in frames
                .iter()
                .filter_map(Cell::get)
                .filter(|frame| frame.cell == cell)
            {
                #[cfg(feature = "tracing")]
                assert!(
                    frame.waits != Waits::OfSubscriber,
                    "deadlock: a `tracing` subscriber waits for a cell while the span of its initializer is created, \
                     entered or exited; read the cell with `get` there, or wait for it when an event is emitted or the \
                     span is closed"
                );
                assert!(
                    waits != Waits::Blocking && waits != frame.waits,
                    "deadlock: an initializer awaits its own cell; compute the value without the cell, or move the wait \
                     out of the initializer"
                );
            }
        });
    }
}

#[cfg(not(all(debug_assertions, feature = "std", not(oncelot_loom))))]
mod disabled {
    use super::Runner;

    #[inline(always)]
    pub(crate) fn with_frame<C, R>(_cell: &C, _runner: Runner<'_>, run: impl FnOnce() -> R) -> R {
        run()
    }

    #[inline(always)]
    pub(crate) fn assert_outside<C>(_cell: &C, _runner: Runner<'_>) {}
}
