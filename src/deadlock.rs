//! Detects an initializer that awaits its own cell: in debug builds with `std`, and in any build with the feature
//! `deadlock-detection`.
//!
//! # Frames
//!
//! While a thread runs a part of an initializer (its closure, a poll of its future, or the destructor of the future), a
//! frame in a thread-local array stores the address of the cell and the identity of the waker that the initializer is
//! polled with. A frame is removed when the part returns or panics. The frames of a thread are the initializers on its
//! stack.
//!
//! Before a waiter registers, or a thread parks, it searches the frames of its thread for the cell that it waits for. If there
//! is such a frame, the wait is reported as follows:
//!
//! | the waiter | is reported | because |
//! |---|---|---|
//! | a thread that is about to park | in any case | the thread would block the initializer further up its own stack |
//! | a future that is polled | if the frame has the same waker | the future is a part of the initializer, and would wait for itself |
//!
//! Cells whose initializers await each other are reported by the same rule if each initializer runs inside the other one:
//! if the initializer of A initializes B, and the initializer of B awaits A, the frames are those of A and of B. The panic
//! message lists all frames from the one of A on.
//!
//! # What is not reported
//!
//! The detection reports a wait only if the stack and the waker show that it is a part of the initializer. Each of these
//! waits may be a deadlock, but cannot be distinguished from a wait that ends:
//!
//! - **A wait that another waker polls.** An initializer may block on an executor that runs other tasks, and they may wait
//!   for the cell: they end after the initializer does. The futures inside a `FuturesUnordered` and the futures of `lazy!`
//!   statics have wakers of their own, too. So an initializer that awaits its own cell through one of those, or through a
//!   task that it has spawned, is not reported. Nor are two `lazy!` statics whose futures await each other.
//! - **A wait that is polled with a waker without data, such as [`Waker::noop`].** Every task of an executor that polls in a
//!   loop may have that waker.
//! - **Two branches of one `join!` or `select!`** in which the initializer of A awaits B, and the initializer of B awaits A.
//!   The branches are polled one after the other: when the second one waits, the frame of the first one is gone. Recording
//!   which initializer waits for which cell would not help. Each of the two may await the other cell with a timeout, or
//!   concurrently with another source of the value, and the cells cannot observe what else an initializer waits for.
//! - **A guard that is held while its cell is awaited.** The claim is a value: the task that waits may have passed it to
//!   another task or thread, which sets it. A guard does not record where it is.
//!
//! # False positives
//!
//! - A wait for the own cell with a timeout. The branch of the wait can never win, but the timeout can.
//! - A wait of another task that is polled inside the initializer with the same waker, whose data is not null. That
//!   takes an executor that gives all tasks one waker, and an initializer that blocks on it.
//!
//! # Subscribers
//!
//! With the feature `tracing`, a subscriber is called while the claim is taken, to create, enter and exit the span of an
//! initializer. Such a call has a frame of its own. No wait for the cell ends before the call returns, so every wait is
//! reported.
//!
//! # Addresses
//!
//! Frames contain addresses that are compared and never dereferenced. A program that switches stacks in the middle of a
//! poll, as stackful coroutines do, may miss a report or get a false one, and nothing worse.

#[cfg(all(
    feature = "std",
    any(debug_assertions, feature = "deadlock-detection"),
    not(oncelot_loom)
))]
pub(crate) use self::enabled::*;

#[cfg(not(all(
    feature = "std",
    any(debug_assertions, feature = "deadlock-detection"),
    not(oncelot_loom)
)))]
pub(crate) use self::disabled::*;

#[cfg(feature = "deadlock-detection")]
use core::panic::Location;
use core::{fmt, task::Waker};

/// The task or thread that runs an initializer, or waits.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "read only where the detection is enabled")]
pub(crate) enum Runner<'a> {
    /// The task of this waker.
    Task(&'a Waker),
    /// A thread, which may block.
    Thread,
}

/// Where an initializer began: the call that was given its closure, or the constructor of its lazy.
///
/// Without the feature `deadlock-detection` it is zero-sized, and the functions that create one have no hidden argument.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    #[cfg(feature = "deadlock-detection")]
    location: &'static Location<'static>,
}

