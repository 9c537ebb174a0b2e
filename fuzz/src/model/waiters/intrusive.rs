//! `Intrusive`: claimants and passive waiters, each in the order of arrival.

use std::{cell::RefCell, task::Poll};

use super::super::{Model, Result};
use crate::{
    backend::{State, WaiterKind},
    stage::{Event, Id, Player},
};

/// As many waiters as a drain takes out before it wakes them.
const BATCH: usize = 16;

#[derive(Debug, Default)]
pub(in super::super) struct List {
    /// In the order of arrival.
    waiters: Vec<Waiter>,
}

#[derive(Debug, Clone, Copy)]
struct Waiter {
    id: Id,
    kind: WaiterKind,
    task: u8,
    /// One more than that of the newest in the list when this one came.
    ticket: u64,
}

impl List {
    fn find(&mut self, id: Id) -> Option<&mut Waiter> {
        self.waiters.iter_mut().find(|waiter| waiter.id == id)
    }

    fn push(&mut self, id: Id, kind: WaiterKind, task: u8) {
        let ticket = self.newest().map_or(0, |newest| newest + 1);
        self.waiters.push(Waiter {
            id,
            kind,
            task,
            ticket,
        });
    }

    fn remove(&mut self, id: Id) -> Option<Waiter> {
        let place = self.waiters.iter().position(|waiter| waiter.id == id)?;
        Some(self.waiters.remove(place))
    }

    fn newest(&self) -> Option<u64> {
        self.waiters.last().map(|waiter| waiter.ticket)
    }

    /// Takes the oldest waiter that `outcome` concerns, and that came after `taken`, up to `newest`. A drain that ends
    /// in READY takes all.
    fn take_next(&mut self, outcome: State, taken: &mut Option<u64>, newest: Option<u64>) -> Option<u8> {
        let next = *(self.waiters.iter()).find(|waiter| waiter.kind.is_settled_by(outcome))?;
        let ticket = Some(next.ticket);
        if outcome == State::Uninit && (ticket <= *taken || ticket > newest) {
            return None;
        }
        *taken = ticket;
        self.remove(next.id);
        Some(next.task)
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
        let older = match registered {
            Some(_) => (list.borrow_mut().find(id)).map(|waiter| std::mem::replace(&mut waiter.task, task)),
            None if kind.is_settled_by(self.state.get()) => None,
            None => {
                list.borrow_mut().push(id, kind, task);
                return Ok(Poll::Pending);
            }
        };
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

    /// The first panic goes on when all are woken; those that come after it are swallowed.
    pub(super) fn settle_list(&self, list: &RefCell<List>, outcome: State) -> Result {
        self.state.set(outcome);
        let newest = list.borrow().newest();
        let mut taken = None;
        let mut woken = Ok(());
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH
                && let Some(task) = list.borrow_mut().take_next(outcome, &mut taken, newest)
            {
                batch.push(task);
            }
            for task in &batch {
                match self.run(Event::Woken(*task)) {
                    Err(thrown) if !self.is_unwinding() => {
                        self.unwinding.set(1);
                        woken = Err(thrown);
                    }
                    _ => {}
                }
            }
            if batch.len() < BATCH {
                break;
            }
        }
        if woken.is_err() {
            self.unwinding.set(0);
        }
        woken
    }
}
