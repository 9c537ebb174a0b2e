//! Runs a program, and records its events.

use std::cell::{Cell, RefCell};

use crate::{
    model::Model,
    program::{Action, Alone, Backend, Deed, Kind, Op, Plan, Program, SLOTS, Step, Subject, TASKS},
    real,
};

/// The name of an initializer, or of a value: each kind counts from zero.
pub(crate) type Id = u32;

/// An event of a subject: it calls user code, or an operation ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Cloned(u8),
    Woken(u8),
    WokenByRef(u8),
    WakerDropped(u8),
    /// The closure that makes an initializer.
    Called(Id),
    /// The same, without having been called.
    ClosureDropped(Id),
    Polled(Id),
    InitializerDropped(Id),
    /// Also of an error, which is a value that counts as one.
    ValueDropped(Id),
    Ended(Outcome),
    /// What the subject holds after an operation that is not part of another one.
    Holds(Option<Id>),
}

/// What an operation comes to. Values in here were given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Pending,
    Value(Id),
    Failed(Id),
    /// What `insert` finds, and the value that it returns.
    Occupied(Id, Id),
    AlreadyInitialized(Id),
    Initializing(Id),
    Found(Option<Id>),
    /// Of a lazy that has its future still.
    Unfinished,
    Twice(Box<[Self; 2]>),
    Panicked(Thrown),
}

/// What a panic is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thrown {
    /// One of those that the program sets.
    Planned(u32),
    Deadlock,
    PolledAfterCompletion,
    Poisoned,
    Unknown(String),
}

/// What plays a program: a real subject, or a model.
pub(crate) trait Player {
    fn stage(&self) -> &Stage<'_>;
    /// Returns whether a panic is on its way.
    fn is_unwinding(&self) -> bool;

    fn create(&self, slot: usize, kind: Kind, id: Id) -> Outcome;
    fn poll(&self, slot: usize, task: u8) -> Outcome;
    fn destroy(&self, slot: usize) -> Outcome;
    fn leak(&self, slot: usize);
    /// `None` if there is no such operation.
    fn put(&self, insert: bool) -> Option<Outcome>;
    fn use_kept(&self, deed: Deed) -> Option<Outcome>;
    /// Called when there are no futures but leaked ones.
    fn alone(&self, deed: Alone) -> Option<Outcome>;
    fn look(&self) -> Option<Id>;
}

/// How far a program has been played.
pub(crate) struct Stage<'p> {
    pub(crate) program: &'p Program,
    next: Cell<usize>,
    /// How many operations are going on, one inside the other.
    depth: Cell<usize>,
    slots: Cell<[Slot; SLOTS]>,
    armed: Cell<[[Action; 3]; TASKS]>,
    /// Of the initializers, by their names.
    plans: RefCell<Vec<Plan>>,
    /// Of the poll that is going on.
    step: Cell<Step>,
    restraint: Cell<Restraint>,
    values: Cell<Id>,
    panics: Cell<u32>,
    record: RefCell<Vec<Event>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Free,
    Taken,
    /// Its future is being made, polled or dropped.
    Busy,
}

/// What the user's code may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restraint {
    Free,
    /// Initializers panic; there is no program to run.
    Alone,
    Quiet,
}

