//! The waiting half of every future.

use core::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    backend::{Backend, Interest, State},
    reentrancy,
    slot::{Claim, Slot},
};

/// Waits for a slot, and leaves nothing behind when it is dropped.
///
/// The waiter is pinned with the whole.
pub(crate) struct Waiting<'a, T, B: Backend> {
    /// `None` once the waiting is over.
    slot: Option<&'a Slot<T, B>>,
    waiter: B::Waiter,
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

    /// The value, if it is there by now; the waiting is then over.
    #[inline(always)]
    pub(crate) fn try_value(self: Pin<&mut Self>) -> Option<&'a T> {
        let value = self.slot?.get()?;
        self.finish();
        Some(value)
    }

    /// Waits until there is a value, or nobody is making one.
    ///
    /// # Panics
    ///
    /// Panics if it was `Ready` before.
    #[inline(always)]
    pub(crate) fn poll_acquire(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Acquired<'a, T, B>> {
        self.poll_until(cx, |slot| match slot.try_claim() {
            Ok(claim) => Some(Acquired::Claimed(claim)),
            // SAFETY: the backend has told that the state is READY.
            Err(State::Ready) => Some(Acquired::Ready(unsafe { slot.get_unchecked() })),
            Err(_) => None,
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
                self.as_mut().finish();
                return Poll::Ready(result);
            }
            if self.as_ref().poll_wait(slot, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    #[inline(never)]
    fn poll_wait(self: Pin<&Self>, slot: &Slot<T, B>, cx: &mut Context<'_>) -> Poll<()> {
        reentrancy::assert_outside(slot.backend(), cx.waker());
        // SAFETY: the waiter is used with this backend alone, by us alone, and pinning guarantees that `drop`
        // runs before its memory is given up.
        unsafe { slot.backend().poll_wait(self.waiter(), cx) }
    }

    /// Ends the waiting: from here on, dropping does nothing.
    #[inline(always)]
    fn finish(self: Pin<&mut Self>) {
        // SAFETY: nothing is moved.
        unsafe { self.get_unchecked_mut() }.unregister();
    }

    #[inline(always)]
    fn unregister(&mut self) {
        if let Some(slot) = self.slot.take() {
            // SAFETY: the waiter is pinned, or was never registered and is about to be dropped.
            let this = unsafe { Pin::new_unchecked(&*self) };
            // SAFETY: as in `poll_wait`.
            unsafe { slot.backend().cancel(this.waiter()) };
        }
    }

    #[inline(always)]
    fn waiter(self: Pin<&Self>) -> Pin<&B::Waiter> {
        // SAFETY: the waiter is pinned with the whole: nothing moves it, or hands it out unpinned.
        unsafe { self.map_unchecked(|this| &this.waiter) }
    }
}

impl<T, B: Backend> Drop for Waiting<'_, T, B> {
    #[inline]
    fn drop(&mut self) {
        self.unregister();
    }
}

/// Ends the poll of a future that has nothing left to do.
#[cold]
#[track_caller]
pub(crate) fn polled_after_completion() -> ! {
    panic!("a future of a `OnceCell` was polled after it had completed or panicked; make a new one")
}
