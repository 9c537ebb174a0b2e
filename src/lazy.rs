//! [`Lazy`].

use core::{
    fmt,
    future::IntoFuture,
    panic::{RefUnwindSafe, UnwindSafe},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    backend::{Backend, Intrusive},
    lazy::computation::Computation,
    raw::stage::Stage,
    raw::wait::{HasRawCell, polled_after_completion},
    raw::{Claim, RawCell},
};

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use self::boxed::{BoxLazy, GetBoxLazy, LocalBoxLazy};

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) mod boxed;
mod computation;

pin_project! {
    /// A value computed on first access by a future that is stored inline and can be polled by *any* waiting task.
    ///
    /// An [`OnceCell`](crate::OnceCell) runs an initializer inside the future of one task, and starts over if that task is
    /// cancelled. A `Lazy` contains the future: if the task that polls it is cancelled, no work is lost and none is
    /// repeated. The next waiter to be polled continues the computation.
    ///
    /// The task that polls the future is the *driver*. It is the first task that asks for the value, and the computation makes
    /// progress only while the driver is polled. If the driver is cancelled, every waiter is woken, and the first one to be
    /// polled becomes the driver. A driver that is neither polled nor dropped blocks the other waiters, because the future wakes
    /// the driver's task only. A `BoxLazy` and a [`lazy!`](crate::lazy!) static have wakers of their own and do not have that
    /// limit.
    ///
    /// See [cancellation](crate::guide::cancellation) in the guide.
    ///
    /// # Pinning
    ///
    /// The future is pinned with the `Lazy`. Therefore [`get`](Self::get) takes a pinned reference, such as one from
    /// [`pin!`], from `Box::pin`, or from [`Pin::static_ref`] for a `static`. If the future is `Unpin`,
    /// [`get_unpin`](Self::get_unpin) takes a plain reference.
    ///
    /// # Poisoning
    ///
    /// If the future panics, the `Lazy` is poisoned and every later call that asks for the value panics, because the future
    /// cannot be restarted. The future is dropped immediately. With the feature `std`, a panic of its destructor is discarded.
    ///
    /// # Costs
    ///
    /// The value replaces the future, which is dropped as soon as it returns the value. A `Lazy` is one word larger than the
    /// larger of the two, plus a discriminant if neither type has a niche. Access costs one `Acquire` load. Nothing allocates.
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
        // The state and the waiters.
        raw: RawCell<(), B>,
        #[pin]
        computation: Computation<T, F>,
    }
}

// SAFETY: through a shared `Lazy`, threads share the value (`T: Sync`) and the backend. One thread may store a value that
// another thread, which has the `Lazy` exclusively later, takes out or drops (`T: Send`). Any of them may poll and drop the
// future (`F: Send`).
unsafe impl<T: Send + Sync, F: Send, B: Backend + Sync> Sync for Lazy<T, F, B> {}

// As for std's `LazyLock`: a panic poisons the `Lazy`, so no task sees the unfinished future. But a task may see what the
// future shares with other code.
impl<T: UnwindSafe, F: UnwindSafe, B: Backend> UnwindSafe for Lazy<T, F, B> {}
impl<T: UnwindSafe + RefUnwindSafe, F: UnwindSafe, B: Backend> RefUnwindSafe for Lazy<T, F, B> {}

/// Constructors with the default backend.
impl<T, F: Future<Output = T>> Lazy<T, F> {
    /// Creates a `Lazy` whose value `future` computes on first access.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    ///
    /// use oncelot::Lazy;
    ///
    /// let lazy = pin!(Lazy::new(async { 1 }));
    /// assert_eq!(lazy.try_get(), None);
    /// assert_eq!(futures_lite::future::block_on(lazy.as_ref().get()), &1);
    /// ```
    #[must_use]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub const fn new(future: F) -> Self {
        Self::with_backend(future)
    }
}