impl<'p> Stage<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        Self {
            program,
            next: Cell::new(0),
            depth: Cell::new(0),
            slots: Cell::new([Slot::Free; SLOTS]),
            armed: Cell::default(),
            plans: RefCell::default(),
            step: Cell::new(Step::PENDING),
            restraint: Cell::new(Restraint::Free),
            values: Cell::new(0),
            panics: Cell::new(0),
            record: RefCell::default(),
        }
    }

    pub(crate) fn new_value(&self) -> Id {
        self.values.replace(self.values.get() + 1)
    }

    pub(crate) fn new_initializer(&self, plan: Plan) -> Id {
        let mut plans = self.plans.borrow_mut();
        plans.push(plan);
        plans.len() as Id - 1
    }

    /// Returns a new id for the future of a lazy.
    pub(crate) fn new_computation(&self) -> Id {
        self.new_initializer(self.program.plan)
    }

    pub(crate) fn step(&self) -> Step {
        self.step.get()
    }

    pub(crate) fn set_step(&self, step: Step) {
        self.step.set(step);
    }

    fn note(&self, event: Event) {
        self.record.borrow_mut().push(event);
    }

    /// Returns the action of the user code that now runs.
    fn action(&self, event: &Event) -> Action {
        let plan = |id: Id| self.plans.borrow()[id as usize];
        let (action, is_initializer) = match *event {
            _ if self.restraint.get() == Restraint::Quiet => return Action::NONE,
            Event::Cloned(task) => (self.disarm(task, Deed::Clone), false),
            Event::Woken(task) | Event::WokenByRef(task) => (self.disarm(task, Deed::Wake), false),
            Event::WakerDropped(task) => (self.disarm(task, Deed::Drop), false),
            Event::Called(id) => (plan(id).on_call, true),
            Event::ClosureDropped(id) | Event::InitializerDropped(id) => (plan(id).on_drop, true),
            Event::Polled(_) => (self.step().action, true),
            _ => return Action::NONE,
        };
        match self.restraint.get() {
            Restraint::Free => action,
            _ => Action {
                ops: 0,
                panics: action.panics && is_initializer,
            },
        }
    }

    /// `EventListener` uses wakers under a lock: nothing is promised of those that do anything.
    fn disarm(&self, task: u8, deed: Deed) -> Action {
        if self.restraint.get() != Restraint::Free || self.program.backend == Backend::EventListener {
            return Action::NONE;
        }
        self.arm(task, deed, Action::NONE)
    }

    fn arm(&self, task: u8, deed: Deed, action: Action) -> Action {
        let mut armed = self.armed.get();
        let before = std::mem::replace(&mut armed[task as usize][deed as usize], action);
        self.armed.set(armed);
        before
    }

    fn set(&self, slot: usize, to: Slot) {
        let mut slots = self.slots.get();
        slots[slot] = to;
        self.slots.set(slots);
    }

    fn free(&self) -> Option<usize> {
        self.slots.get().iter().position(|slot| *slot == Slot::Free)
    }

    fn pick(&self, pick: u8) -> Option<usize> {
        let slots = self.slots.get();
        let taken = || (0..SLOTS).filter(|slot| slots[*slot] == Slot::Taken);
        taken().nth(usize::from(pick) % taken().count().max(1))
    }

    fn is_alone(&self) -> bool {
        self.depth.get() == 1 && self.slots.get() == [Slot::Free; SLOTS]
    }
}

/// Notes that code of the user is run, and runs it.
///
/// # Errors
///
/// A panic that the program planned. None comes while another one is on its way, which would abort, except from where
/// it is promised to be swallowed.
pub(crate) fn run(player: &dyn Player, event: Event) -> Result<(), Thrown> {
    let stage = player.stage();
    let action = stage.action(&event);
    let is_swallowed = match event {
        Event::Woken(_) => stage.program.backend == Backend::Intrusive,
        Event::InitializerDropped(_) => stage.program.subject == Subject::Lazy,
        _ => false,
    };
    stage.note(event);
    for _ in 0..action.ops {
        play_next(player);
    }
    if action.panics && (is_swallowed || !player.is_unwinding()) {
        Err(Thrown::Planned(stage.panics.replace(stage.panics.get() + 1)))
    } else {
        Ok(())
    }
}

/// Plays one operation of the program, if there is one.
fn play_next(player: &dyn Player) {
    let stage = player.stage();
    if let Some(op) = stage.program.ops.get(stage.next.get()) {
        stage.next.set(stage.next.get() + 1);
        play(player, op);
    }
}

