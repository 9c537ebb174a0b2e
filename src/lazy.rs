//! A value computed by one future, which any waiter drives.

use core::{
    fmt,
    future::IntoFuture,
    hint, mem,
    panic::{RefUnwindSafe, UnwindSafe},
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::{
    backend::{Backend, Intrusive, WaiterKind},
    deadlock::Runner,
    panics::swallow_panic,
    raw::wait::{HasRawCell, WaitFuture, polled_after_completion},
    raw::{Acquired, Attempt, Claim, RawCell},
    sync::UnsafeCell,
    trace::InitSpan,
};

#[cfg(feature = "alloc")]
pub use self::boxed::{BoxLazy, LocalBoxLazy};

#[cfg(feature = "alloc")]
mod boxed;

/// A value computed by one future that is stored in place, and that *any* waiter drives.
///
/// Where [`OnceCell`](crate::OnceCell) runs an initializer inside the future of one task, and starts anew when
/// that task is cancelled, a `Lazy` has the computation inside itself: cancelling the task that drives it loses
/// nothing and restarts nothing. Whoever is polled next goes on from there.
///
/// The computation goes on only while its driver is polled. The driver is the first task that asked; if its
/// future is dropped, the others are woken, and the first of them to be polled is the next. A driver that is
/// neither polled nor dropped holds up the others, as it holds the only waker that the computation knows. A
/// [`lazy!`](crate::lazy!) static has a waker of its own and does not have that limit.
///
/// # Pinning
///
/// The future is pinned with the `Lazy`. So [`get`](Self::get) takes a pinned reference, which [`pin!`],
/// `Box::pin` and a `static` (by [`Pin::static_ref`]) give. Where the future is `Unpin`,
/// [`get_unpin`](Self::get_unpin) does without.
///
/// # Poisoning
///
/// If the future panics, it cannot be polled again, and there is no other: the `Lazy` is poisoned, and whoever
/// asks for the value panics. The future is dropped at once; with `std`, a panic in its destructor is swallowed.
///
/// # Costs
///
/// The value takes the place of the future, which is dropped as soon as the value is there. Beside the larger of
/// the two there is one word, and another one if the compiler finds no room in there to tell which of them it is.
/// Access is one load (Acquire). Nothing allocates.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
///
/// use oncelot::Lazy;
///
/// # futures_lite::future::block_on(async {
/// let answer = pin!(Lazy::new(async { 6 * 7 }));
/// assert_eq!(*answer.as_ref().get().await, 42);
/// assert_eq!(*answer.as_ref().await, 42);
/// # });
/// ```
///
/// [`pin!`]: core::pin::pin
pub struct Lazy<T, F, B: Backend = Intrusive> {
    /// The state and the waiters.
    raw: RawCell<(), B>,
    /// Touched by the holder of the claim alone, or by whoever has the whole exclusively; from READY on it is
    /// `Finished`, and shared.
    computation: UnsafeCell<FutureSlot<T, F>>,
}

enum FutureSlot<T, F> {
    Unfinished {
        /// Pinned with the whole.
        future: F,
        /// Lasts from the first poll on.
        span: InitSpan,
    },
    Finished(T),
    /// The future has panicked, in a poll or when it was dropped.
    Poisoned,
}

// The future is pinned with the whole; nothing else is.
impl<T, F: Unpin, B: Backend> Unpin for Lazy<T, F, B> {}

// SAFETY: through a shared `Lazy`, threads share the value (`T: Sync`) and the backend; one thread may put a value in
// that another takes out or drops, having the whole exclusively later (`T: Send`); and one after the other they poll
// and drop the future, for which it is `Send`.
unsafe impl<T: Send + Sync, F: Send, B: Backend + Sync> Sync for Lazy<T, F, B> {}

// As std's `LazyLock`: a panic poisons, so that no task sees the future that it left half-done; but what the future shares
// with others can be seen.
impl<T: UnwindSafe, F: UnwindSafe, B: Backend> UnwindSafe for Lazy<T, F, B> {}
impl<T: UnwindSafe + RefUnwindSafe, F: UnwindSafe, B: Backend> RefUnwindSafe for Lazy<T, F, B> {}

/// Making a `Lazy` with the default backend.
impl<T, F: Future<Output = T>> Lazy<T, F> {
    /// Makes a `Lazy` whose value `future` computes, when somebody asks for it.
    #[must_use]
    pub const fn new(future: F) -> Self {
        Self::with_backend(future)
    }
}

impl<T, F> Lazy<T, F> {
    /// Makes a `Lazy` that has its value already.
    #[must_use]
    pub const fn with_value(value: T) -> Self {
        Self::with_backend_and_value(value)
    }
}

impl<T, F, B: Backend> Lazy<T, F, B> {
    /// As [`new`](Self::new), with the backend that the type names.
    #[must_use]
    pub const fn with_backend(future: F) -> Self {
        Self {
            raw: RawCell::empty(),
            computation: UnsafeCell::new(FutureSlot::Unfinished {
                future,
                span: InitSpan::NONE,
            }),
        }
    }

    /// As [`with_value`](Self::with_value), with the backend that the type names.
    #[must_use]
    pub const fn with_backend_and_value(value: T) -> Self {
        Self {
            raw: RawCell::filled(()),
            computation: UnsafeCell::new(FutureSlot::Finished(value)),
        }
    }

    /// The value, if it is there. Never waits and never computes: one load (Acquire).
    #[inline]
    pub fn try_get(&self) -> Option<&T> {
        if self.raw.is_ready() {
            // SAFETY: the state is READY.
            Some(unsafe { self.get_unchecked() })
        } else {
            None
        }
    }

    /// # Safety
    ///
    /// That the state is READY happens before this call: the caller has seen it, say, or was told by who has.
    #[inline(always)]
    unsafe fn get_unchecked(&self) -> &T {
        self.computation.with(|computation| {
            // SAFETY: from READY on the computation is only read, as long as the whole is shared.
            match unsafe { &*computation } {
                FutureSlot::Finished(value) => value,
                // SAFETY: the state is READY, and only `Finished` is published.
                _ => unsafe { hint::unreachable_unchecked() },
            }
        })
    }

    /// The value, if it is there, for changing it.
    pub fn try_get_mut(self: Pin<&mut Self>) -> Option<&mut T> {
        // SAFETY: the value is not pinned, and nothing is moved.
        match unsafe { self.get_unchecked_mut() }.computation.get_mut() {
            FutureSlot::Finished(value) => Some(value),
            _ => None,
        }
    }

    /// The value, if it is there; an unfinished future is dropped.
    pub fn into_inner(mut self) -> Option<T> {
        match self.take_computation() {
            FutureSlot::Finished(value) => Some(value),
            _ => None,
        }
    }

    /// The value, or the future that has not finished, to go on with.
    ///
    /// # Errors
    ///
    /// The future, if there is no value yet.
    ///
    /// # Panics
    ///
    /// Panics if the future has panicked.
    pub fn into_parts(mut self) -> Result<T, F> {
        match self.take_computation() {
            FutureSlot::Finished(value) => Ok(value),
            FutureSlot::Unfinished { future, span } => {
                // Here, and not at the end: a return value is leaked if what is dropped after it panics.
                span.emit();
                Err(future)
            }
            FutureSlot::Poisoned => poisoned(),
        }
    }

    fn take_computation(&mut self) -> FutureSlot<T, F> {
        mem::replace(self.computation.get_mut(), FutureSlot::Poisoned)
    }
}

impl<T, F: Future<Output = T>, B: Backend> Lazy<T, F, B> {
    /// The value, once it is there; drives the computation if nobody else does.
    ///
    /// # Panics
    ///
    /// Panics if the future panics, now or before: then the `Lazy` is poisoned. Panics if a waker of a waiter
    /// does, after everybody was woken, or if a clone or a drop of the task's own waker does. Debug builds with the
    /// feature `std` panic if the future awaits its own `Lazy`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is lost: whoever is polled next goes on with the computation.
    #[inline]
    pub fn get(self: Pin<&Self>) -> GetLazy<'_, T, F, B> {
        // SAFETY: the raw cell is not pinned, and a shared reference to it moves nothing.
        let lazy = unsafe { Pin::into_inner_unchecked(self) };
        GetLazy {
            stage: match lazy.try_get() {
                Some(value) => Stage::Ready(value),
                None => Stage::Waiting(WaitFuture::new(lazy, WaiterKind::Claimant)),
            },
        }
    }

    /// The same as [`get`](Self::get) for a future that need not be pinned.
    #[inline]
    pub fn get_unpin(&self) -> GetLazy<'_, T, F, B>
    where
        F: Unpin,
    {
        Pin::new(self).get()
    }

    /// Polls the future. `Ready` leaves the value in its place, to be published by `attempt`; `Pending` suspends it.
    ///
    /// # Safety
    ///
    /// `self` is pinned, and `attempt` has its claim.
    unsafe fn poll_computation(
        &self,
        attempt: &mut Attempt<&RawCell<(), B>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.computation.with_mut(|computation| {
            // SAFETY: the caller has the claim, so that nobody else uses the computation.
            let computation = unsafe { &mut *computation };
            let FutureSlot::Unfinished { span, .. } = computation else {
                poisoned()
            };
            attempt.resume::<T>(span.take());
            let poisoning = Poisoning { computation };
            attempt.run(Runner::Task(cx.waker()), || {
                let FutureSlot::Unfinished { future, .. } = &mut *poisoning.computation else {
                    unreachable!("it has just been looked at")
                };
                // SAFETY: it is pinned with the whole, and dropped in place, below or by whatever poisons.
                if let Poll::Ready(value) = unsafe { Pin::new_unchecked(future) }.poll(cx) {
                    // Drops the future. If that panics, the value comes into its place all the same, and is dropped
                    // there.
                    *poisoning.computation = FutureSlot::Finished(value);
                }
            });
            let poll = match &mut *poisoning.computation {
                FutureSlot::Unfinished { span, .. } => {
                    *span = attempt.suspend();
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            };
            mem::forget(poisoning);
            poll
        })
    }
}

impl<T, F, B: Backend> HasRawCell for Lazy<T, F, B> {
    type Value = ();
    type Backend = B;
    type Name = T;

    #[inline(always)]
    fn raw(&self) -> &RawCell<(), B> {
        &self.raw
    }
}

#[cold]
fn poisoned() -> ! {
    panic!("this `Lazy` is poisoned: the future that was to compute its value has panicked")
}

/// Poisons when it is dropped, which only a panic does.
struct Poisoning<'a, T, F> {
    computation: &'a mut FutureSlot<T, F>,
}

