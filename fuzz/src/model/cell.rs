//! The futures of a `OnceCell`.

use super::{Acquired, Future, Model, Polled, Progress, Result, Waker};
use crate::{
    backend::{State, WaiterKind},
    program::{Alone, Kind},
    stage::{Event, Id, Outcome, Thrown},
};

impl Model<'_> {
    pub(super) fn insert_future(&self, id: Id, kind: Kind, progress: Progress, value: Option<Id>) {
        self.futures.borrow_mut().insert(
            id,
            Future {
                kind,
                progress,
                value,
            },
        );
    }

    pub(super) fn create_of_cell(&self, kind: Kind, id: Id) {
        let value = matches!(kind, Kind::Insert).then(|| self.stage.new_value());
        self.insert_future(id, kind, Progress::Waiting, value);
    }

    pub(super) fn poll_of_cell(&self, id: Id, task: u8) -> Result<Polled> {
        let Future { kind, progress, .. } = self.future(id);
        match (kind, progress) {
            (_, Progress::Done | Progress::Broken) => Err(Thrown::PolledAfterCompletion),
            (_, Progress::Running) => self.run_initializer(id, task),
            (Kind::GetOrInit | Kind::GetOrTryInit, Progress::Waiting) => {
                match self.wait_to_acquire(id, task)? {
                    None => Ok(None),
                    Some(Acquired::Ready(value)) => {
                        self.set_progress(id, Progress::Done);
                        self.drop_waiting(id)?;
                        Ok(Some(Outcome::Value(value)))
                    }
                    Some(Acquired::Claimed) => self.start_initializer(id, task),
                }
            }
            (Kind::Insert, Progress::Waiting) => match self.wait_to_acquire(id, task)? {
                None => Ok(None),
                Some(acquired) => self.insert(id, acquired),
            },
            (Kind::Wait, Progress::Waiting) => {
                match self.wait_until(id, WaiterKind::Passive, task, || self.value.get())? {
                    None => Ok(None),
                    Some(value) => {
                        self.set_progress(id, Progress::Done);
                        self.cancel(id)?;
                        Ok(Some(Outcome::Value(value)))
                    }
                }
            }
        }
    }

    pub(super) fn drop_of_cell(&self, id: Id) -> Result {
        let Future {
            kind,
            progress,
            value,
        } = self.future(id);
        match (kind, progress) {
            (Kind::GetOrInit | Kind::GetOrTryInit, Progress::Waiting) => self.drop_waiting(id),
            (_, Progress::Running) => {
                let dropped = self.run(Event::InitializerDropped(id));
                self.both(dropped, || self.release())
            }
            (_, Progress::Broken) => self.run(Event::InitializerDropped(id)),
            _ => {
                let cancelled = self.cancel(id);
                self.both(cancelled, || match value {
                    Some(value) => self.run(Event::ValueDropped(value)),
                    None => Ok(()),
                })
            }
        }
    }

    /// Ends the waiting of a future that has still its closure.
    fn drop_waiting(&self, id: Id) -> Result {
        let cancelled = self.cancel(id);
        self.both(cancelled, || self.run(Event::ClosureDropped(id)))
    }

    /// With the claim.
    fn start_initializer(&self, id: Id, task: u8) -> Result<Polled> {
        self.set_progress(id, Progress::Done);
        if let Err(thrown) = self.cancel(id) {
            return Err(self.unwind(thrown, || {
                self.run(Event::ClosureDropped(id))?;
                self.release()
            }));
        }
        if let Err(thrown) = self.initializing(Waker::Task(task), || self.run(Event::Called(id))) {
            return Err(self.unwind(thrown, || self.release()));
        }
        self.set_progress(id, Progress::Running);
        self.run_initializer(id, task)
    }

    /// With the claim.
    fn run_initializer(&self, id: Id, task: u8) -> Result<Polled> {
        let waker = Waker::Task(task);
        match self.initializing(waker, || self.poll_initializer(id, waker)) {
            Err(thrown) => {
                self.set_progress(id, Progress::Broken);
                Err(self.unwind(thrown, || self.release()))
            }
            Ok(None) => Ok(None),
            Ok(Some(output)) => {
                self.set_progress(id, Progress::Done);
                if let Err(thrown) = self.initializing(waker, || self.run(Event::InitializerDropped(id))) {
                    return Err(self.unwind(thrown, || {
                        self.run(Event::ValueDropped(output.unwrap_or_else(|error| error)))?;
                        self.release()
                    }));
                }
                match output {
                    Err(error) if self.future(id).kind == Kind::GetOrTryInit => {
                        if let Err(thrown) = self.release() {
                            return Err(self.unwind(thrown, || self.run(Event::ValueDropped(error))));
                        }
                        Ok(Some(Outcome::Failed(error)))
                    }
                    Ok(value) | Err(value) => Ok(Some(Outcome::Value(self.publish(value)?))),
                }
            }
        }
    }

    fn insert(&self, id: Id, acquired: Acquired) -> Result<Polled> {
        self.end_waiting(id, &acquired)?;
        let value = self.take_value(id).expect("kept until completion");
        Ok(Some(match acquired {
            Acquired::Ready(present) => Outcome::Occupied(present, value),
            Acquired::Claimed => Outcome::Value(self.publish(value)?),
        }))
    }

    /// Runs the operations of `Alone` other than `Renew`, `RenewWithValue` and `Change`.
    pub(super) fn cell_alone(&self, deed: Alone) -> Result<Outcome> {
        let Alone::Initialize { plan, steps } = deed else {
            return Ok(Outcome::Found(self.reset()?));
        };
        let id = self.stage.new_initializer(plan);
        let mut progress = Progress::Waiting;
        let outcomes = steps.map(|step| {
            self.stage.set_step(step);
            match self.poll_alone(id, &mut progress) {
                Ok(polled) => polled.unwrap_or(Outcome::Pending),
                Err(thrown) => Outcome::Panicked(thrown),
            }
        });
        match progress {
            Progress::Running | Progress::Broken => self.run(Event::InitializerDropped(id))?,
            _ => {}
        }
        Ok(Outcome::Twice(Box::new(outcomes)))
    }

    /// `get_mut_or_try_init`: no task waits, and no task is woken.
    fn poll_alone(&self, id: Id, progress: &mut Progress) -> Result<Polled> {
        match std::mem::replace(progress, Progress::Done) {
            Progress::Waiting => {
                if let Some(value) = self.value.get() {
                    self.run(Event::ClosureDropped(id))?;
                    return Ok(Some(Outcome::Value(value)));
                }
                self.run(Event::Called(id))?;
            }
            Progress::Running => {}
            Progress::Broken => {
                *progress = Progress::Broken;
                return Err(Thrown::PolledAfterCompletion);
            }
            _ => return Err(Thrown::PolledAfterCompletion),
        }
        *progress = Progress::Broken;
        let Some(output) = self.poll_initializer(id, Waker::Task(0))? else {
            *progress = Progress::Running;
            return Ok(None);
        };
        *progress = Progress::Done;
        if let Err(thrown) = self.run(Event::InitializerDropped(id)) {
            let output = output.unwrap_or_else(|error| error);
            return Err(self.unwind(thrown, || self.run(Event::ValueDropped(output))));
        }
        Ok(Some(match output {
            Ok(value) => {
                self.state.set(State::Ready);
                self.value.set(Some(value));
                self.reset_waiters()?;
                Outcome::Value(value)
            }
            Err(error) => Outcome::Failed(error),
        }))
    }
}
