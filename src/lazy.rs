//! A value computed by one future, which any waiter drives.

use core::{
    fmt,
    future::IntoFuture,
    mem,
    panic::{RefUnwindSafe, UnwindSafe},
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::{
    acquire::{Waiting, polled_after_completion},
    attempt::Attempt,
    backend::{Backend, Interest, Intrusive},
    reentrancy::Runner,
    slot::{Acquired, Claim, Slot},
    sync::UnsafeCell,
};

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
/// asks for the value panics.
///
/// # Costs
///
/// One word beside the value and the future; access is one load (Acquire). Nothing allocates. The future is
/// dropped as soon as the value is there.
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
    slot: Slot<T, B>,
    /// Touched by the holder of the claim alone, or by whoever has the whole exclusively.
    computation: UnsafeCell<Computation<F>>,
}

struct Computation<F> {
    /// `None` once there is a value. Pinned with the whole.
    future: Option<F>,
    /// Lasts from the first poll on.
    attempt: Attempt,
    /// Whether the future panicked, in a poll or when it was dropped.
    is_poisoned: bool,
}

// The future is pinned with the whole; nothing else is.
impl<T, F: Unpin, B: Backend> Unpin for Lazy<T, F, B> {}

// SAFETY: through a shared `Lazy`, threads share what `Slot` shares, and one after the other they poll and drop
// the future, for which it is `Send`.
unsafe impl<T: Send + Sync, F: Send, B: Backend + Sync> Sync for Lazy<T, F, B> {}

// A panic poisons, so that nobody sees what it left half-done, except through the value.
impl<T: UnwindSafe, F, B: Backend> UnwindSafe for Lazy<T, F, B> {}
impl<T: UnwindSafe + RefUnwindSafe, F, B: Backend> RefUnwindSafe for Lazy<T, F, B> {}

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
            slot: Slot::empty(),
            computation: UnsafeCell::new(Computation {
                future: Some(future),
                attempt: Attempt::NONE,
                is_poisoned: false,
            }),
        }
    }

    /// As [`with_value`](Self::with_value), with the backend that the type names.
    #[must_use]
    pub const fn with_backend_and_value(value: T) -> Self {
        Self {
            slot: Slot::filled(value),
            computation: UnsafeCell::new(Computation {
                future: None,
                attempt: Attempt::NONE,
                is_poisoned: false,
            }),
        }
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn slot(&self) -> &Slot<T, B> {
        &self.slot
    }

    /// The value, if it is there. Never waits and never computes: one load (Acquire).
    #[inline]
    pub fn try_get(&self) -> Option<&T> {
        self.slot.get()
    }

    /// The value, if it is there, for changing it.
    pub fn try_get_mut(self: Pin<&mut Self>) -> Option<&mut T> {
        // SAFETY: the value is not pinned, and nothing is moved.
        unsafe { self.get_unchecked_mut() }.slot.get_mut()
    }

    /// The value, if it is there; an unfinished future is dropped.
    pub fn into_inner(mut self) -> Option<T> {
        self.slot.take()
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
        match self.slot.take() {
            Some(value) => Ok(value),
            None => {
                let computation = self.computation.get_mut();
                computation.assert_sound();
                Err(computation.future.take().expect("neither value nor future"))
            }
        }
    }
}

