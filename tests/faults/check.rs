//! What must hold in each run, whichever call has panicked and whichever task was cancelled.
//!
//! During the run, [`require`](crate::run::require) states the rest: all tasks see the same value, and each initializer holds the
//! claim until it is dropped.

use crate::{
    backends::Exception,
    run::{Kind, Panic, Point, Run, Sort, TaskId, with, without_points},
    util::Op,
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

/// Checks a run that has ended. Returns what was wrong and is not excused, and the exceptions that were needed.
pub(crate) fn check(run: &Run, exceptions: &[Exception]) -> (Vec<Wrong>, Vec<usize>) {
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
    // Each injected panic has reached the task that the documentation names, once.
    for &number in &run.plan.faults {
        let point = run.points.get(number);
        let Some(point) = point.filter(|point| !point.aborts && point.kind != Kind::Step) else {
            continue;
        };
        let caught = run.caught.iter();
        let reached = caught.filter(|(_, panic)| *panic == Panic::Injected(number));
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
        let mut exceptions = exceptions.iter();
        let exception = exceptions.position(|exception| (exception.1)(run, wrong));
        excused_by.extend(exception);
        exception.is_none()
    });
    (wrong, excused_by)
}

/// Returns the tasks that the panic of a point may reach. This is the running task, except as the documentation says.
fn receivers(run: &Run, number: usize, point: &Point) -> Vec<Option<TaskId>> {
    if point.is_unwinding {
        // The contract: "the first panic propagates". `Lazy`: "With the feature `std`, a panic of its destructor is discarded."
        return vec![None];
    }
    let task = Some(point.context.task);
    let spawner = run.tasks[point.context.task].spawned_by;
    let Some(spawner) = spawner.filter(|_| !point.context.is_dropping) else {
        return vec![task];
    };
    // The task of an initializer itself sends the result to the task that has spawned it.
    let is_report = point.kind == Kind::Waker(Op::Wake) && point.waker_of == Some(spawner);
    let mut caught = run.caught.iter();
    let caller_has_ended = run.tasks[spawner].is_cancelled
        || caught.any(|(task, panic)| *task == spawner && *panic != Panic::Injected(number));
    match point.kind {
        _ if is_report => vec![task],
        // "A panic in the initializer is resumed in the caller that started it."
        _ if !caller_has_ended => vec![Some(spawner)],
        // The result, with an error that no caller has taken.
        Kind::Drop(Sort::Error) => vec![task, None],
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

/// Returns whether the panic of a poisoned `Lazy` has reached a task.
pub(crate) fn has_found_poison(task: TaskId) -> bool {
    with(|run| {
        let is_poison = |panic: &Panic| matches!(panic, Panic::Own(message) if is_poison(message));
        let mut caught = run.caught.iter();
        caught.any(|(caller, panic)| *caller == task && is_poison(panic))
    })
}

/// Checks, when all tasks sleep, that none of them should run, and that no waker of a task that has ended is left.
pub(crate) fn check_asleep(has_value: bool) {
    with(|run| {
        let tasks = run.tasks.iter().enumerate();
        let must_run = tasks.filter(|(_, task)| task.job.is_some() && (has_value || !task.waits_for_value));
        let asleep: Vec<TaskId> = must_run.map(|(id, _)| id).collect();
        if !asleep.is_empty() {
            run.wrong.push(Wrong::Asleep(asleep));
        }
    });
    check_wakers();
}

/// Checks that no waker of a task that has ended is left, except the waker in the gate, which this function drops.
pub(crate) fn check_wakers() {
    let waker = with(|run| run.gate.take_waker());
    without_points(|| drop(waker));
    with(|run| {
        for (id, task) in run.tasks.iter().enumerate() {
            let wakers: usize = task.wakers.iter().map(|task| task.wakers()).sum();
            if task.job.is_none() && wakers != 0 {
                let property = format!("{wakers} wakers of task {id} are left after its end");
                run.wrong.push(Wrong::Broken(property));
            }
        }
    });
}
