//! Lazily computed statics: the future lives in the static itself, and has a waker of the static's own.

use core::{
    fmt,
    mem::{self, MaybeUninit},
    pin::Pin,
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker, ready},
};

use crate::{
    acquire::{Awaited, Waiting, polled_after_completion},
    attempt::Attempt,
    backend::{Backend, Interest, Intrusive},
    reentrancy::Runner,
    slot::{Acquired, Claim, Slot},
    sync::{AtomicU8, Ordering, UnsafeCell},
    word::exchange_byte,
};

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
/// Each static is a [`StaticLazy`]. The future is stored in it: its size and alignment are computed by the
/// compiler, and nothing is allocated. Attributes, doc comments and visibility are the static's. The future is
/// `Send` and `'static`; it begins when somebody asks, and is dropped as soon as the value is there.
#[macro_export]
macro_rules! lazy {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $value:ty = $future:expr;)*) => {$(
        $(#[$attribute])*
        $visibility static $name: $crate::StaticLazy<
            $value,
            { $crate::__private::size_of_future(|| $future) },
            { $crate::__private::align_of_future(|| $future) },
        > = $crate::StaticLazy::__new(|| $future);
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
/// The future must not await its own static. If it names it directly, the compiler finds a cycle; through a boxed
/// future, debug builds with the feature `std` panic.
///
/// # Costs
///
/// Each wake of the future wakes every waiter. One look at a ready static is one load (Acquire). Nothing
/// allocates.
pub struct StaticLazy<T, const SIZE: usize, const ALIGN: usize>
where
    Align<ALIGN>: Alignment,
{
    slot: Slot<T, Intrusive>,
    /// What to do when the future's waker is woken, and when it is pending; see [`AWAKE`] and the others.
    phase: AtomicU8,
    /// Touched by the holder of the claim alone.
    computation: UnsafeCell<Computation<SIZE, ALIGN>>,
    future: ErasedFuture<T>,
}

/// The future's waker was woken, or never made: whoever has the claim polls, or is to poll again.
const AWAKE: u8 = 0;
/// The future was not woken since a task began to poll it, which has the claim until then.
const POLLING: u8 = 1;
/// The future is pending, and its waker has the claim: waking is releasing it.
const ASLEEP: u8 = 2;

struct Computation<const SIZE: usize, const ALIGN: usize>
where
    Align<ALIGN>: Alignment,
{
    life: Life,
    /// Lasts from the first poll on.
    attempt: Attempt,
    place: Place<<Align<ALIGN> as Alignment>::Unit, SIZE>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    /// There is no future yet.
    Unstarted,
    /// The future is in its place.
    Running,
    /// The future was dropped; there is, or is about to be, a value.
    Finished,
    /// The future has panicked, and whatever is left of it stays in its place.
    Poisoned,
}

/// So many bytes, aligned as `A`.
#[repr(C)]
struct Place<A, const SIZE: usize> {
    align: [A; 0],
    bytes: MaybeUninit<[u8; SIZE]>,
}

/// What is known of a future whose type has no name.
struct ErasedFuture<T> {
    /// A `fn() -> Fut`.
    init: fn(),
    /// Puts the future that `init` makes into its place.
    start: unsafe fn(fn(), *mut u8),
    poll: unsafe fn(*mut u8, &mut Context<'_>) -> Poll<T>,
    drop: unsafe fn(*mut u8),
}

impl<T> ErasedFuture<T> {
    const fn new<Fut: Future<Output = T>>(init: fn() -> Fut) -> Self {
        Self {
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

// SAFETY: what holds of `Slot`; the future is `Send`, as `__new` demands, and is polled and dropped by one thread
// after the other, as the claim goes from hand to hand.
unsafe impl<T: Send + Sync, const SIZE: usize, const ALIGN: usize> Sync for StaticLazy<T, SIZE, ALIGN> where
    Align<ALIGN>: Alignment
{
}

impl<T, const SIZE: usize, const ALIGN: usize> StaticLazy<T, SIZE, ALIGN>
where
    Align<ALIGN>: Alignment,
{
    /// For [`lazy!`](crate::lazy!).
    #[doc(hidden)]
    #[must_use]
    pub const fn __new<Fut: Future<Output = T> + Send + 'static>(init: fn() -> Fut) -> Self {
        assert!(
            size_of::<Fut>() <= SIZE && align_of::<Fut>() <= ALIGN,
            "use `oncelot::lazy!`"
        );
        Self {
            slot: Slot::empty(),
            phase: AtomicU8::new(AWAKE),
            computation: UnsafeCell::new(Computation {
                life: Life::Unstarted,
                attempt: Attempt::NONE,
                place: Place {
                    align: [],
                    bytes: MaybeUninit::uninit(),
                },
            }),
            future: ErasedFuture::new(init),
        }
    }

    /// The value, if it is there. Never waits and never computes: one load (Acquire).
    #[inline]
    pub fn try_get(&self) -> Option<&T> {
        self.slot.get()
    }

    /// The value, once it is there; computes it if nobody else does.
    ///
    /// # Panics
    ///
    /// Panics if the future panics, now or before. Panics if a waker of a waiter does, after everybody was
    /// woken.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is lost: the others go on with the computation.
    #[inline]
    pub fn get(&'static self) -> GetStatic<T, SIZE, ALIGN> {
        GetStatic {
            stage: match self.try_get() {
                Some(value) => Turns::Ready(value),
                None => Turns::Waiting(Waiting::new(self, Interest::Claim)),
            },
        }
    }

    /// Polls the future once, and passes the claim on.
    fn drive(&'static self, claim: Claim<&'static Slot<T, Intrusive>>) -> Driven<T> {
        self.exchange_phase(POLLING);
        let waker = self.waker();
        // SAFETY: we have the claim.
        match unsafe { self.poll_computation(&waker) } {
            Poll::Ready((value, _attempt)) => Driven::Finished(claim.publish(value)),
            Poll::Pending if exchange_byte(&self.phase, POLLING, ASLEEP).is_ok() => {
                // Now the waker's.
                mem::forget(claim);
                Driven::Asleep
            }
            // Dropping the claim has the others go on.
            Poll::Pending => Driven::Woken,
        }
    }

    /// Changes the phase, tells what it was, and sees whatever those who woke the future before have done.
    fn exchange_phase(&self, phase: u8) -> u8 {
        let mut current = self.phase.load(Ordering::Relaxed);
        while let Err(found) = exchange_byte(&self.phase, current, phase) {
            current = found;
        }
        current
    }

    /// Polls the future, which is made if there is none. Beside the value there is what tells of it when it is published.
    ///
    /// # Safety
    ///
    /// The caller has the claim.
    unsafe fn poll_computation(&'static self, waker: &Waker) -> Poll<(T, Attempt)> {
        self.computation.with_mut(|computation| {
            // Its fields, and never a reference to the whole: a future that refers to itself shares its place with
            // nobody else's `&mut`.
            // SAFETY: the pointer is valid.
            let place = unsafe { &raw mut (*computation).place.bytes }.cast();
            // SAFETY: the caller has the claim, so that nobody else uses the computation.
            let stage = unsafe { &mut (*computation).life };
            // SAFETY: as above.
            let kept = unsafe { &mut (*computation).attempt };
            assert!(
                *stage != Life::Poisoned,
                "this static is poisoned: the future that was to compute its value has panicked"
            );
            kept.begin::<T>(self.slot.attempts());
            let mut attempt = kept.take();
            // Until it is known that nothing has panicked.
            let life = mem::replace(stage, Life::Poisoned);
            let polled = attempt.run(self.slot.backend(), Runner::Task(waker), || {
                if life == Life::Unstarted {
                    // SAFETY: the place is as large and aligned as the future is, as `__new` has checked.
                    unsafe { (self.future.start)(self.future.init, place) };
                }
                // SAFETY: the future is in its place, and ours.
                let polled = unsafe { (self.future.poll)(place, &mut Context::from_waker(waker)) };
                if polled.is_ready() {
                    // SAFETY: the future is in its place, and ours; `Poisoned` keeps others away from what is left.
                    unsafe { (self.future.drop)(place) };
                }
                polled
            });
            match polled {
                Poll::Ready(value) => {
                    *stage = Life::Finished;
                    attempt.succeed();
                    Poll::Ready((value, attempt))
                }
                Poll::Pending => {
                    *stage = Life::Running;
                    *kept = attempt;
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
            unsafe { self.slot.backend().release() };
        }
    }
}

/// What has become of a turn.
enum Driven<T: 'static> {
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
pub struct GetStatic<T: 'static, const SIZE: usize, const ALIGN: usize>
where
    Align<ALIGN>: Alignment,
{
    stage: Turns<T, SIZE, ALIGN>,
}

enum Turns<T: 'static, const SIZE: usize, const ALIGN: usize>
where
    Align<ALIGN>: Alignment,
{
    /// The value was there when the future was made: the path of every access to a ready static.
    Ready(&'static T),
    /// Pinned with the whole.
    Waiting(Waiting<'static, StaticLazy<T, SIZE, ALIGN>>),
    Done,
}

impl<T, const SIZE: usize, const ALIGN: usize> Awaited for StaticLazy<T, SIZE, ALIGN>
where
    Align<ALIGN>: Alignment,
{
    type Value = T;
    type Backend = Intrusive;
    type Name = T;

    #[inline(always)]
    fn slot(&self) -> &Slot<T, Intrusive> {
        &self.slot
    }
}

impl<T, const SIZE: usize, const ALIGN: usize> Future for GetStatic<T, SIZE, ALIGN>
where
    Align<ALIGN>: Alignment,
{
    type Output = &'static T;

    /// Inlined for the look at a ready static.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static T> {
        // SAFETY: `Waiting` is only reached through a `Pin`, or dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        if let Turns::Ready(value) = this.stage {
            this.stage = Turns::Done;
            return Poll::Ready(value);
        }
        this.poll_slow(cx)
    }
}

impl<T, const SIZE: usize, const ALIGN: usize> GetStatic<T, SIZE, ALIGN>
where
    Align<ALIGN>: Alignment,
{
    /// `self` is pinned.
    #[inline(never)]
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<&'static T> {
        loop {
            let Turns::Waiting(waiting) = &mut self.stage else {
                polled_after_completion()
            };
            let lazy = waiting.awaited();
            // SAFETY: it is pinned with the whole.
            let acquired = ready!(unsafe { Pin::new_unchecked(waiting) }.poll_acquire(cx));
            // Gone before the turn, which may panic.
            self.stage = Turns::Done;
            let claim = match acquired {
                Acquired::Ready(value) => return Poll::Ready(value),
                Acquired::Claimed(claim) => claim,
            };
            let driven = lazy.drive(claim);
            if let Driven::Finished(value) = driven {
                return Poll::Ready(value);
            }
            // Nobody has the claim now, or somebody else: wait for the next turn.
            self.stage = Turns::Waiting(Waiting::new(lazy, Interest::Claim));
            if let Driven::Woken = driven {
                // Everybody else was woken to go on. So that the executor has its turn too, come back.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

impl<T: fmt::Debug, const SIZE: usize, const ALIGN: usize> fmt::Debug for StaticLazy<T, SIZE, ALIGN>
where
    Align<ALIGN>: Alignment,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("StaticLazy");
        match self.try_get() {
            Some(value) => tuple.field(value),
            None => tuple.field(&format_args!("<unfinished>")),
        };
        tuple.finish()
    }
}

impl<T, const SIZE: usize, const ALIGN: usize> fmt::Debug for GetStatic<T, SIZE, ALIGN>
where
    Align<ALIGN>: Alignment,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetStatic").finish_non_exhaustive()
    }
}

/// An alignment in bytes, as a type.
#[derive(Debug)]
pub struct Align<const ALIGN: usize>;

/// Implemented for the alignments that futures have: the powers of two up to 4096.
pub trait Alignment {
    /// A type of no size with this alignment.
    #[doc(hidden)]
    type Unit: Copy;
}

macro_rules! alignments {
    ($($align:literal $unit:ident)*) => {$(
        #[doc(hidden)]
        #[derive(Debug, Clone, Copy)]
        #[repr(align($align))]
        pub struct $unit;

        impl Alignment for Align<$align> {
            type Unit = $unit;
        }
    )*};
}

alignments! {
    1 Align1
    2 Align2
    4 Align4
    8 Align8
    16 Align16
    32 Align32
    64 Align64
    128 Align128
    256 Align256
    512 Align512
    1024 Align1024
    2048 Align2048
    4096 Align4096
}

/// The size of the future that a closure makes.
#[must_use]
pub const fn size_of_future<F: FnOnce() -> Fut, Fut: Future>(init: F) -> usize {
    mem::forget(init);
    size_of::<Fut>()
}

/// The alignment of the future that a closure makes.
#[must_use]
pub const fn align_of_future<F: FnOnce() -> Fut, Fut: Future>(init: F) -> usize {
    mem::forget(init);
    align_of::<Fut>()
}
