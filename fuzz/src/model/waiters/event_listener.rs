//! `EventListener`: two queues.

use std::{cell::RefCell, mem, task::Poll};

use super::super::{Model, Result};
use crate::{
    backend::{State, WaiterKind},
    stage::{Event, Id},
};

#[derive(Debug, Default)]
pub(in super::super) struct Queues {
    claimants: Vec<Listener>,
    passive: Vec<Listener>,
}

#[derive(Debug)]
struct Listener {
    id: Id,
    /// `None` before it is polled, and when it was notified.
    task: Option<u8>,
    is_notified: bool,
}

impl Queues {
    fn of(&mut self, kind: WaiterKind) -> &mut Vec<Listener> {
        match kind {
            WaiterKind::Claimant => &mut self.claimants,
            WaiterKind::Passive => &mut self.passive,
        }
    }

    fn remove(&mut self, id: Id) -> Option<Listener> {
        [&mut self.claimants, &mut self.passive]
            .into_iter()
            .find_map(|queue| {
                let place = queue.iter().position(|listener| listener.id == id)?;
                Some(queue.remove(place))
            })
    }
}

impl Model<'_> {
    pub(super) fn wait_in_queue(
        &self,
        queues: &RefCell<Queues>,
        id: Id,
        kind: WaiterKind,
        task: u8,
    ) -> Result<Poll<()>> {
        let mut borrowed = queues.borrow_mut();
        let queue = borrowed.of(kind);
        let place = (queue.iter().position(|listener| listener.id == id)).unwrap_or_else(|| {
            queue.push(Listener {
                id,
                task: None,
                is_notified: false,
            });
            queue.len() - 1
        });
        let listener = &mut queue[place];
        if kind.is_settled_by(self.state.get()) || listener.is_notified {
            drop(borrowed);
            self.leave_queue(queues, id)?;
            return Ok(Poll::Ready(()));
        }
        let older = listener.task.replace(task);
        drop(borrowed);
        if older != Some(task) {
            self.run(Event::Cloned(task))?;
            if let Some(older) = older {
                self.run(Event::WakerDropped(older))?;
            }
        }
        Ok(Poll::Pending)
    }

    pub(super) fn leave_queue(&self, queues: &RefCell<Queues>, id: Id) -> Result {
        let removed = queues.borrow_mut().remove(id);
        let task = removed.and_then(|listener| listener.task);
        task.map_or(Ok(()), |task| self.run(Event::WakerDropped(task)))
    }

    pub(super) fn settle_queues(&self, queues: &RefCell<Queues>, outcome: State) -> Result {
        self.state.set(outcome);
        for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
            if !kind.is_settled_by(outcome) {
                continue;
            }
            let mut woken = Vec::new();
            for listener in queues.borrow_mut().of(kind) {
                listener.is_notified = true;
                woken.extend(mem::take(&mut listener.task));
            }
            for task in woken {
                self.run(Event::Woken(task))?;
            }
        }
        Ok(())
    }
}
