//! Runs a program on a subject, and records what happens.

use std::{
    alloc::{Layout, dealloc},
    any::Any,
    array,
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt::Debug,
    iter,
    mem::{self, ManuallyDrop},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    ptr::NonNull,
    rc::Rc,
    sync::Once,
    task::{Context, Waker},
    thread,
};

use crate::{
    program::{
        Action, Backend, Exclusive, Kind, Op, Plan, Program, SLOTS, Step, SubjectKind, TASKS, WakerUse,
    },
    subject::{self, Implementation, Subject, TextFuture},
    user::{Id, waker},
};

/// A call of user code, or the end of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    WakerCloned(usize),
    Woken(usize),
    WokenByRef(usize),
    WakerDropped(usize),
    /// The closure that creates an initializer was called.
    Called(Id),
    /// That closure was dropped without having been called.
    ClosureDropped(Id),
    Polled(Id),
    InitializerDropped(Id),
    ValueDropped(Id),
    /// An operation ended with this result, or with a panic.
    Ended(String),
    /// The value in the subject after an operation that is not nested in another one.
    Holds(Option<Id>),
}

/// The state of one run. User code finds it by [`Run::current`].
pub(crate) struct Run {
    program: Program,
    implementation: Implementation,
    /// From a box. The subject is shared, except in exclusive operations.
    subject: Cell<Option<NonNull<dyn Subject>>>,
    slots: RefCell<[Slot; SLOTS]>,
    leaked: RefCell<Vec<TextFuture>>,
    /// The next operation.
    next: Cell<usize>,
    /// The number of operations in progress, each nested in the one before.
    depth: Cell<usize>,
    armed: RefCell<[[Action; 3]; TASKS]>,
    /// The plan of each initializer.
    plans: RefCell<Vec<Plan>>,
    /// The step of the poll in progress.
    pub(crate) step: Cell<Step>,
    /// The waker that a step kept.
    pub(crate) kept: RefCell<Option<Waker>>,
    /// An exclusive operation is in progress: initializers panic, but run no operations, and wakers do nothing.
    is_exclusive: Cell<bool>,
    values: Cell<Id>,
    panics: Cell<u32>,
    record: RefCell<Vec<Event>>,
}

enum Slot {
    Free,
    Taken(TextFuture),
    /// The future is being created, polled or dropped.
    Busy,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Run>>> = const { RefCell::new(None) };
    /// The number of calls of [`Run::end`] in progress.
    static CATCHING: Cell<u32> = const { Cell::new(0) };
}

/// Runs a program on the model, and then on the crate.
///
/// # Panics
///
/// Panics if the records differ.
pub(crate) fn compare(program: &Program) {
    silence_caught_panics();
    let expected = run_program(program, Implementation::Model, |_, _| ());
    run_program(program, Implementation::Crate, |happened, from| {
        // Each operation ends with `Holds`, so that a record that is too short differs too.
        if expected.get(from..happened.len()) != Some(&happened[from..]) {
            let equal = happened.iter().zip(&expected).take_while(|(a, b)| a == b).count();
            let ends = |event: &Event| matches!(event, Event::Holds(_));
            let rest = &expected[equal..];
            let end = rest.iter().position(ends).map_or(rest.len(), |at| at + 1);
            panic!(
                "{program:#?}\nbefore: {:?}\nhappened: {:?}\nexpected: {:?}",
                &happened[..equal],
                &happened[equal..],
                &rest[..end],
            );
        }
    });
}

/// Runs a program. After each operation, `check` gets the record, and the length of the part that it has seen.
fn run_program(
    program: &Program,
    implementation: Implementation,
    check: impl Fn(&[Event], usize),
) -> Vec<Event> {
    let run = Rc::new(Run {
        program: program.clone(),
        implementation,
        subject: Cell::new(None),
        slots: RefCell::new(array::from_fn(|_| Slot::Free)),
        leaked: RefCell::default(),
        next: Cell::new(0),
        depth: Cell::new(0),
        armed: RefCell::default(),
        plans: RefCell::default(),
        step: Cell::default(),
        kept: RefCell::default(),
        is_exclusive: Cell::new(false),
        values: Cell::new(0),
        panics: Cell::new(0),
        record: RefCell::default(),
    });
    CURRENT.set(Some(run.clone()));
    run.replace_subject(false);
    let end = iter::repeat_n(Op::Drop { pick: 0 }, SLOTS).chain([
        Op::UseKept { how: WakerUse::Drop },
        Op::Exclusive(Exclusive::Replace),
    ]);
    let mut end = end.collect::<VecDeque<_>>();
    // If a check fails, the run stays in `leak`: what is left may be broken, and is not dropped.
    let leak = ManuallyDrop::new(run.clone());
    let mut from = 0;
    while run.run_next() || end.pop_front().map(|op| run.run_op(op)).is_some() {
        run.note(Event::Holds(run.subject().get()));
        check(&run.record.borrow(), from);
        from = run.record.borrow().len();
    }
    drop(ManuallyDrop::into_inner(leak));
    CURRENT.take();
    let subject = run.subject.take().expect("there is a subject");
    // SAFETY: the pointer comes from a box. No future uses the subject again: only leaked futures are left.
    drop(unsafe { Box::from_raw(subject.as_ptr()) });
    for leaked in run.leaked.take() {
        // SAFETY: the pin ends with the memory.
        let leaked = Box::into_raw(unsafe { Pin::into_inner_unchecked(leaked) });
        // SAFETY: the pointer comes from a box.
        let layout = Layout::for_value(unsafe { &*leaked });
        // SAFETY: the memory is the box's, and no reference to it is left since the subject was dropped.
        unsafe { dealloc(leaked.cast(), layout) };
    }
    run.record.take()
}

