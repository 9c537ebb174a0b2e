//! Lazily computed statics: the future lives in a place beside the static, and has a waker of the static's own.

use core::{
    fmt, mem,
    panic::{RefUnwindSafe, UnwindSafe},
    pin::Pin,
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker, ready},
};

use crate::{
    backend::{Backend, Intrusive, WaiterKind},
    deadlock::Runner,
    raw::wait::{HasRawCell, WaitFuture, polled_after_completion},
    raw::{Acquired, Claim, RawCell},
    sync::{AtomicU8, Ordering, UnsafeCell, compare_exchange_u8},
    trace::InitSpan,
};

pub use self::storage::{Align, Alignment, FutureStorage, align_of_future, size_of_future};

mod storage;

/// Declares statics whose values are computed by futures, when they are first asked for.
///
/// ```
/// # #[derive(Debug)] pub struct Config;
/// # async fn load() -> Config { Config }
/// oncelot::lazy! {
///     /// What the configuration file says.
///     pub static CONFIG: Config = async { load().await };
///     static ANSWER: u32 = async { 6 * 7 };
/// }
///
/// # futures_lite::future::block_on(async {
/// let config: &'static Config = CONFIG.get().await;
/// assert_eq!(*ANSWER.get().await, 42);
/// # });
/// ```
///
/// Each static is a [`StaticLazy`]. The future is stored in a place beside it, whose size and alignment are computed by
/// the compiler, and nothing is allocated. Attributes, doc comments and visibility are the static's. The future is
/// `Send` and `'static`; it begins when somebody asks, and is dropped as soon as the value is there.
#[macro_export]
macro_rules! lazy {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $value:ty = $future:expr;)*) => {$(
        $(#[$attribute])*
        $visibility static $name: $crate::StaticLazy<$value> = {
            static __ONCELOT_STORAGE: $crate::__private::FutureStorage<
                { $crate::__private::size_of_future(|| $future) },
                { $crate::__private::align_of_future(|| $future) },
            > = $crate::__private::FutureStorage::new();
            // SAFETY: the place is this static's alone.
            unsafe { $crate::StaticLazy::__new(&__ONCELOT_STORAGE, || $future) }
        };
    )*};
}

/// A static whose value is computed by a future, when it is first asked for. [`lazy!`](crate::lazy!) declares it.
///
/// Its waiters do not depend on each other at all. The future is polled by whoever comes, but with a waker of
/// the static's own, which wakes every waiter: whoever of them is polled first goes on. A task that asked, and is
/// alive but not polled any more, holds up nobody.
///
/// # Panics
///
/// If the future panics, the static is poisoned: whoever asks for the value panics.
///
/// What is left of the future is then leaked, as all of a static is.
///
/// # Its own value
///
/// The future must not await its own static: debug builds with the feature `std` panic and say so, others wait for ever.
/// So do two statics whose futures await each other, in any build.
///
/// # Interrupts and contexts
///
/// Waking the future's waker changes the static. If an interrupt handler wakes it, the feature `critical-section` is
/// needed, as for changing any cell in a handler: without it the handler may spin for the lock of the code that it
/// interrupts. The same holds of a thread of another priority on the same core, unless the feature `std` is on: with it,
/// such a thread sleeps until the lock is released.
///
/// Whoever comes first polls the future, on any thread. If it needs the context of a runtime, ask for it there alone:
/// elsewhere it panics, and is not tried again.
///
/// # Costs
///
/// Each wake of the future wakes every waiter. One look at a ready static is one load (Acquire). Nothing
/// allocates.
///
/// The value stands in the static, beside seven words, and the future in memory that is zero when the program begins: it
/// adds nothing to what is stored of the program. Like any future that is boxed or spawned, it is made on the stack
/// of whoever polls it first, and then moved to its place.
pub struct StaticLazy<T> {
    raw: RawCell<T, Intrusive>,
    /// What to do when the future's waker is woken, and when it is pending; see [`AWAKE`] and the others.
    phase: AtomicU8,
    /// Touched by the holder of the claim alone, and so is the future.
    computation: UnsafeCell<FutureSlot>,
    future: ErasedFuture<T>,
}

