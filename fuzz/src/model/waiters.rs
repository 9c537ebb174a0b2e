//! How each backend keeps its waiters, and when it wakes them.

use std::{cell::RefCell, task::Poll};

use super::{Model, Result};
use crate::{
    backend::{State, WaiterKind},
    program::Backend,
    stage::Id,
};

mod atomic_waker;
mod event_listener;
mod intrusive;

pub(super) enum Waiters {
    List(RefCell<intrusive::List>),
    AtomicWaker(RefCell<atomic_waker::Slot>),
    EventListener(RefCell<event_listener::Queues>),
}

impl Waiters {
    pub(super) fn of(backend: Backend) -> Self {
        match backend {
            Backend::Intrusive => Self::List(RefCell::new(intrusive::List::of_intrusive())),
            Backend::Local => Self::List(RefCell::new(intrusive::List::of_local())),
            Backend::AtomicWaker => Self::AtomicWaker(RefCell::default()),
            Backend::EventListener => Self::EventListener(RefCell::default()),
        }
    }
}

impl Model<'_> {
    /// Registers a future for being woken by `task`; `Ready` if it is to look at the state again instead.
    pub(super) fn poll_wait(&self, id: Id, kind: WaiterKind, task: u8) -> Result<Poll<()>> {
        match &self.waiters {
            Waiters::List(list) => self.wait_in_list(list, id, kind, task),
            Waiters::AtomicWaker(slot) => self.wait_in_slot(slot, id, kind, task),
            Waiters::EventListener(queues) => self.wait_in_queue(queues, id, kind, task),
        }
    }

    pub(super) fn cancel(&self, id: Id) -> Result {
        match &self.waiters {
            Waiters::List(list) => self.leave_list(list, id),
            Waiters::AtomicWaker(slot) => self.leave_slot(slot, id),
            Waiters::EventListener(queues) => self.leave_queue(queues, id),
        }
    }

    /// Ends the claim, and wakes the waiters that the outcome concerns.
    pub(super) fn settle(&self, outcome: State) -> Result {
        match &self.waiters {
            Waiters::List(list) => self.settle_list(list, outcome),
            Waiters::AtomicWaker(slot) => self.settle_slot(slot, outcome),
            Waiters::EventListener(queues) => self.settle_queues(queues, outcome),
        }
    }

    /// Forgets those that leaked futures have left.
    pub(super) fn reset_waiters(&self) -> Result {
        match &self.waiters {
            Waiters::List(list) => {
                list.borrow_mut().clear();
                Ok(())
            }
            Waiters::AtomicWaker(slot) => self.reset_slot(slot),
            // Nothing is leaked there.
            Waiters::EventListener(_) => Ok(()),
        }
    }
}
