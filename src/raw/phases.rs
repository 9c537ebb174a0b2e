//! Futures that have a waker of their own: any waiter polls such a future, and its waker wakes every waiter.
//!
//! # Phases
//!
//! In a [`Lazy`](crate::Lazy), the task that holds the claim polls the future with its own waker, and keeps the claim until
//! the future has completed or the task's future is dropped. Here, a task polls the future with the future's waker, and
//! releases the claim after each poll, so that a task that is held without being polled blocks no other task. A byte, the
//! phase, records the activity of the future:
//!
//! | phase | the future | the claim is held by |
//! |---|---|---|
//! | AWAKE | was woken, or was never polled | the task that is about to poll it, or no task |
//! | POLLING | was not woken since a task began to poll it | that task |
//! | ASLEEP | is pending | its waker |
//!
//! | from | to | by | then |
//! |---|---|---|---|
//! | any | POLLING | the task that has claimed | the task polls the future |
//! | POLLING | ASLEEP | that task, if the future is pending | the task forgets the claim, and waits as a claimant |
//! | POLLING | AWAKE | a wake | nothing; if the future is pending, the task does not find POLLING, and releases the claim |
//! | ASLEEP | AWAKE | a wake | the waker releases the claim, which wakes every claimant; the first one to be polled claims |
//!
//! Each change is a read-modify-write that acquires and releases, even if the phase is already the new one. So the next task to
//! poll the future sees the writes that preceded the wake. One change from ASLEEP to AWAKE succeeds for each
//! time that the future fell asleep, so that the claim is released once. After the future has completed, the phase has no
//! meaning.
//!
//! # Ownership
//!
//! The waker has access to the phase and the raw cell, and neither to the future nor to its value. A reactor may keep the waker
//! for any time, so the phase and the raw cell must live as long as the waker: a static lives forever, and a `BoxLazy` shares
//! them with its wakers in an `Arc`. A waker that outlives its `BoxLazy` changes a phase and a state that no task reads. The
//! only waiters that it can find belong to futures that were leaked, whose memory stays valid.

use core::{
    mem::{self, ManuallyDrop},
    pin::Pin,
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker, ready},
};

use crate::{
    backend::Backend,
    raw::stage::Stage,
    raw::wait::{ClaimOf, HasRawCell, polled_after_completion},
    raw::{Attempt, RawCell},
    sync::{AtomicU8, Ordering, compare_exchange_u8},
};

/// The future was woken, or never polled. The holder of the claim polls it, or polls it again.
const AWAKE: u8 = 0;
/// A task that holds the claim polls the future, which was not woken since the poll began.
const POLLING: u8 = 1;
/// The future is pending. Its waker holds the claim, and releases it when it is woken.
const ASLEEP: u8 = 2;

/// The phase of a future: [`AWAKE`], [`POLLING`] or [`ASLEEP`].
pub(crate) struct Phase(AtomicU8);

impl Phase {
    pub(crate) const fn new() -> Self {
        Self(AtomicU8::new(AWAKE))
    }

    /// Changes the phase and returns the former one. Acquires what the threads that woke the future have released.
    fn exchange(&self, phase: u8) -> u8 {
        // ORDERING: Relaxed: a guess, which the compare-and-swap checks.
        let mut current = self.0.load(Ordering::Relaxed);
        while let Err(found) = compare_exchange_u8(&self.0, current, phase) {
            current = found;
        }
        current
    }

    /// Changes the phase from POLLING to ASLEEP, or returns `false` if the future was woken.
    fn fall_asleep(&self) -> bool {
        compare_exchange_u8(&self.0, POLLING, ASLEEP).is_ok()
    }
}

/// A handle of the phase and the backend that the waker of a future changes. Each waker owns one handle.
///
/// # Safety
///
/// `from_raw` returns the handle that `into_raw` consumed. A handle and its clones give access to the same phase and the same
/// backend, which last as long as any of the handles. Any thread may clone a handle, drop it, change the phase, and release
/// the claim.
pub(crate) unsafe trait WakerHandle: Clone + 'static {
    type Backend: Backend;

    fn phase(&self) -> &Phase;

    /// Returns the backend of the raw cell whose claim the waker holds while the future is asleep.
    fn backend(&self) -> &Self::Backend;

    fn into_raw(self) -> *const ();

    /// # Safety
    ///
    /// `data` comes from `into_raw`, and is used for one handle at a time.
    unsafe fn from_raw(data: *const ()) -> Self;
}

/// Returns a waker that wakes every waiter.
pub(crate) fn waker<H: WakerHandle>(handle: H) -> Waker {
    // SAFETY: the functions of the table use `data` as `WakerHandle` allows, which any thread may do.
    unsafe { Waker::from_raw(raw_waker(handle)) }
}

