//! The futures of [`OnceCell`](crate::OnceCell) as named types.

use core::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{
    backend::{Backend, Intrusive, State},
    error::SharedInitError,
    once_cell::guard::InitGuard,
    raw::RawCell,
    raw::initialize::{Conclude, Fallibly, Infallibly, InitCall, Initializing},
    raw::stage::{AcquireStage, Stage},
    raw::wait::{Acquired, HasRawCell, WaitFuture, poll_and_unregister, polled_after_completion},
};

/// The stage of a future that has an initializer: its input is the closure, its work the future that the closure returns.
type InitStage<'a, T, F, Fut, B> =
    Stage<'a, RawCell<T, B>, InitCall<F>, Option<Initializing<&'a RawCell<T, B>, Fut>>>;

impl<'a, T, F, Fut, B: Backend> InitStage<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    #[inline(always)]
    fn poll_init<C>(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&'a T, C::Error>>
    where
        C: Conclude<&'a RawCell<T, B>, Fut::Output>,
    {
        self.poll(
            cx,
            Ok,
            |stage, claim, cx| {
                let (_, init, mut initializing) = stage.start();
                Initializing::start(initializing.as_mut(), claim.begin(), init, cx);
                Initializing::poll::<C>(initializing, cx)
            },
            |stage, cx| Initializing::poll::<C>(stage.work(), cx),
        )
    }
}

pin_project! {
    /// The stage of a future that borrows the cell mutably, and so never waits.
    #[project = ExclusiveProj]
    #[project_replace = ExclusiveReplaced]
    pub(super) enum ExclusiveStage<'a, T, F, Fut, B: Backend> {
        Unstarted {
            raw: &'a mut RawCell<T, B>,
            init: F,
        },
        Initializing {
            #[pin]
            future: Fut,
            // Taken while the initializer is polled. It stays `None` if the initializer panics.
            raw: Option<&'a mut RawCell<T, B>>,
        },
        Completed,
    }
}

impl<'a, T, F, Fut, B: Backend> ExclusiveStage<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    fn poll<R>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        ready: impl FnOnce(&'a mut T) -> R,
        conclude: impl FnOnce(&'a mut RawCell<T, B>, Fut::Output) -> R,
    ) -> Poll<R> {
        if let ExclusiveProj::Unstarted { .. } = self.as_mut().project() {
            let ExclusiveReplaced::Unstarted { raw, init } = self.as_mut().project_replace(Self::Completed)
            else {
                unreachable!("the stage is `Unstarted`")
            };
            if raw.is_ready() {
                return Poll::Ready(ready(raw.get_mut().expect("a ready cell has a value")));
            }
            let future = init();
            self.set(Self::Initializing {
                future,
                raw: Some(raw),
            });
        }
        let ExclusiveProj::Initializing { future, raw: kept } = self.as_mut().project() else {
            polled_after_completion()
        };
        let Some(raw) = kept.take() else {
            polled_after_completion()
        };
        match future.poll(cx) {
            Poll::Pending => {
                *kept = Some(raw);
                Poll::Pending
            }
            Poll::Ready(output) => {
                self.set(Self::Completed);
                Poll::Ready(conclude(raw, output))
            }
        }
    }
}

pin_project! {
    /// The future of [`OnceCell::get_or_init`](crate::OnceCell::get_or_init).
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed or panicked.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct GetOrInit<'a, T, F, Fut, B: Backend = Intrusive> {
        #[pin]
        pub(super) stage: InitStage<'a, T, F, Fut, B>,
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
        (self.project().stage.poll_init::<Infallibly>(cx)).map(unwrap_infallible)
    }
}

pin_project! {
    /// The future of [`OnceCell::get_or_try_init`](crate::OnceCell::get_or_try_init).
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed or panicked.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct GetOrTryInit<'a, T, F, Fut, B: Backend = Intrusive> {
        #[pin]
        pub(super) stage: InitStage<'a, T, F, Fut, B>,
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
        self.project().stage.poll_init::<Fallibly>(cx)
    }
}

pin_project! {
    /// The future of [`OnceCell::get_mut_or_init`](crate::OnceCell::get_mut_or_init).
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed or panicked.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct GetMutOrInit<'a, T, F, Fut, B: Backend = Intrusive> {
        #[pin]
        pub(super) stage: ExclusiveStage<'a, T, F, Fut, B>,
    }
}

impl<'a, T, F, Fut, B: Backend> Future for GetMutOrInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    type Output = &'a mut T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a mut T> {
        self.project().stage.poll(cx, |value| value, RawCell::fill)
    }
}

