//! One run of a scenario: its points, at which user code runs, and what it records for the check.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    mem,
    panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
    sync::{Arc, Mutex, Once, PoisonError},
    task::Waker,
    thread,
};

use crate::{backends::Panics, check::Wrong, user::Token, util};

/// A task, by its number.
pub(crate) type TaskId = usize;

/// In place of a task: the scenario itself, which owns the cell.
pub(crate) const OWNER: TaskId = usize::MAX;

/// What is created and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing {
    Value,
    Error,
    /// What the closure of an initializer has captured.
    Closure,
    /// What lives as long as the future of an initializer.
    Future,
    /// The payload of an injected panic.
    Payload,
}

/// Why user code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The closure of an initializer is called.
    Call,
    /// The future of an initializer is polled.
    Poll,
    Drop(Thing),
    Clone,
    Eq,
    Debug,
    /// A destructor of the user's is about to call the crate.
    Destructor,
    CloneWaker,
    Wake,
    WakeByRef,
    DropWaker,
    Spawn,
    PollCoop,
}

/// The future of an initializer that is being polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polled {
    OfCell,
    OfLazy,
}

/// A call into user code. It can be made to panic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) kind: Kind,
    pub(crate) task: TaskId,
    /// Whether the task is being dropped.
    pub(crate) is_dropping: bool,
    /// Whose waker it is.
    pub(crate) waker_of: Option<TaskId>,
    pub(crate) polled: Option<Polled>,
    pub(crate) is_unwinding: bool,
    /// Whether a panic here would abort the program, as documented. Such a point does not panic.
    pub(crate) aborts: bool,
}

/// The faults that are injected into a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// Whether futures are polled inside an async block, which drops them while it unwinds.
    pub(crate) in_async: bool,
    pub(crate) cancel: Option<Cancel>,
    /// The points that panic.
    pub(crate) panics: Vec<usize>,
}

/// A task is dropped after so many polls: at once, or when it would be polled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cancel {
    pub(crate) task: TaskId,
    pub(crate) polls: usize,
    pub(crate) when_woken: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Panic {
    /// The one that was injected at this point.
    Injected(usize),
    /// One of the crate's own, with its message.
    Own(String),
}

#[derive(Debug, Default)]
pub(crate) struct TaskRecord {
    pub(crate) polls: usize,
    pub(crate) spawned_by: Option<TaskId>,
    pub(crate) is_cancelled: bool,
    /// A thread cannot be cancelled.
    pub(crate) is_thread: bool,
    /// Whether its future is an `async` block of the crate, which drops what it owns while it unwinds.
    pub(crate) is_async: bool,
    /// Whether it only checks the outcome.
    pub(crate) is_check: bool,
}

/// The wakers that a task has had since it was moved.
#[derive(Debug)]
pub(crate) struct Wakers {
    pub(crate) task: TaskId,
    pub(crate) live: i32,
    /// Whether the task has newer ones, so that these have no effect.
    pub(crate) is_old: bool,
}

/// Something that a task cannot do itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    Cancel(TaskId),
    /// The task's future moves to another task, with another waker.
    Move(TaskId),
}

#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) limits: Panics,
    pub(crate) points: Vec<Point>,
    /// Each panic, and the task that it reached.
    pub(crate) caught: Vec<(TaskId, Panic)>,
    pub(crate) wrong: Vec<Wrong>,
    pub(crate) tasks: Vec<TaskRecord>,
    /// Each thing, and how often it was dropped.
    pub(crate) things: Vec<(Thing, u32)>,
    pub(crate) wakers: Vec<Wakers>,
    pub(crate) woken: Vec<TaskId>,
    pub(crate) orders: Vec<Order>,
    /// Things of this kind may be leaked.
    pub(crate) may_leak: Option<Thing>,
    /// The number of points when the task of the plan was cancelled.
    pub(crate) points_before_cancel: usize,
    /// The number of events other than wakes, which is finite.
    pub(crate) progress: usize,
    /// Whether the future of a `Lazy` has panicked.
    pub(crate) is_poisoned: bool,
    pub(crate) current: Option<TaskId>,
    pub(crate) polled: Option<Polled>,
    pub(crate) gate_is_open: bool,
    pub(crate) gate_waker: Option<Waker>,
    /// The value that was seen in the cell.
    pub(crate) seen: Option<usize>,
    is_dropping: bool,
    is_off: bool,
}

