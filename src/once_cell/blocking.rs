//! The blocking methods. Threads and tasks can wait for a cell concurrently, and either can initialize it.

use core::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};
use std::time::Instant;

use crate::{
    backend::{Backend, WaiterKind},
    deadlock::{self, Runner},
    lazy::Lazy,
    lazy::boxed::{Boxed, GetBoxLazy},
    once_cell::OnceCell,
    once_cell::futures::unwrap_infallible,
    raw::RawCell,
    raw::initialize::{InitCall, initialize_blocking},
    raw::wait::{Acquired, HasRawCell, WaitFuture, poll_and_unregister},
    static_lazy::StaticLazy,
    sync::{has_elapsed, parker},
};

/// Blocking methods (feature `blocking`).
///
/// Threads and tasks wait in the same list, and each of them can initialize. Blocking methods are for threads, and for
/// closures on a runtime's blocking pool, and **not for tasks**: a task that blocks its executor's thread may keep the
/// initializer that it waits for from running.
///
/// A call that need not wait works in every context. If the cell has a value, the call returns it after one `Acquire` load.
/// If the cell is empty, the call runs its initializer on the calling thread. In a task, that blocks the executor's thread for as
/// long as the initializer takes. On tokio's multi-thread runtime, `tokio::task::block_in_place` around the call avoids that.
///
/// A call that has to wait checks first where it was made:
///
/// | called in | effect of a wait |
/// |---|---|
/// | the initializer of the same cell | panics, in debug builds and with the feature `deadlock-detection` |
/// | a task of tokio's multi-thread runtime | blocks within `block_in_place`, with the feature `tokio` |
/// | a task of tokio's current-thread runtime, or of a `LocalSet` | panics, with the feature `tokio` |
/// | a task of async-std | panics, with the feature `async-std` |
/// | a task of another executor | blocks the executor's thread, because this is not detected |
/// | a destructor of a thread-local | blocks, even after the thread-locals of the runtime were destroyed |
///
/// [Blocking pools that wait for themselves][pools] hang; the guide lists the combinations that work.
///
/// [pools]: crate::guide::runtimes#blocking-pools-that-wait-for-themselves
///
/// A thread that waits allocates once.
///
/// On wasm32-unknown-unknown, a thread cannot wait, and a call that has to wait panics. On WebAssembly, tasks of tokio are not
/// detected, because `block_in_place` and its runtime do not exist there.
impl<T, B: Backend> OnceCell<T, B> {
    /// Blocks until the cell holds a value, and returns it. Never initializes the cell.
    ///
    /// # Panics
    ///
    /// Panics if the call has to wait in an async task, or inside the initializer of the cell, where that can be detected: see
    /// the table above.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = oncelot::OnceCell::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| assert_eq!(cell.wait_blocking(), &1));
    ///     cell.set(1).unwrap();
    /// });
    /// ```
    pub fn wait_blocking(&self) -> &T {
        self.wait_within(None).expect("there is no deadline")
    }

