//! The initializing half of every future that has an initializer.

use core::{
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    deadlock::Runner,
    raw::wait::polled_after_completion,
    raw::{Claim, RawCellRef},
    trace::InitSpan,
};

pin_project! {
    /// A running initializer. The futures keep it in an `Option`, which is `None` once the initializer has ended.
    ///
    /// The order of the fields is the order in which they are dropped: the claim is released after the initializer is
    /// dropped.
    pub(crate) struct Initializing<H: RawCellRef, Fut> {
        #[pin]
        future: Fut,
        span: InitSpan,
        // Taken by `poll` while it polls the initializer. It stays `None` if the initializer panics.
        claim: Option<Claim<H>>,
    }
}

impl<H: RawCellRef, Fut: Future> Initializing<H, Fut> {
    /// Calls the closure and polls its future for the first time.
    #[inline(always)]
    pub(crate) fn start<F: FnOnce() -> Fut, E>(
        mut this: Pin<&mut Option<Self>>,
        claim: Claim<H>,
        span: InitSpan,
        init: F,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<H::Value, E>,
    ) -> Poll<Result<H::Published, E>> {
        Self::call(this.as_mut(), claim, span, init, cx);
        Self::poll(this, cx, into_result)
    }

    /// Calls the closure.
    #[inline(always)]
    pub(crate) fn call<F: FnOnce() -> Fut>(
        mut this: Pin<&mut Option<Self>>,
        claim: Claim<H>,
        mut span: InitSpan,
        init: F,
        cx: &mut Context<'_>,
    ) {
        let future = span.run(claim.raw().backend(), Runner::Task(cx.waker()), init);
        this.set(Some(Self {
            future,
            span,
            claim: Some(claim),
        }));
    }

    /// Polls the initializer.
    #[inline(always)]
    pub(crate) fn poll<E>(
        mut this: Pin<&mut Option<Self>>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<H::Value, E>,
    ) -> Poll<Result<H::Published, E>> {
        let Some(running) = this.as_mut().as_pin_mut() else {
            polled_after_completion()
        };
        let running = running.project();
        let Some(claim) = running.claim.take() else {
            polled_after_completion()
        };
        let backend = claim.raw().backend();
        let runner = Runner::Task(cx.waker());
        // Dropped before the claim if the initializer panics.
        let mut span = running.span.take();
        match span.run(backend, runner, || running.future.poll(cx)) {
            Poll::Pending => {
                *running.span = span;
                *running.claim = Some(claim);
                Poll::Pending
            }
            Poll::Ready(output) => {
                // Drops the initializer before the value is published.
                span.run(backend, runner, || this.set(None));
                Poll::Ready(conclude(claim, span, into_result(output)))
            }
        }
    }
}

/// Runs an initializer that may block on this thread.
#[cfg(feature = "std")]
pub(crate) fn initialize_blocking<H: RawCellRef, E>(
    claim: Claim<H>,
    mut span: InitSpan,
    init: impl FnOnce() -> Result<H::Value, E>,
) -> Result<H::Published, E> {
    let result = span.run(claim.raw().backend(), Runner::Thread, init);
    conclude(claim, span, result)
}

/// Publishes the value, or releases the claim, and then emits the event of the attempt.
#[inline(always)]
fn conclude<H: RawCellRef, E>(
    claim: Claim<H>,
    mut span: InitSpan,
    result: Result<H::Value, E>,
) -> Result<H::Published, E> {
    match result {
        Ok(value) => {
            span.succeed();
            Ok(claim.publish(value))
        }
        Err(error) => {
            span.fail::<E>();
            // Here, and not at the end: a return value is leaked if what is dropped after it panics.
            drop(claim);
            span.emit();
            Err(error)
        }
    }
}
