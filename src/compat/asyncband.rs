//! The interface of [asyncband](https://docs.rs/asyncband) 0.7.

use core::{
    fmt,
    future::{Pending, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::compat::{Map, value_or_rejected};

newtype! {
    /// A cell with the interface of `asyncband::once::OnceCell`.
    ///
    /// # What differs
    ///
    /// - An initializer is an `FnOnce` that returns a future, and not an `AsyncFnOnce`. Async closures implement both. Therefore
    ///   generic code can require that the returned futures are `Send`. A caller that has an `init: impl AsyncFnOnce() -> T`
    ///   passes `async || init().await`.
    /// - After a failed initialization every claimant is woken, and the first one to be polled retries. In asyncband one
    ///   claimant retries, and the others wait for it even if it is never polled.
    /// - An initializer that awaits its own cell panics where that is [detected](crate::OnceCell#deadlocks).
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::compat::asyncband::OnceCell;
    ///
    /// # futures_lite::future::block_on(async {
    /// static CELL: OnceCell<u32> = OnceCell::from_value(1);
    /// assert_eq!(CELL.set(2).await, Err(2));
    /// assert_eq!(CELL.try_insert(2).await, Err((&1, 2)));
    /// # });
    /// ```
    #[derive(Clone, PartialEq, Eq)]
    OnceCell
}
accessors!(OnceCell);
initializers!(OnceCell);

impl<T> OnceCell<T> {
    /// Creates a cell that holds `value`.
    #[must_use]
    pub const fn from_value(value: T) -> Self {
        Self(crate::OnceCell::const_new_with(value))
    }

    /// Returns a mutable reference to the value, or initializes the cell with the future of `init`. See
    /// [`OnceCell::get_mut_or_init`](crate::OnceCell::get_mut_or_init).
    pub fn get_mut_or_init<Fut: Future<Output = T>>(
        &mut self,
        init: impl FnOnce() -> Fut,
    ) -> impl Future<Output = &mut T> {
        self.0.get_mut_or_init(init)
    }

    /// Returns a mutable reference to the value, or initializes the cell with the future of `init`, which can fail. See
    /// [`OnceCell::get_mut_or_try_init`](crate::OnceCell::get_mut_or_try_init).
    ///
    /// # Errors
    ///
    /// Returns the error of `init`. The cell stays empty.
    pub fn get_mut_or_try_init<E, Fut: Future<Output = Result<T, E>>>(
        &mut self,
        init: impl FnOnce() -> Fut,
    ) -> impl Future<Output = Result<&mut T, E>> {
        self.0.get_mut_or_try_init(init)
    }

    /// Stores `value`, after waiting for a running initializer to end. See [`OnceCell::insert`](crate::OnceCell::insert).
    ///
    /// # Errors
    ///
    /// Returns a reference to the present value, and `value`, if the cell holds a value.
    #[inline]
    pub fn try_insert(&self, value: T) -> crate::Insert<'_, T> {
        self.0.insert(value)
    }

    /// Stores `value`, after waiting for a running initializer to end. See [`OnceCell::insert`](crate::OnceCell::insert).
    ///
    /// # Errors
    ///
    /// Returns `value` if the cell holds a value.
    #[inline]
    pub fn set(&self, value: T) -> impl Future<Output = Result<(), T>> {
        Map {
            future: self.0.insert(value),
            map: |inserted| value_or_rejected(inserted).map(drop),
        }
    }
}

pin_project! {
    /// A lazy with the interface of `asyncband::once::LazyCell`: a closure returns the future that computes the value.
    ///
    /// # What differs
    ///
    /// - If the driver of the computation is dropped, every waiter is woken, and the first one to be polled becomes the driver.
    /// - `Debug` shows `Lazy(1)`, and not `LazyCell(1)`.
    /// - A future that awaits its own lazy panics where that is [detected](crate::OnceCell#deadlocks).
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::compat::asyncband::LazyCell;
    ///
    /// # futures_lite::future::block_on(async {
    /// let lazy = LazyCell::new(|| Box::pin(async { 6 * 7 }));
    /// assert_eq!(LazyCell::get(&lazy), None);
    /// assert_eq!(LazyCell::force(&lazy).await, &42);
    /// # });
    /// ```
    #[repr(transparent)]
    pub struct LazyCell<T, Fut, F = fn() -> Fut> {
        #[pin]
        lazy: crate::Lazy<T, Deferred<F, Fut>>,
    }
}

pin_project! {
    /// A future that calls `init` when it is first polled, and then is the returned future.
    #[project = DeferredProj]
    enum Deferred<F, Fut> {
        Uncalled {
            // `None` once it is called.
            init: Option<F>,
        },
        Called {
            #[pin]
            future: Fut,
        },
    }
}

impl<F: FnOnce() -> Fut, Fut: Future> Future for Deferred<F, Fut> {
    type Output = Fut::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fut::Output> {
        if let DeferredProj::Uncalled { init } = self.as_mut().project() {
            let init = init
                .take()
                .expect("a `Lazy` does not poll a future that has panicked");
            self.set(Self::Called { future: init() });
        }
        let DeferredProj::Called { future } = self.project() else {
            unreachable!("the future was stored above")
        };
        future.poll(cx)
    }
}

impl<T, Fut, F> LazyCell<T, Fut, F> {
    /// Creates a lazy whose value the future of `init` computes. `init` is called when a task first asks for the value.
    #[must_use]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub const fn new(init: F) -> Self
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        Self::deferred(Deferred::Uncalled { init: Some(init) })
    }

    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    const fn deferred(deferred: Deferred<F, Fut>) -> Self {
        Self {
            lazy: crate::Lazy::with_backend(deferred),
        }
    }

    /// Returns the value, or `None` if it is not computed yet. Never waits and never polls the future: one load (Acquire).
    pub fn get(this: &Self) -> Option<&T> {
        this.lazy.try_get()
    }

    /// Returns a mutable reference to the value, or `None` if it is not computed yet.
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        this.lazy.value_mut()
    }
}

