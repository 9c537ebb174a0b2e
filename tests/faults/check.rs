//! The check after a run.

use crate::{
    backends::Exception,
    run::{self, Kind, Panic, Point, Run, Sort, TaskId, with, without_points},
    tasks::Tasks,
};

/// What was wrong in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// These tasks would sleep forever.
    Asleep(Vec<TaskId>),
    /// These tasks are polled forever, and make no progress.
    Spinning(Vec<TaskId>),
    /// The crate has panicked by itself.
    Panicked(TaskId, String),
    /// This property does not hold.
    Broken(String),
}

/// States what must hold after each run, whatever has panicked or was cancelled.
///
/// Returns what does not hold and is not excused, and the exceptions that were needed.
pub(crate) fn check(run: &Run, exceptions: &[Exception]) -> (Vec<Wrong>, Vec<usize>) {
    // During the run, `run.wrong` was filled by `check_tasks`, which finds tasks that sleep forever and cells that are
    // not usable; by the executor, which finds tasks that are polled forever; and by `require`: all tasks have seen the same
    // value, each initializer has held the claim until it was dropped, and each operation has returned what it should.
    let mut wrong = run.wrong.clone();
    let mut require = |holds: bool, property: String| {
        if !holds {
            wrong.push(Wrong::Broken(property));
        }
    };
    // Each value, error, closure, future and panic was dropped once.
    for &(sort, drops) in &run.things {
        let is_leaked = drops == 0 && sort == Sort::LazyFuture && run.may_leak_future;
        require(
            drops == 1 || is_leaked,
            format!("a {sort:?} was dropped {drops} times"),
        );
    }
    // Each waker was dropped once, or used up by a wake.
    for wakers in &run.wakers {
        let leaked = format!("{} wakers of task {} were leaked", wakers.live, wakers.task);
        require(wakers.live == 0, leaked);
    }
    // Each injected panic has reached the task that the documentation names, once.
    for &number in &run.plan.panics {
        let Some(point) = run.points.get(number).filter(|point| !point.aborts) else {
            continue;
        };
        let reached = run
            .caught
            .iter()
            .filter(|(_, panic)| *panic == Panic::Injected(number));
        let reached: Vec<TaskId> = reached.map(|(task, _)| *task).collect();
        let allowed = receivers(run, number, point);
        require(
            allowed.iter().any(|task| reached.iter().copied().eq(*task)),
            format!("the panic of point {number} has reached {reached:?}, and not {allowed:?}"),
        );
    }
    // There was no other panic.
    for (task, panic) in &run.caught {
        match panic {
            Panic::Own(message) if !may_panic(run, *task, message) => {
                wrong.push(Wrong::Panicked(*task, message.clone()));
            }
            _ => {}
        }
    }
    let mut excused_by = Vec::new();
    wrong.retain(|wrong| {
        let exception = exceptions
            .iter()
            .position(|exception| (exception.excuses)(run, wrong));
        excused_by.extend(exception);
        exception.is_none()
    });
    (wrong, excused_by)
}

/// Returns the tasks that the panic of a point may reach. This is the running task, except as the documentation says.
fn receivers(run: &Run, number: usize, point: &Point) -> Vec<Option<TaskId>> {
    if point.is_unwinding {
        // "The first panic propagates; later panics are discarded"; and "with `std`, a panic in its destructor is
        // discarded".
        return vec![None];
    }
    let spawner = run.tasks.get(point.task).and_then(|task| task.spawned_by);
    let Some(spawner) = spawner.filter(|_| !point.is_dropping) else {
        return vec![Some(point.task)];
    };
    // In the task of an initializer, which itself sends the result to the task that has spawned it.
    if point.kind == Kind::Wake && point.waker_of == Some(spawner) {
        return vec![Some(point.task)];
    }
    let mut caught = run.caught.iter();
    let has_ended = run.tasks[spawner].is_cancelled
        || caught.any(|(task, panic)| *task == spawner && *panic != Panic::Injected(number));
    if !has_ended {
        // "A panic in the initializer is resumed in the caller that started it."
        return vec![Some(spawner)];
    }
    match point.kind {
        // The result, with an error that no caller has taken.
        Kind::Drop(Sort::Error) => vec![Some(point.task), None],
        // If the caller was cancelled, only the panic hook sees the panic.
        _ => vec![None],
    }
}

/// Returns whether the crate may panic with this message.
fn may_panic(run: &Run, caller: TaskId, message: &str) -> bool {
    let is_lost = message.starts_with("the runtime dropped a spawned initializer before it completed");
    let mut tasks = run.tasks.iter();
    is_poison(message) && run.is_poisoned
        || is_lost && tasks.any(|task| task.is_cancelled && task.spawned_by == Some(caller))
}

fn is_poison(message: &str) -> bool {
    message.contains("is poisoned: its future panicked")
}

/// Returns whether a task has had the panic of a poisoned `Lazy`.
pub(crate) fn has_found_poison(task: TaskId) -> bool {
    with(|run| {
        let is_poison = |panic: &Panic| matches!(panic, Panic::Own(message) if is_poison(message));
        run.caught
            .iter()
            .any(|(caller, panic)| *caller == task && is_poison(panic))
    })
}

/// Checks that no task sleeps that should run, and that no task that has ended has a waker left. Then checks that the new
/// tasks of `add` end, and with them all others.
pub(crate) fn check_tasks<'a>(mut tasks: Tasks<'a>, has_value: bool, add: impl FnOnce(&mut Tasks<'a>)) {
    let present = tasks.present();
    let must_run = |task: &TaskId| has_value || with(|run| !run.tasks[*task].waits_for_value);
    let asleep: Vec<TaskId> = present.iter().copied().filter(must_run).collect();
    if !asleep.is_empty() {
        run::wrong(Wrong::Asleep(asleep));
    }
    let left = with(|run| {
        let left = run.wakers.iter().filter(|wakers| wakers.live != 0);
        left.map(|wakers| wakers.task)
            .find(|task| !present.contains(task))
    });
    run::require(left.is_none(), "a task that has ended has no wakers left");
    without_points(|| {
        add(&mut tasks);
        tasks.run();
        let present = tasks.present();
        if !present.is_empty() {
            run::wrong(Wrong::Asleep(present));
        }
        tasks.cancel_all();
    });
    check_wakers();
}

/// Checks that no wakers are left when all tasks have ended, except that of the gate.
pub(crate) fn check_wakers() {
    crate::user::gate::drop_waker();
    let live: i32 = with(|run| run.wakers.iter().map(|wakers| wakers.live).sum());
    run::require(live == 0, "no wakers are left when no task waits");
}