/// Records that user code is called, and runs it.
///
/// # Panics
///
/// Panics if the program says so. While the thread unwinds, user code panics only where the crate promises to discard
/// the panic, as any other panic would abort.
pub(crate) fn call(event: Event) {
    let Some(run) = CURRENT.with_borrow(Clone::clone) else {
        return;
    };
    let action = run.take_action(&event);
    let is_discarded = match event {
        Event::Woken(_) => matches!(run.program.backend, Backend::Intrusive | Backend::Local),
        Event::InitializerDropped(_) => run.program.subject == SubjectKind::Lazy,
        _ => false,
    };
    run.note(event);
    for _ in 0..action.ops {
        run.run_next();
    }
    if action.panics && (is_discarded || !thread::panicking()) {
        let number = run.panics.replace(run.panics.get() + 1);
        resume_unwind(Box::new(format!("planned panic {number}")));
    }
}

impl Run {
    pub(crate) fn current() -> Rc<Self> {
        CURRENT.with_borrow(Clone::clone).expect("a program is running")
    }

    pub(crate) fn new_value(&self) -> Id {
        self.values.replace(self.values.get() + 1)
    }

    pub(crate) fn new_initializer(&self, plan: Plan) -> Id {
        let mut plans = self.plans.borrow_mut();
        plans.push(plan);
        plans.len() - 1
    }

    pub(crate) fn new_lazy_future(&self) -> Id {
        self.new_initializer(self.program.plan)
    }

    pub(crate) fn note(&self, event: Event) {
        self.record.borrow_mut().push(event);
    }

