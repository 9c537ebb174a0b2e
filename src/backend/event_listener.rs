//! [`EventListener`], a backend on top of `event_listener::Event`, the queue of smol's primitives.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use event_listener::{Event, Listener};

use super::{
    Backend, State, WaiterKind,
    atomic_state::{AtomicState, Snapshot},
};
use crate::sync::{AtomicU8, Ordering};

/// A backend whose waiters are in queues of the crate event-listener.
///
/// It implements the contract of [`Backend`] as far as [`event_listener::Event`] allows. It differs from
/// [`Intrusive`](super::Intrusive) as follows:
///
/// - It needs `alloc`. Every waiter allocates; the first claimant and the first passive waiter of a cell allocate twice. An
///   initialization without waiters does not allocate.
/// - The cell is three words larger than its value.
/// - Wakers are cloned, woken and replaced under event-listener's own lock. A waker that uses the cell from there deadlocks.
///   A waker that panics when it is cloned or woken may leave other waiters asleep forever, or make later calls panic.
/// - Claimants and passive waiters are in two queues. Each queue is woken oldest first, that of the claimants before that of
///   the passive waiters.
/// - A waiter of [`wait_attempt`](crate::OnceCell::wait_attempt) or
///   [`get_or_try_init_shared`](crate::OnceCell::get_or_try_init_shared) that is not polled again until exactly 64 more
///   attempts to initialize the cell have begun, or a multiple of 64, waits for the newest of them.
/// - Its lock sleeps with the feature `event-listener`, and is a critical section with the feature
///   `event-listener-critical-section`. With `event-listener-alloc` alone it spins: threads of different priorities on one
///   core must not share a cell.
/// - An interrupt handler may only read such a cell.
///
/// It is for programs that already depend on event-listener and use its queue for all their primitives.
pub struct EventListener {
    state: AtomicState,
    claimants: Event,
    passive: Event,
    /// UNUSED until the first claimant is in its queue, and USED forever after. Notifying an event that never had a
    /// listener would allocate.
    claimants_use: AtomicU8,
    /// The corresponding flag for the queue of the passive waiters.
    passive_use: AtomicU8,
}

const UNUSED: u8 = 0;
const USED: u8 = 1;

/// The entry of a waiting future in a queue of [`EventListener`].
pub struct EventListenerWaiter {
    kind: WaiterKind,
    listener: Option<event_listener::EventListener>,
    /// The state at the registration of the waiter.
    registered_in: Snapshot,
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

    /// Creates a listener. The caller reads the state afterwards. A call that changes the state from then on notifies the
    /// listener.
    fn listen(&self, kind: WaiterKind) -> event_listener::EventListener {
        let (event, usage) = self.queue(kind);
        let listener = event.listen();
        // ORDERING: Release pairs with the Acquire in `notify`, which finds the listener in the queue.
        // Acquire pairs with the Release in `notify`: if that came too early to find the listener, the caller finds the new
        // state.
        usage.swap(USED, Ordering::AcqRel);
        listener
    }

    /// Wakes every waiter of a kind, after the state has changed.
    fn notify(&self, kind: WaiterKind) {
        let (event, usage) = self.queue(kind);
        // A read-modify-write and not a load: each `swap` in `listen` either precedes this operation in the modification order,
        // and is observed here, or follows it, and observes it.
        // ORDERING: both pair with `listen`.
        let unused = usage.compare_exchange(UNUSED, UNUSED, Ordering::AcqRel, Ordering::Acquire);
        if unused.is_err() {
            event.notify(usize::MAX);
        }
    }
}

impl EventListenerWaiter {
    /// Removes the listener from the queue. A dropped listener would pass its notification on to a later one, although every
    /// waiter that the notification is for gets its own notification.
    fn leave(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.discard();
        }
    }
}

// SAFETY: `AtomicState` guarantees exclusion, publication and succession: one compare-and-swap takes the claim, and the store
// that ends the claim releases for the next one that acquires. A waiter is a handle, which other threads do not access.
unsafe impl Backend for EventListener {
    const UNINIT: Self = Self::starting_as(AtomicState::UNINIT);
    const READY: Self = Self::starting_as(AtomicState::READY);

    type Waiter = EventListenerWaiter;

    #[inline]
    fn waiter(kind: WaiterKind) -> EventListenerWaiter {
        EventListenerWaiter {
            kind,
            listener: None,
            registered_in: Snapshot::UNINIT,
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
        let found = self.state.load();
        if !kind.is_settled_by(found.state()) {
            waiter.registered_in = found;
            ready!(Pin::new(listener).poll(cx));
        }
        waiter.leave();
        Poll::Ready(())
    }

    unsafe fn poll_attempt(&self, waiter: Pin<&mut EventListenerWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        let waiter = waiter.get_mut();
        loop {
            let listener = (waiter.listener).get_or_insert_with(|| self.listen(waiter.kind));
            if self.state.load() != waiter.registered_in {
                break;
            }
            ready!(Pin::new(listener).poll(cx));
            // Thread A has ended an earlier attempt, and has notified the listener after the attempt of this waiter began.
            waiter.leave();
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