impl Origin {
    #[inline(always)]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub(crate) const fn caller() -> Self {
        Self {
            #[cfg(feature = "deadlock-detection")]
            location: Location::caller(),
        }
    }
}

/// Shows where the initializer began, or nothing without the feature `deadlock-detection`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "deadlock-detection")]
        return write!(f, " (began at {})", self.location);
        #[cfg(not(feature = "deadlock-detection"))]
        f.write_str("")
    }
}

#[cfg(all(
    feature = "std",
    any(debug_assertions, feature = "deadlock-detection"),
    not(oncelot_loom)
))]
mod enabled {
    use core::{
        any::type_name,
        cell::Cell,
        fmt, ptr,
        task::{RawWakerVTable, Waker},
    };

    use super::{Origin, Runner};

    /// The maximum number of frames of a thread. More deeply nested initializers are not tracked.
    const DEPTH: usize = 16;

    type Frames = [Cell<Option<Frame>>; DEPTH];

    std::thread_local! {
        /// The frames of this thread, outermost first.
        static FRAMES: Frames = const { [const { Cell::new(None) }; DEPTH] };
    }

    /// Calls `f` with the frames of this thread, unless std has destroyed them, which it may do before it destroys another
    /// thread-local, whose destructor uses a cell.
    fn with_frames(f: impl FnOnce(&Frames)) {
        let _ = FRAMES.try_with(f);
    }

    #[derive(Clone, Copy)]
    struct Frame {
        /// The address of the guard, which no other frame has.
        guard: *const FrameGuard,
        cell: *const (),
        part: Part,
    }

    /// The code that runs in a frame.
    #[derive(Clone, Copy)]
    enum Part {
        Initializer(Initializer),
        /// A call to a `tracing` subscriber.
        #[cfg(feature = "tracing")]
        Subscriber,
    }

    #[derive(Clone, Copy)]
    struct Initializer {
        /// `None` if a thread runs the initializer, or a task that its waker does not identify.
        task: Option<TaskId>,
        value: &'static str,
        origin: Origin,
    }

