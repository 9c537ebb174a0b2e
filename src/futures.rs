//! The futures of [`OnceCell`](crate::OnceCell), as types with names.

use core::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{
    acquire::{Acquired, Waiting, polled_after_completion},
    backend::{Backend, Interest, Intrusive},
    reentrancy::initializing,
    slot::{Claim, Slot},
};

pin_project! {
    /// Waits for the claim, then runs the initializer and publishes what it yields.
    #[project = InitProj]
    #[project_replace = InitReplaced]
    enum Init<'a, T, F, Fut, B: Backend> {
        Waiting {
            #[pin]
            waiting: Waiting<'a, T, B>,
            init: F,
        },
        // Dropped in this order: the claim is released when the initializer is gone.
        Running {
            #[pin]
            future: Fut,
            // In the hands of `poll` while the initializer is being polled, and so `None` if it panicked.
            claim: Option<Claim<'a, T, B>>,
        },
        Done,
    }
}

impl<'a, T, F, Fut, B: Backend> Init<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    #[inline]
    fn new(slot: &'a Slot<T, B>, init: F) -> Self {
        Self::Waiting {
            waiting: Waiting::new(slot, Interest::Claim),
            init,
        }
    }

    #[inline]
    fn poll<E>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        if let InitProj::Waiting { waiting, .. } = self.as_mut().project() {
            match ready!(waiting.poll_acquire(cx)) {
                Acquired::Ready(value) => {
                    self.set(Self::Done);
                    return Poll::Ready(Ok(value));
                }
                Acquired::Claimed(claim) => self.as_mut().start(claim, cx),
            }
        }
        self.poll_running(cx, into_result)
    }

    /// Calls the closure. If it panics, the claim is released.
    fn start(mut self: Pin<&mut Self>, claim: Claim<'a, T, B>, cx: &Context<'_>) {
        let replaced = self.as_mut().project_replace(Self::Done);
        let InitReplaced::Waiting { init, .. } = replaced else {
            unreachable!("only a future that waits can get the claim")
        };
        let future = initializing(claim.slot().backend(), cx.waker(), init);
        self.set(Self::Running {
            future,
            claim: Some(claim),
        });
    }

    fn poll_running<E>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        let InitProj::Running { future, claim: kept } = self.as_mut().project() else {
            polled_after_completion()
        };
        // Held here, the claim is released by whatever panics below.
        let Some(claim) = kept.take() else {
            polled_after_completion()
        };
        match initializing(claim.slot().backend(), cx.waker(), || future.poll(cx)) {
            Poll::Pending => {
                *kept = Some(claim);
                Poll::Pending
            }
            Poll::Ready(output) => {
                // Drops the initializer before the value is published.
                self.set(Self::Done);
                Poll::Ready(into_result(output).map(|value| claim.publish(value)))
            }
        }
    }
}

pin_project! {
    /// The same with the cell borrowed exclusively: nobody to wait for, nobody to tell.
    #[project = InitMutProj]
    #[project_replace = InitMutReplaced]
    enum InitMut<'a, T, F, Fut, B: Backend> {
        Unstarted {
            slot: &'a mut Slot<T, B>,
            init: F,
        },
        Running {
            #[pin]
            future: Fut,
            // `None` while the initializer is being polled, and for good if it panicked.
            slot: Option<&'a mut Slot<T, B>>,
        },
        Done,
    }
}

impl<'a, T, F, Fut, B: Backend> InitMut<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    fn poll<E>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a mut T, E>> {
        if let InitMutProj::Unstarted { slot, .. } = self.as_mut().project() {
            let is_ready = slot.is_ready();
            let replaced = self.as_mut().project_replace(Self::Done);
            let InitMutReplaced::Unstarted { slot, init } = replaced else {
                unreachable!("the stage has just been looked at")
            };
            if is_ready {
                return Poll::Ready(Ok(slot.get_mut().expect("a ready cell has a value")));
            }
            let future = init();
            let slot = Some(slot);
            self.set(Self::Running { future, slot });
        }
        let InitMutProj::Running { future, slot: kept } = self.as_mut().project() else {
            polled_after_completion()
        };
        let Some(slot) = kept.take() else {
            polled_after_completion()
        };
        match future.poll(cx) {
            Poll::Pending => {
                *kept = Some(slot);
                Poll::Pending
            }
            Poll::Ready(output) => {
                self.set(Self::Done);
                Poll::Ready(into_result(output).map(|value| slot.fill(value)))
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
        init: Init<'a, T, F, Fut, B>,
    }
}

impl<'a, T, F, Fut, B: Backend> GetOrInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    #[inline]
    pub(crate) fn new(slot: &'a Slot<T, B>, init: F) -> Self {
        Self {
            init: Init::new(slot, init),
        }
    }
}

impl<'a, T, F, Fut, B: Backend> Future for GetOrInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    type Output = &'a T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        self.project().init.poll(cx, Ok).map(unwrap_infallible)
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
        init: Init<'a, T, F, Fut, B>,
    }
}

impl<'a, T, E, F, Fut, B: Backend> GetOrTryInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    #[inline]
    pub(crate) fn new(slot: &'a Slot<T, B>, init: F) -> Self {
        Self {
            init: Init::new(slot, init),
        }
    }
}

impl<'a, T, E, F, Fut, B: Backend> Future for GetOrTryInit<'a, T, F, Fut, B>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&'a T, E>> {
        self.project().init.poll(cx, |result| result)
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
        init: InitMut<'a, T, F, Fut, B>,
    }
}

impl<'a, T, F, Fut, B: Backend> GetMutOrInit<'a, T, F, Fut, B> {
    pub(crate) fn new(slot: &'a mut Slot<T, B>, init: F) -> Self {
        Self {
            init: InitMut::Unstarted { slot, init },
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
        self.project().init.poll(cx, Ok).map(unwrap_infallible)
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
        init: InitMut<'a, T, F, Fut, B>,
    }
}

impl<'a, T, F, Fut, B: Backend> GetMutOrTryInit<'a, T, F, Fut, B> {
    pub(crate) fn new(slot: &'a mut Slot<T, B>, init: F) -> Self {
        Self {
            init: InitMut::Unstarted { slot, init },
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
        self.project().init.poll(cx, |result| result)
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
        waiting: Waiting<'a, T, B>,
        // `None` once the future has completed.
        value: Option<T>,
    }
}

impl<'a, T, B: Backend> Insert<'a, T, B> {
    pub(crate) fn new(slot: &'a Slot<T, B>, value: T) -> Self {
        Self {
            waiting: Waiting::new(slot, Interest::Claim),
            value: Some(value),
        }
    }
}

impl<'a, T, B: Backend> Future for Insert<'a, T, B> {
    type Output = Result<&'a T, (&'a T, T)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let acquired = ready!(this.waiting.poll_acquire(cx));
        let value = this.value.take().expect("kept until completion");
        Poll::Ready(match acquired {
            Acquired::Ready(present) => Err((present, value)),
            Acquired::Claimed(claim) => Ok(claim.publish(value)),
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
        #[pin]
        waiting: Waiting<'a, T, B>,
    }
}

impl<'a, T, B: Backend> Wait<'a, T, B> {
    pub(crate) fn new(slot: &'a Slot<T, B>) -> Self {
        Self {
            waiting: Waiting::new(slot, Interest::Value),
        }
    }
}

impl<'a, T, B: Backend> Future for Wait<'a, T, B> {
    type Output = &'a T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        self.project().waiting.poll_value(cx)
    }
}

fn unwrap_infallible<T>(result: Result<T, Infallible>) -> T {
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
