//! Runs a program on a subject.

use std::{
    alloc::{Layout, dealloc},
    cell::{Cell, RefCell, RefMut},
    mem::{self, ManuallyDrop},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    ptr::NonNull,
    rc::Rc,
    sync::Once,
    task::{Poll, Waker},
    thread,
};

use crate::{
    model::{Actor, Frame, Id, Model, Stage, THE_WAKER},
    parts::{self, Op, poll_with},
    program::{Action, Crowd, Exclusive, Kind, Operation, Program, Script, WakerUse},
    subject::{Family, Outcome, Subject, SubjectFuture, Type},
    user::{TASKS, Value, with_task},
};

/// The number of futures that can exist at one time.
const MAX_FUTURES: usize = 40;

/// A run of a program. User code finds it by [`Run::current`].
pub(crate) struct Run {
    program: Program,
    subject_type: Type,
    /// The next operation.
    next: Cell<usize>,
    /// The pointer comes from a box. The subject is shared, except in exclusive operations.
    subject: Cell<Option<NonNull<dyn Subject>>>,
    model: RefCell<Model>,
    /// The futures that no operation in progress uses.
    futures: RefCell<Vec<(Actor, SubjectFuture)>>,
    leaked: RefCell<Vec<SubjectFuture>>,
    armed: RefCell<[[Action; 3]; TASKS]>,
    /// The script of the poll in progress.
    pub(crate) script: Cell<Script>,
    /// The waker that an initializer kept, and its task, unless it is the waker of a lazy.
    kept: RefCell<Option<(Option<usize>, Waker)>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Run>>> = const { RefCell::new(None) };
    /// The number of calls of [`Run::enter`] in progress.
    static CATCHING: Cell<u32> = const { Cell::new(0) };
}

/// Runs a program.
///
/// # Panics
///
/// Panics if a check fails.
pub(crate) fn run(program: &Program, subject_type: Type) {
    silence_caught_panics();
    let run = Rc::new(Run {
        program: program.clone(),
        subject_type,
        next: Cell::new(0),
        subject: Cell::new(None),
        model: RefCell::new(Model::new(subject_type)),
        futures: RefCell::default(),
        leaked: RefCell::default(),
        armed: RefCell::default(),
        script: Cell::default(),
        kept: RefCell::default(),
    });
    CURRENT.set(Some(run.clone()));
    // If a check fails, the run stays in `leak`: what is left may be broken, and is not dropped.
    let leak = ManuallyDrop::new(run.clone());
    run.subject.set(Some(Box::leak((subject_type.new)(None)).into()));
    while run.run_next() {}
    while !run.futures.borrow().is_empty() {
        run.run_operation(Operation::Drop(0));
    }
    // The waker of a `BoxLazy` can outlive it.
    let is_box_lazy = subject_type.family == Family::BoxLazy;
    let kept = if is_box_lazy { run.kept.take() } else { None };
    run.replace_subject(None);
    let _result = run.exclusively(|| kept.map(|(_, waker)| waker.wake()));
    run.model().check_end();
    run.stop_if_failed();
    drop(ManuallyDrop::into_inner(leak));
    CURRENT.take();
    for leaked in run.leaked.take() {
        // SAFETY: the pin ends with the memory.
        let leaked = Box::into_raw(unsafe { Pin::into_inner_unchecked(leaked) });
        // SAFETY: the pointer comes from a box.
        let layout = Layout::for_value(unsafe { &*leaked });
        // SAFETY: the memory is the box's, and no reference to it is left since the subject was dropped.
        unsafe { dealloc(leaked.cast(), layout) };
    }
}

// What user code calls.
impl Run {
    pub(crate) fn current() -> Rc<Self> {
        CURRENT.with_borrow(Clone::clone).expect("a program is running")
    }

