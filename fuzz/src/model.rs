//! The reference model of a subject, without pointers, atomics or guards.
//!
//! A panic of user code is an `Err` here. [`Model::unwind`] does what destructors do while a thread unwinds.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use self::waiters::Waiters;
use crate::{
    backend::{State, WaiterKind},
    program::{Alone, Deed, End, Kind, Program, SLOTS, Subject, Use},
    stage::{self, Event, Id, Outcome, Player, Stage, Thrown},
};

mod cell;
mod lazy;
mod static_lazy;
mod waiters;

type Result<T = ()> = std::result::Result<T, Thrown>;

pub(crate) struct Model<'p> {
    stage: Stage<'p>,
    /// How many panics are on their way.
    unwinding: Cell<u32>,
    state: Cell<State>,
    /// There is one if and only if the state is READY.
    value: Cell<Option<Id>>,
    waiters: Waiters,
    /// The initializers that are being called or polled, outermost first, with the wakers that they were polled with.
    frames: RefCell<Vec<Waker>>,
    kept: Cell<Option<Waker>>,
    slots: Cell<[Id; SLOTS]>,
    futures: RefCell<HashMap<Id, Future>>,
    lazy: lazy::Computation,
    phase: Cell<static_lazy::Phase>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waker {
    Task(u8),
    /// Of a `StaticLazy`.
    Static,
}

#[derive(Debug, Clone, Copy)]
struct Future {
    kind: Kind,
    progress: Progress,
    /// What `insert` would put in.
    value: Option<Id>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waiting,
    /// It has the claim, and in a cell the initializer.
    Running,
    /// Its initializer has panicked, and is still there.
    Broken,
    Done,
}

enum Acquired {
    Ready(Id),
    Claimed,
}

/// What a poll comes to; `None` while it is pending.
type Polled = Option<Outcome>;

