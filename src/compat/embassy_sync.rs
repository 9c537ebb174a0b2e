//! The interface of [embassy-sync](https://docs.rs/embassy-sync) 0.8.
//!
//! `embassy_sync::lazy_lock::LazyLock` has no counterpart here: it is synchronous, and no task awaits it.

use core::fmt;

newtype! {
    /// A cell with the interface of `embassy_sync::once_lock::OnceLock`.
    ///
    /// # What differs
    ///
    /// - [`get`](Self::get) registers the task's waker once. In embassy-sync, a waiting task wakes itself in a loop. The
    ///   future is not `Unpin`.
    /// - The cell is `Sync` if `T` is `Send` and `Sync`. In embassy-sync `T: Sync` is enough, although one thread can store a
    ///   value that another one drops.
    /// - The value is dropped with the cell.
    /// - An initializer that initializes its own cell does not overwrite a value: see [`get_or_init`](Self::get_or_init).
    /// - No critical section is needed. With the feature `critical-section`, changes happen in one.
    /// - `Debug` shows the state.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::compat::embassy_sync::OnceLock;
    ///
    /// static NUMBER: OnceLock<u32> = OnceLock::new();
    ///
    /// # futures_lite::future::block_on(async {
    /// assert_eq!(NUMBER.try_get(), None);
    /// assert_eq!(NUMBER.get_or_init(|| 1), &1);
    /// assert_eq!(NUMBER.get().await, &1);
    /// assert_eq!(NUMBER.init(2), Err(2));
    /// # });
    /// ```
    ///
    /// A static requires that the value is `Send`:
    ///
    /// ```compile_fail,E0277
    /// use std::sync::MutexGuard;
    /// use oncelot::compat::embassy_sync::OnceLock;
    ///
    /// static GUARD: OnceLock<MutexGuard<'static, u32>> = OnceLock::new();
    /// ```
    OnceLock
}

impl<T> OnceLock<T> {
    /// Waits until the cell holds a value. Never initializes it. See [`OnceCell::wait`](crate::OnceCell::wait).
    #[inline]
    pub fn get(&self) -> crate::Wait<'_, T> {
        self.0.wait()
    }

    /// Returns the value, or `None` if the cell is empty. Never waits: one load (Acquire).
    #[inline]
    pub fn try_get(&self) -> Option<&T> {
        self.0.get()
    }

    /// Returns `true` if the cell holds a value.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.initialized()
    }

    /// Stores `value` if the cell is empty. Never waits. See [`OnceCell::set`](crate::OnceCell::set).
    ///
    /// # Errors
    ///
    /// Returns `value` if the cell holds a value, or if an initializer is running.
    pub fn init(&self, value: T) -> Result<(), T> {
        within_critical_section(|| self.0.set(value)).map_err(crate::SetError::into_inner)
    }

    /// Returns the value, or initializes the cell with the return value of `init`.
    ///
    /// What happens while another initializer runs depends on the features:
    ///
    /// | features | effect |
    /// |---|---|
    /// | `blocking` | the call blocks the thread, as [`OnceCell::get_or_init_blocking`] does |
    /// | `critical-section` | `init` runs in a critical section, as in embassy-sync, so that neither an interrupt handler nor another core observes it |
    /// | neither | the call panics |
    ///
    /// # Panics
    ///
    /// Panics if `init` panics; the cell is then empty again. Panics if `init` calls `get_or_init` on its own cell. With the
    /// feature `blocking`, only debug builds and builds with the feature `deadlock-detection` panic in that case; in other builds
    /// the call never returns. Without the feature `blocking`, panics if another initializer is running, such as an asynchronous
    /// one.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::compat::embassy_sync::OnceLock;
    ///
    /// let cell = OnceLock::new();
    /// assert_eq!(cell.get_or_init(|| 1), &1);
    /// assert_eq!(cell.get_or_init(|| 2), &1);
    /// ```
    #[cfg_attr(
        feature = "blocking",
        doc = "\n[`OnceCell::get_or_init_blocking`]: crate::OnceCell::get_or_init_blocking"
    )]
    #[cfg_attr(
        not(feature = "blocking"),
        doc = "\n[`OnceCell::get_or_init_blocking`]: https://docs.rs/oncelot/latest/oncelot/struct.OnceCell.html#method.get_or_init_blocking"
    )]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_init<F: FnOnce() -> T>(&self, init: F) -> &T {
        if let Some(value) = self.0.get() {
            return value;
        }
        #[cfg(feature = "blocking")]
        return self.0.get_or_init_blocking(init);
        // Created here, and not in the closure, so that it records the caller of this method.
        #[cfg(not(feature = "blocking"))]
        let call = crate::raw::initialize::InitCall::new(|| Ok(init()));
        #[cfg(not(feature = "blocking"))]
        within_critical_section(|| self.0.try_initialize(call))
            .expect(
                "another initializer is running, and `OnceLock::get_or_init` waits only with the feature `blocking`; enable \
                 that feature, or await `get`",
            )
    }
}

/// Calls `change` in a critical section, if the feature of that name is on.
fn within_critical_section<R>(change: impl FnOnce() -> R) -> R {
    #[cfg(feature = "critical-section")]
    return critical_section::with(|_| change());
    #[cfg(not(feature = "critical-section"))]
    change()
}

/// Shows the state. The value need not implement `Debug`.
impl<T> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceLock")
            .field("state", &self.0.state())
            .finish_non_exhaustive()
    }
}
