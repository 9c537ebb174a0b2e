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
                Some(acquired) => {
                    self.end_waiting(id, &acquired)?;
                    match acquired {
                        Acquired::Ready(value) => Ok(Some(Outcome::Value(value))),
                        Acquired::Claimed => self.drive_lazy(id, task),
                    }
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
        match self.poll_computation(waker) {
            Err(thrown) => Err(self.unwind(thrown, || {
                self.drop_poisoned();
                self.release()
            })),
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
        let value = self.initializing(waker, || {
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
            Ok(value)
        })?;
        self.lazy.change(|parts| parts.is_poisoned = false);
        Ok(value)
    }

    /// Drops a future that has panicked. A second panic is swallowed.
    fn drop_poisoned(&self) {
        if let Some(future) = self.lazy.get().future {
            self.lazy.change(|parts| parts.future = None);
            let _ = self.run(Event::InitializerDropped(future));
        }
    }

    pub(super) fn drop_computation(&self) -> Result {
        match self.lazy.replace(Parts::default()).future {
            Some(future) => self.run(Event::InitializerDropped(future)),
            None => Ok(()),
        }
    }

    /// Runs the operations of `Alone` other than `Renew`, `RenewWithValue` and `Change`.
    pub(super) fn lazy_alone(&self, deed: Alone) -> Result<Option<Outcome>> {
        if let Alone::Initialize { .. } = deed {
            return Ok(None);
        }
        // Is there while the one before is taken apart.
        let new = self.stage.new_computation();
        let takes_future = matches!(deed, Alone::Take) && self.value.get().is_none();
        if takes_future && !self.lazy.get().is_poisoned {
            self.reset()?;
            self.run(Event::InitializerDropped(new))?;
            return Ok(Some(Outcome::Unfinished));
        }
        self.drop_computation()?;
        let value = self.reset()?;
        self.lazy.start_afresh(new);
        if takes_future {
            return Err(Thrown::Poisoned);
        }
        Ok(Some(Outcome::Found(value)))
    }
}
