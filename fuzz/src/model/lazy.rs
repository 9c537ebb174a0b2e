//! `Lazy`.

use std::cell::Cell;

use super::{Acquired, Model, Polled, Progress, Result, Waker};
use crate::{
    program::Alone,
    stage::{Event, Id, Outcome, Thrown},
};

/// What a lazy has besides what a cell has.
#[derive(Default)]
pub(super) struct Computation(Cell<Parts>);

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Parts {
    /// `None` once there is a value.
    pub(super) future: Option<Id>,
    pub(super) is_poisoned: bool,
    /// Whether a `StaticLazy` has made its future.
    pub(super) is_started: bool,
}

impl Computation {
    pub(super) fn start_afresh(&self, future: Id) {
        self.0.set(Parts {
            future: Some(future),
            ..Parts::default()
        });
    }

    pub(super) fn get(&self) -> Parts {
        self.0.get()
    }

    pub(super) fn replace(&self, parts: Parts) -> Parts {
        self.0.replace(parts)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.0.get();
        change(&mut parts);
        self.0.set(parts);
    }
}

impl Model<'_> {
    pub(super) fn poll_of_lazy(&self, id: Id, task: u8) -> Result<Polled> {
        match self.future(id).progress {
            Progress::Waiting => match self.wait_to_acquire(id, task)? {
                None => Ok(None),
                Some(Acquired::Ready(value)) => {
                    self.set_progress(id, Progress::Done);
                    self.cancel(id)?;
                    Ok(Some(Outcome::Value(value)))
                }
                Some(Acquired::Claimed) => {
                    self.set_progress(id, Progress::Running);
                    self.cancel(id)?;
                    self.drive_lazy(id, task)
                }
            },
            Progress::Running => self.drive_lazy(id, task),
            _ => Err(Thrown::PolledAfterCompletion),
        }
    }

    pub(super) fn drop_of_lazy(&self, id: Id) -> Result {
        match self.future(id).progress {
            Progress::Running => self.release(),
            _ => self.cancel(id),
        }
    }

    /// With the claim.
    fn drive_lazy(&self, id: Id, task: u8) -> Result<Polled> {
        self.set_progress(id, Progress::Done);
        let waker = Waker::Task(task);
        match self.initializing(waker, || self.poll_computation(waker)) {
            Err(thrown) => Err(self.unwind(thrown, || self.release())),
            Ok(None) => {
                self.set_progress(id, Progress::Running);
                Ok(None)
            }
            Ok(Some(value)) => Ok(Some(Outcome::Value(self.publish(value)?))),
        }
    }

    /// A panic poisons for good.
    pub(super) fn poll_computation(&self, waker: Waker) -> Result<Option<Id>> {
        let parts = self.lazy.get();
        if parts.is_poisoned {
            return Err(Thrown::Poisoned);
        }
        let future = parts.future.expect("neither value nor future");
        self.lazy.change(|parts| parts.is_poisoned = true);
        if waker == Waker::Static && !parts.is_started {
            self.run(Event::Called(future))?;
            self.lazy.change(|parts| parts.is_started = true);
        }
        let output = self.poll_initializer(future, waker)?;
        let value = output.map(|output| output.unwrap_or_else(|error| error));
        if let Some(value) = value {
            self.lazy.change(|parts| parts.future = None);
            if let Err(thrown) = self.run(Event::InitializerDropped(future)) {
                return Err(self.unwind(thrown, || self.run(Event::ValueDropped(value))));
            }
        }
        self.lazy.change(|parts| parts.is_poisoned = false);
        Ok(value)
    }

    pub(super) fn drop_computation(&self) -> Result {
        match self.lazy.replace(Parts::default()).future {
            Some(future) => self.run(Event::InitializerDropped(future)),
            None => Ok(()),
        }
    }

    /// What is left after `Renew`, `RenewWithValue` and `Change`.
    pub(super) fn lazy_alone(&self, deed: Alone) -> Result<Option<Outcome>> {
        if let Alone::Initialize { .. } = deed {
            return Ok(None);
        }
        // Is there while the one before is taken apart.
        let new = self.stage.new_computation();
        let value = self.reset()?;
        let takes_future = matches!(deed, Alone::Take) && value.is_none();
        if takes_future && !self.lazy.get().is_poisoned {
            self.run(Event::InitializerDropped(new))?;
            return Ok(Some(Outcome::Unfinished));
        }
        self.drop_computation()?;
        self.lazy.start_afresh(new);
        if takes_future {
            return Err(Thrown::Poisoned);
        }
        Ok(Some(Outcome::Found(value)))
    }
}
