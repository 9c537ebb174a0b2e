//! One run of a scenario: its points, at which user code runs, and what it records for the check.

use std::{
    cell::{Cell, RefCell},
    mem,
    panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
    sync::{Arc, Mutex, Once, PoisonError},
    task::Waker,
    thread,
};

use crate::{backends::Panics, check::Wrong, user::Thing, util};

/// A task, by its number.
pub(crate) type TaskId = usize;

/// In place of a task: the scenario itself, which owns the cell.
pub(crate) const OWNER: TaskId = usize::MAX;

/// What is created and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    Value,
    Error,
    /// What the closure of an initializer has captured.
    Closure,
    /// What lives as long as the future of an initializer.
    Future,
    /// What lives as long as the future of a `Lazy`.
    LazyFuture,
    /// The payload of an injected panic.
    Payload,
}

/// Why user code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A closure is called that returns a future, or a value.
    Call(Sort),
    Poll,
    Drop(Sort),
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

/// A call into user code. It can be made to panic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) kind: Kind,
    pub(crate) task: TaskId,
    /// Whether the task is being dropped.
    pub(crate) is_dropping: bool,
    /// Whose waker it is.
    pub(crate) waker_of: Option<TaskId>,
    /// The future that is being polled.
    pub(crate) polled: Option<Sort>,
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

/// A task is dropped after so many polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancel {
    AtOnce(TaskId, usize),
    /// When it would be polled again.
    WhenWoken(TaskId, usize),
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
    /// Whether only a value wakes it. The end of an initializer wakes the other tasks, too.
    pub(crate) waits_for_value: bool,
    /// A thread cannot be cancelled.
    pub(crate) is_thread: bool,
    /// Whether its future is an `async` block of the crate, which drops what it owns while it unwinds.
    pub(crate) is_async: bool,
    /// Whether it only checks the outcome.
    pub(crate) is_check: bool,
}

/// The wakers that a task has had in one place.
#[derive(Debug)]
pub(crate) struct Wakers {
    pub(crate) task: TaskId,
    pub(crate) live: i32,
    /// Whether the task was moved since, so that these have no effect.
    pub(crate) is_old: bool,
}

/// What the executor does to another task on behalf of a task.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    Cancel(TaskId),
    /// The future moves to another task, with another waker.
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
    pub(crate) things: Vec<(Sort, u32)>,
    pub(crate) wakers: Vec<Wakers>,
    pub(crate) woken: Vec<TaskId>,
    pub(crate) orders: Vec<Order>,
    /// The points at which a waker panicked and its task was then polled without a wake.
    pub(crate) rescued: Vec<usize>,
    /// The number of points when the task of the plan was cancelled.
    pub(crate) points_before_cancel: usize,
    /// The number of events other than wakes. While it grows, tasks are not polled in vain.
    pub(crate) progress: usize,
    /// Whether the future of a `Lazy` has panicked, and whether it may then be leaked.
    pub(crate) is_poisoned: bool,
    pub(crate) may_leak_future: bool,
    pub(crate) gate_is_open: bool,
    pub(crate) gate_waker: Option<Waker>,
    /// The value that was seen in the cell.
    pub(crate) seen: Option<usize>,
    /// The running task, whether it is being dropped, and the future that is being polled.
    current: Option<TaskId>,
    is_dropping: bool,
    polled: Option<Sort>,
    is_without_points: bool,
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

/// Makes this thread a part of the run that `get` returns.
pub(crate) fn join(run: Arc<Mutex<Run>>) {
    RUN.set(run);
    IS_QUIET.set(true);
}