thread_local! {
    /// Shared with the threads of the run.
    static RUN: RefCell<Arc<Mutex<Run>>> = RefCell::default();
    /// While set, the panic hook prints nothing: each panic is caught and checked.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    static IS_CLAIMED: RefCell<Option<Rc<dyn Fn() -> bool>>> = const { RefCell::new(None) };
}

pub(crate) fn with<R>(f: impl FnOnce(&mut Run) -> R) -> R {
    RUN.with_borrow(|run| f(&mut run.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Returns a function that makes its thread a part of this run.
pub(crate) fn join() -> impl FnOnce() + Send {
    let run = RUN.with_borrow(Arc::clone);
    move || {
        RUN.set(run);
        IS_QUIET.set(true);
    }
}

pub(crate) fn begin(plan: Plan, limits: Panics) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                hook(info);
            }
        }));
    });
    IS_QUIET.set(true);
    RUN.set(Arc::new(Mutex::new(Run {
        plan,
        limits,
        ..Run::default()
    })));
}

/// Ends the run, after its cell was dropped.
pub(crate) fn end() -> Run {
    crate::user::gate::drop_waker();
    IS_CLAIMED.take();
    IS_QUIET.set(false);
    with(mem::take)
}

pub(crate) fn wrong(wrong: Wrong) {
    with(|run| run.wrong.push(wrong));
}

/// Records that a claim does not hold.
pub(crate) fn require(holds: bool, claim: &str) {
    if !holds {
        wrong(Wrong::Broken(claim.to_owned()));
    }
}

/// Runs `f` without points.
pub(crate) fn without_points<R>(f: impl FnOnce() -> R) -> R {
    let was_off = with(|run| mem::replace(&mut run.is_off, true));
    let result = f();
    with(|run| run.is_off = was_off);
    result
}

/// User code runs, and panics here if the plan says so.
pub(crate) fn point(kind: Kind) {
    point_of(kind, None, false);
}

/// User code runs: in a waker of the task `waker_of`, or as a part of the future of a `Lazy`.
pub(crate) fn point_of(kind: Kind, waker_of: Option<TaskId>, is_lazy: bool) {
    let panics = with(|run| {
        if run.is_off {
            return None;
        }
        let point = Point {
            kind,
            task: run.current.unwrap_or(OWNER),
            is_dropping: run.is_dropping,
            waker_of,
            polled: run.polled,
            is_unwinding: thread::panicking(),
            aborts: false,
        };
        let point = Point {
            aborts: run.aborts(&point, is_lazy),
            ..point
        };
        let is_waking = matches!(
            kind,
            Kind::CloneWaker | Kind::Wake | Kind::WakeByRef | Kind::DropWaker | Kind::PollCoop
        );
        run.progress += usize::from(!is_waking);
        let number = run.points.len();
        run.points.push(point);
        if !run.plan.panics.contains(&number) || point.aborts {
            return None;
        }
        // In a poll of the future, or in its destructor when it has ended.
        run.is_poisoned |=
            point.polled == Some(Polled::OfLazy) || is_lazy && point.task != OWNER && !point.is_dropping;
        Some(number)
    });
    if let Some(point) = panics {
        // Calls no panic hook.
        resume_unwind(Box::new(Injected {
            point,
            _token: Token::new(Thing::Payload),
        }));
    }
}

/// The payload of an injected panic.
struct Injected {
    point: usize,
    _token: Token,
}

impl Point {
    /// Returns whether the waker is in the hands of the backend, that is, not in those of an initializer.
    pub(crate) fn is_clone_for_backend(&self) -> bool {
        self.kind == Kind::CloneWaker && self.polled.is_none()
    }
}

impl Run {
    /// The points that have panicked.
    pub(crate) fn panicked(&self) -> impl Iterator<Item = Point> {
        let points = self
            .plan
            .panics
            .iter()
            .filter_map(|point| self.points.get(*point));
        points.filter(|point| !point.aborts).copied()
    }

