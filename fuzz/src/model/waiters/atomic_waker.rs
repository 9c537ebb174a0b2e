//! `AtomicWaker`: one slot. A task that registers displaces the task in the slot, and wakes it.

use std::{cell::RefCell, collections::HashSet, task::Poll};

use super::super::{Model, Result};
use crate::{
    backend::{State, WaiterKind},
    stage::{Event, Id},
};

#[derive(Debug, Default)]
pub(in super::super) struct Slot {
    task: Option<u8>,
    /// A task is entering. After a panic there, this stays set.
    is_entered: bool,
    /// A waker is being cloned for the slot, so that no task can take it. After a panic there, this stays set.
    is_cloning: bool,
    /// Another task wanted to take the slot meanwhile.
    is_missed: bool,
    /// The waiters that may be in the slot.
    registered: HashSet<Id>,
}

impl Slot {
    fn take(&mut self) -> Option<u8> {
        if self.is_cloning {
            self.is_missed = true;
            return None;
        }
        self.task.take()
    }
}

impl Model<'_> {
    pub(super) fn wait_in_slot(
        &self,
        slot: &RefCell<Slot>,
        id: Id,
        kind: WaiterKind,
        task: u8,
    ) -> Result<Poll<()>> {
        slot.borrow_mut().registered.insert(id);
        self.enter_slot(slot, task)?;
        if !kind.is_settled_by(self.state.get()) {
            return Ok(Poll::Pending);
        }
        self.leave_slot(slot, id)?;
        Ok(Poll::Ready(()))
    }

    fn enter_slot(&self, slot: &RefCell<Slot>, task: u8) -> Result {
        if slot.borrow().is_entered {
            return self.run(Event::WokenByRef(task));
        }
        slot.borrow_mut().is_entered = true;
        let displaced = slot.borrow_mut().take();
        let wake_displaced = || displaced.map_or(Ok(()), |displaced| self.run(Event::Woken(displaced)));
        if let Err(thrown) = self.fill_slot(slot, task) {
            return Err(self.unwind(thrown, wake_displaced));
        }
        slot.borrow_mut().is_entered = false;
        if displaced == Some(task) {
            self.run(Event::WakerDropped(task))
        } else {
            wake_displaced()
        }
    }

    fn fill_slot(&self, slot: &RefCell<Slot>, task: u8) -> Result {
        slot.borrow_mut().is_cloning = true;
        self.run(Event::Cloned(task))?;
        let mut slot = slot.borrow_mut();
        slot.is_cloning = false;
        if std::mem::take(&mut slot.is_missed) {
            drop(slot);
            return self.run(Event::Woken(task));
        }
        slot.task = Some(task);
        Ok(())
    }

    fn wake_slot(&self, slot: &RefCell<Slot>) -> Result {
        let task = slot.borrow_mut().take();
        task.map_or(Ok(()), |task| self.run(Event::Woken(task)))
    }

    pub(super) fn leave_slot(&self, slot: &RefCell<Slot>, id: Id) -> Result {
        let was_registered = slot.borrow_mut().registered.remove(&id);
        if was_registered {
            self.wake_slot(slot)
        } else {
            Ok(())
        }
    }

    pub(super) fn settle_slot(&self, slot: &RefCell<Slot>, outcome: State) -> Result {
        self.state.set(outcome);
        self.wake_slot(slot)
    }

    pub(super) fn reset_slot(&self, slot: &RefCell<Slot>) -> Result {
        let task = slot.take().task;
        task.map_or(Ok(()), |task| self.run(Event::WakerDropped(task)))
    }
}
