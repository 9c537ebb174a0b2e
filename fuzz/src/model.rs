//! The contract of cells and lazies, as checks of what happens.
//!
//! The model does not predict a run. At each call of user code and at the end of each operation, it is shown the state of the
//! subject, and checks that the operation in progress may change the state in that way. The states and the polls determine
//! which initializer may run, which tasks must be woken, and in which order.
//!
//! While operations are nested, the order of wakes depends on the batches in which a backend takes waiters. Then the model checks
//! only that no wake is lost, and that each wake has a reason.

use std::{array, mem, task::Poll, thread};

use oncelot::backend::WaiterKind;

use crate::{
    program::{Exclusive, Kind, Script},
    subject::{Family, Outcome, Type},
    user::{TASKS, with_task},
};

/// The number of a value or of an initializer. Both are counted from zero.
pub(crate) type Id = usize;

/// The number of a future, which can have the claim.
pub(crate) type Actor = usize;

/// The actor that stands for the waker of a lazy, which has the claim while the future of the lazy is asleep.
pub(crate) const THE_WAKER: Actor = 0;

// Parts of the messages of panics.
const PLANNED: &str = "planned panic ";
const DEADLOCK: &str = "deadlock: an initializer awaits its own cell";
const COMPLETED: &str = "polled after completion";
const POISONED: &str = "is poisoned";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum State<A = Actor> {
    #[default]
    Uninit,
    Initializing(A),
    Ready(Id),
}

/// The state as the subject shows it.
pub(crate) type Found = State<()>;

impl State {
    fn public(self) -> oncelot::State {
        match self {
            Self::Uninit => oncelot::State::Uninit,
            Self::Initializing(_) => oncelot::State::Initializing,
            Self::Ready(_) => oncelot::State::Ready,
        }
    }
}

/// An operation in progress. Operations that user code runs are nested in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    pub(crate) actor: Actor,
    pub(crate) can_claim: bool,
    /// The task that polls, or whose kept waker is used.
    pub(crate) task: Option<usize>,
    /// The value that the operation would publish.
    pub(crate) value: Option<Id>,
    /// The error that its initializer has returned.
    pub(crate) error: Option<Id>,
    /// The panic of user code that must propagate.
    pub(crate) panic: Option<String>,
    /// A part of its initializer is on the stack.
    pub(crate) is_initializing: bool,
    /// The thread was unwinding when it began. Then the subject may discard panics.
    pub(crate) was_unwinding: bool,
    /// The state when it began.
    pub(crate) state: State,
    /// The number of attempts that had ended when it began.
    pub(crate) attempts: usize,
    /// The wakes of the task when it began.
    pub(crate) wakes: usize,
}

impl Frame {
    pub(crate) fn new(actor: Actor, task: Option<usize>) -> Self {
        let mut frame = Self::default();
        (frame.actor, frame.task) = (actor, task);
        frame
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Uncalled,
    Running,
    Returned,
    Panicked,
    Dropped,
}

struct Initializer {
    /// `THE_WAKER` if it belongs to a lazy, or to a call with exclusive access.
    owner: Actor,
    stage: Stage,
    script: Script,
}

struct Future {
    actor: Actor,
    kind: Kind,
    /// The value that it would publish, unless an initializer makes it.
    value: Option<Id>,
    /// `None` after a panic, which may have completed it.
    is_completed: Option<bool>,
    /// The attempt that it waits for, if it waits for one attempt only.
    attempt: Option<usize>,
    /// The task that polled last. During a poll, and after one that panicked, also the tasks of earlier polls.
    tasks: Vec<usize>,
    /// Whether the backend may refer to its waiter.
    is_registered: bool,
    /// When the last poll returned `Pending` without the claim: the wakes of the task before that poll, and the number of attempts
    /// that had ended afterwards. `None` if the future need not be woken, as it was leaked, or its poll panicked.
    pending: Option<(usize, usize)>,
}

/// A wake that follows from the end of an attempt.
struct Due {
    actor: Actor,
    task: usize,
}

pub(crate) struct Model {
    subject: Type,
    pub(crate) state: State,
    is_poisoned: bool,
    /// The future of the lazy was woken since its last poll began.
    is_woken: bool,
    /// The subject is borrowed exclusively.
    pub(crate) is_exclusive: bool,
    pub(crate) frames: Vec<Frame>,
    /// Whether the model knows which waiters are registered, and in which order. It no longer does when operations are nested, or
    /// when a poll panics, until no waiter is registered.
    is_exact: bool,
    initializers: Vec<Initializer>,
    /// Whether each value exists.
    values: Vec<bool>,
    /// The futures that are registered are in the order of registration.
    futures: Vec<Future>,
    /// In the order of the wakes. The list is emptied at the end of an operation that is not nested.
    due: Vec<Due>,
    /// The number of attempts that have ended.
    attempts: usize,
    panics: usize,
    actors: usize,
    /// The number of wakers that each task has without waiters, at most.
    wakers: [usize; TASKS],
    /// The first check that failed.
    pub(crate) failure: Option<&'static str>,
}

impl Model {
    pub(crate) fn new(subject: Type) -> Self {
        Self {
            subject,
            state: State::Uninit,
            is_poisoned: false,
            is_woken: false,
            is_exclusive: false,
            frames: Vec::new(),
            is_exact: true,
            initializers: Vec::new(),
            values: Vec::new(),
            futures: Vec::new(),
            due: Vec::new(),
            attempts: 0,
            panics: 0,
            actors: THE_WAKER,
            wakers: array::from_fn(|task| with_task(task, |task, _| task.wakers())),
            failure: None,
        }
    }

