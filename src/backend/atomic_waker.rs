//! [`AtomicWaker`], a backend with a slot for one waiter.

use core::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::{
    Backend, State, WaiterKind,
    atomic_state::{AtomicState, Snapshot},
};
use crate::{
    panics::complete,
    sync::{AtomicBool, Ordering},
};

/// A backend with room for one waiter, in an [`atomic_waker::AtomicWaker`]. It needs the least code.
///
/// It is for cells that one task waits for while another task initializes them. More tasks may wait, and no wakeup is lost:
/// a new waiter takes the slot and wakes the previous one, which registers again when it is next polled. So while two tasks
/// wait, **they keep waking each other**, and an executor cannot put the core to sleep.
///
/// It also differs from [`Intrusive`](super::Intrusive) as follows:
///
/// - Failures wake passive waiters too, because the slot does not store the kind of the waiter.
/// - The order of the waiters is unspecified.
/// - Dropping a future that has waited may wake a task that has nothing to do.
/// - A waiter of [`wait_attempt`](crate::OnceCell::wait_attempt) or
///   [`get_or_try_init_shared`](crate::OnceCell::get_or_try_init_shared) that is not polled again until exactly 64 more
///   attempts to initialize the cell have begun, or a multiple of 64, waits for the newest of them.
/// - If a waker panics when it is cloned, or when it is woken while a task takes the slot, the slot becomes unusable.
///   From then on, waiting tasks wake themselves until there is a value.
/// - A task must not wait for a cell for which a task of lower priority waits on the same core, with or without the
///   feature `std`. A task must not be a passive waiter of a cell that a task of lower priority on the same core may fail to
///   initialize, either. If the task of lower priority is interrupted while it takes or empties the slot, the other task would
///   be polled forever. An interrupt handler may `set` and `get`.
pub struct AtomicWaker {
    state: AtomicState,
    slot: atomic_waker::AtomicWaker,
    /// True while a task enters the slot, which only one task may do at a time.
    is_entered: AtomicBool,
}

/// The state that a waiting future keeps for [`AtomicWaker`]: three bytes.
#[derive(Debug)]
pub struct AtomicWakerWaiter {
    kind: WaiterKind,
    /// Whether the waker may be in the slot.
    has_registered: bool,
    /// The state at the registration of the waiter.
    registered_in: Snapshot,
}

impl AtomicWaker {
    const fn starting_as(state: AtomicState) -> Self {
        Self {
            state,
            slot: atomic_waker::AtomicWaker::new(),
            is_entered: AtomicBool::new(false),
        }
    }

    /// Puts the task's waker into the slot, and wakes the task that was in it.
    fn enter(&self, cx: &Context<'_>) {
        // ORDERING: Acquire pairs with the Release below, by the task that entered before.
        if self.is_entered.swap(true, Ordering::Acquire) {
            // Thread A is entering. Instead of spinning, this task is polled again.
            cx.waker().wake_by_ref();
            return;
        }
        let mut displaced = Displaced(self.slot.take());
        // If this panics, no task can enter again. Every waiting task then wakes itself until there is a value.
        self.slot.register(cx.waker());
        // ORDERING: Release pairs with the Acquire above.
        self.is_entered.store(false, Ordering::Release);

        // A task does not displace itself.
        displaced.0.take_if(|waker| waker.will_wake(cx.waker()));
    }

    /// Puts the task's waker into the slot, unless the state `is_settled` for the waiter.
    fn enter_unless(
        &self,
        waiter: &mut AtomicWakerWaiter,
        cx: &Context<'_>,
        is_settled: impl FnOnce(Snapshot) -> bool,
    ) -> Poll<()> {
        waiter.has_registered = true;
        self.enter(cx);
        // Read after the task has entered: a call that changes the state from then on wakes the slot.
        let found = self.state.load();
        if !is_settled(found) {
            waiter.registered_in = found;
            return Poll::Pending;
        }
        waiter.has_registered = false;
        self.leave();
        Poll::Ready(())
    }

    /// Empties the slot, and wakes the task that was in it, which enters again if it still waits.
    fn leave(&self) {
        self.slot.wake();
    }
}

/// The waker of a task that was in the slot. The task must enter again, so it is woken also if a panic unwinds.
struct Displaced(Option<Waker>);

impl Drop for Displaced {
    fn drop(&mut self) {
        complete(|| {
            if let Some(waker) = self.0.take() {
                waker.wake();
            }
        });
    }
}

// A waker that panics makes the slot unusable, at worst.
impl UnwindSafe for AtomicWaker {}
impl RefUnwindSafe for AtomicWaker {}

// SAFETY: `AtomicState` guarantees exclusion, publication and succession: one compare-and-swap takes the claim, and what
// ends the claim releases for the one that takes it next. Other threads do not access a waiter.
unsafe impl Backend for AtomicWaker {
    const UNINIT: Self = Self::starting_as(AtomicState::UNINIT);
    const READY: Self = Self::starting_as(AtomicState::READY);

    type Waiter = AtomicWakerWaiter;

    #[inline]
    fn waiter(kind: WaiterKind) -> AtomicWakerWaiter {
        AtomicWakerWaiter {
            kind,
            has_registered: false,
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
        self.slot.wake();
    }

    unsafe fn release(&self) {
        self.state.settle(State::Uninit);
        self.slot.wake();
    }

    unsafe fn poll_wait(&self, waiter: Pin<&mut AtomicWakerWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        let waiter = waiter.get_mut();
        let kind = waiter.kind;
        self.enter_unless(waiter, cx, |found| kind.is_settled_by(found.state()))
    }

    unsafe fn poll_attempt(&self, waiter: Pin<&mut AtomicWakerWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        let waiter = waiter.get_mut();
        let registered_in = waiter.registered_in;
        self.enter_unless(waiter, cx, |found| found != registered_in)
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
