//! The interface of [async-once-cell](https://docs.rs/async-once-cell) 0.5.

use core::{
    fmt,
    future::IntoFuture,
    marker::PhantomData,
    mem,
    ops::{Deref, DerefMut},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

newtype! {
    /// A cell with the interface of `async_once_cell::OnceCell`: the initializer is a future, and not a closure.
    ///
    /// As in async-once-cell, the cell is `Unpin` whatever `T` is, because the value is not pinned in it.
    ///
    /// # What differs
    ///
    /// - A waiter that is cancelled is removed, and a waiter whose task changes is woken through its newest waker.
    /// - Registering a waiter takes constant time and does not allocate.
    /// - If a waker panics, the other waiters are woken nevertheless.
    /// - An initializer that awaits its own cell panics where that is [detected](crate::OnceCell#deadlocks).
    /// - `Debug` shows `OnceCell(1)`, and no internals.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::compat::async_once_cell::OnceCell;
    ///
    /// # futures_lite::future::block_on(async {
    /// static CELL: OnceCell<u32> = OnceCell::new_with(1);
    /// assert_eq!(CELL.get_or_init(async { 2 }).await, &1);
    /// # });
    /// ```
    OnceCell
}
accessors!(OnceCell);

impl<T> Unpin for OnceCell<T> {}

impl<T> OnceCell<T> {
    /// Creates a cell that holds `value`.
    #[must_use]
    pub const fn new_with(value: T) -> Self {
        Self(crate::OnceCell::const_new_with(value))
    }

    /// Returns the value, or initializes the cell with `init`. See
    /// [`OnceCell::get_or_init`](crate::OnceCell::get_or_init).
    ///
    /// If the cell holds a value, `init` is dropped and never polled.
    #[inline]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_init(&self, init: impl Future<Output = T>) -> impl Future<Output = &T> {
        self.0.get_or_init(|| init)
    }

    /// Returns the value, or initializes the cell with `init`, which can fail. See
    /// [`OnceCell::get_or_try_init`](crate::OnceCell::get_or_try_init).
    ///
    /// # Errors
    ///
    /// Returns the error of `init` if this call ran it and it failed.
    #[inline]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_try_init<E>(
        &self,
        init: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<&T, E>> {
        self.0.get_or_try_init(|| init)
    }
}

pin_project! {
    /// A lazy with the interface of `async_once_cell::Lazy`: the value is pinned with the lazy.
    ///
    /// [`oncelot::Lazy`](crate::Lazy) does not pin the value, so its methods return `&T` where those here return `Pin<&T>`.
    ///
    /// # What differs
    ///
    /// - If the future panics, the lazy is poisoned, as documented by [`oncelot::Lazy`](crate::Lazy#poisoning). In
    ///   async-once-cell the next caller polls a future that has panicked.
    /// - A waiter that is cancelled is removed, and registering a waiter takes constant time.
    /// - `Debug` shows `Lazy(1)`, and no internals.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use oncelot::compat::async_once_cell::Lazy;
    ///
    /// # futures_lite::future::block_on(async {
    /// let mut answer = pin!(Lazy::new(async { 6 * 7 }));
    /// assert_eq!(*answer.as_ref().await, 42);
    /// assert_eq!(answer.as_mut().replace_and_take(Lazy::with_value(1)), Some(42));
    /// # });
    /// ```
    #[repr(transparent)]
    pub struct Lazy<T, F> {
        #[pin]
        lazy: crate::Lazy<T, F>,
        // The value is pinned too, so the lazy is `Unpin` only if the value is.
        #[pin]
        value: PhantomData<T>,
    }
}

impl<T, F> Lazy<T, F> {
    const fn wrap(lazy: crate::Lazy<T, F>) -> Self {
        Self {
            lazy,
            value: PhantomData,
        }
    }