pin_project! {
    /// The future of [`OnceCell::get_mut_or_try_init`](crate::OnceCell::get_mut_or_try_init).
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed or panicked.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct GetMutOrTryInit<'a, T, F, Fut, B: Backend = Intrusive> {
        #[pin]
        pub(super) stage: ExclusiveStage<'a, T, F, Fut, B>,
    }
}

impl<'a, T, E, F, Fut, B: Backend> Future for GetMutOrTryInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a mut T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&'a mut T, E>> {
        self.project()
            .stage
            .poll(cx, Ok, |raw, result| Ok(raw.fill(result?)))
    }
}

pin_project! {
    /// The future of [`OnceCell::insert`](crate::OnceCell::insert).
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Insert<'a, T, B: Backend = Intrusive> {
        #[pin]
        pub(super) stage: AcquireStage<'a, RawCell<T, B>>,
        // Taken on completion.
        pub(super) value: Option<T>,
    }
}

impl<'a, T, B: Backend> Future for Insert<'a, T, B> {
    type Output = Result<&'a T, (&'a T, T)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let acquired = ready!(this.stage.poll_acquire(cx));
        let value = this.value.take().expect("the value is kept until completion");
        Poll::Ready(match acquired {
            Acquired::Ready(present) => Err((present, value)),
            Acquired::Claimed(claim) => Ok(claim.publish(value)),
        })
    }
}

pin_project! {
    /// The future of [`OnceCell::get_or_claim`](crate::OnceCell::get_or_claim).
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct GetOrClaim<'a, T, B: Backend = Intrusive> {
        #[pin]
        pub(super) stage: AcquireStage<'a, RawCell<T, B>>,
    }
}

impl<'a, T, B: Backend> Future for GetOrClaim<'a, T, B> {
    type Output = Result<&'a T, InitGuard<'a, T, B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let acquired = self.project().stage.poll_acquire(cx);
        acquired.map(|acquired| match acquired {
            Acquired::Ready(value) => Ok(value),
            Acquired::Claimed(claim) => Err(InitGuard::new(claim)),
        })
    }
}

pin_project! {
    /// The future of [`OnceCell::wait`](crate::OnceCell::wait).
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Wait<'a, T, B: Backend = Intrusive> {
        // `None` once the future has completed.
        #[pin]
        pub(super) waiting: Option<WaitFuture<'a, RawCell<T, B>>>,
    }
}

impl<'a, T, B: Backend> Future for Wait<'a, T, B> {
    type Output = &'a T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        poll_and_unregister(self.project().waiting, |waiting| waiting.poll_value(cx))
    }
}

pin_project! {
    /// The future of [`OnceCell::get_or_try_init_shared`](crate::OnceCell::get_or_try_init_shared).
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed or panicked.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct GetOrTryInitShared<'a, T, F, Fut, B: Backend = Intrusive> {
        #[pin]
        pub(super) stage: InitStage<'a, T, F, Fut, B>,
        // Whether a poll has left the waiter registered in an attempt.
        pub(super) is_registered: bool,
    }
}

impl<'a, T, E, F, Fut, B: Backend> Future for GetOrTryInitShared<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, SharedInitError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.stage.poll_within_attempt(
            cx,
            this.is_registered,
            |stage, cx| {
                let polled = stage.poll_init::<Fallibly>(cx);
                polled.map_err(SharedInitError::Failed)
            },
            |value| value.ok_or(SharedInitError::OtherFailed),
        )
    }
}

pin_project! {
    /// The future of [`OnceCell::wait_attempt`](crate::OnceCell::wait_attempt).
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct WaitAttempt<'a, T, B: Backend = Intrusive> {
        // `None` once the future has completed.
        #[pin]
        pub(super) waiting: Option<WaitFuture<'a, RawCell<T, B>>>,
        // Whether a poll has left the waiter registered in an attempt.
        pub(super) is_registered: bool,
    }
}

impl<'a, T, B: Backend> Future for WaitAttempt<'a, T, B> {
    type Output = Option<&'a T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<&'a T>> {
        let this = self.project();
        // As in `Stage::poll_within_attempt`.
        let is_event_emitted = Option::as_ref(&this.waiting).is_some_and(WaitFuture::is_event_emitted);
        if *this.is_registered || is_event_emitted {
            return poll_and_unregister(this.waiting, |waiting| waiting.poll_attempt(cx));
        }
        let ended = poll_and_unregister(this.waiting, |waiting| {
            waiting.poll_until(cx, |raw| match raw.get() {
                Some(value) => Some(Some(value)),
                None => (raw.backend().state() == State::Uninit).then_some(None),
            })
        });
        *this.is_registered = ended.is_pending();
        ended
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
    GetOrClaim<T>
    Wait<T>
    GetOrTryInitShared<T, F, Fut>
    WaitAttempt<T>
}