impl<T, F> Lazy<T, F> {
    /// Creates a `Lazy` that already has its value.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::Ready;
    ///
    /// use oncelot::Lazy;
    ///
    /// let lazy = Lazy::<u32, Ready<u32>>::with_value(1);
    /// assert_eq!(lazy.try_get(), Some(&1));
    /// ```
    #[must_use]
    pub const fn with_value(value: T) -> Self {
        Self::with_backend_and_value(value)
    }
}

impl<T, F, B: Backend> Lazy<T, F, B> {
    /// Creates a `Lazy` whose value `future` computes on first access, with the backend `B`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::{Ready, ready};
    ///
    /// use oncelot::{Lazy, backend::Local};
    ///
    /// let lazy = Lazy::<u32, Ready<u32>, Local>::with_backend(ready(1));
    /// assert_eq!(futures_lite::future::block_on(lazy.get_unpin()), &1);
    /// ```
    #[must_use]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub const fn with_backend(future: F) -> Self {
        Self {
            raw: RawCell::empty(),
            computation: Computation::new(future),
        }
    }

    /// Creates a `Lazy` that already has its value, with the backend `B`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::Ready;
    ///
    /// use oncelot::{Lazy, backend::Local};
    ///
    /// let lazy = Lazy::<u32, Ready<u32>, Local>::with_backend_and_value(1);
    /// assert_eq!(lazy.try_get(), Some(&1));
    /// ```
    #[must_use]
    pub const fn with_backend_and_value(value: T) -> Self {
        Self {
            raw: RawCell::filled(()),
            computation: Computation::with_value(value),
        }
    }

    /// Returns the value, or `None` if it is not computed yet.
    ///
    /// Never waits and never polls the future; costs one `Acquire` load.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::ready;
    ///
    /// use oncelot::Lazy;
    ///
    /// let lazy = Lazy::new(ready(1));
    /// assert_eq!(lazy.try_get(), None);
    /// futures_lite::future::block_on(lazy.get_unpin());
    /// assert_eq!(lazy.try_get(), Some(&1));
    /// ```
    #[inline]
    pub fn try_get(&self) -> Option<&T> {
        HasRawCell::get(self)
    }

    /// Returns a mutable reference to the value, or `None` if it is not computed yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    ///
    /// use oncelot::Lazy;
    ///
    /// let mut lazy = pin!(Lazy::new(async { 1 }));
    /// assert_eq!(lazy.as_mut().try_get_mut(), None);
    /// futures_lite::future::block_on(lazy.as_ref().get());
    /// *lazy.as_mut().try_get_mut().unwrap() += 1;
    /// assert_eq!(lazy.try_get(), Some(&2));
    /// ```
    pub fn try_get_mut(self: Pin<&mut Self>) -> Option<&mut T> {
        // SAFETY: the pinned future is not moved, and the value is not pinned.
        unsafe { self.get_unchecked_mut() }.value_mut()
    }

    pub(crate) fn value_mut(&mut self) -> Option<&mut T> {
        self.computation.value_mut()
    }

    /// Returns the value, or drops the unfinished future and returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::ready;
    ///
    /// use oncelot::Lazy;
    ///
    /// let lazy = Lazy::new(ready(1));
    /// futures_lite::future::block_on(lazy.get_unpin());
    /// assert_eq!(lazy.into_inner(), Some(1));
    /// assert_eq!(Lazy::new(ready(1)).into_inner(), None);
    /// ```
    pub fn into_inner(mut self) -> Option<T> {
        self.computation.take_value()
    }

    /// Returns the value, or the unfinished future if there is no value yet.
    ///
    /// # Panics
    ///
    /// Panics if the future has panicked.
    ///
    /// # Errors
    ///
    /// Returns the future if it has not finished.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::Lazy;
    ///
    /// # futures_lite::future::block_on(async {
    /// let lazy = Lazy::new(async { 1 });
    /// let future = lazy.into_parts().unwrap_err();
    /// assert_eq!(future.await, 1);
    /// # });
    /// ```
    pub fn into_parts(mut self) -> Result<T, F> {
        self.computation.take_parts()
    }
}