    impl fmt::Display for Initializer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "of `{}`{}", self.value, self.origin)
        }
    }

    /// The identity of a task's waker.
    #[derive(Clone, Copy, PartialEq, Eq)]
    struct TaskId(*const (), *const RawWakerVTable);

    impl TaskId {
        /// Returns `None` for a waker without data, such as [`Waker::noop`], which may be that of any task.
        // Not by `will_wake(Waker::noop())`: there are several vtables of that waker in one program.
        fn of(waker: &Waker) -> Option<Self> {
            (!waker.data().is_null()).then(|| Self(waker.data(), ptr::from_ref(waker.vtable())))
        }
    }

    impl Runner<'_> {
        fn task(self) -> Option<TaskId> {
            match self {
                Self::Task(waker) => TaskId::of(waker),
                Self::Thread => None,
            }
        }

        /// Returns whether a wait by `self` inside `initializer`, for the cell of `initializer`, cannot end.
        fn waits_for_itself(self, initializer: Initializer) -> bool {
            match self {
                Self::Task(_) => self.task().is_some_and(|task| initializer.task == Some(task)),
                Self::Thread => true,
            }
        }
    }

    /// Removes a frame when it is dropped.
    struct FrameGuard {
        /// Makes the address unique.
        _place: u8,
    }

    impl Drop for FrameGuard {
        fn drop(&mut self) {
            let guard = ptr::from_ref(self);
            let is_own = |frame: Frame| frame.guard == guard;
            with_frames(|frames| {
                if let Some(place) = frames.iter().find(|place| place.get().is_some_and(is_own)) {
                    place.set(None);
                }
            });
        }
    }

    /// Calls `run`, a part of the initializer of `cell` that makes a `T`, in a frame.
    pub(crate) fn with_frame<T, C, R>(
        cell: &C,
        runner: Runner<'_>,
        origin: Origin,
        run: impl FnOnce() -> R,
    ) -> R {
        let initializer = Initializer {
            task: runner.task(),
            value: type_name::<T>(),
            origin,
        };
        in_frame(cell, Part::Initializer(initializer), run)
    }

    /// Calls `run`, which calls a `tracing` subscriber while the claim of `cell` is taken, in a frame.
    #[cfg(feature = "tracing")]
    pub(crate) fn with_subscriber_frame<C, R>(cell: &C, run: impl FnOnce() -> R) -> R {
        in_frame(cell, Part::Subscriber, run)
    }

    fn in_frame<C, R>(cell: &C, part: Part, run: impl FnOnce() -> R) -> R {
        let frame_guard = FrameGuard { _place: 0 };
        with_frames(|frames| {
            if let Some(place) = frames.iter().find(|place| place.get().is_none()) {
                place.set(Some(Frame {
                    guard: &frame_guard,
                    cell: ptr::from_ref(cell).cast(),
                    part,
                }));
            }
        });
        run()
    }

    /// Panics if `waiter`, which is about to wait for `cell`, is inside the cell's initializer, or inside a call to a
    /// subscriber that is made while the claim is taken.
    pub(crate) fn assert_outside<C>(cell: &C, waiter: Runner<'_>) {
        let cell = ptr::from_ref(cell).cast();
        with_frames(|frames| {
            for (depth, frame) in frames.iter().enumerate() {
                let Some(frame) = frame.get().filter(|frame| frame.cell == cell) else {
                    continue;
                };
                match frame.part {
                    Part::Initializer(initializer) => {
                        if waiter.waits_for_itself(initializer) {
                            report(&frames[depth..]);
                        }
                    }
                    #[cfg(feature = "tracing")]
                    Part::Subscriber => panic!(
                        "deadlock: a `tracing` subscriber waits for a cell while the span of its initializer is \
                         created, entered or exited; read the cell with `get` there, or wait for it when an event is \
                         emitted or the span is closed"
                    ),
                }
            }
        });
    }

    /// Panics because the initializer of the first frame is awaited in the last one.
    #[cold]
    #[inline(never)]
    fn report(frames: &[Cell<Option<Frame>>]) -> ! {
        panic!(
            "deadlock: an initializer awaits its own cell; compute the value without the cell, or move the wait out of \
             the initializer; {}",
            Stack(frames)
        )
    }

    /// Lists the initializers of some frames.
    struct Stack<'a>(&'a [Cell<Option<Frame>>]);

    impl fmt::Display for Stack<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let initializers = self.0.iter().filter_map(|frame| match frame.get()?.part {
                Part::Initializer(initializer) => Some(initializer),
                #[cfg(feature = "tracing")]
                Part::Subscriber => None,
            });
            let mut end = " waits for itself";
            for (depth, initializer) in initializers.enumerate() {
                let verb = match depth {
                    0 => "",
                    1 => " runs ",
                    _ => ", which runs ",
                };
                if depth > 0 {
                    end = ", which waits for the first one";
                }
                write!(f, "{verb}the initializer {initializer}")?;
            }
            f.write_str(end)
        }
    }
}

#[cfg(not(all(
    feature = "std",
    any(debug_assertions, feature = "deadlock-detection"),
    not(oncelot_loom)
)))]
mod disabled {
    use super::{Origin, Runner};

    #[inline(always)]
    #[allow(
        clippy::extra_unused_type_parameters,
        reason = "it names the value where the detection is enabled"
    )]
    pub(crate) fn with_frame<T, C, R>(
        _cell: &C,
        _runner: Runner<'_>,
        _origin: Origin,
        run: impl FnOnce() -> R,
    ) -> R {
        run()
    }

    #[cfg(feature = "tracing")]
    #[inline(always)]
    pub(crate) fn with_subscriber_frame<C, R>(_cell: &C, run: impl FnOnce() -> R) -> R {
        run()
    }

    #[inline(always)]
    pub(crate) fn assert_outside<C>(_cell: &C, _waiter: Runner<'_>) {}
}
