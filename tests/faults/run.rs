//! One run of a scenario: its tasks, which one thread polls; the points at which user code runs; and the records for the check.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    mem,
    panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    rc::Rc,
    sync::{Arc, Once},
    thread,
};

use crate::{
    backends::WakerPanics,
    check::{Wrong, check_asleep, check_wakers},
    user::Thing,
    util::{self, Event, Job, OnDrop, Op, Task},
};

/// A task, by its number.
pub(crate) type TaskId = usize;

/// The number of the scenario itself, which owns the cell and runs the tasks.
pub(crate) const OWNER: TaskId = 0;

/// What a task does.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()>>>;

/// The sort of a [`Thing`], which is created and dropped.
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

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A function of the user's is called.
    Call(&'static str),
    Drop(Sort),
    Waker(Op),
    /// The executor is about to poll a task, or has polled one that is pending. The fault here is to drop the task.
    Step,
}

/// The code that runs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Context {
    pub(crate) task: TaskId,
    /// Whether the task is being dropped.
    pub(crate) is_dropping: bool,
    /// The future that is being polled.
    pub(crate) polled: Option<Sort>,
}

/// A place in a run where a fault can be injected: a call into user code, which can panic, or a step of the executor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) kind: Kind,
    pub(crate) context: Context,
    /// Whose waker it is.
    pub(crate) waker_of: Option<TaskId>,
    pub(crate) is_unwinding: bool,
    /// Whether a panic here would abort the program, as documented. Such a point does not panic.
    pub(crate) aborts: bool,
}

/// The faults that are injected into a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// Whether futures are polled inside an `async` block, which drops them while it unwinds.
    pub(crate) in_async: bool,
    /// The points, by their numbers.
    pub(crate) faults: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Panic {
    /// The one that was injected at this point.
    Injected(usize),
    /// One of the crate's own, with its message.
    Own(String),
}

#[derive(Default)]
pub(crate) struct TaskRecord {
    /// `None` while it is polled, and after its end.
    pub(crate) job: Option<Job<Work>>,
    /// What the job is polled with, after what it was polled with before it moved.
    pub(crate) wakers: Vec<Arc<Task>>,
    pub(crate) spawned_by: Option<TaskId>,
    pub(crate) is_cancelled: bool,
    /// Whether only a value wakes it. The end of an initializer wakes the other tasks, too.
    pub(crate) waits_for_value: bool,
}

#[derive(Default)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) points: Vec<Point>,
    /// Each panic, and the task that it reached.
    pub(crate) caught: Vec<(TaskId, Panic)>,
    pub(crate) wrong: Vec<Wrong>,
    pub(crate) tasks: Vec<TaskRecord>,
    /// Each thing, and how often it was dropped.
    pub(crate) things: Vec<(Sort, u32)>,
    /// What initializers wait for.
    pub(crate) gate: Arc<Event>,
    /// The value that was seen in the cell.
    pub(crate) seen: Option<usize>,
    /// Whether the future of a `Lazy` has panicked, and whether it may then be leaked.
    pub(crate) is_poisoned: bool,
    pub(crate) may_leak_future: bool,
    /// Returns whether the cell is claimed.
    pub(crate) is_claimed: Option<Rc<dyn Fn() -> bool>>,
    pub(crate) context: Context,
    is_without_points: bool,
    waker_panics: WakerPanics,
}

thread_local! {
    static RUN: RefCell<Run> = RefCell::default();
    /// While set, the panic hook prints nothing: each panic is caught and checked.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn with<R>(f: impl FnOnce(&mut Run) -> R) -> R {
    RUN.with_borrow_mut(f)
}

/// Runs a scenario.
pub(crate) fn run_scenario(scenario: impl Fn(), plan: Plan, waker_panics: WakerPanics) -> Run {
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
    RUN.set(Run {
        plan,
        waker_panics,
        tasks: vec![TaskRecord::default()],
        ..Run::default()
    });
    let ended = catch_unwind(AssertUnwindSafe(scenario));
    IS_QUIET.set(false);
    let mut run = RUN.take();
    if let Err(payload) = ended {
        run.wrong.push(Wrong::Broken(util::message(&*payload)));
    }
    run
}

