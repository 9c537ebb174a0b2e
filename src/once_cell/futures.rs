//! The futures of [`OnceCell`](crate::OnceCell), as types with names.

use core::{
    convert::Infallible,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::{
    backend::{Backend, Intrusive, WaiterKind},
    raw::initialize::Initializing,
    raw::wait::{WaitFuture, poll_and_unregister, polled_after_completion},
    raw::{Acquired, Claim, RawCell},
};

/// Waits for the claim, then runs the initializer and publishes what it yields.
///
/// What waits and what runs is pinned with the whole. Assigning a stage drops the one before it in place.
enum Init<'a, T, F, Fut, B: Backend> {
    /// The value was there when the future was made: the path of every access to a ready cell.
    Ready(&'a T),
    /// The value was returned to who had nothing to run.
    Done,
    Waiting {
        waiting: WaitFuture<'a, RawCell<T, B>>,
        /// Taken when the claim is ours.
        init: Option<F>,
    },
    Initializing(Option<Initializing<&'a RawCell<T, B>, Fut>>),
}

impl<'a, T, F, Fut, B: Backend> Init<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    #[inline]
    fn new(raw: &'a RawCell<T, B>, init: F) -> Self {
        match raw.get() {
            Some(value) => Self::Ready(value),
            None => Self::Waiting {
                waiting: WaitFuture::new(raw, WaiterKind::Claimant),
                init: Some(init),
            },
        }
    }

    /// Inlined, as each initializer has a type of its own, and so its future is mostly polled in one place.
    /// What is common is in here: a look at a ready cell, or the claim of an empty one and the first poll of
    /// its initializer. The rest is in `poll_slow`.
    #[inline(always)]
    fn poll<E>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        // SAFETY: what waits and what runs is only reached through a `Pin`, or dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        match this {
            Self::Ready(value) => {
                let value = *value;
                *this = Self::Done;
                return Poll::Ready(Ok(value));
            }
            Self::Waiting { waiting, .. } => match waiting.awaited().acquire() {
                Some(Acquired::Ready(value)) => {
                    *this = Self::Done;
                    return Poll::Ready(Ok(value));
                }
                Some(Acquired::Claimed(claim)) => return this.start(claim, cx, into_result),
                None => {}
            },
            Self::Initializing(_) | Self::Done => {}
        }
        this.poll_slow(cx, into_result)
    }

    /// `self` is pinned.
    #[inline(never)]
    fn poll_slow<E>(
        &mut self,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        match self {
            Self::Waiting { waiting, .. } => {
                // SAFETY: it is pinned with the whole.
                match ready!(unsafe { Pin::new_unchecked(waiting) }.wait_to_acquire(cx)) {
                    Acquired::Ready(value) => {
                        *self = Self::Done;
                        Poll::Ready(Ok(value))
                    }
                    Acquired::Claimed(claim) => self.start(claim, cx, into_result),
                }
            }
            Self::Initializing(running) => {
                // SAFETY: it is pinned with the whole.
                Initializing::poll(unsafe { Pin::new_unchecked(running) }, cx, into_result)
            }
            Self::Done => polled_after_completion(),
            Self::Ready(_) => unreachable!("`poll` has returned the value"),
        }
    }

    /// Calls the closure. `self` is pinned.
    #[inline(always)]
    fn start<E>(
        &mut self,
        claim: Claim<&'a RawCell<T, B>>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        let Self::Waiting { init, .. } = self else {
            unreachable!("only who waits gets the claim")
        };
        let init = init.take().expect("taken with the claim");
        *self = Self::Initializing(None);
        let Self::Initializing(running) = self else {
            unreachable!("just made")
        };
        // SAFETY: it is pinned with the whole.
        let running = unsafe { Pin::new_unchecked(running) };
        Initializing::start(running, claim.begin(), init, cx, into_result)
    }
}

