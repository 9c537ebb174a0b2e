//! The initializing half of every future that has an initializer.

use core::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    deadlock::Runner,
    raw::wait::polled_after_completion,
    raw::{Attempt, RawCellRef},
};

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
    }
}

impl<H: RawCellRef, Fut: Future> Initializing<H, Fut> {
    /// Calls the closure.
    #[inline]
    pub(crate) fn start<F: FnOnce() -> Fut>(
        this: Pin<&mut Option<Self>>,
        mut attempt: Attempt<H>,
        init: F,
        cx: &mut Context<'_>,
    ) {
        Self::set(attempt.run(Runner::Task(cx.waker()), init), this, attempt);
    }

    #[inline]
    fn set(future: Fut, mut this: Pin<&mut Option<Self>>, attempt: Attempt<H>) {
        this.set(Some(Self {
            future,
            attempt: Some(attempt),
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
        let runner = Runner::Task(cx.waker());
        Self::end::<C>(
            attempt.run(runner, || initializing.future.poll(cx)),
            this,
            attempt,
            runner,
        )
    }

    /// Keeps the attempt of a pending initializer, or drops an initializer that has ended.
    #[inline]
    fn end<C: Conclude<H, Fut::Output>>(
        polled: Poll<Fut::Output>,
        mut this: Pin<&mut Option<Self>>,
        mut attempt: Attempt<H>,
        runner: Runner<'_>,
    ) -> Poll<Result<H::Published, C::Error>> {
        match polled {
            Poll::Pending => {
                if let Some(initializing) = this.as_pin_mut() {
                    *initializing.project().attempt = Some(attempt);
                }
                Poll::Pending
            }
            Poll::Ready(output) => {
                attempt.run(runner, || this.set(None));
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
    init: impl FnOnce() -> Result<H::Value, E>,
) -> Result<H::Published, E> {
    let result = attempt.run(Runner::Thread, init);
    attempt.conclude(result)
}
