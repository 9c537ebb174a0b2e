//! The interface of [async-lock](https://docs.rs/async-lock) 3.

use crate::compat::{Map, value_or_rejected};

newtype! {
    /// A cell with the interface of `async_lock::OnceCell`.
    ///
    /// # What differs
    ///
    /// - After a failed initialization every claimant is woken, and the first one to be polled retries. In async-lock one
    ///   claimant is woken, and the others wait for it even if it is never polled.
    /// - If a waker panics, the other waiters are woken nevertheless.
    /// - A future that is polled after it has completed panics with a message.
    /// - The blocking methods need the feature `blocking`. The documentation of [`OnceCell::wait_blocking`] describes what they
    ///   do inside a task.
    /// - `Debug` shows `OnceCell(<uninit>)` for an empty cell, and not `OnceCell(<uninitialized>)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::compat::async_lock::OnceCell;
    ///
    /// # futures_lite::future::block_on(async {
    /// let cell = OnceCell::new();
    /// assert!(!cell.is_initialized());
    /// assert_eq!(cell.get_or_init(|| async { 1 }).await, &1);
    /// assert_eq!(cell.try_set(2), Err(2));
    /// # });
    /// ```
    #[cfg_attr(
        feature = "blocking",
        doc = "\n[`OnceCell::wait_blocking`]: crate::OnceCell::wait_blocking"
    )]
    #[cfg_attr(
        not(feature = "blocking"),
        doc = "\n[`OnceCell::wait_blocking`]: https://docs.rs/oncelot/latest/oncelot/struct.OnceCell.html#method.wait_blocking"
    )]
    OnceCell
}
accessors!(OnceCell);
initializers!(OnceCell);

impl<T> OnceCell<T> {
    /// Returns `true` if the cell holds a value.
    #[inline]
    pub fn is_initialized(&self) -> bool {
        self.0.initialized()
    }

    /// Returns the value without checking that there is one.
    ///
    /// # Panics
    ///
    /// Debug builds panic if the cell is empty.
    ///
    /// # Safety
    ///
    /// The cell must be initialized, and the initialization must happen before this call.
    #[inline]
    pub unsafe fn get_unchecked(&self) -> &T {
        // SAFETY: the caller's promise.
        unsafe { self.0.get_unchecked() }
    }

    /// Waits until the cell holds a value. Never initializes it. See [`OnceCell::wait`](crate::OnceCell::wait).
    #[inline]
    pub fn wait(&self) -> crate::Wait<'_, T> {
        self.0.wait()
    }

    /// Stores `value`, after waiting for a running initializer to end. See [`OnceCell::insert`](crate::OnceCell::insert).
    ///
    /// # Errors
    ///
    /// Returns `value` if the cell holds a value.
    #[inline]
    pub fn set(&self, value: T) -> impl Future<Output = Result<&T, T>> {
        Map {
            future: self.0.insert(value),
            map: value_or_rejected,
        }
    }

    /// Stores `value` if the cell is empty and no initializer is running. Never waits. See
    /// [`OnceCell::set`](crate::OnceCell::set).
    ///
    /// # Errors
    ///
    /// Returns `value` if the cell holds a value, or if an initializer is running.
    pub fn try_set(&self, value: T) -> Result<(), T> {
        self.0.set(value).map_err(crate::SetError::into_inner)
    }
}

/// Blocking methods (feature `blocking`).
#[cfg(feature = "blocking")]
impl<T> OnceCell<T> {
    /// Blocks until the cell holds a value. Never initializes it. See
    /// [`OnceCell::wait_blocking`](crate::OnceCell::wait_blocking).
    pub fn wait_blocking(&self) -> &T {
        self.0.wait_blocking()
    }

    /// Returns the value, or initializes the cell with the return value of `init`. See
    /// [`OnceCell::get_or_init_blocking`](crate::OnceCell::get_or_init_blocking).
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_init_blocking(&self, init: impl FnOnce() -> T) -> &T {
        self.0.get_or_init_blocking(init)
    }

    /// Returns the value, or initializes the cell with the return value of `init`, which can fail. See
    /// [`OnceCell::get_or_try_init_blocking`](crate::OnceCell::get_or_try_init_blocking).
    ///
    /// # Errors
    ///
    /// Returns the error of `init` if this call ran it and it failed.
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_try_init_blocking<E>(&self, init: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        self.0.get_or_try_init_blocking(init)
    }

    /// Stores `value`, after blocking while an initializer runs. See
    /// [`OnceCell::insert_blocking`](crate::OnceCell::insert_blocking).
    ///
    /// # Errors
    ///
    /// Returns `value` if the cell holds a value.
    pub fn set_blocking(&self, value: T) -> Result<&T, T> {
        value_or_rejected(self.0.insert_blocking(value))
    }
}