impl<T, F: Future<Output = T>, B: Backend> Lazy<T, F, B> {
    /// Waits for the value, polling the future if no other task is doing so.
    ///
    /// # Panics
    ///
    /// Panics if the future panics, or has panicked before, which has poisoned the `Lazy`. Panics if waking a waiter
    /// panics, after all waiters have been woken, or if cloning or dropping the task's own waker panics. Panics if the
    /// future awaits its own `Lazy`, where that is [detected](crate::OnceCell#deadlocks).
    ///
    /// # Cancel safety
    ///
    /// If the returned future is dropped, no work is lost: the next waiter to be polled continues the computation.
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
    /// assert_eq!(answer.as_ref().get().await, &42);
    /// # });
    /// ```
    #[inline]
    pub fn get(self: Pin<&Self>) -> GetLazy<'_, T, F, B> {
        GetLazy {
            stage: Stage::new(self.get_ref(), ()),
        }
    }

    /// Waits for the value as [`get`](Self::get) does, if the future is `Unpin`.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::Lazy;
    ///
    /// # futures_lite::future::block_on(async {
    /// let answer = Lazy::new(Box::pin(async { 6 * 7 }));
    /// assert_eq!(answer.get_unpin().await, &42);
    /// # });
    /// ```
    #[inline]
    pub fn get_unpin(&self) -> GetLazy<'_, T, F, B>
    where
        F: Unpin,
    {
        Pin::new(self).get()
    }
}

impl<T, F, B: Backend> HasRawCell for Lazy<T, F, B> {
    type Value = ();
    type Backend = B;
    type Output = T;

    #[inline(always)]
    fn raw(&self) -> &RawCell<(), B> {
        &self.raw
    }

    #[inline(always)]
    unsafe fn get_unchecked(&self) -> &T {
        // SAFETY: the caller guarantees that a call has found the state READY.
        unsafe { self.computation.get_unchecked() }
    }
}

/// Shows the value. If there is none, shows `<initializing>` while a task drives the future, and `<uninit>` otherwise: before
/// the first poll, after the driver was cancelled, and if the `Lazy` is poisoned.
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

pin_project! {
    /// The future of [`Lazy::get`] and [`Lazy::get_unpin`].
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed or panicked.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct GetLazy<'a, T, F, B: Backend = Intrusive> {
        // The `Lazy` is pinned.
        #[pin]
        stage: Stage<'a, Lazy<T, F, B>, (), Option<Driver<'a, T, F, B>>>,
    }
}

/// The claim of the driver between its polls. Dropping it releases the claim.
struct Driver<'a, T, F, B: Backend> {
    lazy: &'a Lazy<T, F, B>,
    claim: Claim<&'a RawCell<(), B>>,
}

impl<'a, T, F: Future<Output = T>, B: Backend> Future for GetLazy<'a, T, F, B> {
    type Output = &'a T;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        self.project().stage.poll(
            cx,
            |value| value,
            |stage, claim, cx| {
                let (lazy, (), kept) = stage.start();
                Driver { lazy, claim }.poll(kept, cx)
            },
            |stage, cx| {
                let mut kept = stage.work();
                match kept.take() {
                    Some(driver) => driver.poll(kept, cx),
                    None => polled_after_completion(),
                }
            },
        )
    }
}

impl<'a, T, F: Future<Output = T>, B: Backend> Driver<'a, T, F, B> {
    /// Polls the computation, and moves `self` to `kept` if the computation is pending.
    #[inline(never)]
    fn poll(self, mut kept: Pin<&mut Option<Self>>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let Self { lazy, claim } = self;
        let mut attempt = claim.into_attempt();
        // SAFETY: `get` was called on a pinned `Lazy`, whose claim the attempt has.
        match unsafe { lazy.computation.poll(&mut attempt, cx) } {
            Poll::Pending => {
                let claim = attempt.into_claim();
                kept.set(Some(Self { lazy, claim }));
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
