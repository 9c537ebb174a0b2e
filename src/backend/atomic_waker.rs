//! One waiter's slot: the least code.

use core::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::{Backend, State, WaiterKind, atomic_state::AtomicState};
use crate::sync::{AtomicBool, Ordering};

/// A backend with room for one waiter, in an [`atomic_waker::AtomicWaker`]: the least code.
///
/// It is for cells that one task waits for while another one fills them. More may wait, and none of them is ever
/// lost: whoever comes takes the slot and wakes the task that it displaces, which comes back when it is polled.
/// But as long as two tasks wait, **they keep waking each other**: neither sleeps, and on an executor that lets
/// the core sleep, it does not.
///
/// What differs from [`Intrusive`](super::Intrusive) besides:
///
/// - Passive waiters are woken by failures too, as nobody knows who is in the slot.
/// - The order of the waiters is unspecified.
/// - Dropping a future that has waited may wake a task that has nothing to do.
/// - If a waker panics when it is cloned, or when it is woken while a task takes the slot, the slot is given up:
///   from then on, waiting tasks are polled until there is a value.
/// - A task must not wait for a cell for which a task of lower priority waits on the same core, with or without the
///   feature `std`. Nor must it be a passive waiter of a cell that a task of lower priority initializes there and may fail
///   to initialize. While the task of lower priority is interrupted in the middle of taking or emptying the slot, the other
///   one would be polled forever. An interrupt handler may `set` and `get`.
pub struct AtomicWaker {
    state: AtomicState,
    slot: atomic_waker::AtomicWaker,
    /// While true, one task is on its way into the slot, which bears only one at a time.
    is_entered: AtomicBool,
}

/// What a waiting future keeps for [`AtomicWaker`]: a few bits.
#[derive(Debug)]
pub struct AtomicWakerWaiter {
    kind: WaiterKind,
    /// Whether the waker may be in the slot.
    has_registered: bool,
}

impl AtomicWaker {
    const fn starting_as(state: AtomicState) -> Self {
        Self {
            state,
            slot: atomic_waker::AtomicWaker::new(),
            is_entered: AtomicBool::new(false),
        }
    }

    /// Puts the task into the slot, and wakes the one that was there.
    fn enter(&self, cx: &Context<'_>) {
        // ORDERING: Acquire pairs with the Release below: the one before us has left the slot.
        if self.is_entered.swap(true, Ordering::Acquire) {
            // Thread A is on its way in. Rather than to spin for it, come back.
            cx.waker().wake_by_ref();
            return;
        }
        let mut displaced = Displaced(self.slot.take());
        // If this panics, nobody enters any more, and all come back until there is a value.
        self.slot.register(cx.waker());
        // ORDERING: Release pairs with the Acquire above.
        self.is_entered.store(false, Ordering::Release);

        // A task does not displace itself.
        displaced.0.take_if(|waker| waker.will_wake(cx.waker()));
    }

    /// Empties the slot. Whoever was in it comes back if it still waits.
    fn leave(&self) {
        self.slot.wake();
    }
}

/// The waker that was in the slot, which must come back.
struct Displaced(Option<Waker>);

impl Drop for Displaced {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

// A waker that panics leaves the slot given up, at worst.
impl UnwindSafe for AtomicWaker {}
impl RefUnwindSafe for AtomicWaker {}

// SAFETY: `AtomicState` keeps exclusion, publication and succession: one compare-and-swap wins the claim, and
// what ends it is released and acquired. Others do not reach a waiter.
unsafe impl Backend for AtomicWaker {
    const UNINIT: Self = Self::starting_as(AtomicState::UNINIT);
    const READY: Self = Self::starting_as(AtomicState::READY);

    type Waiter = AtomicWakerWaiter;

    #[inline]
    fn waiter(kind: WaiterKind) -> AtomicWakerWaiter {
        AtomicWakerWaiter {
            kind,
            has_registered: false,
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
        self.slot.wake();
    }

    unsafe fn release(&self) {
        self.state.settle(State::Uninit);
        self.slot.wake();
    }

    unsafe fn poll_wait(&self, waiter: Pin<&mut AtomicWakerWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        let waiter = waiter.get_mut();
        waiter.has_registered = true;
        self.enter(cx);
        // Only now, as whoever settles the state from here on wakes the slot.
        if !waiter.kind.is_settled_by(self.state()) {
            return Poll::Pending;
        }
        waiter.has_registered = false;
        self.leave();
        Poll::Ready(())
    }

    #[inline]
    unsafe fn cancel(&self, waiter: Pin<&mut AtomicWakerWaiter>) {
        let waiter = waiter.get_mut();
        if waiter.has_registered {
            waiter.has_registered = false;
            self.leave();
        }
    }
}

impl fmt::Debug for AtomicWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AtomicWaker").field(&self.state()).finish()
    }
}
