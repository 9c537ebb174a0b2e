//! `Intrusive` and `Local`: claimants, and behind them passive waiters, each in the order of arrival.

use std::{cell::RefCell, mem, task::Poll};

use super::super::{Model, Result};
use crate::{
    backend::{State, WaiterKind},
    stage::{Event, Id, Player},
};

/// What the two do in their own ways.
#[derive(Debug, Clone, Copy)]
struct Manner {
    /// As many waiters as a drain takes out before it wakes them.
    batch: usize,
    /// Whether a waiter that is unlinked while its new waker is cloned is registered again, if there is something to wait
    /// for. Otherwise it looks at the state first.
    registers_again: bool,
}

#[derive(Debug)]
pub(in super::super) struct List {
    manner: Manner,
    /// In the order of arrival.
    claimants: Vec<Entry>,
    /// In the order of arrival.
    passive: Vec<Waiter>,
    /// How many drains have put a marker in.
    drains: u64,
}

/// An entry among the claimants.
#[derive(Debug, Clone, Copy)]
enum Entry {
    Waiter(Waiter),
    /// The end of the drain with this number.
    Marker(u64),
}

#[derive(Debug, Clone, Copy)]
struct Waiter {
    id: Id,
    task: u8,
}

impl List {
    pub(in super::super) fn of_intrusive() -> Self {
        Self::new(Manner {
            batch: 16,
            registers_again: false,
        })
    }

    pub(in super::super) fn of_local() -> Self {
        Self::new(Manner {
            batch: 1,
            registers_again: true,
        })
    }

    fn new(manner: Manner) -> Self {
        Self {
            manner,
            claimants: Vec::new(),
            passive: Vec::new(),
            drains: 0,
        }
    }

    /// Forgets all waiters.
    pub(in super::super) fn clear(&mut self) {
        *self = Self::new(self.manner);
    }

    fn find(&mut self, id: Id) -> Option<&mut Waiter> {
        let claimants = self.claimants.iter_mut().filter_map(|entry| match entry {
            Entry::Waiter(waiter) => Some(waiter),
            Entry::Marker(_) => None,
        });
        (claimants.chain(&mut self.passive)).find(|waiter| waiter.id == id)
    }

    fn push(&mut self, id: Id, kind: WaiterKind, task: u8) {
        let waiter = Waiter { id, task };
        match kind {
            WaiterKind::Claimant => self.claimants.push(Entry::Waiter(waiter)),
            WaiterKind::Passive => self.passive.push(waiter),
        }
    }

    fn remove(&mut self, id: Id) -> Option<Waiter> {
        let removed = self.find(id).copied();
        (self.claimants).retain(|entry| !matches!(entry, Entry::Waiter(waiter) if waiter.id == id));
        self.passive.retain(|waiter| waiter.id != id);
        removed
    }

    fn has_marker(&self, drain: u64) -> bool {
        (self.claimants.iter()).any(|entry| matches!(entry, Entry::Marker(marker) if *marker == drain))
    }

    /// Takes a batch for a drain after a publication: the tasks to wake. A batch has waiters of one kind.
    fn take_any(&mut self) -> Vec<u8> {
        let mut batch = Vec::new();
        let mut taken = 0;
        while taken < self.manner.batch && !self.claimants.is_empty() {
            if let Entry::Waiter(waiter) = self.claimants.remove(0) {
                batch.push(waiter.task);
            }
            taken += 1;
        }
        if taken == 0 {
            let passive = self.manner.batch.min(self.passive.len());
            batch.extend(self.passive.drain(..passive).map(|waiter| waiter.task));
        }
        batch
    }

    /// Takes a batch for a drain after a failure, up to the marker of `drain`, if it has one.
    fn take_claimants(&mut self, drain: Option<u64>) -> Vec<u8> {
        let mut batch = Vec::new();
        let mut taken = 0;
        while taken < self.manner.batch && !self.claimants.is_empty() {
            match self.claimants.remove(0) {
                Entry::Waiter(waiter) => batch.push(waiter.task),
                Entry::Marker(marker) if Some(marker) == drain => break,
                Entry::Marker(_) => {}
            }
            taken += 1;
        }
        batch
    }
}

impl Model<'_> {
    pub(super) fn wait_in_list(
        &self,
        list: &RefCell<List>,
        id: Id,
        kind: WaiterKind,
        task: u8,
    ) -> Result<Poll<()>> {
        let registered = list.borrow_mut().find(id).map(|waiter| waiter.task);
        if registered == Some(task) {
            return Ok(Poll::Pending);
        }
        // May do anything to the list.
        self.run(Event::Cloned(task))?;
        let older = list
            .borrow_mut()
            .find(id)
            .map(|waiter| mem::replace(&mut waiter.task, task));
        let registers = registered.is_none() || list.borrow().manner.registers_again;
        if older.is_none() && registers && !kind.is_settled_by(self.state.get()) {
            list.borrow_mut().push(id, kind, task);
            return Ok(Poll::Pending);
        }
        self.run(Event::WakerDropped(older.unwrap_or(task)))?;
        Ok(if older.is_some() {
            Poll::Pending
        } else {
            Poll::Ready(())
        })
    }

    pub(super) fn leave_list(&self, list: &RefCell<List>, id: Id) -> Result {
        let removed = list.borrow_mut().remove(id);
        match removed {
            Some(waiter) => self.run(Event::WakerDropped(waiter.task)),
            None => Ok(()),
        }
    }

    /// The first panic propagates when all are woken; those that come after it are swallowed.
    pub(super) fn settle_list(&self, list: &RefCell<List>, outcome: State) -> Result {
        self.state.set(outcome);
        let mut woken = Ok(());
        let mut drain = None;
        let mut has_more = true;
        while has_more {
            let batch = if outcome == State::Ready {
                let batch = list.borrow_mut().take_any();
                let list = list.borrow();
                has_more = !list.claimants.is_empty() || !list.passive.is_empty();
                batch
            } else {
                let mut list = list.borrow_mut();
                if drain.is_some_and(|drain| !list.has_marker(drain)) {
                    break;
                }
                let batch = list.take_claimants(drain);
                match drain {
                    Some(drain) => has_more = list.has_marker(drain),
                    None => {
                        has_more = !list.claimants.is_empty();
                        if has_more {
                            list.drains += 1;
                            let marker = list.drains;
                            drain = Some(marker);
                            list.claimants.push(Entry::Marker(marker));
                        }
                    }
                }
                batch
            };
            for task in batch {
                match self.run(Event::Woken(task)) {
                    Err(thrown) if !self.is_unwinding() => {
                        self.unwinding.set(1);
                        woken = Err(thrown);
                    }
                    _ => {}
                }
            }
        }
        if woken.is_err() {
            self.unwinding.set(0);
        }
        woken
    }
}