impl<'p> Model<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        let model = Self {
            stage: Stage::new(program),
            unwinding: Cell::new(0),
            state: Cell::new(State::Uninit),
            value: Cell::new(None),
            waiters: Waiters::of(program.backend),
            frames: RefCell::default(),
            kept: Cell::new(None),
            slots: Cell::new([0; SLOTS]),
            futures: RefCell::default(),
            lazy: lazy::Computation::default(),
            phase: Cell::default(),
        };
        model.start_afresh();
        model
    }

    fn subject(&self) -> Subject {
        self.stage.program.subject
    }

    /// The user's code runs.
    fn run(&self, event: Event) -> Result {
        stage::run(self, event)
    }

    /// Runs the destructors while `thrown` unwinds. The user's code does not panic then, or its panics are swallowed.
    fn unwind(&self, thrown: Thrown, destructors: impl FnOnce() -> Result) -> Thrown {
        self.unwinding.set(self.unwinding.get() + 1);
        destructors().expect("a second panic aborts");
        self.unwinding.set(self.unwinding.get() - 1);
        thrown
    }

    /// Does both, the second one also if the first one panics.
    fn both(&self, first: Result, second: impl FnOnce() -> Result) -> Result {
        match first {
            Ok(()) => second(),
            Err(thrown) => Err(self.unwind(thrown, second)),
        }
    }

    fn future(&self, id: Id) -> Future {
        self.futures.borrow()[&id]
    }

    fn set_progress(&self, id: Id, progress: Progress) {
        self.futures
            .borrow_mut()
            .get_mut(&id)
            .expect("there is such a future")
            .progress = progress;
    }

    fn take_value(&self, id: Id) -> Option<Id> {
        let mut futures = self.futures.borrow_mut();
        futures.get_mut(&id).expect("there is such a future").value.take()
    }

    // The state machine.

    /// The value, or the claim, which this takes.
    fn acquire(&self) -> Option<Acquired> {
        match self.state.get() {
            State::Uninit => {
                self.state.set(State::Initializing);
                Some(Acquired::Claimed)
            }
            State::Initializing => None,
            State::Ready => Some(Acquired::Ready(
                self.value.get().expect("a ready cell has a value"),
            )),
        }
    }

    fn publish(&self, value: Id) -> Result<Id> {
        self.value.set(Some(value));
        self.settle(State::Ready).map(|()| value)
    }

    fn release(&self) -> Result {
        self.settle(State::Uninit)
    }

    /// Waits for what `look` looks for.
    fn wait_until<R>(
        &self,
        id: Id,
        kind: WaiterKind,
        task: u8,
        look: impl Fn() -> Option<R>,
    ) -> Result<Option<R>> {
        if let Some(result) = look() {
            return Ok(Some(result));
        }
        let is_own = self.frames.borrow().contains(&Waker::Task(task));
        if cfg!(debug_assertions) && is_own {
            return Err(Thrown::Deadlock);
        }
        while self.poll_wait(id, kind, task)?.is_ready() {
            if let Some(result) = look() {
                return Ok(Some(result));
            }
        }
        Ok(None)
    }

    fn wait_to_acquire(&self, id: Id, task: u8) -> Result<Option<Acquired>> {
        self.wait_until(id, WaiterKind::Claimant, task, || self.acquire())
    }

    /// Ends the wait of a future whose event has happened.
    fn end_waiting(&self, id: Id, acquired: &Acquired) -> Result {
        self.set_progress(id, Progress::Done);
        self.cancel(id).map_err(|thrown| {
            self.unwind(thrown, || match acquired {
                Acquired::Ready(_) => Ok(()),
                Acquired::Claimed => self.release(),
            })
        })
    }

    // The initializer.

    /// Calls or polls the initializer, with `waker`.
    fn initializing<R>(&self, waker: Waker, run: impl FnOnce() -> Result<R>) -> Result<R> {
        self.frames.borrow_mut().push(waker);
        let result = run();
        self.frames.borrow_mut().pop();
        result
    }

    /// Polls an initializer: returns `None` while it is pending, and an inner `Err` if it failed.
    fn poll_initializer(&self, id: Id, waker: Waker) -> Result<Option<std::result::Result<Id, Id>>> {
        let step = self.stage.step();
        self.run(Event::Polled(id))?;
        match (step.waker, waker) {
            (Use::Nothing, _) => {}
            (Use::Keep, _) => {
                if let Waker::Task(task) = waker {
                    self.run(Event::Cloned(task))?;
                }
                if let Some(Waker::Task(task)) = self.kept.replace(Some(waker)) {
                    self.run(Event::WakerDropped(task))?;
                }
            }
            (Use::Wake, Waker::Task(task)) => self.run(Event::WokenByRef(task))?,
            (Use::Wake, Waker::Static) => self.wake_static()?,
        }
        Ok(match step.end {
            End::Pending => None,
            End::Value => Some(Ok(self.stage.new_value())),
            End::Error => Some(Err(self.stage.new_value())),
        })
    }

    // The subject as a whole.

    /// Forgets the value and the waiters.
    fn reset(&self) -> Result<Option<Id>> {
        self.state.set(State::Uninit);
        self.reset_waiters()?;
        Ok(self.value.take())
    }

    /// Drops what the subject has.
    fn drop_contents(&self) -> Result {
        let drop_value = || match self.value.take() {
            Some(value) => self.run(Event::ValueDropped(value)),
            None => Ok(()),
        };
        match self.subject() {
            Subject::Cell | Subject::StaticLazy => {
                drop_value()?;
                self.reset()?;
                Ok(())
            }
            Subject::Lazy => {
                self.reset_waiters()?;
                self.drop_computation()?;
                drop_value()?;
                self.state.set(State::Uninit);
                Ok(())
            }
        }
    }

    /// A new subject, in the place of one that is gone.
    fn start_afresh(&self) {
        match self.subject() {
            Subject::Cell => {}
            Subject::Lazy | Subject::StaticLazy => {
                self.lazy.start_afresh(self.stage.new_computation());
                self.phase.take();
            }
        }
    }

    fn drop_kept(&self) -> Result {
        match self.kept.take() {
            Some(Waker::Task(task)) => self.run(Event::WakerDropped(task)),
            _ => Ok(()),
        }
    }

    fn alone_or_panic(&self, deed: Alone) -> Result<Option<Outcome>> {
        Ok(match (self.subject(), deed) {
            (_, Alone::Renew) => {
                self.drop_kept()?;
                // The new one is there before the old one goes.
                let before = self.lazy.get();
                self.start_afresh();
                let new = self.lazy.replace(before);
                self.drop_contents()?;
                self.lazy.replace(new);
                Some(Outcome::Done)
            }
            (Subject::StaticLazy, _) => None,
            (_, Alone::RenewWithValue) => {
                let value = self.stage.new_value();
                self.drop_kept()?;
                self.drop_contents()?;
                self.state.set(State::Ready);
                self.value.set(Some(value));
                Some(Outcome::Done)
            }
            (_, Alone::Change) => Some(Outcome::Found(self.value.get())),
            (Subject::Cell, _) => Some(self.cell_alone(deed)?),
            (Subject::Lazy, _) => self.lazy_alone(deed)?,
        })
    }
}