    /// Blocks until the cell holds a value, for at most `timeout`. Returns the value, or `None` if the timeout elapses first.
    /// Never initializes the cell.
    ///
    /// With a timeout of zero, the call never waits, as [`get`](Self::get) does not.
    ///
    /// # Panics
    ///
    /// Panics as [`wait_blocking`](Self::wait_blocking) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let cell = oncelot::OnceCell::new();
    /// assert_eq!(cell.wait_timeout(Duration::from_millis(1)), None);
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.wait_timeout(Duration::from_millis(1)), Some(&1));
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Option<&T> {
        self.wait_within(Some(timeout))
    }

    /// Returns the value, initializing the cell with the return value of `init` if the cell is empty.
    ///
    /// `init` runs on this thread, which it may block. While another initializer runs, the call blocks until that initializer
    /// ends.
    ///
    /// # Panics
    ///
    /// Panics if `init` panics. The cell is then empty again, and another waiter retries. Panics as
    /// [`wait_blocking`](Self::wait_blocking) and [`set`](Self::set) do.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = oncelot::OnceCell::new();
    /// assert_eq!(cell.get_or_init_blocking(|| 1), &1);
    /// ```
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_init_blocking<F: FnOnce() -> T>(&self, init: F) -> &T {
        unwrap_infallible(self.get_or_try_init_blocking(|| Ok::<_, Infallible>(init())))
    }

    /// Returns the value, initializing the cell with the return value of `init`, which can fail, if the cell is empty.
    ///
    /// `init` runs on this thread, which it may block. While another initializer runs, the call blocks until that initializer
    /// ends.
    ///
    /// # Panics
    ///
    /// Panics as [`get_or_init_blocking`](Self::get_or_init_blocking) does.
    ///
    /// # Errors
    ///
    /// Returns the error of `init` if this call ran it and it failed. The cell is then empty again, and another waiter
    /// retries.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = oncelot::OnceCell::new();
    /// assert_eq!(cell.get_or_try_init_blocking(|| Err("no route")), Err("no route"));
    /// assert_eq!(cell.get_or_try_init_blocking(|| Ok::<_, &str>(1)), Ok(&1));
    /// ```
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_try_init_blocking<E, F: FnOnce() -> Result<T, E>>(&self, init: F) -> Result<&T, E> {
        match self.get() {
            Some(value) => Ok(value),
            None => match acquire(self.raw()) {
                Acquired::Ready(value) => Ok(value),
                Acquired::Claimed(claim) => initialize_blocking(claim.begin(), InitCall::new(init)),
            },
        }
    }

    /// Stores `value` in the cell, after blocking until a running initializer ends, and returns a reference to the stored value.
    ///
    /// # Panics
    ///
    /// Panics as [`wait_blocking`](Self::wait_blocking) and [`set`](Self::set) do.
    ///
    /// # Errors
    ///
    /// If the cell already has a value, or the running initializer produces one, returns a reference to that value together
    /// with `value`.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = oncelot::OnceCell::new();
    /// assert_eq!(cell.insert_blocking(1), Ok(&1));
    /// assert_eq!(cell.insert_blocking(2), Err((&1, 2)));
    /// ```
    pub fn insert_blocking(&self, value: T) -> Result<&T, (&T, T)> {
        match self.get() {
            Some(present) => Err((present, value)),
            None => match acquire(self.raw()) {
                Acquired::Ready(present) => Err((present, value)),
                Acquired::Claimed(claim) => Ok(claim.publish(value)),
            },
        }
    }

    fn wait_within(&self, timeout: Option<Duration>) -> Option<&T> {
        self.get().or_else(|| {
            if timeout == Some(Duration::ZERO) {
                return None;
            }
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let mut waiting = pin!(WaitFuture::new(self.raw(), WaiterKind::Passive));
            block_until(self.raw(), deadline, |cx| waiting.as_mut().poll_value(cx))
        })
    }
}

/// Blocking methods (feature `blocking`).
impl<T, F: Future<Output = T>, B: Backend> Lazy<T, F, B> {
    /// Blocks until the value is computed, and returns it. Polls the future on this thread if no other task or thread does.
    ///
    /// The first poll is made in any context. If the future is pending after that poll, the call has to wait.
    ///
    /// # Panics
    ///
    /// Panics as [`get`](Self::get) does. Panics as [`OnceCell::wait_blocking`] does if the call has to wait. If the future
    /// needs the context of a runtime, as a timer of tokio does, it panics on a thread without that context, and the `Lazy` is
    /// poisoned.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    ///
    /// let answer = pin!(oncelot::Lazy::new(async { 6 * 7 }));
    /// assert_eq!(*answer.as_ref().get_blocking(), 42);
    /// ```
    pub fn get_blocking(self: Pin<&Self>) -> &T {
        let lazy = self.get_ref();
        lazy.try_get().unwrap_or_else(|| block_on(lazy.raw(), self.get()))
    }
}

