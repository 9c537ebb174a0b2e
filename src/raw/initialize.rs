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
    /// Calls the closure.
    #[inline]
    pub(crate) fn start<F: FnOnce() -> Fut>(
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

    /// Polls the initializer. Once it has ended, drops it, and lets `conclude` end the attempt with its output.
    #[inline]
    pub(crate) fn poll<R>(
        mut this: Pin<&mut Option<Self>>,
        cx: &mut Context<'_>,
        conclude: impl FnOnce(Attempt<H>, Fut::Output) -> R,
    ) -> Poll<R> {
        let Some(initializing) = this.as_mut().as_pin_mut() else {
            polled_after_completion()
        };
        let initializing = initializing.project();
        let Some(mut attempt) = initializing.attempt.take() else {
            polled_after_completion()
        };
        let runner = Runner::Task(cx.waker());
        match attempt.run(runner, || initializing.future.poll(cx)) {
            Poll::Pending => {
                *initializing.attempt = Some(attempt);
                Poll::Pending
            }
            Poll::Ready(output) => {
                attempt.run(runner, || this.set(None));
                Poll::Ready(conclude(attempt, output))
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