fn raw_waker<H: WakerHandle>(handle: H) -> RawWaker {
    let table = const {
        &RawWakerVTable::new(
            |data| {
                // SAFETY: `data` comes from `into_raw`, below. The waker keeps its handle.
                let handle = ManuallyDrop::new(unsafe { H::from_raw(data) });
                raw_waker(H::clone(&handle))
            },
            |data| {
                // SAFETY: as above. The waker is consumed, and its handle is dropped here.
                let handle = unsafe { H::from_raw(data) };
                wake(&handle);
            },
            |data| {
                // SAFETY: as above. The waker keeps its handle.
                let handle = ManuallyDrop::new(unsafe { H::from_raw(data) });
                wake(&*handle);
            },
            |data| {
                // SAFETY: as above. The waker is dropped, and its handle with it.
                drop(unsafe { H::from_raw(data) });
            },
        )
    };
    RawWaker::new(handle.into_raw(), table)
}

/// Lets the first waiter that is polled poll the future again.
fn wake<H: WakerHandle>(handle: &H) {
    // The exchange is needed even if the phase is already AWAKE: the next poller's exchange then synchronizes with this one and
    // sees the writes that preceded the wake.
    if handle.phase().exchange(AWAKE) == ASLEEP {
        // SAFETY: the waker held the claim, and only one call finds ASLEEP.
        unsafe { handle.backend().release() };
    }
}

/// A value that a future with a waker of its own computes.
pub(crate) trait SelfWaking<'a>: HasRawCell {
    /// Returns the phase of the future, the same each time.
    fn phase(&self) -> &Phase;

    /// Returns the waker of the future.
    fn waker(&'a self) -> Waker;

    /// Polls the future. `attempt` is to publish the value. `Pending` suspends `attempt`.
    ///
    /// # Safety
    ///
    /// `attempt` has the claim of this value's raw cell.
    unsafe fn poll_future(
        &'a self,
        attempt: &mut Attempt<&'a RawCell<Self::Value, Self::Backend>>,
        cx: &mut Context<'_>,
    ) -> Poll<Self::Value>;
}

/// The stage of a future that waits for a value, and polls the value's future each time that it gets the claim.
pub(crate) type SelfWakingStage<'a, A> = Stage<'a, A, (), ()>;

/// Polls a future that waits for the value.
#[inline(always)]
pub(crate) fn poll<'a, A: SelfWaking<'a>>(
    stage: Pin<&mut SelfWakingStage<'a, A>>,
    cx: &mut Context<'_>,
) -> Poll<&'a A::Output> {
    stage.poll(
        cx,
        |value| value,
        |stage, claim, cx| drive(stage, claim, cx),
        |_, _| polled_after_completion(),
    )
}

/// Polls the value's future each time that this task gets the claim.
#[inline(never)]
fn drive<'a, A: SelfWaking<'a>>(
    mut stage: Pin<&mut SelfWakingStage<'a, A>>,
    mut claim: ClaimOf<'a, A>,
    cx: &mut Context<'_>,
) -> Poll<&'a A::Output> {
    loop {
        // Before the value's future is polled, which may panic: a later poll of this future then panics, too.
        let (awaited, (), _) = stage.as_mut().start();
        let outcome = poll_once(awaited, claim);
        if let PollOutcome::Finished(value) = outcome {
            return Poll::Ready(value);
        }
        stage.set(Stage::new(awaited, ()));
        if let PollOutcome::Woken = outcome {
            // Every other waiter was woken to poll the value's future. This task yields to its executor first.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let found = stage.as_mut().poll(
            cx,
            Ok,
            |_, claim, _| Poll::Ready(Err(claim)),
            |_, _| polled_after_completion(),
        );
        claim = match ready!(found) {
            Ok(value) => return Poll::Ready(value),
            Err(claim) => claim,
        };
    }
}

/// The result of a poll of the value's future.
enum PollOutcome<'a, V> {
    Finished(&'a V),
    /// The future is pending, and its waker holds the claim.
    Asleep,
    /// The future was woken while it was polled.
    Woken,
}

/// Polls the value's future once, and publishes the value, releases the claim, or leaves it to the future's waker.
fn poll_once<'a, A: SelfWaking<'a>>(awaited: &'a A, claim: ClaimOf<'a, A>) -> PollOutcome<'a, A::Output> {
    awaited.phase().exchange(POLLING);
    let waker = awaited.waker();
    let mut attempt = claim.into_attempt();
    // SAFETY: the attempt has the claim.
    match unsafe { awaited.poll_future(&mut attempt, &mut Context::from_waker(&waker)) } {
        Poll::Ready(value) => {
            attempt.publish(value);
            // SAFETY: the state is READY.
            PollOutcome::Finished(unsafe { awaited.get_unchecked() })
        }
        Poll::Pending if awaited.phase().fall_asleep() => {
            // The future's waker holds the claim now.
            mem::forget(attempt.into_claim());
            PollOutcome::Asleep
        }
        // The claim is dropped, which wakes every waiter.
        Poll::Pending => PollOutcome::Woken,
    }
}