impl Player for Model<'_> {
    fn stage(&self) -> &Stage<'_> {
        &self.stage
    }

    fn is_unwinding(&self) -> bool {
        self.unwinding.get() > 0
    }

    fn create(&self, slot: usize, kind: Kind, id: Id) -> Outcome {
        let mut slots = self.slots.get();
        slots[slot] = id;
        self.slots.set(slots);
        match self.subject() {
            Subject::Cell => self.create_of_cell(kind, id),
            Subject::Lazy | Subject::StaticLazy => self.insert_future(id, kind, Progress::Waiting, None),
        }
        done(Ok(()))
    }

    fn poll(&self, slot: usize, task: u8) -> Outcome {
        let id = self.slots.get()[slot];
        let polled = match self.subject() {
            Subject::Cell => self.poll_of_cell(id, task),
            Subject::Lazy => self.poll_of_lazy(id, task),
            Subject::StaticLazy => self.poll_of_static(id, task),
        };
        match polled {
            Ok(polled) => polled.unwrap_or(Outcome::Pending),
            Err(thrown) => Outcome::Panicked(thrown),
        }
    }

    fn destroy(&self, slot: usize) -> Outcome {
        let id = self.slots.get()[slot];
        let dropped = match self.subject() {
            Subject::Cell => self.drop_of_cell(id),
            Subject::Lazy => self.drop_of_lazy(id),
            Subject::StaticLazy => self.cancel(id),
        };
        self.futures.borrow_mut().remove(&id);
        done(dropped)
    }

    /// The waiters keep waiting.
    fn leak(&self, _slot: usize) {}

    fn put(&self, insert: bool) -> Option<Outcome> {
        if self.subject() != Subject::Cell {
            return None;
        }
        let value = self.stage.new_value();
        Some(match self.state.get() {
            State::Ready => Outcome::AlreadyInitialized(value),
            State::Initializing => Outcome::Initializing(value),
            State::Uninit => {
                self.state.set(State::Initializing);
                match self.publish(value) {
                    Ok(value) if insert => Outcome::Value(value),
                    Ok(_) => Outcome::Done,
                    Err(thrown) => Outcome::Panicked(thrown),
                }
            }
        })
    }

    fn use_kept(&self, deed: Deed) -> Option<Outcome> {
        let kept = self.kept.take()?;
        Some(done(match (kept, deed) {
            (Waker::Task(task), Deed::Clone) => {
                let woken = self.run(Event::WokenByRef(task));
                self.both(woken, || self.run(Event::WakerDropped(task)))
            }
            (Waker::Task(task), Deed::Wake) => self.run(Event::Woken(task)),
            (Waker::Task(task), Deed::Drop) => self.run(Event::WakerDropped(task)),
            (Waker::Static, Deed::Clone | Deed::Wake) => self.wake_static(),
            (Waker::Static, Deed::Drop) => Ok(()),
        }))
    }

    fn alone(&self, deed: Alone) -> Option<Outcome> {
        self.alone_or_panic(deed)
            .unwrap_or_else(|thrown| Some(Outcome::Panicked(thrown)))
    }

    fn look(&self) -> Option<Id> {
        self.value.get()
    }
}

fn done(result: Result) -> Outcome {
    result.map_or_else(Outcome::Panicked, |()| Outcome::Done)
}