impl<T, D, B> Boxed<T, D, B>
where
    D: ?Sized + Future<Output = T>,
    B: Backend + Send + Sync + 'static,
{
    /// Blocks until the future has completed.
    pub(crate) fn get_blocking(&self) -> &T {
        self.get()
            .unwrap_or_else(|| block_on(self.raw(), GetBoxLazy::new(self)))
    }
}

/// Blocking methods (feature `blocking`).
impl<T> StaticLazy<T> {
    /// Blocks until the value is computed, and returns it. Polls the future on this thread if no other task or thread does.
    ///
    /// The first poll is made in any context. If the future is pending after that poll, the call has to wait.
    ///
    /// # Panics
    ///
    /// Panics as [`get`](Self::get) does. Panics as [`OnceCell::wait_blocking`] does if the call has to wait. If the future
    /// needs the context of a runtime, as a timer of tokio does, it panics on a thread without that context, and the static is
    /// poisoned.
    ///
    /// # Examples
    ///
    /// ```
    /// oncelot::lazy! {
    ///     static ANSWER: u32 = async { 6 * 7 };
    /// }
    /// assert_eq!(ANSWER.get_blocking(), &42);
    /// ```
    pub fn get_blocking(&'static self) -> &'static T {
        self.try_get().unwrap_or_else(|| block_on(self.raw(), self.get()))
    }
}

/// Returns the value or the claim; waits while an initializer runs.
fn acquire<T, B: Backend>(raw: &RawCell<T, B>) -> Acquired<'_, RawCell<T, B>> {
    raw.acquire().unwrap_or_else(|| {
        // Not an `AcquireStage`: it loads the state once more in each poll, which doubles the executions of the loom models.
        let mut waiting = pin!(Some(WaitFuture::new(raw, WaiterKind::Claimant)));
        let acquired =
            poll_fn(|cx| poll_and_unregister(waiting.as_mut(), |waiting| waiting.poll_acquire(cx)));
        block_on(raw, acquired)
    })
}

/// Polls `future` until it completes, and parks the thread between polls. `raw` is the raw cell that `future` waits for.
fn block_on<T, B: Backend, R>(raw: &RawCell<T, B>, future: impl Future<Output = R>) -> R {
    let mut future = pin!(future);
    block_until(raw, None, |cx| future.as_mut().poll(cx)).expect("there is no deadline")
}

/// Polls until there is a result or the deadline has elapsed, and parks the thread between polls. `raw` is the raw cell that
/// the thread waits for.
fn block_until<T, B: Backend, R>(
    raw: &RawCell<T, B>,
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>,
) -> Option<R> {
    let (parker, unparker) = parker();
    let waker = unparker.into();
    let cx = &mut Context::from_waker(&waker);
    if let Poll::Ready(result) = poll(cx) {
        return Some(result);
    }
    block_in_place(raw, || {
        loop {
            let is_late = match deadline {
                Some(deadline) => {
                    // The return value is of no use: `park_deadline` can return early, and repeated wakeups must not
                    // extend the wait.
                    parker.park_deadline(deadline);
                    has_elapsed(deadline)
                }
                None => {
                    parker.park();
                    false
                }
            };
            match poll(cx) {
                Poll::Ready(result) => return Some(result),
                Poll::Pending if is_late => return None,
                Poll::Pending => {}
            }
        }
    })
}

/// Calls `block`, which blocks this thread to wait for `raw`.
///
/// # Panics
///
/// Panics if the thread must not block here, where that can be detected.
fn block_in_place<T, B: Backend, R>(raw: &RawCell<T, B>, block: impl FnOnce() -> R) -> R {
    deadlock::assert_outside(raw.backend(), Runner::Thread);
    #[cfg(feature = "async-std")]
    crate::runtime::async_std::assert_outside_tasks();
    #[cfg(all(feature = "tokio", not(target_family = "wasm")))]
    return crate::runtime::tokio::block_in_place(block);
    #[cfg(not(all(feature = "tokio", not(target_family = "wasm"))))]
    block()
}
