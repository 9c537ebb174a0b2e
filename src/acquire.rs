//! The waiting half of every future.

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::{
    attempt::Wait,
    backend::{Backend, Interest},
    reentrancy::{self, Runner},
    slot::{Acquired, Slot},
};

/// What can be waited for: a slot, or the owner of one.
pub(crate) trait Awaited {
    type Value;
    type Backend: Backend;
    /// What `tracing` calls it by.
    type Name;

    /// The same one each time.
    fn slot(&self) -> &Slot<Self::Value, Self::Backend>;
}

impl<T, B: Backend> Awaited for Slot<T, B> {
    type Value = T;
    type Backend = B;
    type Name = T;

    #[inline(always)]
    fn slot(&self) -> &Self {
        self
    }
}

/// Waits for a slot, and leaves nothing behind when it is dropped.
///
/// The waiter is pinned with the whole.
pub(crate) struct Waiting<'a, A: Awaited> {
    awaited: &'a A,
    waiter: <A::Backend as Backend>::Waiter,
    wait: Wait,
}

impl<'a, A: Awaited> Waiting<'a, A> {
    #[inline]
    pub(crate) fn new(awaited: &'a A, interest: Interest) -> Self {
        Self {
            awaited,
            waiter: A::Backend::waiter(interest),
            wait: Wait::NONE,
        }
    }

    /// The same, and `tracing` does not hear of it.
    #[cfg(feature = "std")]
    pub(crate) fn untraced(awaited: &'a A, interest: Interest) -> Self {
        let mut this = Self::new(awaited, interest);
        this.wait = Wait::TOLD;
        this
    }

    #[inline(always)]
    pub(crate) fn awaited(&self) -> &'a A {
        self.awaited
    }

    /// Waits until there is a value, or nobody is making one. After `Ready`, drop the `Waiting`.
    #[inline]
    pub(crate) fn poll_acquire(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Acquired<'a, A::Value, A::Backend>> {
        match self.awaited.slot().acquire() {
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
        self.wait_until(cx, Slot::acquire)
    }

    /// Waits until there is a value. After `Ready`, drop the `Waiting`.
    #[inline]
    pub(crate) fn poll_value(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a A::Value> {
        match self.awaited.slot().get() {
            Some(value) => Poll::Ready(value),
            None => self.wait_until(cx, Slot::get),
        }
    }

    #[inline(always)]
    fn wait_until<R>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        look: impl Fn(&'a Slot<A::Value, A::Backend>) -> Option<R>,
    ) -> Poll<R> {
        let slot = self.awaited.slot();
        reentrancy::assert_outside(slot.backend(), Runner::Task(cx.waker()));
        loop {
            // SAFETY: the waiter is used with this backend alone, by us alone. Unless it is `Unpin`, pinning
            // guarantees that `drop` runs before its memory is given up or it is moved.
            if unsafe { slot.backend().poll_wait(self.as_mut().waiter(), cx) }.is_pending() {
                self.wait().begin::<A::Name>();
                return Poll::Pending;
            }
            if let Some(result) = look(slot) {
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
    fn wait(self: Pin<&mut Self>) -> &mut Wait {
        // SAFETY: this field is not pinned, and nothing else is moved.
        &mut unsafe { self.get_unchecked_mut() }.wait
    }
}

impl<A: Awaited> Drop for Waiting<'_, A> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the waiter is pinned, or was never registered; and it is about to be dropped.
        let this = unsafe { Pin::new_unchecked(self) };
        let backend = this.awaited.slot().backend();
        // SAFETY: as in `wait_until`.
        unsafe { backend.cancel(this.waiter()) };
    }
}

/// Polls a `Waiting`, and leaves it when there is a result, which is dropped if leaving panics.
#[inline]
pub(crate) fn poll_to_end<'a, A: Awaited, R>(
    mut waiting: Pin<&mut Option<Waiting<'a, A>>>,
    poll: impl FnOnce(Pin<&mut Waiting<'a, A>>) -> Poll<R>,
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
