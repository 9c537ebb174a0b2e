//! The waiting half of every future.

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::{
    backend::{Backend, WaiterKind},
    deadlock::{self, Runner},
    raw::{Acquired, RawCell},
    trace::WaitEvent,
};

/// What can be waited for: a raw cell, or the owner of one.
pub(crate) trait HasRawCell {
    type Value;
    type Backend: Backend;
    /// What `tracing` calls it by.
    type Name;

    /// The same one each time.
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

/// Waits for a raw cell, and leaves nothing behind when it is dropped.
///
/// The waiter is pinned with the whole.
pub(crate) struct WaitFuture<'a, A: HasRawCell> {
    awaited: &'a A,
    waiter: <A::Backend as Backend>::Waiter,
    event: WaitEvent,
}

impl<'a, A: HasRawCell> WaitFuture<'a, A> {
    #[inline]
    pub(crate) fn new(awaited: &'a A, kind: WaiterKind) -> Self {
        Self {
            awaited,
            waiter: A::Backend::waiter(kind),
            event: WaitEvent::NOT_EMITTED,
        }
    }

    /// The same, and `tracing` does not hear of it.
    #[cfg(feature = "std")]
    pub(crate) fn untraced(awaited: &'a A, kind: WaiterKind) -> Self {
        let mut this = Self::new(awaited, kind);
        this.event = WaitEvent::EMITTED;
        this
    }

    #[inline(always)]
    pub(crate) fn awaited(&self) -> &'a A {
        self.awaited
    }

    /// Waits until there is a value, or nobody is making one. After `Ready`, drop the `WaitFuture`.
    #[inline]
    pub(crate) fn poll_acquire(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Acquired<'a, A::Value, A::Backend>> {
        match self.awaited.raw().acquire() {
            Some(acquired) => Poll::Ready(acquired),
            None => self.wait_to_acquire(cx),
        }
    }

    /// The same for a caller who has just seen that an initializer is at work.
    #[inline(always)]
    pub(crate) fn wait_to_acquire(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Acquired<'a, A::Value, A::Backend>> {
        self.wait_until(cx, RawCell::acquire)
    }

    /// Waits until there is a value. After `Ready`, drop the `WaitFuture`.
    #[inline]
    pub(crate) fn poll_value(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a A::Value> {
        match self.awaited.raw().get() {
            Some(value) => Poll::Ready(value),
            None => self.wait_until(cx, RawCell::get),
        }
    }

    #[inline(always)]
    fn wait_until<R>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        look: impl Fn(&'a RawCell<A::Value, A::Backend>) -> Option<R>,
    ) -> Poll<R> {
        let raw = self.awaited.raw();
        deadlock::assert_outside(raw.backend(), Runner::Task(cx.waker()));
        loop {
            // SAFETY: the waiter is used with this backend alone, by us alone. Unless it is `Unpin`, pinning
            // guarantees that `drop` runs before its memory is given up or it is moved.
            if unsafe { raw.backend().poll_wait(self.as_mut().waiter(), cx) }.is_pending() {
                self.event().emit::<A::Name>();
                return Poll::Pending;
            }
            if let Some(result) = look(raw) {
                return Poll::Ready(result);
            }
        }
    }

    #[inline(always)]
    fn waiter(self: Pin<&mut Self>) -> Pin<&mut <A::Backend as Backend>::Waiter> {
        // SAFETY: the waiter is pinned with the whole: nothing moves it, or hands it out unpinned.
        unsafe { self.map_unchecked_mut(|this| &mut this.waiter) }
    }

    #[inline(always)]
    fn event(self: Pin<&mut Self>) -> &mut WaitEvent {
        // SAFETY: this field is not pinned, and nothing else is moved.
        &mut unsafe { self.get_unchecked_mut() }.event
    }
}

impl<A: HasRawCell> Drop for WaitFuture<'_, A> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the waiter is pinned, or was never registered; and it is about to be dropped.
        let this = unsafe { Pin::new_unchecked(self) };
        let backend = this.awaited.raw().backend();
        // SAFETY: as in `wait_until`.
        unsafe { backend.cancel(this.waiter()) };
    }
}

/// Polls a `WaitFuture`, and leaves it when there is a result, which is dropped if leaving panics.
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

/// Ends the poll of a future that has nothing left to do.
#[cold]
pub(crate) fn polled_after_completion() -> ! {
    panic!("a future of `oncelot` was polled after it had completed or panicked; make a new one")
}