    /// The model is not borrowed while user code runs.
    pub(crate) fn model(&self) -> RefMut<'_, Model> {
        self.model.borrow_mut()
    }

    pub(crate) fn new_lazy_future(&self, stage: Stage) -> Id {
        let script = self.program.lazy;
        self.model().new_initializer(THE_WAKER, stage, script)
    }

    /// Shows the state of the subject to the model.
    pub(crate) fn observe(&self) {
        if !self.model().is_exclusive {
            let found = self.subject().observe();
            self.model().observe(found);
        }
    }

    /// Keeps a waker, in place of the one that was kept before.
    pub(crate) fn keep(&self, waker: &Waker) {
        let is_own = self.subject_type.is_self_waking();
        let task = if is_own { None } else { self.model().frame().task };
        let older = self.kept.replace(Some((task, waker.clone())));
        drop(older);
    }

    /// A waker of a task is cloned, woken or dropped.
    pub(crate) fn uses_waker(&self, task: usize, op: Op) {
        self.observe();
        if op == Op::Wake {
            self.model().wakes(task);
        }
        let is_quiet = self.model().is_exclusive || self.subject_type.uses_lock();
        let action = match is_quiet {
            true => Action::default(),
            false => self.arm(task, op, Action::default()),
        };
        self.act(action, op == Op::Wake && self.subject_type.discards_panics());
    }

    /// An initializer is dropped, or its closure.
    pub(crate) fn drops(&self, initializer: Id) {
        let action = self.model().script(initializer).on_drop;
        let is_lazy = matches!(self.subject_type.family, Family::Lazy | Family::BoxLazy);
        let is_discarded = is_lazy && !self.model().is_exclusive;
        self.act(action, is_discarded);
    }

    /// Acts as the program says for a call of user code.
    ///
    /// # Panics
    ///
    /// Panics if the program says so. While the thread unwinds, user code panics only where the crate promises to discard
    /// the panic, as any other panic would abort.
    pub(crate) fn act(&self, action: Action, is_discarded: bool) {
        if !self.model().is_exclusive {
            for _ in 0..action.operations {
                self.run_next();
            }
            self.observe();
        }
        if action.panics && (is_discarded || !thread::panicking()) {
            let panic = self.model().plans_panic();
            resume_unwind(Box::new(panic));
        }
    }
}

