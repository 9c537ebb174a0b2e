//! The running half of every future that has an initializer.

use core::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    deadlock::Runner,
    raw::wait::polled_after_completion,
    raw::{Attempt, RawCellRef},
};

/// An initializer at work, which is `None` once it has ended.
///
/// Dropped in this order: the claim is released when the initializer is gone, and the span closes last.
pub(crate) struct Initializing<H: RawCellRef, Fut> {
    /// Pinned with the whole.
    future: Fut,
    /// In the hands of `run` while the initializer is being polled; `None` for good if it panicked.
    attempt: Option<Attempt<H>>,
}

impl<H: RawCellRef, Fut: Future> Initializing<H, Fut> {
    /// Calls the closure, and polls the initializer for the first time.
    #[inline(always)]
    pub(crate) fn start<F: FnOnce() -> Fut, E>(
        mut this: Pin<&mut Option<Self>>,
        mut attempt: Attempt<H>,
        init: F,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<H::Value, E>,
    ) -> Poll<Result<H::Published, E>> {
        let future = attempt.run(Runner::Task(cx.waker()), init);
        this.set(Some(Self {
            future,
            attempt: None,
        }));
        Self::run(this, attempt, cx, into_result)
    }

    #[inline(always)]
    pub(crate) fn poll<E>(
        mut this: Pin<&mut Option<Self>>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<H::Value, E>,
    ) -> Poll<Result<H::Published, E>> {
        // SAFETY: the attempt is not pinned, and nothing else is moved.
        let running = unsafe { this.as_mut().get_unchecked_mut() };
        let attempt = running.as_mut().and_then(|running| running.attempt.take());
        Self::run(
            this,
            attempt.unwrap_or_else(|| polled_after_completion()),
            cx,
            into_result,
        )
    }

    /// Polls the initializer.
    #[inline(always)]
    fn run<E>(
        mut this: Pin<&mut Option<Self>>,
        mut attempt: Attempt<H>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<H::Value, E>,
    ) -> Poll<Result<H::Published, E>> {
        // SAFETY: of what is pinned, nothing is moved.
        let Some(running) = (unsafe { this.as_mut().get_unchecked_mut() }) else {
            unreachable!("whoever has the claim is running")
        };
        let runner = Runner::Task(cx.waker());
        // SAFETY: it is pinned with the whole.
        let future = unsafe { Pin::new_unchecked(&mut running.future) };
        match attempt.run(runner, || future.poll(cx)) {
            Poll::Pending => {
                running.attempt = Some(attempt);
                Poll::Pending
            }
            Poll::Ready(output) => {
                // Drops the initializer before the value is published.
                attempt.run(runner, || this.set(None));
                Poll::Ready(attempt.conclude(into_result(output)))
            }
        }
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
