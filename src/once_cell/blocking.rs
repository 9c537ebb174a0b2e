//! The same for threads: they wait on the same cells as tasks, at the same time, and either can initialize.

use core::{
    convert::Infallible,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};
use std::time::Instant;

use crate::{
    backend::{Backend, WaiterKind},
    deadlock::{self, Runner},
    lazy::Lazy,
    once_cell::OnceCell,
    once_cell::futures::unwrap_infallible,
    raw::initialize::initialize_blocking,
    raw::wait::{HasRawCell, WaitFuture, poll_and_unregister},
    raw::{Acquired, RawCell},
    static_lazy::StaticLazy,
    sync::{is_past, parker},
};

/// For threads that may block (feature `blocking`).
///
/// These wait among the tasks, in the same list, and each can initialize. They are for threads, and for the closures
/// that a runtime runs on its pool for blocking work, and **not for tasks**: a task that blocks its executor's thread
/// may keep the very initializer from running that it waits for. What can be detected panics:
///
/// | called | |
/// |---|---|
/// | in the initializer of the same cell | panics, in debug builds |
/// | in a task of tokio's multi-thread runtime | `block_in_place` is used, if the feature `tokio` is on |
/// | in a task of tokio's current-thread runtime, or of a `LocalSet` | panics, if the feature `tokio` is on |
/// | in a task of async-std | panics, if the feature `async-std` is on |
/// | in a task of another executor | is not detected |
///
/// If the value is there, none of this is looked at: access is one load (Acquire). A thread that waits allocates once.
impl<T, B: Backend> OnceCell<T, B> {
    /// The value, once it is there. Never initializes.
    ///
    /// # Panics
    ///
    /// Panics in a task where that can be detected, as told above.
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

    /// The value, once it is there, unless that takes longer than `timeout`. Never initializes, and leaves no waiter
    /// behind.
    ///
    /// # Panics
    ///
    /// As [`wait_blocking`](Self::wait_blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let cell = oncelot::OnceCell::<u32>::new();
    /// assert_eq!(cell.wait_timeout(Duration::from_millis(1)), None);
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Option<&T> {
        self.wait_within(Some(timeout))
    }

    /// The value; if there is none, the one that `init` makes, on this thread. `init` may block.
    ///
    /// # Panics
    ///
    /// Panics if `init` does: the cell is empty again, and the waiters are woken. Panics as
    /// [`wait_blocking`](Self::wait_blocking), and [`set`](Self::set), do.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = oncelot::OnceCell::new();
    /// assert_eq!(cell.get_or_init_blocking(|| 1), &1);
    /// ```
    pub fn get_or_init_blocking<F: FnOnce() -> T>(&self, init: F) -> &T {
        unwrap_infallible(self.get_or_try_init_blocking(|| Ok::<_, Infallible>(init())))
    }

    /// The same as [`get_or_init_blocking`](Self::get_or_init_blocking), for an initializer that can fail.
    ///
    /// # Errors
    ///
    /// The error of `init`, if this call ran it and it failed. The cell is empty again, and the waiters are woken.
    ///
    /// # Panics
    ///
    /// As [`get_or_init_blocking`](Self::get_or_init_blocking).
    pub fn get_or_try_init_blocking<E, F: FnOnce() -> Result<T, E>>(&self, init: F) -> Result<&T, E> {
        match self.get() {
            Some(value) => Ok(value),
            None => in_place(self.raw(), || match acquire(self.raw()) {
                Acquired::Ready(value) => Ok(value),
                Acquired::Claimed(claim) => initialize_blocking(claim.begin(), init),
            }),
        }
    }

    /// Puts `value` into the cell, after waiting for a running initializer to end.
    ///
    /// # Errors
    ///
    /// If there is a value, or there comes one from the initializer: a reference to that value, and `value`.
    ///
    /// # Panics
    ///
    /// As [`wait_blocking`](Self::wait_blocking) and [`set`](Self::set).
    pub fn insert_blocking(&self, value: T) -> Result<&T, (&T, T)> {
        match self.get() {
            Some(present) => Err((present, value)),
            None => in_place(self.raw(), || match acquire(self.raw()) {
                Acquired::Ready(present) => Err((present, value)),
                Acquired::Claimed(claim) => Ok(claim.publish(value)),
            }),
        }
    }