// Operations.
impl Run {
    fn subject(&self) -> &'static dyn Subject {
        self.subject_mut()
    }

    fn subject_mut(&self) -> &'static mut dyn Subject {
        let mut subject = self.subject.get().expect("there is a subject");
        // SAFETY: the subject is dropped or borrowed exclusively only while there are no futures, except leaked ones.
        unsafe { subject.as_mut() }
    }

    fn arm(&self, task: usize, op: Op, action: Action) -> Action {
        mem::replace(&mut self.armed.borrow_mut()[task][op as usize], action)
    }

    /// Runs one operation of the program, and returns `false` if there is none.
    fn run_next(&self) -> bool {
        let next = self.next.get();
        let operation = self.program.operations.get(next);
        self.next.set(next + usize::from(operation.is_some()));
        operation
            .inspect(|operation| self.run_operation(**operation))
            .is_some()
    }

    fn run_operation(&self, operation: Operation) {
        match operation {
            Operation::Start(kind, Crowd(count), task, script) => {
                for number in 0..count.max(1) {
                    self.create(kind, script);
                    if count > 0 {
                        self.poll(u8::MAX, task.wrapping_add(number), script);
                    }
                }
            }
            Operation::Poll(pick, task, script) => self.poll(pick, task, script),
            Operation::Drop(pick) => {
                if let Some((actor, future)) = take(&self.futures, pick) {
                    let (_, _result) = self.enter(Frame::new(actor, None), || drop(future));
                    self.model().end(actor);
                }
            }
            Operation::Leak(pick) if !self.subject_type.uses_lock() => {
                if let Some((actor, future)) = take(&self.futures, pick) {
                    self.model().leak(actor);
                    self.leaked.borrow_mut().push(future);
                }
            }
            Operation::Leak(_) => {}
            Operation::Arm(task, on, action) => {
                let op = [Op::Clone, Op::Wake, Op::Drop][on as usize];
                self.arm(usize::from(task) % TASKS, op, action);
            }
            Operation::UseKept(how) => {
                if let Some((task, waker)) = self.kept.take() {
                    let frame = Frame::new(THE_WAKER, task);
                    if !matches!(how, WakerUse::Drop) {
                        self.model().wakes_initializer();
                    }
                    let (_, _result) = self.enter(frame, || match how {
                        WakerUse::Clone => waker.wake_by_ref(),
                        WakerUse::Wake => waker.wake(),
                        WakerUse::Drop => drop(waker),
                    });
                }
            }
            Operation::Exclusive(operation) => {
                if self.futures.borrow().is_empty() && self.model().frames.is_empty() {
                    self.exclusive(operation);
                }
            }
        }
        if self.model().frames.is_empty() {
            let kept = self.kept.borrow().as_ref().and_then(|(task, _)| *task);
            self.model().check_waiters(kept);
            self.stop_if_failed();
        }
    }

    fn create(&self, kind: Kind, script: Script) {
        if self.futures.borrow().len() >= MAX_FUTURES {
            return;
        }
        let is_cell = self.subject_type.family == Family::OnceCell;
        let kind = if is_cell { kind } else { Kind::GetOrInit };
        let actor = self.model().new_future(kind);
        let future = self.subject().future(kind, actor, script);
        self.futures.borrow_mut().push((actor, future));
    }

    fn poll(&self, pick: u8, task: u8, script: Script) {
        let Some((actor, mut future)) = take(&self.futures, pick) else {
            return;
        };
        let task = usize::from(task) % TASKS;
        let outer = self.script.replace(script);
        let frame = self.model().begin_poll(actor, task);
        let (frame, result) = self.enter(frame, || {
            with_task(task, |_, waker| poll_with(&mut future, waker))
        });
        self.script.set(outer);
        self.model().end_poll(&frame, &result);
        self.futures.borrow_mut().push((actor, future));
        if let Ok(Poll::Ready(Outcome::Claimed(value, guard))) = result {
            let actor = self.model().hand_over(value);
            self.futures.borrow_mut().push((actor, guard));
        }
    }

    fn exclusive(&self, operation: Exclusive) {
        match (operation, self.subject_type.family) {
            (Exclusive::Replace, _) => self.replace_subject(Some(None)),
            (_, Family::StaticLazy) | (Exclusive::Initialize(_), Family::Lazy | Family::BoxLazy) => {}
            (Exclusive::ReplaceByReady, _) => self.replace_subject(Some(Some(Value::new()))),
            _ => {
                let result = self.exclusively(|| self.subject_mut().exclusive(operation));
                self.model().end_exclusive(&result, operation);
            }
        }
    }

    /// Replaces the subject by an empty one or by one that has a value, or drops it.
    fn replace_subject(&self, by: Option<Option<Value>>) {
        let id = by.iter().flatten().map(Value::id).next();
        let new = by.map(|value| Box::leak((self.subject_type.new)(value)).into());
        let old = self.subject.replace(new).expect("there is a subject");
        // SAFETY: the pointer comes from a box, and there are no futures, except leaked ones, which are not used.
        let _result = self.exclusively(|| drop(unsafe { Box::from_raw(old.as_ptr()) }));
        self.model().reset(id);
    }

    /// Calls the subject with exclusive access: wakers do nothing, and initializers run no operations.
    fn exclusively<R>(&self, call: impl FnOnce() -> R) -> Result<R, String> {
        self.model().is_exclusive = true;
        let frame = Frame::new(THE_WAKER, Some(0));
        let (_, result) = self.enter(frame, || {
            // It may be the waker of a static.
            drop(self.kept.take());
            call()
        });
        self.model().is_exclusive = false;
        result
    }

    /// Calls the subject in a frame. Returns the frame as it was at the end.
    fn enter<R>(&self, frame: Frame, call: impl FnOnce() -> R) -> (Frame, Result<R, String>) {
        self.model().enter(frame);
        CATCHING.set(CATCHING.get() + 1);
        let result = catch_unwind(AssertUnwindSafe(call));
        CATCHING.set(CATCHING.get() - 1);
        self.observe();
        let result = result.map_err(|payload| parts::message(&*payload));
        let frame = self.model().leave(&result);
        (frame, result)
    }

    fn stop_if_failed(&self) {
        let failure = self.model().failure;
        if let Some(failure) = failure {
            panic!("{failure}, by {:#?}", self.program);
        }
    }
}

/// Takes out the element that a program picks, the last one for `u8::MAX`, unless there is none.
fn take<T>(from: &RefCell<Vec<T>>, pick: u8) -> Option<T> {
    let mut from = from.borrow_mut();
    match (from.len(), pick) {
        (_, u8::MAX) => from.pop(),
        (0, _) => None,
        (length, _) => Some(from.remove(usize::from(pick) % length)),
    }
}

/// Installs a panic hook that does not report the panics that [`Run::enter`] catches. While fuzzing, the hook would end the
/// process.
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
