//! The running half of every future that has an initializer.

use core::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    deadlock::Runner,
    raw::wait::polled_after_completion,
    raw::{Claim, RawCellRef},
    trace::InitSpan,
};

/// An initializer at work, which is `None` once it has ended.
///
/// Dropped in this order: the claim is released when the initializer is gone.
pub(crate) struct Initializing<H: RawCellRef, Fut> {
    /// Pinned with the whole.
    future: Fut,
    span: InitSpan,
    /// In the hands of `run` while the initializer is being polled; `None` for good if it panicked.
    claim: Option<Claim<H>>,
}

impl<H: RawCellRef, Fut: Future> Initializing<H, Fut> {
    /// Calls the closure, and polls the initializer for the first time.
    #[inline(always)]
    pub(crate) fn start<F: FnOnce() -> Fut, E>(
        mut this: Pin<&mut Option<Self>>,
        claim: Claim<H>,
        mut span: InitSpan,
        init: F,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<H::Value, E>,
    ) -> Poll<Result<H::Published, E>> {
        let future = span.run(claim.raw().backend(), Runner::Task(cx.waker()), init);
        this.set(Some(Self {
            future,
            span,
            claim: None,
        }));
        Self::run(this, claim, cx, into_result)
    }

    #[inline(always)]
    pub(crate) fn poll<E>(
        mut this: Pin<&mut Option<Self>>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<H::Value, E>,
    ) -> Poll<Result<H::Published, E>> {
        // SAFETY: the claim is not pinned, and nothing else is moved.
        let running = unsafe { this.as_mut().get_unchecked_mut() };
        let claim = running.as_mut().and_then(|running| running.claim.take());
        Self::run(
            this,
            claim.unwrap_or_else(|| polled_after_completion()),
            cx,
            into_result,
        )
    }

    /// Polls the initializer.
    #[inline(always)]
    fn run<E>(
        mut this: Pin<&mut Option<Self>>,
        claim: Claim<H>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<H::Value, E>,
    ) -> Poll<Result<H::Published, E>> {
        // SAFETY: of what is pinned, nothing is moved.
        let Some(running) = (unsafe { this.as_mut().get_unchecked_mut() }) else {
            unreachable!("whoever has the claim is running")
        };
        let backend = claim.raw().backend();
        let runner = Runner::Task(cx.waker());
        // Ends, if the initializer panics, before the claim is released.
        let mut span = running.span.take();
        // SAFETY: it is pinned with the whole.
        let future = unsafe { Pin::new_unchecked(&mut running.future) };
        match span.run(backend, runner, || future.poll(cx)) {
            Poll::Pending => {
                running.span = span;
                running.claim = Some(claim);
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

/// Publishes the value, or gives the claim up. The attempt tells of it afterwards.
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