/// The future's waker was woken, or never made: whoever has the claim polls, or is to poll again.
const AWAKE: u8 = 0;
/// The future was not woken since a task began to poll it, which has the claim until then.
const POLLING: u8 = 1;
/// The future is pending, and its waker has the claim: waking is releasing it.
const ASLEEP: u8 = 2;

struct FutureSlot {
    life: FutureState,
    /// Lasts from the first poll on.
    span: InitSpan,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FutureState {
    /// There is no future yet.
    Unstarted,
    /// The future is in its place.
    Running,
    /// The future was dropped; there is, or is about to be, a value.
    Finished,
    /// The future has panicked, and whatever is left of it stays in its place.
    Poisoned,
}

/// What is known of a future whose type has no name.
struct ErasedFuture<T> {
    place: *mut u8,
    /// A `fn() -> Fut`.
    init: fn(),
    /// Puts the future that `init` makes into its place.
    start: unsafe fn(fn(), *mut u8),
    poll: unsafe fn(*mut u8, &mut Context<'_>) -> Poll<T>,
    drop: unsafe fn(*mut u8),
}

impl<T> ErasedFuture<T> {
    const fn new<Fut: Future<Output = T>>(place: *mut u8, init: fn() -> Fut) -> Self {
        Self {
            place,
            // SAFETY: a function pointer is kept as another one, and only called as what it was, in `start`.
            init: unsafe { mem::transmute::<fn() -> Fut, fn()>(init) },
            start: |init, place| {
                // SAFETY: `init` was made from a function pointer of this type, above.
                let init = unsafe { mem::transmute::<fn(), fn() -> Fut>(init) };
                // SAFETY: the caller gives a place that is large and aligned enough.
                unsafe { place.cast::<Fut>().write(init()) };
            },
            poll: |place, cx| {
                // SAFETY: the caller has put the future there by `start`, and has it alone.
                let future = unsafe { &mut *place.cast::<Fut>() };
                // SAFETY: the future stays in its place until it is dropped there.
                unsafe { Pin::new_unchecked(future) }.poll(cx)
            },
            // SAFETY: the caller has put the future there by `start`, and has it alone.
            drop: |place| unsafe { place.cast::<Fut>().drop_in_place() },
        }
    }
}

// SAFETY: what holds of `RawCell`; the future is `Send`, as `__new` demands, and is polled and dropped by one thread
// after the other, as the claim goes from hand to hand.
unsafe impl<T: Send + Sync> Sync for StaticLazy<T> {}

// What has panicked is never seen: it is poisoned.
impl<T: UnwindSafe> UnwindSafe for StaticLazy<T> {}
impl<T: UnwindSafe + RefUnwindSafe> RefUnwindSafe for StaticLazy<T> {}

impl<T> StaticLazy<T> {
    /// For [`lazy!`](crate::lazy!).
    ///
    /// # Safety
    ///
    /// Nothing else uses the place, as long as this lives.
    #[doc(hidden)]
    #[must_use]
    pub const unsafe fn __new<Fut, const SIZE: usize, const ALIGN: usize>(
        place: &'static FutureStorage<SIZE, ALIGN>,
        init: fn() -> Fut,
    ) -> Self
    where
        Fut: Future<Output = T> + Send + 'static,
        Align<ALIGN>: Alignment,
    {
        assert!(
            size_of::<Fut>() <= SIZE && align_of::<Fut>() <= ALIGN,
            "use `oncelot::lazy!`"
        );
        Self {
            raw: RawCell::empty(),
            phase: AtomicU8::new(AWAKE),
            computation: UnsafeCell::new(FutureSlot {
                life: FutureState::Unstarted,
                span: InitSpan::NONE,
            }),
            future: ErasedFuture::new(place.address(), init),
        }
    }

