//! `StaticLazy`.

use super::{Acquired, Model, Polled, Progress, Result, Waker};
use crate::stage::{Event, Id, Outcome, Thrown};

/// Who has the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    #[default]
    Free,
    Polling,
    /// The same, and the future was woken meanwhile.
    Woken,
    /// The future's waker.
    Asleep,
}

enum Driven {
    Finished(Id),
    Asleep,
    Woken,
}

impl Model<'_> {
    pub(super) fn poll_of_static(&self, id: Id, task: u8) -> Result<Polled> {
        loop {
            let Progress::Waiting = self.future(id).progress else {
                return Err(Thrown::PolledAfterCompletion);
            };
            let Some(acquired) = self.wait_to_acquire(id, task)? else {
                return Ok(None);
            };
            self.end_waiting(id, &acquired)?;
            let driven = match acquired {
                Acquired::Ready(value) => Driven::Finished(value),
                Acquired::Claimed => self.drive_static()?,
            };
            if let Driven::Finished(value) = driven {
                return Ok(Some(Outcome::Value(value)));
            }
            self.set_progress(id, Progress::Waiting);
            if let Driven::Woken = driven {
                self.run(Event::WokenByRef(task))?;
                return Ok(None);
            }
        }
    }

    /// With the claim.
    fn drive_static(&self) -> Result<Driven> {
        self.phase.set(Phase::Polling);
        match self.poll_computation(Waker::Static) {
            Err(thrown) => {
                self.phase.set(Phase::Free);
                Err(self.unwind(thrown, || self.release()))
            }
            Ok(Some(value)) => {
                self.phase.set(Phase::Free);
                Ok(Driven::Finished(self.publish(value)?))
            }
            Ok(None) if self.phase.get() == Phase::Polling => {
                self.phase.set(Phase::Asleep);
                Ok(Driven::Asleep)
            }
            Ok(None) => {
                self.phase.set(Phase::Free);
                self.release()?;
                Ok(Driven::Woken)
            }
        }
    }

    pub(super) fn wake_static(&self) -> Result {
        match self.phase.get() {
            Phase::Free => Ok(()),
            Phase::Polling | Phase::Woken => {
                self.phase.set(Phase::Woken);
                Ok(())
            }
            Phase::Asleep => {
                self.phase.set(Phase::Free);
                self.release()
            }
        }
    }
}