/// The same with the cell borrowed exclusively: nobody to wait for, nobody to tell.
///
/// `future` is pinned with the whole.
enum InitMut<'a, T, F, Fut, B: Backend> {
    Unstarted {
        raw: &'a mut RawCell<T, B>,
        init: F,
    },
    Initializing {
        future: Fut,
        /// `None` while the initializer is being polled, and for good if it panicked.
        raw: Option<&'a mut RawCell<T, B>>,
    },
    Done,
}

impl<'a, T, F, Fut, B: Backend> InitMut<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    fn poll<E>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a mut T, E>> {
        // SAFETY: `future` is only reached through a `Pin`, or dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        if let Self::Unstarted { .. } = this {
            let Self::Unstarted { raw, init } = mem::replace(this, Self::Done) else {
                unreachable!("the stage has just been looked at")
            };
            if raw.is_ready() {
                return Poll::Ready(Ok(raw.get_mut().expect("a ready cell has a value")));
            }
            let future = init();
            let raw = Some(raw);
            *this = Self::Initializing { future, raw };
        }
        let Self::Initializing { future, raw: kept } = this else {
            polled_after_completion()
        };
        let raw = kept.take().unwrap_or_else(|| polled_after_completion());
        // SAFETY: it is pinned with the whole.
        match unsafe { Pin::new_unchecked(future) }.poll(cx) {
            Poll::Pending => {
                *kept = Some(raw);
                Poll::Pending
            }
            Poll::Ready(output) => {
                *this = Self::Done;
                Poll::Ready(into_result(output).map(|value| raw.fill(value)))
            }
        }
    }
}

/// Projects the pin of a future of this file to its field that is pinned with it.
macro_rules! pinned {
    ($this:expr, $field:ident) => {
        // SAFETY: the field is only reached like this, or dropped in place.
        unsafe { $this.map_unchecked_mut(|this| &mut this.$field) }
    };
}

/// The future of [`OnceCell::get_or_init`](crate::OnceCell::get_or_init).
///
/// # Panics
///
/// Panics if it is polled after it has completed or panicked.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct GetOrInit<'a, T, F, Fut, B: Backend = Intrusive> {
    init: Init<'a, T, F, Fut, B>,
}

impl<'a, T, F, Fut, B: Backend> GetOrInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    #[inline]
    pub(crate) fn new(raw: &'a RawCell<T, B>, init: F) -> Self {
        Self {
            init: Init::new(raw, init),
        }
    }
}

impl<'a, T, F, Fut, B: Backend> Future for GetOrInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    type Output = &'a T;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        pinned!(self, init).poll(cx, Ok).map(unwrap_infallible)
    }
}

/// The future of [`OnceCell::get_or_try_init`](crate::OnceCell::get_or_try_init).
///
/// # Panics
///
/// Panics if it is polled after it has completed or panicked.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct GetOrTryInit<'a, T, F, Fut, B: Backend = Intrusive> {
    init: Init<'a, T, F, Fut, B>,
}

impl<'a, T, E, F, Fut, B: Backend> GetOrTryInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    #[inline]
    pub(crate) fn new(raw: &'a RawCell<T, B>, init: F) -> Self {
        Self {
            init: Init::new(raw, init),
        }
    }
}

impl<'a, T, E, F, Fut, B: Backend> Future for GetOrTryInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, E>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&'a T, E>> {
        pinned!(self, init).poll(cx, |result| result)
    }
}

/// The future of [`OnceCell::get_mut_or_init`](crate::OnceCell::get_mut_or_init).
///
/// # Panics
///
/// Panics if it is polled after it has completed or panicked.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct GetMutOrInit<'a, T, F, Fut, B: Backend = Intrusive> {
    init: InitMut<'a, T, F, Fut, B>,
}

impl<'a, T, F, Fut, B: Backend> GetMutOrInit<'a, T, F, Fut, B> {
    pub(crate) fn new(raw: &'a mut RawCell<T, B>, init: F) -> Self {
        Self {
            init: InitMut::Unstarted { raw, init },
        }
    }
}