    /// The value, if it is there. Never waits and never computes: one load (Acquire).
    #[inline]
    pub fn try_get(&self) -> Option<&T> {
        self.raw.get()
    }

    /// The value, once it is there; computes it if nobody else does.
    ///
    /// # Panics
    ///
    /// Panics if the future panics, now or before: then the static is poisoned. Panics if a waker of a waiter does, after
    /// everybody was woken, or if a clone or a drop of the task's own waker does. Debug builds with the feature `std` panic
    /// if the future awaits its own static.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is lost: the others go on with the computation.
    #[inline]
    pub fn get(&'static self) -> GetStatic<T> {
        GetStatic {
            stage: match self.try_get() {
                Some(value) => Stage::Ready(value),
                None => Stage::Waiting(WaitFuture::new(self, WaiterKind::Claimant)),
            },
        }
    }

    /// Polls the future once, and passes the claim on.
    fn drive(&'static self, claim: Claim<&'static RawCell<T, Intrusive>>) -> PollOutcome<T> {
        self.exchange_phase(POLLING);
        let waker = self.waker();
        // SAFETY: we have the claim.
        match unsafe { self.poll_computation(&waker) } {
            Poll::Ready((value, _span)) => PollOutcome::Finished(claim.publish(value)),
            Poll::Pending if compare_exchange_u8(&self.phase, POLLING, ASLEEP).is_ok() => {
                // Now the waker's.
                mem::forget(claim);
                PollOutcome::Asleep
            }
            // Dropping the claim has the others go on.
            Poll::Pending => PollOutcome::Woken,
        }
    }

    /// Changes the phase, tells what it was, and sees whatever those who woke the future before have done.
    fn exchange_phase(&self, phase: u8) -> u8 {
        let mut current = self.phase.load(Ordering::Relaxed);
        while let Err(found) = compare_exchange_u8(&self.phase, current, phase) {
            current = found;
        }
        current
    }

    /// Polls the future, which is made if there is none. Beside the value there is what tells of it when it is published.
    ///
    /// # Safety
    ///
    /// The caller has the claim.
    unsafe fn poll_computation(&'static self, waker: &Waker) -> Poll<(T, InitSpan)> {
        self.computation.with_mut(|computation| {
            // SAFETY: the caller has the claim, so that nobody else uses the computation.
            let FutureSlot {
                life: stage,
                span: kept,
            } = unsafe { &mut *computation };
            assert!(
                *stage != FutureState::Poisoned,
                "this static is poisoned: the future that was to compute its value has panicked"
            );
            kept.begin::<T>(self.raw.attempts());
            let mut span = kept.take();
            // Until it is known that nothing has panicked.
            let life = mem::replace(stage, FutureState::Poisoned);
            let polled = span.run(self.raw.backend(), Runner::Task(waker), || {
                let future = &self.future;
                if life == FutureState::Unstarted {
                    // SAFETY: the place is as large and aligned as the future is, as `__new` has checked.
                    unsafe { (future.start)(future.init, future.place) };
                }
                // SAFETY: the future is in its place, and ours.
                let polled = unsafe { (future.poll)(future.place, &mut Context::from_waker(waker)) };
                if polled.is_ready() {
                    // SAFETY: the future is in its place, and ours; `Poisoned` keeps others away from what is left.
                    unsafe { (future.drop)(future.place) };
                }
                polled
            });
            match polled {
                Poll::Ready(value) => {
                    *stage = FutureState::Finished;
                    span.succeed();
                    Poll::Ready((value, span))
                }
                Poll::Pending => {
                    *stage = FutureState::Running;
                    *kept = span;
                    Poll::Pending
                }
            }
        })
    }