    fn wait_within(&self, timeout: Option<Duration>) -> Option<&T> {
        self.get().or_else(|| {
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            in_place(self.raw(), || {
                let mut waiting = pin!(WaitFuture::new(self.raw(), WaiterKind::Passive));
                block_until(deadline, |cx| waiting.as_mut().poll_value(cx))
            })
        })
    }
}

/// For threads that may block (feature `blocking`).
impl<T, F: Future<Output = T>, B: Backend> Lazy<T, F, B> {
    /// The value, once it is there; drives the computation on this thread if nobody else does.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get), and in a task where that can be detected, as [`OnceCell::wait_blocking`]. A future that
    /// needs the context of a runtime, as a timer of tokio does, panics on a thread outside it, and will not be tried
    /// again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    ///
    /// let answer = pin!(oncelot::Lazy::new(async { 6 * 7 }));
    /// assert_eq!(*answer.as_ref().force_blocking(), 42);
    /// ```
    pub fn force_blocking(self: Pin<&Self>) -> &T {
        let lazy = self.get_ref();
        lazy.try_get().unwrap_or_else(|| {
            in_place(lazy.raw(), || {
                let mut get = pin!(self.get());
                block_on(|cx| get.as_mut().poll(cx))
            })
        })
    }
}

/// For threads that may block (feature `blocking`).
impl<T> StaticLazy<T> {
    /// The value, once it is there; computes it on this thread if nobody else does.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get), and in a task where that can be detected, as [`OnceCell::wait_blocking`]. A future that
    /// needs the context of a runtime, as a timer of tokio does, panics on a thread outside it, and will not be tried
    /// again.
    pub fn force_blocking(&'static self) -> &'static T {
        self.try_get().unwrap_or_else(|| {
            in_place(self.raw(), || {
                let mut get = pin!(self.get());
                block_on(|cx| get.as_mut().poll(cx))
            })
        })
    }
}

/// The value, or the claim.
fn acquire<T, B: Backend>(raw: &RawCell<T, B>) -> Acquired<'_, T, B> {
    raw.acquire().unwrap_or_else(|| {
        let mut waiting = pin!(Some(WaitFuture::new(raw, WaiterKind::Claimant)));
        block_on(|cx| poll_and_unregister(waiting.as_mut(), |waiting| waiting.poll_acquire(cx)))
    })
}

/// Runs what may block this thread for `raw`, unless that is known to be a mistake.
fn in_place<T, B: Backend, R>(raw: &RawCell<T, B>, block: impl FnOnce() -> R) -> R {
    deadlock::assert_outside(raw.backend(), Runner::Thread);
    #[cfg(feature = "async-std")]
    crate::runtime::async_std::assert_outside_tasks();
    #[cfg(feature = "tokio")]
    return crate::runtime::tokio::in_place(block);
    #[cfg(not(feature = "tokio"))]
    block()
}

fn block_on<R>(poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> R {
    block_until(None, poll).expect("there is no deadline")
}

/// Polls, and parks the thread in between.
fn block_until<R>(deadline: Option<Instant>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Option<R> {
    let (parker, unparker) = parker();
    let waker = unparker.into();
    let cx = &mut Context::from_waker(&waker);
    let mut is_late = false;
    loop {
        match poll(cx) {
            Poll::Ready(result) => return Some(result),
            Poll::Pending if is_late => return None,
            Poll::Pending => match deadline {
                Some(deadline) => {
                    // What it returns tells neither: a thread can come back early for no reason, and somebody who keeps
                    // waking it is no reason to stay.
                    parker.park_deadline(deadline);
                    is_late = is_past(deadline);
                }
                None => parker.park(),
            },
        }
    }
}