    /// Creates a lazy whose value `future` computes, without requiring that `F` is a future.
    #[must_use]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub const fn from_future(future: F) -> Self {
        Self::wrap(crate::Lazy::with_backend(future))
    }

    /// Creates a lazy that already has its value.
    #[must_use]
    pub const fn with_value(value: T) -> Self {
        Self::wrap(crate::Lazy::with_value(value))
    }

    /// Returns the value, or `None` if it is not computed yet. Never waits and never polls the future: one load (Acquire).
    #[inline]
    pub fn try_get(&self) -> Option<&T> {
        self.lazy.try_get()
    }

    /// Returns a pinned mutable reference to the value, or `None` if it is not computed yet.
    pub fn try_get_mut(self: Pin<&mut Self>) -> Option<Pin<&mut T>> {
        let value = self.project().lazy.try_get_mut();
        // SAFETY: `self` is pinned, and a pinned `Self` lends its value only pinned, or as `Unpin`.
        value.map(|value| unsafe { Pin::new_unchecked(value) })
    }

    /// Returns a mutable reference to the value, or `None` if it is not computed yet.
    pub fn try_get_mut_unpin(&mut self) -> Option<&mut T> {
        self.lazy.value_mut()
    }

    /// Returns the value, or drops the unfinished future and returns `None`.
    pub fn into_inner(self) -> Option<T> {
        self.lazy.into_inner()
    }

    /// Returns the value, or the unfinished future.
    ///
    /// # Panics
    ///
    /// Panics if the future has panicked.
    ///
    /// # Errors
    ///
    /// Returns the future if it has not finished.
    pub fn into_parts(self) -> Result<T, F> {
        self.lazy.into_parts()
    }

    /// Replaces the lazy by `replacement`, and returns the value of the old one. Returns `None` and drops the future of the
    /// old one if it has not finished.
    pub fn replace_and_take(mut self: Pin<&mut Self>, replacement: Self) -> Option<T>
    where
        T: Unpin,
    {
        if self.try_get().is_none() {
            self.set(replacement);
            return None;
        }
        // SAFETY: the lazy has its value, which is `Unpin`. It has no future that is pinned.
        let this = unsafe { self.get_unchecked_mut() };
        mem::replace(this, replacement).into_inner()
    }
}

impl<T, F: Future<Output = T>> Lazy<T, F> {
    /// Creates a lazy whose value `future` computes when a task asks for it.
    #[must_use]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub const fn new(future: F) -> Self {
        Self::from_future(future)
    }

    /// Waits for the value, polling the future if no other task is doing so. See [`Lazy::get`](crate::Lazy::get).
    #[inline]
    pub fn get(self: Pin<&Self>) -> LazyFuturePin<'_, T, F> {
        LazyFuturePin {
            get: self.project_ref().lazy.get(),
        }
    }

    /// Waits for the value as [`get`](Self::get) does, if the future is `Unpin`.
    #[inline]
    pub fn get_unpin(&self) -> LazyFutureUnpin<'_, T, F>
    where
        F: Unpin,
    {
        self.lazy.get_unpin()
    }
}

impl<T, F> Deref for Lazy<T, F> {
    type Target = crate::Lazy<T, F>;

    #[inline]
    fn deref(&self) -> &crate::Lazy<T, F> {
        &self.lazy
    }
}

impl<T, F> DerefMut for Lazy<T, F> {
    #[inline]
    fn deref_mut(&mut self) -> &mut crate::Lazy<T, F> {
        &mut self.lazy
    }
}

impl<T: fmt::Debug, F> fmt::Debug for Lazy<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lazy.fmt(f)
    }
}

impl<'a, T, F: Future<Output = T>> IntoFuture for Pin<&'a Lazy<T, F>> {
    type Output = Pin<&'a T>;
    type IntoFuture = LazyFuturePin<'a, T, F>;

    fn into_future(self) -> LazyFuturePin<'a, T, F> {
        self.get()
    }
}

impl<'a, T, F: Future<Output = T> + Unpin> IntoFuture for &'a Lazy<T, F> {
    type Output = &'a T;
    type IntoFuture = LazyFutureUnpin<'a, T, F>;

    fn into_future(self) -> LazyFutureUnpin<'a, T, F> {
        self.get_unpin()
    }
}

pin_project! {
    /// The future of [`Lazy::get`].
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed or panicked.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct LazyFuturePin<'a, T, F> {
        #[pin]
        get: crate::GetLazy<'a, T, F>,
    }
}

impl<'a, T, F: Future<Output = T>> Future for LazyFuturePin<'a, T, F> {
    type Output = Pin<&'a T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Pin<&'a T>> {
        let value = self.project().get.poll(cx);
        // SAFETY: this future was made from a pinned `Lazy`, which lends its value only pinned, or as `Unpin`, until it is
        // dropped.
        value.map(|value| unsafe { Pin::new_unchecked(value) })
    }
}

/// The future of [`Lazy::get_unpin`].
pub type LazyFutureUnpin<'a, T, F> = crate::GetLazy<'a, T, F>;
