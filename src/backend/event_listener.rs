//! Waiting through `event_listener::Event`, the queue that smol's own primitives use.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use event_listener::Event;

use super::{Backend, Interest, State, atomic_state::AtomicState};

/// A backend that waits through [`event_listener::Event`].
///
/// It keeps the contract of [`Backend`] as far as that crate does. What differs from
/// [`Intrusive`](super::Intrusive):
///
/// - Every waiter is an allocation, and so is the first wait on a cell. The crate needs `alloc`.
/// - The cell is three words larger than its value.
/// - Wakers are cloned, woken and dropped under that crate's own lock: one that calls back into the cell from
///   there deadlocks, and one that panics may leave others asleep.
/// - Claimants and passive waiters stand in two queues; each is woken oldest first, claimants before the
///   passive.
/// - Without the feature `std`, that crate falls back to an allocation for a waiter that meets its lock held.
///
/// It is for programs that have that crate already and want one queue for all their primitives. An interrupt
/// handler must not use such a cell but to look at it.
pub struct EventListener {
    state: AtomicState,
    claimants: Event,
    passive: Event,
}

/// The place of a waiting future in the queue of [`EventListener`].
pub struct EventListenerWaiter {
    interest: Interest,
    listener: Option<event_listener::EventListener>,
}

impl EventListener {
    const fn starting_as(state: AtomicState) -> Self {
        Self {
            state,
            claimants: Event::new(),
            passive: Event::new(),
        }
    }

    fn event(&self, interest: Interest) -> &Event {
        match interest {
            Interest::Claim => &self.claimants,
            Interest::Value => &self.passive,
        }
    }
}

// SAFETY: `AtomicState` keeps exclusion, publication and succession: one compare-and-swap wins the claim, and
// what ends it is released and acquired. A waiter is a handle, which others do not reach.
unsafe impl Backend for EventListener {
    const UNINIT: Self = Self::starting_as(AtomicState::UNINIT);
    const READY: Self = Self::starting_as(AtomicState::READY);

    type Waiter = EventListenerWaiter;

    #[inline]
    fn waiter(interest: Interest) -> EventListenerWaiter {
        EventListenerWaiter {
            interest,
            listener: None,
        }
    }

    #[inline]
    fn state(&self) -> State {
        self.state.get()
    }

    #[inline]
    fn try_claim(&self) -> Result<(), State> {
        self.state.try_claim()
    }

    unsafe fn publish(&self) {
        self.state.settle(State::Ready);
        self.claimants.notify(usize::MAX);
        self.passive.notify(usize::MAX);
    }

    unsafe fn release(&self) {
        self.state.settle(State::Uninit);
        self.claimants.notify(usize::MAX);
    }

    unsafe fn poll_wait(&self, waiter: Pin<&mut EventListenerWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        let waiter = waiter.get_mut();
        let interest = waiter.interest;
        let listener = waiter
            .listener
            .get_or_insert_with(|| self.event(interest).listen());
        // Only now, as whoever settles the state from here on notifies the listener.
        if !interest.is_settled_by(self.state()) {
            ready!(Pin::new(listener).poll(cx));
        }
        waiter.listener = None;
        Poll::Ready(())
    }

    #[inline]
    unsafe fn cancel(&self, waiter: Pin<&mut EventListenerWaiter>) {
        waiter.get_mut().listener = None;
    }
}

impl fmt::Debug for EventListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventListener").field(&self.state()).finish()
    }
}

impl fmt::Debug for EventListenerWaiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventListenerWaiter")
            .field("interest", &self.interest)
            .field("is_waiting", &self.listener.is_some())
            .finish()
    }
}
