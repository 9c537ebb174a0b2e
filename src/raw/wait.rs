//! The waiting half of every future.

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{
    backend::{Backend, WaiterKind},
    deadlock::{self, Runner},
    raw::{Acquired, RawCell},
    trace::WaitEvent,
};

/// What a task waits for: a raw cell, or the type that owns one.
pub(crate) trait HasRawCell {
    type Value;
    type Backend: Backend;
    /// The type that the feature `tracing` names in its events.
    type Name;

    /// Returns the same raw cell each time.
    fn raw(&self) -> &RawCell<Self::Value, Self::Backend>;
}

impl<T, B: Backend> HasRawCell for RawCell<T, B> {
    type Value = T;
    type Backend = B;
    type Name = T;

    #[inline(always)]
    fn raw(&self) -> &Self {
        self
    }
}

pin_project! {
    /// Waits for a raw cell. Dropping it unregisters its waiter.
    pub(crate) struct WaitFuture<'a, A: HasRawCell> {
        // Never null, which tells the stages of the public futures apart without a tag.
        awaited: &'a A,
        #[pin]
        waiter: <A::Backend as Backend>::Waiter,
        event: WaitEvent,
    }

    impl<A: HasRawCell> PinnedDrop for WaitFuture<'_, A> {
        #[inline(always)]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // SAFETY: only this future uses the waiter, and it uses it with this backend alone.
            unsafe { this.awaited.raw().backend().cancel(this.waiter) };
        }
    }
}

impl<'a, A: HasRawCell> WaitFuture<'a, A> {
    #[inline(always)]
    pub(crate) fn new(awaited: &'a A, kind: WaiterKind) -> Self {
        Self {
            awaited,
            waiter: A::Backend::waiter(kind),
            event: WaitEvent::NOT_EMITTED,
        }
    }

    /// Creates a future that emits no event.
    #[cfg(feature = "std")]
    pub(crate) fn untraced(awaited: &'a A, kind: WaiterKind) -> Self {
        Self {
            awaited,
            waiter: A::Backend::waiter(kind),
            event: WaitEvent::EMITTED,
        }
    }

    #[inline(always)]
    pub(crate) fn awaited(&self) -> &'a A {
        self.awaited
    }

    /// Waits until the cell has a value or can be claimed. Drop the `WaitFuture` after `Ready`.
    #[inline]
    pub(crate) fn poll_acquire(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Acquired<'a, A::Value, A::Backend>> {
        self.poll_until(cx, RawCell::acquire)
    }

    /// Waits until the cell has a value. Drop the `WaitFuture` after `Ready`.
    #[inline]
    pub(crate) fn poll_value(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a A::Value> {
        self.poll_until(cx, RawCell::get)
    }

    #[inline(always)]
    fn poll_until<R>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        look: impl Fn(&'a RawCell<A::Value, A::Backend>) -> Option<R>,
    ) -> Poll<R> {
        loop {
            if let Some(result) = look(self.awaited.raw()) {
                return Poll::Ready(result);
            }
            ready!(self.as_mut().poll_wait(cx));
        }
    }

    /// Registers the waiter, unless the state has changed: look again after `Ready`.
    #[inline(always)]
    pub(crate) fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let backend = this.awaited.raw().backend();
        deadlock::assert_outside(backend, Runner::Task(cx.waker()));
        // SAFETY: only this future uses the waiter, one call at a time, and it uses it with this backend alone. If
        // the waiter is not `Unpin`, neither is this future, so that `drop` cancels the waiter before its memory is
        // reused.
        let poll = unsafe { backend.poll_wait(this.waiter, cx) };
        if poll.is_pending() {
            this.event.emit::<A::Name>();
        }
        poll
    }
}

/// Polls a `WaitFuture` and drops it once there is a result. The result is dropped if that panics.
#[inline]
pub(crate) fn poll_and_unregister<'a, A: HasRawCell, R>(
    mut waiting: Pin<&mut Option<WaitFuture<'a, A>>>,
    poll: impl FnOnce(Pin<&mut WaitFuture<'a, A>>) -> Poll<R>,
) -> Poll<R> {
    let result = match waiting.as_mut().as_pin_mut() {
        Some(waiting) => ready!(poll(waiting)),
        None => polled_after_completion(),
    };
    waiting.set(None);
    Poll::Ready(result)
}

/// Panics, for a poll of a future that has completed or panicked.
#[cold]
pub(crate) fn polled_after_completion() -> ! {
    panic!("a future of `oncelot` was polled after it had completed or panicked; make a new one")
}
