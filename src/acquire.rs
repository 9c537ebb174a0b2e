//! The waiting half of every future.

use core::{
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    backend::{Backend, Interest, State},
    reentrancy,
    slot::{Claim, Slot},
};

pin_project! {
    /// Waits for a slot, and leaves nothing behind when it is dropped.
    pub(crate) struct Waiting<'a, T, B: Backend> {
        // `None` once the waiting is over.
        slot: Option<&'a Slot<T, B>>,
        #[pin]
        waiter: B::Waiter,
    }

    impl<T, B: Backend> PinnedDrop for Waiting<'_, T, B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(slot) = this.slot {
                // SAFETY: `poll_slow` registers the waiter with this backend alone.
                unsafe { slot.backend().cancel(this.waiter.as_ref()) };
            }
        }
    }
}

/// How the waiting of a future that could initialize has ended.
pub(crate) enum Acquired<'a, T, B: Backend> {
    /// The value is there.
    Ready(&'a T),
    /// It is ours to make.
    Claimed(Claim<'a, T, B>),
}

impl<'a, T, B: Backend> Waiting<'a, T, B> {
    #[inline]
    pub(crate) fn new(slot: &'a Slot<T, B>, interest: Interest) -> Self {
        Self {
            slot: Some(slot),
            waiter: B::waiter(interest),
        }
    }

    /// Waits until there is a value, or nobody is making one.
    ///
    /// # Panics
    ///
    /// Panics if it was `Ready` before.
    #[inline]
    pub(crate) fn poll_acquire(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Acquired<'a, T, B>> {
        self.poll_until(cx, |slot| {
            if let Some(value) = slot.get() {
                return Some(Acquired::Ready(value));
            }
            match slot.try_claim() {
                Ok(claim) => Some(Acquired::Claimed(claim)),
                // SAFETY: the backend has told that the state is READY.
                Err(State::Ready) => Some(Acquired::Ready(unsafe { slot.get_unchecked() })),
                Err(_) => None,
            }
        })
    }

    /// Waits until there is a value.
    ///
    /// # Panics
    ///
    /// Panics if it was `Ready` before.
    #[inline]
    pub(crate) fn poll_value(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        self.poll_until(cx, Slot::get)
    }

    #[inline(always)]
    fn poll_until<R>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        look: impl Fn(&'a Slot<T, B>) -> Option<R>,
    ) -> Poll<R> {
        let Some(slot) = self.slot else {
            polled_after_completion()
        };
        loop {
            if let Some(result) = look(slot) {
                self.as_mut().finish(slot);
                return Poll::Ready(result);
            }
            if self.as_mut().poll_wait(slot, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    #[inline(never)]
    fn poll_wait(self: Pin<&mut Self>, slot: &Slot<T, B>, cx: &mut Context<'_>) -> Poll<()> {
        reentrancy::assert_outside(slot.backend(), cx.waker());
        // SAFETY: the waiter is used with this backend alone, by us alone. It is unregistered by `finish` or
        // by dropping before it goes away, which pinning guarantees.
        unsafe { slot.backend().poll_wait(self.project().waiter.as_ref(), cx) }
    }

    #[inline]
    fn finish(self: Pin<&mut Self>, slot: &Slot<T, B>) {
        let this = self.project();
        // From here on dropping does nothing, should `cancel` panic.
        *this.slot = None;
        // SAFETY: as in `poll_wait`.
        unsafe { slot.backend().cancel(this.waiter.as_ref()) };
    }
}

/// Ends the poll of a future that has nothing left to do.
#[cold]
#[track_caller]
pub(crate) fn polled_after_completion() -> ! {
    panic!("a future of a `OnceCell` was polled after it had completed or panicked; make a new one")
}