    fn aborts(&self, point: &Point, is_lazy: bool) -> bool {
        // A destructor that panics while the thread unwinds aborts the program. That holds for any Rust program,
        // except where the crate documents that it catches the panic: when it wakes, and when it poisons a `Lazy`.
        let is_caught = point.kind == Kind::Wake && self.limits.of_wakers_are_discarded
            || point.kind == Kind::Drop(Thing::Future) && is_lazy;
        let is_async = self.plan.in_async || self.tasks.get(point.task).is_some_and(|task| task.is_async);
        let is_broken = || {
            point.is_clone_for_backend() && is_async
                || (self.panicked()).any(|point| point.kind == Kind::Wake || point.is_clone_for_backend())
        };
        point.is_unwinding && !is_caught || self.limits.clone_breaks_destructor && is_broken()
    }
}

/// Runs `f` in a destructor, after a point. If that panics, `f` runs while the thread unwinds, and what panics in `f` is
/// caught, as it must be in a destructor.
pub(crate) fn in_destructor(f: impl FnOnce()) {
    struct Guard<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Guard<F> {
        fn drop(&mut self) {
            let f = self.0.take().expect("it is dropped once");
            if thread::panicking() {
                let _caught = catch_unwind(AssertUnwindSafe(f));
            } else {
                f();
            }
        }
    }
    let _guard = Guard(Some(f));
    point(Kind::Destructor);
}

/// Makes this thread check with `is_claimed` that the cell is claimed whenever a part of an initializer runs.
pub(crate) fn watch_claim(is_claimed: impl Fn() -> bool + 'static) {
    IS_CLAIMED.set(Some(Rc::new(is_claimed)));
}

/// A part of an initializer runs or is dropped: its task must hold the claim.
pub(crate) fn require_claim() {
    let is_claimed = IS_CLAIMED.with_borrow(|is_claimed| is_claimed.as_deref().is_none_or(without_points));
    require(is_claimed, "an initializer holds the claim until it is dropped");
}

/// Polls an initializer.
pub(crate) fn in_poll<R>(polled: Polled, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Polled>);
    impl Drop for Restore {
        fn drop(&mut self) {
            with(|run| run.polled = self.0);
        }
    }
    let _restore = Restore(with(|run| run.polled.replace(polled)));
    f()
}

/// Runs `f` as a task. A panic is recorded as one that reached this task.
pub(crate) fn run_as<R>(task: TaskId, is_dropping: bool, f: impl FnOnce() -> R) -> Option<R> {
    let set = |current, is_dropping, polled| {
        with(|run| {
            let outer = (run.current, run.is_dropping, run.polled);
            (run.current, run.is_dropping, run.polled) = (current, is_dropping, polled);
            outer
        })
    };
    let outer = set(Some(task), is_dropping, None);
    let result = catch_unwind(AssertUnwindSafe(f));
    set(outer.0, outer.1, outer.2);
    result.map_err(|payload| caught(task, payload)).ok()
}

/// Does something to a cell that no task uses any more.
pub(crate) fn as_owner<R>(f: impl FnOnce() -> R) -> Option<R> {
    run_as(OWNER, false, f)
}

fn caught(task: TaskId, payload: Box<dyn Any + Send>) {
    let panic = match payload.downcast_ref::<Injected>() {
        Some(injected) => Panic::Injected(injected.point),
        None => Panic::Own(util::message(&*payload)),
    };
    drop(payload);
    with(|run| run.caught.push((task, panic)));
}

pub(crate) fn current() -> TaskId {
    with(|run| run.current.unwrap_or(OWNER))
}

/// Records a new task.
pub(crate) fn new_task(spawned_by: Option<TaskId>) -> TaskId {
    with(|run| {
        run.tasks.push(TaskRecord {
            spawned_by,
            is_check: run.is_off,
            ..TaskRecord::default()
        });
        run.tasks.len() - 1
    })
}

/// Returns the task that has spawned `task`.
pub(crate) fn spawner(task: TaskId) -> Option<TaskId> {
    with(|run| run.tasks.get(task).and_then(|task| task.spawned_by))
}

pub(crate) fn wake(task: TaskId) {
    with(|run| {
        if !run.woken.contains(&task) {
            run.woken.push(task);
        }
    });
}