impl<'a, T, F, Fut, B: Backend> Future for GetMutOrInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    type Output = &'a mut T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a mut T> {
        pinned!(self, init).poll(cx, Ok).map(unwrap_infallible)
    }
}

/// The future of [`OnceCell::get_mut_or_try_init`](crate::OnceCell::get_mut_or_try_init).
///
/// # Panics
///
/// Panics if it is polled after it has completed or panicked.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct GetMutOrTryInit<'a, T, F, Fut, B: Backend = Intrusive> {
    init: InitMut<'a, T, F, Fut, B>,
}

impl<'a, T, F, Fut, B: Backend> GetMutOrTryInit<'a, T, F, Fut, B> {
    pub(crate) fn new(raw: &'a mut RawCell<T, B>, init: F) -> Self {
        Self {
            init: InitMut::Unstarted { raw, init },
        }
    }
}

impl<'a, T, E, F, Fut, B: Backend> Future for GetMutOrTryInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a mut T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&'a mut T, E>> {
        pinned!(self, init).poll(cx, |result| result)
    }
}

/// The future of [`OnceCell::insert`](crate::OnceCell::insert).
///
/// # Panics
///
/// Panics if it is polled after it has completed.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Insert<'a, T, B: Backend = Intrusive> {
    /// `None` once the future has completed.
    waiting: Option<WaitFuture<'a, RawCell<T, B>>>,
    /// Taken on completion.
    value: Option<T>,
}

impl<'a, T, B: Backend> Insert<'a, T, B> {
    pub(crate) fn new(raw: &'a RawCell<T, B>, value: T) -> Self {
        Self {
            waiting: Some(WaitFuture::new(raw, WaiterKind::Claimant)),
            value: Some(value),
        }
    }
}

impl<'a, T, B: Backend> Future for Insert<'a, T, B> {
    type Output = Result<&'a T, (&'a T, T)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let acquired = ready!(poll_and_unregister(pinned!(self.as_mut(), waiting), |waiting| {
            waiting.poll_acquire(cx)
        }));
        // SAFETY: the value is not pinned, and nothing else is moved.
        let value = unsafe { self.get_unchecked_mut() }.value.take();
        let value = value.expect("kept until completion");
        Poll::Ready(match acquired {
            Acquired::Ready(present) => Err((present, value)),
            Acquired::Claimed(claim) => Ok(claim.publish(value)),
        })
    }
}

/// The future of [`OnceCell::wait`](crate::OnceCell::wait).
///
/// # Panics
///
/// Panics if it is polled after it has completed.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Wait<'a, T, B: Backend = Intrusive> {
    /// `None` once the future has completed.
    waiting: Option<WaitFuture<'a, RawCell<T, B>>>,
}

impl<'a, T, B: Backend> Wait<'a, T, B> {
    pub(crate) fn new(raw: &'a RawCell<T, B>) -> Self {
        Self {
            waiting: Some(WaitFuture::new(raw, WaiterKind::Passive)),
        }
    }
}

impl<'a, T, B: Backend> Future for Wait<'a, T, B> {
    type Output = &'a T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        poll_and_unregister(pinned!(self, waiting), |waiting| waiting.poll_value(cx))
    }
}

pub(crate) fn unwrap_infallible<T>(result: Result<T, Infallible>) -> T {
    let Ok(value) = result;
    value
}

macro_rules! opaque_debug {
    ($($future:ident<$($generic:ident),*>)*) => {$(
        impl<$($generic,)* B: Backend> fmt::Debug for $future<'_, $($generic,)* B> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($future)).finish_non_exhaustive()
            }
        }
    )*};
}

opaque_debug! {
    GetOrInit<T, F, Fut>
    GetOrTryInit<T, F, Fut>
    GetMutOrInit<T, F, Fut>
    GetMutOrTryInit<T, F, Fut>
    Insert<T>
    Wait<T>
}
