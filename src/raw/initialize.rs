//! The initializing half of every future that has an initializer.

use core::{
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
    /// Calls the closure and polls its future for the first time.
    #[inline]
    pub(crate) fn start<F: FnOnce() -> Fut, E>(
        mut this: Pin<&mut Option<Self>>,
        attempt: Attempt<H>,
        init: F,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<H::Value, E>,
    ) -> Poll<Result<H::Published, E>> {
        Self::call(this.as_mut(), attempt, init, cx);
        Self::poll(this, cx, into_result)
    }

    #[inline]
    fn call<F: FnOnce() -> Fut>(
        mut this: Pin<&mut Option<Self>>,
        mut attempt: Attempt<H>,
        init: F,
        cx: &mut Context<'_>,
    ) {
        let future = attempt.run(Runner::Task(cx.waker()), init);
        this.set(Some(Self {
            future,
            attempt: Some(attempt),
        }));
    }

    /// Polls the initializer. Concludes the attempt once the initializer has ended.
    #[inline]
    pub(crate) fn poll<E>(
        mut this: Pin<&mut Option<Self>>,
        cx: &mut Context<'_>,
        into_result: impl FnOnce(Fut::Output) -> Result<H::Value, E>,
    ) -> Poll<Result<H::Published, E>> {
        let Some(initializing) = this.as_mut().as_pin_mut() else {
            polled_after_completion()
        };
        let initializing = initializing.project();
        let Some(mut attempt) = initializing.attempt.take() else {
            polled_after_completion()
        };
        let runner = Runner::Task(cx.waker());
        let polled = attempt.run(runner, || initializing.future.poll(cx));
        if polled.is_pending() {
            *initializing.attempt = Some(attempt);
            return Poll::Pending;
        }
        // Drops the initializer before the value is published.
        attempt.run(runner, || this.set(None));
        attempt.conclude(polled, into_result)
    }
}

/// Runs an initializer that is a plain function on this thread, which it may block.
pub(crate) fn initialize_blocking<H: RawCellRef, E>(
    mut attempt: Attempt<H>,
    init: impl FnOnce() -> Result<H::Value, E>,
) -> Result<H::Published, E> {
    let result = attempt.run(Runner::Thread, init);
    match attempt.conclude(Poll::Ready(result), |result| result) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("the initializer has ended"),
    }
}