pub(crate) fn get() -> Arc<Mutex<Run>> {
    RUN.with_borrow(Arc::clone)
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
    join(Arc::default());
    with(|run| (run.plan, run.limits) = (plan, limits));
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

/// Records `property` as wrong, unless it holds.
pub(crate) fn require(holds: bool, property: &str) {
    if !holds {
        wrong(Wrong::Broken(property.to_owned()));
    }
}

/// Runs `f` without points.
pub(crate) fn without_points<R>(f: impl FnOnce() -> R) -> R {
    let outer = with(|run| mem::replace(&mut run.is_without_points, true));
    let result = f();
    with(|run| run.is_without_points = outer);
    result
}

/// Records that user code runs. Panics if the plan contains this point.
pub(crate) fn point(kind: Kind) {
    point_of(kind, None);
}

/// Records that user code runs, in a waker of the task `waker_of`. Panics if the plan contains this point.
pub(crate) fn point_of(kind: Kind, waker_of: Option<TaskId>) {
    if let Some(number) = with(|run| run.point(kind, waker_of)) {
        // Calls no panic hook.
        resume_unwind(Box::new((number, Thing::new(Sort::Payload))));
    }
}

impl Run {
    /// Records a point. Returns its number if it must panic.
    fn point(&mut self, kind: Kind, waker_of: Option<TaskId>) -> Option<usize> {
        use Kind::{Call, CloneWaker, Drop, DropWaker, PollCoop, Wake, WakeByRef};

        if self.is_without_points {
            return None;
        }
        let mut point = Point {
            kind,
            task: self.current.unwrap_or(OWNER),
            is_dropping: self.is_dropping,
            waker_of,
            polled: self.polled,
            is_unwinding: thread::panicking(),
            aborts: false,
        };
        point.aborts = self.aborts(&point);
        let number = self.points.len();
        self.points.push(point);
        let is_waking = matches!(kind, CloneWaker | Wake | WakeByRef | DropWaker | PollCoop);
        self.progress += usize::from(!is_waking);
        if point.aborts || !self.plan.panics.contains(&number) {
            return None;
        }
        // In a poll of the future, or in its destructor when it has ended.
        let is_lazy = matches!(kind, Call(Sort::LazyFuture) | Drop(Sort::LazyFuture));
        self.is_poisoned |=
            point.polled == Some(Sort::LazyFuture) || is_lazy && point.task != OWNER && !point.is_dropping;
        Some(number)
    }

    fn aborts(&self, point: &Point) -> bool {
        // A destructor that panics while the thread unwinds aborts the program. That holds for any Rust program,
        // except where the crate documents that it catches the panic: when it wakes, and when it poisons a `Lazy`.
        let is_caught = point.kind == Kind::Wake && self.limits.of_wakers_are_discarded
            || point.kind == Kind::Drop(Sort::LazyFuture);
        let is_async = self.plan.in_async || self.tasks.get(point.task).is_some_and(|task| task.is_async);
        let is_broken = || {
            let breaks = |point: Point| point.kind == Kind::Wake || point.is_clone_for_backend();
            point.is_clone_for_backend() && is_async || self.panicked().any(breaks)
        };
        point.is_unwinding && !is_caught || self.limits.clone_breaks_destructor && is_broken()
    }

    /// The points that have panicked.
    pub(crate) fn panicked(&self) -> impl Iterator<Item = Point> {
        let points = self
            .plan
            .panics
            .iter()
            .filter_map(|point| self.points.get(*point));
        points.filter(|point| !point.aborts).copied()
    }
}

impl Point {
    /// Returns whether a backend clones the waker, and not an initializer.
    pub(crate) fn is_clone_for_backend(&self) -> bool {
        self.kind == Kind::CloneWaker && self.polled.is_none()
    }
}

/// Runs `f` in a destructor, after a point. If that panics, `f` runs while the thread unwinds, and what panics in `f` is
/// caught, as it must be in a destructor.
pub(crate) fn in_destructor(f: impl FnOnce()) {
    let mut f = Some(f);
    let _guard = util::OnDrop(move || {
        let f = f.take().expect("it is dropped once");
        if thread::panicking() {
            let _caught = catch_unwind(AssertUnwindSafe(f));
        } else {
            f();
        }
    });
    point(Kind::Destructor);
}

/// Makes this thread check with `is_claimed` that the cell is claimed whenever a part of an initializer runs.
pub(crate) fn watch_claim(is_claimed: impl Fn() -> bool + 'static) {
    IS_CLAIMED.set(Some(Rc::new(is_claimed)));
}

/// Records that a part of an initializer runs or is dropped, which must not happen without the claim.
pub(crate) fn require_claim() {
    let is_claimed = IS_CLAIMED.with_borrow(|is_claimed| is_claimed.as_deref().is_none_or(without_points));
    require(is_claimed, "an initializer holds the claim until it is dropped");
}

/// Polls an initializer.
pub(crate) fn in_poll<R>(polled: Sort, f: impl FnOnce() -> R) -> R {
    let outer = with(|run| run.polled.replace(polled));
    let _restore = util::OnDrop(|| with(|run| run.polled = outer));
    f()
}

/// Runs `f` as a task. A panic is recorded as one that reached this task.
pub(crate) fn run_as<R>(task: TaskId, is_dropping: bool, f: impl FnOnce() -> R) -> Option<R> {
    let set = |to| {
        with(|run| {
            let from = (run.current, run.is_dropping, run.polled);
            (run.current, run.is_dropping, run.polled) = to;
            from
        })
    };
    let outer = set((Some(task), is_dropping, None));
    let result = catch_unwind(AssertUnwindSafe(f));
    set(outer);
    let payload = match result {
        Ok(result) => return Some(result),
        Err(payload) => payload,
    };
    let panic = match payload.downcast_ref::<(usize, Thing)>() {
        Some((point, _)) => Panic::Injected(*point),
        None => Panic::Own(util::message(&*payload)),
    };
    drop(payload);
    with(|run| run.caught.push((task, panic)));
    None
}

/// Does something to a cell that no task uses any more.
pub(crate) fn as_owner<R>(f: impl FnOnce() -> R) -> Option<R> {
    run_as(OWNER, false, f)
}

pub(crate) fn current() -> TaskId {
    with(|run| run.current.unwrap_or(OWNER))
}

/// Changes the record of the running task.
pub(crate) fn record(f: impl FnOnce(&mut TaskRecord)) {
    let current = current();
    with(|run| f(&mut run.tasks[current]));
}

/// Records a new task.
pub(crate) fn new_task(spawned_by: Option<TaskId>) -> TaskId {
    with(|run| {
        run.tasks.push(TaskRecord {
            spawned_by,
            is_check: run.is_without_points,
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
