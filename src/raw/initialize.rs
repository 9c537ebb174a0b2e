//! [`Initializing`], the part of a cell's future that runs an initializer.

use core::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    deadlock::{Origin, Runner},
    raw::wait::polled_after_completion,
    raw::{Attempt, RawCellRef},
};

/// The closure of a call, and the location of the call.
pub(crate) struct InitCall<F> {
    pub(crate) init: F,
    pub(crate) origin: Origin,
}

impl<F> InitCall<F> {
    #[inline(always)]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub(crate) fn new(init: F) -> Self {
        Self {
            init,
            origin: Origin::caller(),
        }
    }

    /// Replaces the closure by the result of `f`.
    #[cfg(feature = "std")]
    #[inline(always)]
    pub(crate) fn map<G>(self, f: impl FnOnce(F) -> G) -> InitCall<G> {
        InitCall {
            init: f(self.init),
            origin: self.origin,
        }
    }
}

pin_project! {
    /// A running initializer. A future keeps it in an `Option`, which is `None` once the initializer has ended.
    ///
    /// The fields are dropped in this order: the claim is released after the initializer is dropped, and the span closes
    /// last.
    pub(crate) struct Initializing<H: RawCellRef, Fut> {
        #[pin]
        future: Fut,
        // `None` while the initializer is polled. It stays `None` if the initializer panics.
        attempt: Option<Attempt<H>>,
        origin: Origin,
    }
}

impl<H: RawCellRef, Fut: Future> Initializing<H, Fut> {
    /// Calls the closure.
    #[inline]
    pub(crate) fn start<F: FnOnce() -> Fut>(
        this: Pin<&mut Option<Self>>,
        mut attempt: Attempt<H>,
        call: InitCall<F>,
        cx: &mut Context<'_>,
    ) {
        let InitCall { init, origin } = call;
        let future = attempt.run::<H::Value, _>(Runner::Task(cx.waker()), origin, init);
        Self::set(future, this, attempt, origin);
    }

    #[inline]
    fn set(future: Fut, mut this: Pin<&mut Option<Self>>, attempt: Attempt<H>, origin: Origin) {
        this.set(Some(Self {
            future,
            attempt: Some(attempt),
            origin,
        }));
    }

    /// Polls the initializer. Once it has ended, drops it, and `C` ends the attempt with its output.
    #[inline]
    pub(crate) fn poll<C: Conclude<H, Fut::Output>>(
        mut this: Pin<&mut Option<Self>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<H::Published, C::Error>> {
        let Some(initializing) = this.as_mut().as_pin_mut() else {
            polled_after_completion()
        };
        let initializing = initializing.project();
        let Some(mut attempt) = initializing.attempt.take() else {
            polled_after_completion()
        };
        let (runner, origin) = (Runner::Task(cx.waker()), *initializing.origin);
        Self::end::<C>(
            attempt.run::<H::Value, _>(runner, origin, || initializing.future.poll(cx)),
            this,
            attempt,
            runner,
            origin,
        )
    }

    /// Keeps the attempt of a pending initializer, or drops an initializer that has ended.
    #[inline]
    fn end<C: Conclude<H, Fut::Output>>(
        polled: Poll<Fut::Output>,
        mut this: Pin<&mut Option<Self>>,
        mut attempt: Attempt<H>,
        runner: Runner<'_>,
        origin: Origin,
    ) -> Poll<Result<H::Published, C::Error>> {
        match polled {
            Poll::Pending => {
                if let Some(initializing) = this.as_pin_mut() {
                    *initializing.project().attempt = Some(attempt);
                }
                Poll::Pending
            }
            Poll::Ready(output) => {
                attempt.run::<H::Value, _>(runner, origin, || this.set(None));
                Poll::Ready(C::conclude(attempt, output))
            }
        }
    }
}

/// How the output of an initializer ends the attempt.
///
/// A trait and not a closure: in builds without optimizations, calling a closure copies a large output once more.
pub(crate) trait Conclude<H: RawCellRef, O> {
    type Error;

    fn conclude(attempt: Attempt<H>, output: O) -> Result<H::Published, Self::Error>;
}

/// The output is the value.
pub(crate) struct Infallibly;

impl<H: RawCellRef> Conclude<H, H::Value> for Infallibly {
    type Error = Infallible;

    #[inline]
    fn conclude(attempt: Attempt<H>, value: H::Value) -> Result<H::Published, Infallible> {
        Ok(attempt.publish(value))
    }
}

/// The output is the value or an error.
pub(crate) struct Fallibly;

impl<H: RawCellRef, E> Conclude<H, Result<H::Value, E>> for Fallibly {
    type Error = E;

    #[inline]
    fn conclude(attempt: Attempt<H>, result: Result<H::Value, E>) -> Result<H::Published, E> {
        attempt.conclude(result)
    }
}

/// Runs an initializer that is a plain function on this thread, which it may block.
pub(crate) fn initialize_blocking<H: RawCellRef, E>(
    mut attempt: Attempt<H>,
    call: InitCall<impl FnOnce() -> Result<H::Value, E>>,
) -> Result<H::Published, E> {
    let result = attempt.run::<H::Value, _>(Runner::Thread, call.origin, call.init);
    attempt.conclude(result)
}
