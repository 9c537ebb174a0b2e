//! The waiting half of every future.

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
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
    slot: &'a Slot<T, B>,
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
            slot,
            waiter: B::waiter(interest),
        }
    }

    pub(crate) fn slot(&self) -> &'a Slot<T, B> {
        self.slot
    }

    /// Waits until there is a value, or nobody is making one. After `Ready`, drop the `Waiting`.
    #[inline(always)]
    pub(crate) fn poll_acquire(self: Pin<&Self>, cx: &mut Context<'_>) -> Poll<Acquired<'a, T, B>> {
        self.poll_until(cx, |slot| match slot.try_claim() {
            Ok(claim) => Some(Acquired::Claimed(claim)),
            // SAFETY: the backend has told that the state is READY.
            Err(State::Ready) => Some(Acquired::Ready(unsafe { slot.get_unchecked() })),
            Err(_) => None,
        })
    }

    /// Waits until there is a value. After `Ready`, drop the `Waiting`.
    #[inline(always)]
    pub(crate) fn poll_value(self: Pin<&Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        self.poll_until(cx, Slot::get)
    }

    #[inline(always)]
    fn poll_until<R>(
        self: Pin<&Self>,
        cx: &mut Context<'_>,
        look: fn(&'a Slot<T, B>) -> Option<R>,
    ) -> Poll<R> {
        match look(self.slot) {
            Some(result) => Poll::Ready(result),
            None => self.wait_until(cx, look),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_until<R>(
        self: Pin<&Self>,
        cx: &mut Context<'_>,
        look: fn(&'a Slot<T, B>) -> Option<R>,
    ) -> Poll<R> {
        reentrancy::assert_outside(self.slot.backend(), cx.waker());
        loop {
            // SAFETY: the waiter is used with this backend alone, by us alone, and pinning guarantees that
            // `drop` runs before its memory is given up.
            ready!(unsafe { self.slot.backend().poll_wait(self.waiter(), cx) });
            if let Some(result) = look(self.slot) {
                return Poll::Ready(result);
            }
        }
    }

    #[inline(always)]
    fn waiter(self: Pin<&Self>) -> Pin<&B::Waiter> {
        // SAFETY: the waiter is pinned with the whole: nothing moves it, or hands it out unpinned.
        unsafe { self.map_unchecked(|this| &this.waiter) }
    }
}

impl<T, B: Backend> Drop for Waiting<'_, T, B> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the waiter is pinned, or was never registered; and it is about to be dropped.
        let this = unsafe { Pin::new_unchecked(&*self) };
        // SAFETY: as in `wait_until`.
        unsafe { this.slot.backend().cancel(this.waiter()) };
    }
}

/// Ends the poll of a future that has nothing left to do.
#[cold]
#[track_caller]
pub(crate) fn polled_after_completion() -> ! {
    panic!("a future of a `OnceCell` was polled after it had completed or panicked; make a new one")
}