    fn subject(&self) -> &'static dyn Subject {
        let subject = self.subject.get().expect("there is a subject");
        // SAFETY: the subject is dropped or borrowed exclusively only while there are no futures, except leaked ones.
        unsafe { subject.as_ref() }
    }

    /// Returns the action of the user code that `event` calls.
    fn take_action(&self, event: &Event) -> Action {
        let is_exclusive = self.is_exclusive.get();
        let of_waker = |task, how| {
            // `EventListener` uses wakers under a lock: it promises nothing for wakers that use the cell or panic.
            match is_exclusive || self.program.backend == Backend::EventListener {
                true => Action::default(),
                false => self.arm(task, how, Action::default()),
            }
        };
        let of_initializer = |action: Action| match is_exclusive {
            true => Action { ops: 0, ..action },
            false => action,
        };
        let plan = |id: Id| self.plans.borrow()[id];
        match *event {
            Event::WakerCloned(task) => of_waker(task, WakerUse::Clone),
            Event::Woken(task) | Event::WokenByRef(task) => of_waker(task, WakerUse::Wake),
            Event::WakerDropped(task) => of_waker(task, WakerUse::Drop),
            Event::Called(id) => of_initializer(plan(id).on_call),
            Event::ClosureDropped(id) | Event::InitializerDropped(id) => of_initializer(plan(id).on_drop),
            Event::Polled(_) => of_initializer(self.step.get().action),
            Event::ValueDropped(_) | Event::Ended(_) | Event::Holds(_) => Action::default(),
        }
    }

    fn arm(&self, task: usize, how: WakerUse, action: Action) -> Action {
        mem::replace(&mut self.armed.borrow_mut()[task][how as usize], action)
    }

    /// Runs one operation of the program, and returns `false` if there is none.
    fn run_next(&self) -> bool {
        let next = self.next.get();
        let op = self.program.ops.get(next);
        self.next.set(next + usize::from(op.is_some()));
        op.map(|op| self.run_op(*op)).is_some()
    }

    fn run_op(&self, op: Op) {
        self.depth.set(self.depth.get() + 1);
        match op {
            Op::Create { kind, plan } => {
                self.create(kind, plan);
            }
            Op::Poll { pick, task, step } => self.with_picked(pick, |slot| self.poll(slot, task, step)),
            Op::Drop { pick } => self.with_picked(pick, |slot| {
                let future = self.set_slot(slot, Slot::Busy);
                self.end(|| drop(future));
                self.set_slot(slot, Slot::Free);
            }),
            Op::Leak { pick } => self.with_picked(pick, |slot| {
                // The queue of `EventListener` would never be freed.
                if self.program.backend != Backend::EventListener {
                    let future = self.set_slot(slot, Slot::Free);
                    self.leaked.borrow_mut().extend(future);
                }
            }),
            Op::Crowd { kind, count } => {
                for _ in 0..count {
                    if let Some(slot) = self.create(kind, Plan::default()) {
                        self.poll(slot, slot % TASKS, Step::default());
                    }
                }
            }
            Op::Arm { task, on, action } => {
                self.arm(task, on, action);
            }
            Op::Put { insert } => {
                if self.program.subject == SubjectKind::Cell {
                    self.subject().put(self, insert);
                }
            }
            Op::UseKept { how } => {
                if let Some(waker) = self.kept.take() {
                    self.end(|| match how {
                        WakerUse::Clone => waker.wake_by_ref(),
                        WakerUse::Wake => waker.wake(),
                        WakerUse::Drop => drop(waker),
                    });
                }
            }
            Op::Exclusive(op) => {
                let is_free = |slot: &Slot| matches!(slot, Slot::Free);
                if self.depth.get() == 1 && self.slots.borrow().iter().all(is_free) {
                    self.is_exclusive.set(true);
                    self.exclusive(op);
                    self.is_exclusive.set(false);
                }
            }
        }
        self.depth.set(self.depth.get() - 1);
    }

    /// Calls the subject, and records the result.
    pub(crate) fn end<R: Debug>(&self, call: impl FnOnce() -> R) {
        CATCHING.set(CATCHING.get() + 1);
        let result = catch_unwind(AssertUnwindSafe(|| format!("{:?}", call())));
        CATCHING.set(CATCHING.get() - 1);
        self.note(Event::Ended(result.unwrap_or_else(|payload| message(&*payload))));
    }

    fn create(&self, kind: Kind, plan: Plan) -> Option<usize> {
        let is_free = |slot: &Slot| matches!(slot, Slot::Free);
        let slot = self.slots.borrow().iter().position(is_free)?;
        let future = self.subject().future(kind, self.new_initializer(plan));
        self.set_slot(slot, Slot::Taken(future));
        Some(slot)
    }

    fn poll(&self, slot: usize, task: usize, step: Step) {
        let mut future = self
            .set_slot(slot, Slot::Busy)
            .expect("the slot contains a future");
        let outer = self.step.replace(step);
        self.end(|| {
            let waker = waker(task);
            future.as_mut().poll(&mut Context::from_waker(&waker))
        });
        self.step.set(outer);
        self.set_slot(slot, Slot::Taken(future));
    }

    /// Changes a slot, and returns the future that was in it.
    fn set_slot(&self, slot: usize, to: Slot) -> Option<TextFuture> {
        match mem::replace(&mut self.slots.borrow_mut()[slot], to) {
            Slot::Taken(future) => Some(future),
            Slot::Free | Slot::Busy => None,
        }
    }

    /// Calls `run` with one of the slots that contain a future, if there is one.
    fn with_picked(&self, pick: usize, run: impl FnOnce(usize)) {
        let picked = {
            let slots = self.slots.borrow();
            let taken = || (0..SLOTS).filter(|slot| matches!(slots[*slot], Slot::Taken(_)));
            taken().nth(pick % taken().count().max(1))
        };
        if let Some(slot) = picked {
            run(slot);
        }
    }

    fn exclusive(&self, op: Exclusive) {
        match (self.program.subject, op) {
            (_, Exclusive::Replace) => self.end(|| self.replace_subject(false)),
            (SubjectKind::StaticLazy, _) | (SubjectKind::Lazy, Exclusive::Initialize { .. }) => {}
            (_, Exclusive::ReplaceByReady) => self.end(|| self.replace_subject(true)),
            _ => {
                let mut subject = self.subject.get().expect("there is a subject");
                // SAFETY: there are no futures, except leaked ones, which are not used.
                unsafe { subject.as_mut() }.exclusive(self, op);
            }
        }
    }

    /// Replaces the subject, if there is one, by an empty one or by one that has a value.
    fn replace_subject(&self, is_ready: bool) {
        let new = subject::new(&self.program, self.implementation, is_ready);
        // It may be the waker of the subject itself.
        drop(self.kept.take());
        let old = self.subject.replace(Some(Box::leak(new).into()));
        // SAFETY: the pointer comes from a box, and there are no futures, except leaked ones, which are not used.
        drop(old.map(|old| unsafe { Box::from_raw(old.as_ptr()) }));
    }
}

/// Returns the message of a panic, or the part of it that the model has too.
fn message(payload: &(dyn Any + Send)) -> String {
    const KNOWN: [&str; 3] = [
        "deadlock: an initializer awaits its own cell",
        "polled after completion",
        "is poisoned",
    ];
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "no text",
    };
    let known = KNOWN.iter().find(|known| text.contains(**known));
    format!("panicked: {}", known.unwrap_or(&text))
}

/// Installs a panic hook that does not report the panics that [`Run::end`] catches. While fuzzing, the hook would
/// end the process.
fn silence_caught_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>();
            let aborts =
                text.is_some_and(|text| text.contains("during cleanup") || text.contains("cannot unwind"));
            if CATCHING.get() == 0 || aborts {
                report(info);
            }
        }));
    });
}