    pub(crate) fn check(&mut self, condition: bool, message: &'static str) {
        if !condition && self.failure.is_none() {
            // Reported at once, because the program may not survive what follows.
            let Type { family, backend, .. } = self.subject;
            eprintln!(
                "{message}: {family:?} on {backend}, {:?}, {:#?}",
                self.state, self.frames
            );
            self.failure = Some(message);
        }
    }

    /// Follows the state of the subject.
    pub(crate) fn observe(&mut self, found: Found) {
        let default = Frame::default();
        let frame = self.frames.last().unwrap_or(&default);
        let (actor, value) = (frame.actor, frame.value);
        let is_the_waker = self.subject.is_self_waking() && actor == THE_WAKER;
        let is_holder = match self.state {
            State::Uninit => frame.can_claim,
            State::Initializing(holder) => holder == actor || is_the_waker,
            State::Ready(_) => false,
        };
        match (self.state, found) {
            (State::Uninit, Found::Uninit) | (State::Initializing(_), Found::Initializing(())) => {}
            (State::Ready(id), Found::Ready(found)) if id == found => {}
            (_, Found::Initializing(())) => {
                self.check(is_holder, "the cell was claimed");
                self.state = State::Initializing(actor);
            }
            (_, Found::Uninit) => {
                self.check(is_holder, "the claim was released");
                self.settle(State::Uninit);
            }
            (_, Found::Ready(id)) => {
                self.check(is_holder && value == Some(id), "a value was published");
                self.settle(State::Ready(id));
            }
        }
    }

    /// Ends an attempt.
    fn settle(&mut self, outcome: State) {
        self.state = outcome;
        self.attempts += 1;
        for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
            let is_woken = |future: &&mut Future| {
                future.is_registered && future.kind.waiter() == kind && kind.is_settled_by(outcome.public())
            };
            for future in self.futures.iter_mut().filter(is_woken) {
                future.is_registered = false;
                let actor = future.actor;
                let wakes = future.tasks.iter().map(|&task| Due { actor, task });
                self.due.extend(wakes);
            }
        }
    }

    // Operations.

    pub(crate) fn enter(&mut self, mut frame: Frame) {
        frame.state = self.state;
        frame.attempts = self.attempts;
        frame.was_unwinding = thread::panicking();
        if let Some(task) = frame.task {
            frame.wakes = with_task(task, |task, _| task.wakes());
        }
        self.is_exact &= self.frames.is_empty();
        self.frames.push(frame);
    }

    /// Ends an operation, and checks that it panicked if and only if user code did.
    pub(crate) fn leave<R>(&mut self, result: &Result<R, String>) -> Frame {
        let frame = self.frames.pop().expect("an operation is in progress");
        let panic = result.as_ref().err();
        let is_right = panic.filter(|panic| panic.starts_with(PLANNED)) == frame.panic.as_ref();
        let is_right = is_right || frame.was_unwinding;
        self.check(is_right, "not the first panic propagated");
        frame
    }