fn play(player: &dyn Player, op: &Op) {
    let stage = player.stage();
    stage.depth.set(stage.depth.get() + 1);
    match *op {
        Op::Make { kind, plan } => {
            make(player, kind, plan);
        }
        Op::Poll { pick, task, step } => {
            if let Some(slot) = stage.pick(pick) {
                poll(player, slot, task, step);
            }
        }
        Op::Drop { pick } => {
            if let Some(slot) = stage.pick(pick) {
                stage.set(slot, Slot::Busy);
                stage.note(Event::Ended(player.destroy(slot)));
                stage.set(slot, Slot::Free);
            }
        }
        // The queue of `EventListener` would never be freed.
        Op::Leak { pick } if stage.program.backend != Backend::EventListener => {
            if let Some(slot) = stage.pick(pick) {
                player.leak(slot);
                stage.set(slot, Slot::Free);
            }
        }
        Op::Leak { .. } => {}
        Op::Crowd { kind, count } => {
            for _ in 0..count {
                if let Some(slot) = make(player, kind, Plan::PLAIN) {
                    poll(player, slot, (slot % TASKS) as u8, Step::PENDING);
                }
            }
        }
        Op::Arm { task, on, action } => {
            stage.arm(task, on, action);
        }
        Op::Put { insert } => {
            if let Some(outcome) = player.put(insert) {
                stage.note(Event::Ended(outcome));
            }
        }
        Op::UseKept { deed } => {
            if let Some(outcome) = player.use_kept(deed) {
                stage.note(Event::Ended(outcome));
            }
        }
        Op::Alone { deed } if stage.is_alone() => {
            stage.restraint.set(match deed {
                Alone::Initialize { .. } => Restraint::Alone,
                _ => Restraint::Quiet,
            });
            if let Some(outcome) = player.alone(deed) {
                stage.note(Event::Ended(outcome));
            }
            stage.restraint.set(Restraint::Free);
        }
        Op::Alone { .. } => {}
    }
    stage.depth.set(stage.depth.get() - 1);
}

fn make(player: &dyn Player, kind: Kind, plan: Plan) -> Option<usize> {
    let stage = player.stage();
    let slot = stage.free()?;
    stage.set(slot, Slot::Busy);
    let outcome = player.create(slot, kind, stage.new_initializer(plan));
    let is_made = outcome == Outcome::Done;
    stage.note(Event::Ended(outcome));
    stage.set(slot, if is_made { Slot::Taken } else { Slot::Free });
    is_made.then_some(slot)
}

fn poll(player: &dyn Player, slot: usize, task: u8, step: Step) {
    let stage = player.stage();
    stage.set(slot, Slot::Busy);
    let outer = stage.step.replace(step);
    stage.note(Event::Ended(player.poll(slot, task)));
    stage.step.set(outer);
    stage.set(slot, Slot::Taken);
}

/// Plays a program on the real subject and on its model.
///
/// # Panics
///
/// Panics if what happens is not the same.
pub(crate) fn compare(program: &Program) {
    let model = Model::new(program);
    real::with_player(program, |real| {
        let mut compared = 0;
        while real.stage().next.get() < program.ops.len() {
            compared = compare_one(real, &model, compared, play_next);
        }
        for op in ending() {
            compared = compare_one(real, &model, compared, |player| play(player, &op));
        }
    });
}

/// Drops all that is there.
fn ending() -> impl Iterator<Item = Op> {
    std::iter::repeat_n(Op::Drop { pick: 0 }, SLOTS)
        .chain([Op::UseKept { deed: Deed::Drop }, Op::Alone { deed: Alone::Renew }])
}

/// Runs the same operation on both, and returns the lengths of their records afterwards.
fn compare_one(real: &dyn Player, model: &dyn Player, from: usize, play: impl Fn(&dyn Player)) -> usize {
    for player in [real, model] {
        play(player);
        player.stage().note(Event::Holds(player.look()));
    }
    let (happened, expected) = (&*real.stage().record.borrow(), &*model.stage().record.borrow());
    if happened[from..] != expected[from..] {
        let equal = happened.iter().zip(expected).take_while(|(a, b)| a == b).count();
        panic!(
            "{:#?}\nbefore: {:?}\nhappened: {:?}\nexpected: {:?}",
            real.stage().program,
            &happened[..equal],
            &happened[equal..],
            &expected[equal..],
        );
    }
    happened.len()
}