impl<T, F: Future<Output = T>, B: Backend> Lazy<T, F, B> {
    /// The value, once it is there; drives the computation if nobody else does.
    ///
    /// # Panics
    ///
    /// Panics if the future panics, now or before: then the `Lazy` is poisoned. Panics if a waker of a waiter
    /// does, after everybody was woken. Debug builds with the feature `std` panic if the future awaits its own
    /// `Lazy`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is lost: whoever is polled next goes on with the computation.
    #[inline]
    pub fn get(self: Pin<&Self>) -> GetLazy<'_, T, F, B> {
        // SAFETY: the slot is not pinned, and a shared reference to it moves nothing.
        let lazy = unsafe { Pin::into_inner_unchecked(self) };
        GetLazy {
            lazy,
            stage: Driving::Waiting(Waiting::new(&lazy.slot, Interest::Claim)),
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

    /// Polls the computation.
    ///
    /// # Safety
    ///
    /// `self` is pinned, and the caller has the claim.
    unsafe fn poll_computation(&self, cx: &mut Context<'_>) -> Poll<T> {
        self.computation.with_mut(|computation| {
            // SAFETY: the caller has the claim, so that nobody else uses the computation.
            let computation = unsafe { &mut *computation };
            computation.assert_sound();
            let Computation { future, .. } = computation;
            // Until it is known that nothing has panicked.
            computation.is_poisoned = true;
            let mut attempt = computation.attempt.take();
            attempt.begin::<T>(self.slot.attempts());
            let polled = attempt.run(self.slot.backend(), Runner::Task(cx.waker()), || {
                let running = future.as_mut().expect("neither value nor future");
                // SAFETY: it is pinned with the whole, and dropped in place.
                let polled = unsafe { Pin::new_unchecked(running) }.poll(cx);
                if polled.is_ready() {
                    *future = None;
                }
                polled
            });
            computation.is_poisoned = false;
            if polled.is_ready() {
                attempt.succeed();
            } else {
                computation.attempt = attempt;
            }
            polled
        })
    }
}

impl<F> Computation<F> {
    fn assert_sound(&self) {
        assert!(
            !self.is_poisoned,
            "this `Lazy` is poisoned: the future that was to compute its value has panicked"
        );
    }
}

impl<T: fmt::Debug, F, B: Backend> fmt::Debug for Lazy<T, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("Lazy");
        match self.try_get() {
            Some(value) => tuple.field(value),
            None => tuple.field(&format_args!("<unfinished>")),
        };
        tuple.finish()
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
    /// Pinned.
    lazy: &'a Lazy<T, F, B>,
    stage: Driving<'a, T, B>,
}

enum Driving<'a, T, B: Backend> {
    /// Pinned with the whole.
    Waiting(Waiting<'a, T, B>),
    /// The computation is ours to drive. Dropping the claim passes it on.
    Claimed(Claim<&'a Slot<T, B>>),
    Done,
}

impl<'a, T, F: Future<Output = T>, B: Backend> Future for GetLazy<'a, T, F, B> {
    type Output = &'a T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        // SAFETY: `Waiting` is only reached through a `Pin`, or dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        if let Driving::Waiting(_) = this.stage {
            if let Some(value) = this.lazy.try_get() {
                this.stage = Driving::Done;
                return Poll::Ready(value);
            }
        }
        this.poll_slow(cx)
    }
}

impl<'a, T, F: Future<Output = T>, B: Backend> GetLazy<'a, T, F, B> {
    /// `self` is pinned.
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<&'a T> {
        if let Driving::Waiting(waiting) = &mut self.stage {
            // SAFETY: it is pinned with the whole.
            match ready!(unsafe { Pin::new_unchecked(waiting) }.poll_acquire(cx)) {
                Acquired::Ready(value) => {
                    self.stage = Driving::Done;
                    return Poll::Ready(value);
                }
                Acquired::Claimed(claim) => self.stage = Driving::Claimed(claim),
            }
        }
        // Held here, the claim is released by whatever panics below.
        let Driving::Claimed(claim) = mem::replace(&mut self.stage, Driving::Done) else {
            polled_after_completion()
        };
        let lazy = self.lazy;
        // SAFETY: `get` was called on a pinned `Lazy`, and we have the claim.
        match unsafe { lazy.poll_computation(cx) } {
            Poll::Pending => {
                self.stage = Driving::Claimed(claim);
                Poll::Pending
            }
            Poll::Ready(value) => Poll::Ready(claim.publish(value)),
        }
    }
}

impl<T, F, B: Backend> fmt::Debug for GetLazy<'_, T, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetLazy").finish_non_exhaustive()
    }
}
