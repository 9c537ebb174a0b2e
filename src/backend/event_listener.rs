//! Waiting through `event_listener::Event`, the queue that smol's own primitives use.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use event_listener::{Event, Listener};

use super::{Backend, State, WaiterKind, atomic_state::AtomicState};
use crate::sync::{AtomicU8, Ordering};

/// A backend that waits through [`event_listener::Event`].
///
/// It keeps the contract of [`Backend`] as far as that crate does. What differs from
/// [`Intrusive`](super::Intrusive):
///
/// - Every waiter is an allocation. Of each kind, claimant and passive, the first one of a cell is two. An
///   initialization that nobody waits for allocates nothing. The crate needs `alloc`.
/// - The cell is three words larger than its value.
/// - Wakers are cloned, woken and replaced under that crate's own lock: one that calls back into the cell
///   from there deadlocks. One that panics when it is cloned or woken may leave others asleep for good, or
///   make later calls panic.
/// - Claimants and passive waiters stand in two queues; each is woken oldest first, claimants before the
///   passive.
/// - Its lock is one of `std` with the feature `event-listener`, which sleeps, and a critical section with
///   `event-listener-critical-section`. With `event-listener-alloc` alone it spins: threads of different priorities on one
///   core must not share a cell.
///
/// It is for programs that have that crate already and want one queue for all their primitives. An interrupt
/// handler must not use such a cell but to look at it.
pub struct EventListener {
    state: AtomicState,
    claimants: Event,
    passive: Event,
    /// UNUSED until the first claimant is in its queue, and USED for good from then on. An event that nobody
    /// has waited for would allocate if it were notified.
    claimants_use: AtomicU8,
    /// The same of passive waiters.
    passive_use: AtomicU8,
}

const UNUSED: u8 = 0;
const USED: u8 = 1;

/// The place of a waiting future in the queue of [`EventListener`].
pub struct EventListenerWaiter {
    kind: WaiterKind,
    listener: Option<event_listener::EventListener>,
}

impl EventListener {
    const fn starting_as(state: AtomicState) -> Self {
        Self {
            state,
            claimants: Event::new(),
            passive: Event::new(),
            claimants_use: AtomicU8::new(UNUSED),
            passive_use: AtomicU8::new(UNUSED),
        }
    }

    fn queue(&self, kind: WaiterKind) -> (&Event, &AtomicU8) {
        match kind {
            WaiterKind::Claimant => (&self.claimants, &self.claimants_use),
            WaiterKind::Passive => (&self.passive, &self.passive_use),
        }
    }

    /// Queues up. The caller looks at the state afterwards: whoever settles it from here on notifies.
    fn listen(&self, kind: WaiterKind) -> event_listener::EventListener {
        let (event, usage) = self.queue(kind);
        let listener = event.listen();
        // ORDERING: Release pairs with the Acquire in `notify`, which finds the listener in the queue.
        // Acquire pairs with the Release there: if it came too early to see us, we see the settled state.
        usage.swap(USED, Ordering::AcqRel);
        listener
    }

    /// Wakes all of this kind, after the state was settled.
    fn notify(&self, kind: WaiterKind) {
        let (event, usage) = self.queue(kind);
        // Not a load: each `swap` in `listen` comes before this in the order of changes, and is seen here,
        // or after it, and sees this.
        // ORDERING: both pair with `listen`.
        let unused = usage.compare_exchange(UNUSED, UNUSED, Ordering::AcqRel, Ordering::Acquire);
        if unused.is_err() {
            event.notify(usize::MAX);
        }
    }
}

impl EventListenerWaiter {
    /// Leaves the queue. Every notification goes to all who wait, so that there is none to pass on; a
    /// listener that is merely dropped would pass its own on, to somebody who came later.
    fn leave(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.discard();
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
    fn waiter(kind: WaiterKind) -> EventListenerWaiter {
        EventListenerWaiter { kind, listener: None }
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
        self.notify(WaiterKind::Claimant);
        self.notify(WaiterKind::Passive);
    }

    unsafe fn release(&self) {
        self.state.settle(State::Uninit);
        self.notify(WaiterKind::Claimant);
    }

    unsafe fn poll_wait(&self, waiter: Pin<&mut EventListenerWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        let waiter = waiter.get_mut();
        let kind = waiter.kind;
        let listener = (waiter.listener).get_or_insert_with(|| self.listen(kind));
        if !kind.is_settled_by(self.state()) {
            ready!(Pin::new(listener).poll(cx));
        }
        waiter.leave();
        Poll::Ready(())
    }

    #[inline]
    unsafe fn cancel(&self, waiter: Pin<&mut EventListenerWaiter>) {
        waiter.get_mut().leave();
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
            .field("kind", &self.kind)
            .field("is_waiting", &self.listener.is_some())
            .finish()
    }
}
