//! [`WaitFuture`], the part of a cell's future that waits.

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::{
    backend::{Backend, State, WaiterKind},
    deadlock::{self, Runner},
    raw::{Claim, RawCell},
    trace::WaitEvent,
};

/// A type that a future can wait for: a raw cell, or a type that contains one.
pub(crate) trait HasRawCell {
    /// The value of the raw cell.
    type Value;
    type Backend: Backend;
    /// The value that the waiters get. The feature `tracing` names its type.
    type Output;

    /// Returns the same raw cell each time.
    fn raw(&self) -> &RawCell<Self::Value, Self::Backend>;

    /// # Safety
    ///
    /// A call that found the state READY happens before this call.
    unsafe fn get_unchecked(&self) -> &Self::Output;

    /// Returns the value, or `None` if the state is not READY.
    #[inline(always)]
    fn get(&self) -> Option<&Self::Output> {
        if self.raw().is_ready() {
            // SAFETY: the state is READY.
            Some(unsafe { self.get_unchecked() })
        } else {
            None
        }
    }

    /// Returns the value or the claim, or `None` while an initializer runs. Never waits.
    #[inline(always)]
    fn acquire(&self) -> Option<Acquired<'_, Self>> {
        match self.raw().try_claim() {
            Ok(claim) => Some(Acquired::Claimed(claim)),
            // SAFETY: the backend has found the state READY.
            Err(State::Ready) => Some(Acquired::Ready(unsafe { self.get_unchecked() })),
            Err(_) => None,
        }
    }
}

/// The claim of an `A`.
pub(crate) type ClaimOf<'a, A> = Claim<&'a RawCell<<A as HasRawCell>::Value, <A as HasRawCell>::Backend>>;

/// The result of a claimant that waited for an `A`.
pub(crate) enum Acquired<'a, A: HasRawCell + ?Sized> {
    /// The value.
    Ready(&'a A::Output),
    /// The right to initialize the empty raw cell.
    Claimed(ClaimOf<'a, A>),
}

impl<T, B: Backend> HasRawCell for RawCell<T, B> {
    type Value = T;
    type Backend = B;
    type Output = T;

    #[inline(always)]
    fn raw(&self) -> &Self {
        self
    }

    #[inline(always)]
    unsafe fn get_unchecked(&self) -> &T {
        // SAFETY: the caller guarantees that a call has found the state READY.
        unsafe { self.get_unchecked() }
    }
}

pin_project! {
    /// Waits for a raw cell. Dropping it unregisters its waiter.
    pub(crate) struct WaitFuture<'a, A: HasRawCell> {
        awaited: &'a A,
        #[pin]
        waiter: <A::Backend as Backend>::Waiter,
        event: WaitEvent,
    }

    impl<A: HasRawCell> PinnedDrop for WaitFuture<'_, A> {
        #[inline(always)]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // SAFETY: only this future uses the waiter, and only with this backend.
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
        let mut this = Self::new(awaited, kind);
        this.event = WaitEvent::EMITTED;
        this
    }

    #[inline(always)]
    pub(crate) fn awaited(&self) -> &'a A {
        self.awaited
    }

    /// Returns whether the event of this waiter was emitted, which happens when the waiter is registered. Without the feature
    /// `tracing`, always returns `false`.
    #[inline(always)]
    pub(crate) fn is_event_emitted(&self) -> bool {
        self.event.is_emitted()
    }

    /// Waits until the state is READY. Drop the `WaitFuture` after `Ready`.
    #[inline]
    pub(crate) fn poll_value(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a A::Output> {
        self.poll_until(cx, A::get)
    }

    /// Waits until there is a value, or the claim is free. Drop the `WaitFuture` after `Ready`.
    #[inline]
    pub(crate) fn poll_acquire(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Acquired<'a, A>> {
        self.poll_until(cx, A::acquire)
    }

    /// Waits until `look` finds something. Drop the `WaitFuture` after `Ready`.
    #[inline(always)]
    pub(crate) fn poll_until<R>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        look: impl Fn(&'a A) -> Option<R>,
    ) -> Poll<R> {
        loop {
            if let Some(found) = look(self.awaited) {
                return Poll::Ready(found);
            }
            ready!(self.as_mut().poll_wait(cx));
        }
    }

    /// Polls a waiter that is registered. Waits until the attempt has ended in which it was registered, and returns the
    /// value or `None`. Drop the `WaitFuture` after `Ready`.
    ///
    /// # Interleavings
    ///
    /// A is the attempt in which this waiter W was registered.
    ///
    /// - *The next attempt has begun.* A fails and wakes W. Before W is polled, B claims and runs. A look at the state finds
    ///   INITIALIZING, and cannot tell B's from A's. The backend can: A's drain has unlinked W, or the number of the attempt
    ///   has changed.
    /// - *A spurious poll.* The executor polls W while A runs. W is still linked, and A's is still the number. W stays.
    /// - *A poll during the drain of A.* W is unlinked, and the state is not yet stored. `poll_attempt` waits for the store,
    ///   so that a value of A is found below.
    /// - *A late wake.* D, an attempt before A, is still waking its waiters when W registers in A. `Intrusive` and `Local`
    ///   wake up to a marker, behind which W is. The others may wake W, and see by the number that A is in progress.
    /// - *A registration against the end of A.* The first poll finds A in progress, and A ends before W is registered. W is
    ///   not registered: `poll_wait` returns `Ready`, and the first poll looks again. If B has begun by then, W is registered
    ///   in B.
    pub(crate) fn poll_attempt(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<&'a A::Output>> {
        let this = self.project();
        let backend = this.awaited.raw().backend();
        deadlock::assert_outside(backend, Runner::Task(cx.waker()));
        // SAFETY: as in `poll_wait`.
        ready!(unsafe { backend.poll_attempt(this.waiter, cx) });
        Poll::Ready(this.awaited.get())
    }

    /// Registers the waiter, or returns `Ready` if the state may have changed.
    #[inline(always)]
    pub(crate) fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let backend = this.awaited.raw().backend();
        deadlock::assert_outside(backend, Runner::Task(cx.waker()));
        // SAFETY: only this future uses the waiter, one call at a time, and only with this backend. A waiter that is
        // not `Unpin` is pinned with this future, whose drop cancels it.
        let poll = unsafe { backend.poll_wait(this.waiter, cx) };
        if poll.is_pending() {
            this.event.emit::<A::Output>();
        }
        poll
    }
}

/// Polls a `WaitFuture` and drops it once there is a result. If that drop panics, the result is dropped.
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

/// Panics because a future was polled after it had completed or panicked.
#[cold]
pub(crate) fn polled_after_completion() -> ! {
    panic!("`oncelot` future polled after completion or a panic")
}