impl<T, F> Drop for Poisoning<'_, T, F> {
    fn drop(&mut self) {
        // Drops the future, which has panicked already.
        swallow_panic(|| *self.computation = FutureSlot::Poisoned);
    }
}

/// Shows the value. If there is none, shows `<initializing>` while a task drives the future, and `<uninit>` otherwise: before
/// the first task, after a driver was cancelled, and if the `Lazy` is poisoned.
impl<T: fmt::Debug, F, B: Backend> fmt::Debug for Lazy<T, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.try_get().map(|value| value as &dyn fmt::Debug);
        self.raw.debug(f, "Lazy", value)
    }
}

impl<'a, T, F: Future<Output = T>, B: Backend> IntoFuture for Pin<&'a Lazy<T, F, B>> {
    type Output = &'a T;
    type IntoFuture = GetLazy<'a, T, F, B>;

    fn into_future(self) -> GetLazy<'a, T, F, B> {
        self.get()
    }
}

impl<'a, T, F: Future<Output = T> + Unpin, B: Backend> IntoFuture for &'a Lazy<T, F, B> {
    type Output = &'a T;
    type IntoFuture = GetLazy<'a, T, F, B>;

    fn into_future(self) -> GetLazy<'a, T, F, B> {
        self.get_unpin()
    }
}