    pub(crate) fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("an operation is in progress")
    }

    /// Records that user code panics, and returns the message of the panic.
    pub(crate) fn plans_panic(&mut self) -> String {
        self.panics += 1;
        let message = format!("{PLANNED}{}", self.panics);
        if !thread::panicking() {
            self.frame().panic = Some(message.clone());
        }
        message
    }

    /// A future was dropped.
    pub(crate) fn end(&mut self, actor: Actor) {
        self.futures.retain(|future| future.actor != actor);
        let is_holder = self.state == State::Initializing(actor);
        self.check(!is_holder, "the claim was not released");
    }

    /// Hands the claim over to the future that owns the guard.
    pub(crate) fn hand_over(&mut self, value: Id) -> Actor {
        let actor = self.new_future(Kind::Set);
        self.owns_value(actor, value);
        self.state = State::Initializing(actor);
        actor
    }

    /// Checks the value that an operation with exclusive access has returned.
    pub(crate) fn end_exclusive(&mut self, result: &Result<Option<Id>, String>, operation: Exclusive) {
        let is_right = match (result, self.state) {
            (Ok(Some(found)), State::Ready(id)) => *found == id,
            (Ok(None), state) => !matches!(state, State::Ready(_)),
            (Ok(Some(id)), _) => self.values[*id] && matches!(operation, Exclusive::Initialize(_)),
            (Err(panic), _) => panic.starts_with(PLANNED) || self.is_poisoned && panic.contains(POISONED),
        };
        self.check(is_right, "exclusive access returned a wrong result");
        match (operation, result) {
            (Exclusive::Take | Exclusive::IntoInner, _) => self.reset(None),
            (Exclusive::Initialize(_), Ok(Some(id))) => self.reset(Some(*id)),
            _ => {}
        }
    }

    /// Sets the state of a new subject, or of one that was changed by exclusive access.
    pub(crate) fn reset(&mut self, value: Option<Id>) {
        self.state = value.map_or(State::Uninit, State::Ready);
        (self.is_poisoned, self.is_woken) = (false, false);
        for future in self.futures.drain(..).filter(|future| future.is_registered) {
            for task in future.tasks {
                self.wakers[task] += 1;
            }
        }
    }

    // Futures.

    pub(crate) fn new_future(&mut self, kind: Kind) -> Actor {
        self.actors += 1;
        let actor = self.actors;
        self.futures.push(Future {
            actor,
            kind,
            value: None,
            is_completed: Some(false),
            attempt: None,
            tasks: Vec::new(),
            is_registered: false,
            pending: None,
        });
        actor
    }

    pub(crate) fn owns_value(&mut self, actor: Actor, value: Id) {
        let place = self.place(actor);
        self.futures[place].value = Some(value);
    }

    fn place(&self, actor: Actor) -> usize {
        let place = self.futures.iter().position(|future| future.actor == actor);
        place.expect("the future exists")
    }

    pub(crate) fn begin_poll(&mut self, actor: Actor, task: usize) -> Frame {
        let place = self.place(actor);
        let future = &mut self.futures[place];
        future.pending = None;
        future.tasks.retain(|&older| older != task);
        future.tasks.push(task);
        // A future that waits for one attempt never begins another one.
        let can_claim = !matches!(future.kind, Kind::Wait | Kind::WaitAttempt) && future.attempt.is_none();
        // `try_get_or_init` belongs to no task: it would block its thread.
        let task = (future.kind != Kind::TryGetOrInit).then_some(task);
        let mut frame = Frame::new(actor, task);
        (frame.can_claim, frame.value) = (can_claim, future.value);
        frame
    }

    /// Ends a poll, and checks its result.
    pub(crate) fn end_poll(&mut self, frame: &Frame, result: &Result<Poll<Outcome>, String>) {
        let is_self_waking = self.subject.is_self_waking();
        let is_holder = self.state == State::Initializing(frame.actor);
        if is_holder && is_self_waking {
            self.state = State::Initializing(THE_WAKER);
        }
        let is_own = |outer: &Frame| outer.is_initializing && outer.task == frame.task;
        let is_deadlock = !is_self_waking && self.frames.iter().any(is_own);
        let was_due = self.is_due(frame.actor);
        let place = self.place(frame.actor);
        let mut future = self.futures.remove(place);
        let mut waits = false;
        let is_right = match result {
            _ if future.is_completed == Some(true) => {
                matches!(result, Err(panic) if panic.contains(COMPLETED))
            }
            Ok(Poll::Pending) if is_holder && !is_self_waking => true,
            Ok(Poll::Pending) => {
                waits = true;
                let attempt = future.attempt.unwrap_or(frame.attempts);
                if matches!(future.kind, Kind::GetOrTryInitShared | Kind::WaitAttempt) {
                    future.attempt.get_or_insert(self.attempts);
                }
                // `AtomicWaker` and `EventListener` count the attempts modulo 64. A drain in progress may still have to wake the
                // future.
                let is_same_attempt = (frame.attempts - attempt).is_multiple_of(64) || was_due;
                is_same_attempt && !(is_deadlock && cfg!(debug_assertions))
            }
            Ok(Poll::Ready(outcome)) => {
                future.is_completed = Some(true);
                match outcome {
                    Outcome::Value(id) => {
                        self.state == State::Ready(*id) && future.value.is_none_or(|own| own == *id)
                    }
                    Outcome::Error(error) => frame.error == Some(error.id()),
                    Outcome::Nothing => match future.attempt {
                        Some(attempt) => self.attempts > attempt,
                        None => {
                            let was_uninit = frame.state == State::Uninit || self.attempts > frame.attempts;
                            future.kind == Kind::WaitAttempt && was_uninit
                        }
                    },
                    Outcome::Rejected(present, own) => {
                        self.state == State::Ready(*present) && future.value == Some(own.id())
                    }
                    Outcome::Claimed(..) => is_holder,
                    Outcome::Refused(state) => frame.state.public() == *state && frame.state != State::Uninit,
                }
            }
            Err(panic) => {
                waits = true;
                let is_completed = future.is_completed.take();
                panic.starts_with(PLANNED)
                    || panic.contains(DEADLOCK) && is_deadlock
                    || panic.contains(COMPLETED) && is_completed.is_none()
                    || panic.contains(POISONED) && self.is_poisoned
            }
        };
        self.check(is_right, "a future returned a wrong result");
        let keeps_claim = match result {
            Ok(Poll::Pending | Poll::Ready(Outcome::Claimed(..))) => true,
            // Registering may have panicked, after the future fell asleep.
            _ => is_self_waking && !self.is_poisoned,
        };
        self.check(!is_holder || keeps_claim, "the claim was not released");
        if waits && !future.kind.is_method() {
            self.waits(future, place, frame, result.is_ok());
        } else {
            future.is_registered = false;
            future.tasks.clear();
            self.futures.push(future);
        }
    }

    /// Puts a future back whose waiter may be registered. If its poll panicked, it is not pending.
    fn waits(&mut self, mut future: Future, place: usize, frame: &Frame, is_pending: bool) {
        let actor = frame.actor;
        let task = frame.task.expect("a task polled it");
        if self.is_due(actor) {
            // The drain in progress may wake the older task or the newer one.
            self.due.push(Due { actor, task });
        }
        if is_pending {
            future.tasks = vec![task];
            future.pending = Some((frame.wakes, self.attempts));
        }
        self.is_exact &= is_pending;
        if future.is_registered {
            self.futures.insert(place, future);
        } else {
            future.is_registered = !future.kind.waiter().is_settled_by(self.state.public());
            self.futures.push(future);
        }
    }

    fn is_due(&self, actor: Actor) -> bool {
        self.due.iter().any(|due| due.actor == actor)
    }

    pub(crate) fn leak(&mut self, actor: Actor) {
        let place = self.place(actor);
        let future = &mut self.futures[place];
        future.pending = None;
        if let Some(value) = future.value.filter(|value| self.state != State::Ready(*value)) {
            self.values[value] = false;
        }
        for initializer in &mut self.initializers {
            if initializer.owner == actor {
                initializer.stage = Stage::Dropped;
            }
        }
    }

    // Tasks.

    /// A task is woken.
    pub(crate) fn wakes(&mut self, task: usize) {
        let wakes_itself = self.frame().task == Some(task);
        if self.is_exclusive || self.subject.has_one_slot() || (wakes_itself && !self.is_exact) {
            return;
        }
        match self.due.iter().position(|due| due.task == task) {
            None => self.check(wakes_itself, "a task was woken without a reason"),
            Some(at) => {
                self.due.remove(at);
                let is_in_order = at == 0 || !self.is_exact;
                self.check(is_in_order, "a waiter was woken before an older one");
            }
        }
    }

    /// The waker that an initializer got is woken.
    pub(crate) fn wakes_initializer(&mut self) {
        self.is_woken = self.subject.is_self_waking();
    }

    /// Checks the waiters after an operation that is not nested in another one. `kept` is the task whose waker is kept.
    pub(crate) fn check_waiters(&mut self, kept: Option<usize>) {
        let has_one_slot = self.subject.has_one_slot();
        let has_missed = !mem::take(&mut self.due).is_empty();
        let is_right = !has_missed || !self.is_exact || has_one_slot;
        self.check(is_right, "a waiter was not woken");
        self.is_exact |= self.futures.iter().all(|future| !future.is_registered);
        let is_forgotten = |future: &Future| {
            let Some((wakes, attempts)) = future.pending else {
                return false;
            };
            let kind = future.kind.waiter();
            let has_ended = kind == WaiterKind::Claimant && self.attempts > attempts;
            let is_settled = has_ended || kind.is_settled_by(self.state.public());
            is_settled && with_task(future.tasks[0], |task, _| task.wakes() == wakes)
        };
        let is_lost = self.futures.iter().any(is_forgotten);
        self.check(!is_lost, "a wakeup was lost");
        let is_asleep = self.state == State::Initializing(THE_WAKER);
        self.check(!(is_asleep && self.is_woken), "a lazy sleeps after it was woken");
        let mut in_slot = 0;
        for number in 0..TASKS {
            let kept = usize::from(kept == Some(number));
            let has_waker = |future: &&Future| future.is_registered && future.tasks.contains(&number);
            let registered = self.futures.iter().filter(has_waker).count();
            let wakers = with_task(number, |task, _| task.wakers());
            self.check(wakers > kept, "a waker was dropped twice");
            let others = self.wakers[number] + kept;
            let is_leaked = wakers > others + registered;
            self.check(!is_leaked, "a waker was leaked");
            in_slot += wakers.saturating_sub(others);
        }
        self.check(!has_one_slot || in_slot <= 1, "a waker was leaked");
    }

    // Initializers and values.

    pub(crate) fn new_initializer(&mut self, owner: Actor, stage: Stage, script: Script) -> Id {
        self.initializers.push(Initializer { owner, stage, script });
        self.initializers.len() - 1
    }

    pub(crate) fn script(&self, id: Id) -> Script {
        self.initializers[id].script
    }

    /// A part of an initializer begins or ends.
    pub(crate) fn initializes(&mut self, is_initializing: bool) {
        self.is_woken &= !is_initializing;
        let frame = self.frame();
        frame.is_initializing = is_initializing;
        let actor = frame.actor;
        let has_claim = self.state == State::Initializing(actor) || self.is_exclusive;
        self.check(has_claim, "an initializer runs without the claim");
    }

    pub(crate) fn changes_stage(&mut self, id: Id, from: Stage, to: Stage) {
        let before = mem::replace(&mut self.initializers[id].stage, to);
        self.check(before == from, "an initializer was in a wrong stage");
    }

    pub(crate) fn returns(&mut self, id: Id, value: Id, is_error: bool) {
        self.changes_stage(id, Stage::Running, Stage::Returned);
        let frame = self.frame();
        match is_error {
            true => frame.error = Some(value),
            false => frame.value = Some(value),
        }
    }

    /// A part of an initializer panics.
    pub(crate) fn panics(&mut self, id: Id) {
        self.frame().is_initializing = false;
        let initializer = &mut self.initializers[id];
        initializer.stage = match initializer.stage {
            Stage::Running => Stage::Panicked,
            // Its closure panics, or its destructor.
            _ => Stage::Dropped,
        };
        self.is_poisoned |= initializer.owner == THE_WAKER;
    }

    /// An initializer is dropped. Returns whether it has returned its output.
    pub(crate) fn drops_initializer(&mut self, id: Id) -> bool {
        let Initializer { owner, stage, .. } = self.initializers[id];
        let is_holder = self.state == State::Initializing(owner);
        let is_right = match stage {
            Stage::Uncalled | Stage::Dropped => false,
            Stage::Returned => true,
            // The claim is released after the initializer is dropped, or before if it has panicked.
            Stage::Running => is_holder || owner == THE_WAKER,
            Stage::Panicked => !is_holder || owner == THE_WAKER,
        };
        self.check(is_right, "an initializer was dropped in a wrong stage");
        self.initializers[id].stage = Stage::Dropped;
        stage == Stage::Returned
    }

    pub(crate) fn new_value(&mut self) -> Id {
        self.values.push(true);
        self.values.len() - 1
    }

    pub(crate) fn drops_value(&mut self, id: Id) {
        let exists = mem::replace(&mut self.values[id], false);
        self.check(exists, "a value was dropped twice");
        let is_published = self.state == State::Ready(id) && !self.is_exclusive;
        self.check(!is_published, "the value was dropped in the subject");
    }

    /// Checks at the end that nothing is left.
    pub(crate) fn check_end(&mut self) {
        let has_values = self.values.contains(&true);
        self.check(!has_values, "a value was leaked");
        // A static does not drop a future that has not completed.
        let is_static = self.subject.family == Family::StaticLazy;
        let is_left = |initializer: &Initializer| match initializer.stage {
            Stage::Dropped => false,
            Stage::Returned => true,
            _ => !is_static,
        };
        let has_initializers = self.initializers.iter().any(is_left);
        self.check(!has_initializers, "an initializer was leaked");
    }
}