/// Records `property` as wrong, unless it holds.
pub(crate) fn require(holds: bool, property: &str) {
    if !holds {
        with(|run| run.wrong.push(Wrong::Broken(property.to_owned())));
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

fn point_of(kind: Kind, waker_of: Option<TaskId>) {
    if let Some(number) = with(|run| run.point(kind, waker_of)) {
        // Calls no panic hook.
        resume_unwind(Box::new((number, Thing::new(Sort::Payload))));
    }
}

impl Run {
    /// Records a point. Returns its number if the plan contains it.
    fn point(&mut self, kind: Kind, waker_of: Option<TaskId>) -> Option<usize> {
        if self.is_without_points {
            return None;
        }
        let mut point = Point {
            kind,
            context: self.context,
            waker_of,
            is_unwinding: thread::panicking(),
            aborts: false,
        };
        point.aborts = self.aborts(&point);
        let number = self.points.len();
        self.points.push(point);
        if point.aborts || !self.plan.faults.contains(&number) {
            return None;
        }
        // A panic in a poll of the future of a `Lazy` poisons the `Lazy`, and so does one in its destructor after the last poll.
        let Context {
            task,
            is_dropping,
            polled,
        } = point.context;
        let is_end = kind == Kind::Drop(Sort::LazyFuture) && task != OWNER && !is_dropping;
        self.is_poisoned |= polled == Some(Sort::LazyFuture) || is_end;
        Some(number)
    }

    fn aborts(&self, point: &Point) -> bool {
        // A destructor that panics while the thread unwinds aborts the program. That holds for any Rust program,
        // except where the crate documents that it catches the panic: when it wakes, and when it poisons a `Lazy`.
        let is_caught = match point.kind {
            Kind::Waker(Op::Wake) => self.waker_panics == WakerPanics::Discarded,
            kind => kind == Kind::Drop(Sort::LazyFuture),
        };
        let is_broken = point.is_clone_for_backend() || self.has_broken_event();
        point.is_unwinding && !is_caught || self.waker_panics == WakerPanics::BreakEvent && is_broken
    }

    /// Returns whether a waker has panicked when the backend woke it, and not when an initializer did.
    pub(crate) fn has_broken_event(&self) -> bool {
        self.faults()
            .any(|point| point.kind == Kind::Waker(Op::Wake) && point.context.polled.is_none())
    }

    /// Returns the points at which a fault was injected.
    pub(crate) fn faults(&self) -> impl Iterator<Item = Point> {
        let numbers = self.plan.faults.iter();
        let points = numbers.filter_map(|number| self.points.get(*number));
        points.filter(|point| !point.aborts).copied()
    }
}

impl Point {
    /// Returns whether a backend clones the waker, and not an initializer.
    pub(crate) fn is_clone_for_backend(&self) -> bool {
        self.kind == Kind::Waker(Op::Clone) && self.context.polled.is_none()
    }
}

/// Runs `f` in a destructor, after a point. If that panics, `f` runs while the thread unwinds, and what panics in `f` is
/// caught, as it must be in a destructor.
pub(crate) fn in_destructor(f: impl FnOnce()) {
    let mut f = Some(f);
    let _guard = OnDrop(move || {
        let f = f.take().expect("it is dropped once");
        if thread::panicking() {
            let _caught = catch_unwind(AssertUnwindSafe(f));
        } else {
            f();
        }
    });
    point(Kind::Call("drop"));
}

/// Records that a part of an initializer runs or is dropped, which must not happen without the claim.
pub(crate) fn require_claim() {
    let is_claimed = with(|run| run.is_claimed.clone());
    require(
        is_claimed.is_none_or(|is_claimed| is_claimed()),
        "an initializer holds the claim until it is dropped",
    );
}

/// Runs `f` as a part of a poll of `polled`: the future of an initializer or of a `Lazy`.
pub(crate) fn in_poll<R>(polled: Sort, f: impl FnOnce() -> R) -> R {
    let outer = with(|run| run.context.polled.replace(polled));
    let _restore = OnDrop(|| with(|run| run.context.polled = outer));
    f()
}

/// Runs `f` as a task. A panic is recorded as one that reached this task.
fn run_as<R>(task: TaskId, is_dropping: bool, f: impl FnOnce() -> R) -> Option<R> {
    let context = Context {
        task,
        is_dropping,
        polled: None,
    };
    let outer = with(|run| mem::replace(&mut run.context, context));
    let result = catch_unwind(AssertUnwindSafe(f));
    with(|run| run.context = outer);
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

/// Runs `f` as the owner of the cell, which no task uses anymore.
pub(crate) fn as_owner<R>(f: impl FnOnce() -> R) -> Option<R> {
    run_as(OWNER, false, f)
}

/// Returns work that awaits `future` and passes its output to `then`.
///
/// If the plan says so, the work is an `async` block, which drops the future while it unwinds. Otherwise the future is
/// dropped after the panic was caught.
pub(crate) fn job<F: Future + 'static>(future: F, then: impl FnOnce(F::Output) + 'static) -> Work {
    if with(|run| run.plan.in_async) {
        return Box::pin(async { then(future.await) });
    }
    let mut future = Box::pin(future);
    let mut then = Some(then);
    Box::pin(poll_fn(move |cx| {
        let polled = future.as_mut().poll(cx);
        polled.map(|output| then.take().expect("it is ready once")(output))
    }))
}

/// Returns work that does not wait.
pub(crate) fn act(f: impl FnOnce() + 'static) -> Work {
    Box::pin(async { f() })
}

/// Adds a task. `make` already runs as this task.
pub(crate) fn add(make: impl FnOnce() -> Work) -> TaskId {
    add_spawned(None, make)
}

/// Adds a task that another one spawns.
pub(crate) fn add_spawned(spawned_by: Option<TaskId>, make: impl FnOnce() -> Work) -> TaskId {
    let id = with(|run| {
        run.tasks.push(TaskRecord {
            spawned_by,
            ..TaskRecord::default()
        });
        run.tasks.len() - 1
    });
    if let Some(work) = run_as(id, false, make) {
        let job = Job::with_task(work, new_waker(id));
        with(|run| run.tasks[id].job = Some(job));
    }
    id
}

/// Adds a task that does not wait.
pub(crate) fn add_act(f: impl FnOnce() + 'static) -> TaskId {
    add(|| act(f))
}

/// Adds a task that opens the gate, even if there is a panic before.
pub(crate) fn add_opener() -> TaskId {
    add_act(|| in_destructor(open_gate))
}

fn open_gate() {
    let gate = with(|run| Arc::clone(&run.gate));
    gate.set();
    if let Some(waker) = gate.take_waker() {
        waker.wake();
    }
}

/// Returns what the executor polls the task `id` with from now on.
fn new_waker(id: TaskId) -> Arc<Task> {
    let waker = Task::on_each(move |op| point_of(Kind::Waker(op), Some(id)));
    with(|run| run.tasks[id].wakers.push(Arc::clone(&waker)));
    waker
}

/// Moves a task that sleeps to another waker. Its older wakers no longer have an effect.
pub(crate) fn move_task(id: TaskId) {
    let waker = new_waker(id);
    with(|run| {
        if let Some(job) = &mut run.tasks[id].job {
            job.move_to(waker);
        }
    });
}

/// Drops a task, unless it has ended.
pub(crate) fn cancel(id: TaskId) {
    with(|run| run.tasks[id].is_cancelled |= run.tasks[id].job.is_some());
    end(id);
}

fn end(id: TaskId) {
    let job = with(|run| run.tasks[id].job.take());
    run_as(id, true, || drop(job));
}

/// Polls a task that is new or was woken, and otherwise returns `false`.
fn poll(id: TaskId) -> bool {
    let Some(mut job) = with(|run| run.tasks[id].job.take_if(|job| job.is_queued())) else {
        return false;
    };
    let must_cancel = || with(|run| run.point(Kind::Step, None).is_some());
    let must_cancel_it = run_as(id, false, || {
        must_cancel() || {
            job.poll();
            !job.is_done() && must_cancel()
        }
    });
    let has_ended = job.is_done() || must_cancel_it.is_none();
    with(|run| run.tasks[id].job = Some(job));
    if has_ended {
        end(id);
    } else if must_cancel_it == Some(true) {
        cancel(id);
    }
    true
}

/// Polls the tasks that were woken, in rounds, until all tasks sleep. Records it as wrong if tasks are woken forever.
pub(crate) fn run() {
    const PATIENCE: usize = 6;

    let mut rounds_in_vain = 0;
    loop {
        let before = present();
        let tasks = 0..with(|run| run.tasks.len());
        let polled: Vec<TaskId> = tasks.filter(|id| poll(*id)).collect();
        if polled.is_empty() {
            return;
        }
        if present() != before {
            rounds_in_vain = 0;
        } else if rounds_in_vain == PATIENCE {
            return with(|run| run.wrong.push(Wrong::Spinning(polled)));
        }
        rounds_in_vain += 1;
    }
}

/// Returns the tasks that have not ended.
pub(crate) fn present() -> Vec<TaskId> {
    with(|run| {
        let tasks = 0..run.tasks.len();
        tasks.filter(|id| run.tasks[*id].job.is_some()).collect()
    })
}

/// Runs the tasks until they sleep. Then opens the gate, in case no task has opened it, and runs them again. Then checks that no
/// task sleeps that should run, and that the tasks that `add` adds end, and with them all others.
pub(crate) fn run_to_end<R>(has_value: impl Fn() -> bool, add: impl FnOnce() -> R) {
    run();
    without_points(open_gate);
    run();
    check_asleep(has_value());
    without_points(|| {
        add();
        run();
        check_asleep(true);
        cancel_all();
    });
}

/// Drops the tasks that have not ended.
pub(crate) fn cancel_all() {
    present().into_iter().for_each(cancel);
    check_wakers();
}

/// A value that tasks borrow. The scenario takes it back after the end of all tasks.
pub(crate) struct Lent<T: 'static>(*mut T);

impl<T> Lent<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Box::into_raw(Box::new(value)))
    }

    pub(crate) fn get(&self) -> &'static T {
        // SAFETY: it is freed by `take`, when no task borrows it.
        unsafe { &*self.0 }
    }

    pub(crate) fn get_mut(&mut self) -> &'static mut T {
        assert!(present().is_empty(), "a task still borrows the value");
        // SAFETY: as in `get`. No task borrows it.
        unsafe { &mut *self.0 }
    }

    pub(crate) fn take(self) -> T {
        assert!(present().is_empty(), "a task still borrows the value");
        // SAFETY: `new` has made the pointer, and no task borrows the value.
        *unsafe { Box::from_raw(self.0) }
    }
}