/// The future of [`Lazy::get`] and [`Lazy::get_unpin`].
///
/// # Panics
///
/// Panics if it is polled after it has completed or panicked.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct GetLazy<'a, T, F, B: Backend = Intrusive> {
    stage: Stage<'a, T, F, B>,
}

enum Stage<'a, T, F, B: Backend> {
    /// The value was there when the future was made: the path of every access to a ready `Lazy`.
    Ready(&'a T),
    /// Pinned with the whole. The `Lazy` is pinned too.
    Waiting(WaitFuture<'a, Lazy<T, F, B>>),
    /// The computation is ours to drive. Dropping the claim passes it on.
    Claimed {
        /// Pinned.
        lazy: &'a Lazy<T, F, B>,
        claim: Claim<&'a RawCell<(), B>>,
    },
    Done,
}

impl<'a, T, F: Future<Output = T>, B: Backend> Future for GetLazy<'a, T, F, B> {
    type Output = &'a T;

    /// Inlined for the look at a ready `Lazy`.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        // SAFETY: `Waiting` is only reached through a `Pin`, or dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        if let Stage::Ready(value) = this.stage {
            this.stage = Stage::Done;
            return Poll::Ready(value);
        }
        this.poll_slow(cx)
    }
}

impl<'a, T, F: Future<Output = T>, B: Backend> GetLazy<'a, T, F, B> {
    /// `self` is pinned.
    #[inline(never)]
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<&'a T> {
        let (lazy, claim) = match &mut self.stage {
            Stage::Waiting(waiting) => {
                let lazy = waiting.awaited();
                // SAFETY: it is pinned with the whole.
                let acquired = ready!(unsafe { Pin::new_unchecked(waiting) }.poll_acquire(cx));
                self.stage = Stage::Done;
                match acquired {
                    // SAFETY: the backend has told that the state is READY.
                    Acquired::Ready(()) => return Poll::Ready(unsafe { lazy.get_unchecked() }),
                    Acquired::Claimed(claim) => (lazy, claim),
                }
            }
            // Held here, the claim is released by whatever panics below.
            Stage::Claimed { .. } => match mem::replace(&mut self.stage, Stage::Done) {
                Stage::Claimed { lazy, claim } => (lazy, claim),
                _ => unreachable!("the stage has just been looked at"),
            },
            Stage::Ready(_) | Stage::Done => polled_after_completion(),
        };
        let mut attempt = claim.into_attempt();
        // SAFETY: `get` was called on a pinned `Lazy`, and we have the claim.
        match unsafe { lazy.poll_computation(&mut attempt, cx) } {
            Poll::Pending => {
                let claim = attempt.into_claim();
                self.stage = Stage::Claimed { lazy, claim };
                Poll::Pending
            }
            Poll::Ready(()) => {
                attempt.publish(());
                // SAFETY: the state is READY.
                Poll::Ready(unsafe { lazy.get_unchecked() })
            }
        }
    }
}

impl<T, F, B: Backend> fmt::Debug for GetLazy<'_, T, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetLazy").finish_non_exhaustive()
    }
}