    /// A waker that wakes every waiter. It owns nothing, as a static lives for ever.
    fn waker(&'static self) -> Waker {
        // SAFETY: the functions of the table take what `raw_waker` puts in, a `&'static Self`.
        unsafe { Waker::from_raw(self.raw_waker()) }
    }

    fn raw_waker(&'static self) -> RawWaker {
        let table = const {
            &RawWakerVTable::new(
                // SAFETY: `data` is the `&'static Self` below, here and in the next.
                |data| unsafe { &*data.cast::<Self>() }.raw_waker(),
                // SAFETY: as above.
                |data| unsafe { &*data.cast::<Self>() }.wake(),
                // SAFETY: as above.
                |data| unsafe { &*data.cast::<Self>() }.wake(),
                |_| (),
            )
        };
        RawWaker::new(core::ptr::from_ref(self).cast(), table)
    }

    /// Has the future polled again, by whoever comes first.
    fn wake(&'static self) {
        // Written even where it changes nothing: whoever polls next writes the phase before, and so sees why we wake.
        if self.exchange_phase(AWAKE) == ASLEEP {
            // SAFETY: the claim was left to the waker, which is us; the exchange has made it ours alone.
            unsafe { self.raw.backend().release() };
        }
    }
}

/// What has become of a turn.
enum PollOutcome<T: 'static> {
    Finished(&'static T),
    /// The future's waker has the claim.
    Asleep,
    /// The future was woken while it was polled.
    Woken,
}

/// The future of [`StaticLazy::get`].
///
/// # Panics
///
/// Panics if it is polled after it has completed or panicked.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct GetStatic<T: 'static> {
    stage: Stage<T>,
}

enum Stage<T: 'static> {
    /// The value was there when the future was made: the path of every access to a ready static.
    Ready(&'static T),
    /// Pinned with the whole.
    Waiting(WaitFuture<'static, StaticLazy<T>>),
    Done,
}

impl<T> HasRawCell for StaticLazy<T> {
    type Value = T;
    type Backend = Intrusive;
    type Name = T;

    #[inline(always)]
    fn raw(&self) -> &RawCell<T, Intrusive> {
        &self.raw
    }
}

impl<T> Future for GetStatic<T> {
    type Output = &'static T;

    /// Inlined for the look at a ready static.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static T> {
        // SAFETY: `Waiting` is only reached through a `Pin`, or dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        if let Stage::Ready(value) = this.stage {
            this.stage = Stage::Done;
            return Poll::Ready(value);
        }
        this.poll_slow(cx)
    }
}

impl<T> GetStatic<T> {
    /// `self` is pinned.
    #[inline(never)]
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<&'static T> {
        loop {
            let Stage::Waiting(waiting) = &mut self.stage else {
                polled_after_completion()
            };
            let lazy = waiting.awaited();
            // SAFETY: it is pinned with the whole.
            let acquired = ready!(unsafe { Pin::new_unchecked(waiting) }.poll_acquire(cx));
            // Gone before the turn, which may panic.
            self.stage = Stage::Done;
            let claim = match acquired {
                Acquired::Ready(value) => return Poll::Ready(value),
                Acquired::Claimed(claim) => claim,
            };
            let driven = lazy.drive(claim);
            if let PollOutcome::Finished(value) = driven {
                return Poll::Ready(value);
            }
            // Nobody has the claim now, or somebody else: wait for the next turn.
            self.stage = Stage::Waiting(WaitFuture::new(lazy, WaiterKind::Claimant));
            if let PollOutcome::Woken = driven {
                // Everybody else was woken to go on. So that the executor has its turn too, come back.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for StaticLazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("StaticLazy");
        match self.try_get() {
            Some(value) => tuple.field(value),
            None => tuple.field(&format_args!("<unfinished>")),
        };
        tuple.finish()
    }
}

impl<T> fmt::Debug for GetStatic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetStatic").finish_non_exhaustive()
    }
}