impl<T, Fut> LazyCell<T, Fut>
where
    Fut: Future<Output = T>,
{
    /// Creates a lazy whose value `future` computes.
    #[must_use]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub const fn from_future(future: Fut) -> Self {
        Self::deferred(Deferred::Called { future })
    }
}

impl<T> LazyCell<T, Pending<T>> {
    /// Creates a lazy that already has its value.
    #[must_use]
    pub const fn from_value(value: T) -> Self {
        Self {
            lazy: crate::Lazy::with_value(value),
        }
    }
}

impl<T, Fut, F> LazyCell<T, Fut, F>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    /// Waits for the value, polling the future if no other task is doing so. See [`Lazy::get`](crate::Lazy::get).
    ///
    /// # Panics
    ///
    /// Panics if `init` or its future panics, or has panicked before, which has poisoned the lazy.
    pub fn force_pin(this: Pin<&Self>) -> impl Future<Output = &T> {
        this.project_ref().lazy.get()
    }

    /// Waits for the value, and returns a mutable reference to it.
    ///
    /// # Panics
    ///
    /// Panics as [`force_pin`](Self::force_pin) does.
    pub async fn force_pin_mut(this: Pin<&mut Self>) -> &mut T {
        let lazy = this.project().lazy;
        lazy.as_ref().get().await;
        lazy.try_get_mut().expect("the value is computed")
    }

    /// Waits for the value as [`force_pin`](Self::force_pin) does, if the future is `Unpin`.
    ///
    /// # Panics
    ///
    /// Panics as [`force_pin`](Self::force_pin) does.
    pub fn force(this: &Self) -> impl Future<Output = &T>
    where
        Fut: Unpin,
    {
        this.lazy.get_unpin()
    }

    /// Waits for the value as [`force_pin_mut`](Self::force_pin_mut) does, if the future is `Unpin`.
    ///
    /// # Panics
    ///
    /// Panics as [`force_pin`](Self::force_pin) does.
    pub async fn force_mut(this: &mut Self) -> &mut T
    where
        Fut: Unpin,
    {
        Self::force_pin_mut(Pin::new(this)).await
    }
}

/// The lazy computes `T::default()` when a task first asks for the value.
impl<T: Default> Default for LazyCell<T, Ready<T>> {
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    fn default() -> Self {
        Self::new(|| ready(T::default()))
    }
}

impl<T: fmt::Debug, Fut, F> fmt::Debug for LazyCell<T, Fut, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lazy.fmt(f)
    }
}
