//! Scenarios of a shared cell: each operation, by itself and with other tasks; and of a cell that is borrowed exclusively.

use std::{rc::Rc, sync::Arc, time::Duration};

use oncelot::{Backend, OnceCell, backend::State, runtime::OnceCellExt};

use crate::{
    Runner,
    run::{
        Lent, TaskId, Work, act, add, add_act, add_opener, as_owner, cancel, in_destructor, job, move_task,
        require, run_to_end, with, without_points,
    },
    user::{ERROR, Init, Ready, Spawner, VALUE, Value},
};

type Cell<B> = OnceCell<Value, B>;

/// The cell of a scenario, which the scenario takes back after the end of its tasks.
type CellRef<B> = &'static Arc<Cell<B>>;

/// An operation: its name, the initializers that it is run with, and what its task does.
type Operation<B> = (&'static str, &'static [Init], fn(CellRef<B>, Init) -> Work);

/// The initializers of an operation that takes none, or only one that is ready with a value.
const ONE: &[Init] = &[VALUE];
const RESULTS: &[Init] = &[VALUE, ERROR];
const FUTURES: &[Init] = &[VALUE, LATER, VALUE_AT_GATE];
const FUTURE_RESULTS: &[Init] = &[VALUE, LATER, VALUE_AT_GATE, ERROR, ERROR_AT_GATE];

const LATER: Init = Init::new(false, Ready::Later);
const ERROR_LATER: Init = Init::new(true, Ready::Later);
const VALUE_AT_GATE: Init = Init::new(false, Ready::AtGate);
const ERROR_AT_GATE: Init = Init::new(true, Ready::AtGate);

/// Returns the operations that every backend has, and that do not block.
fn that_do_not_block<B: Backend + 'static>() -> Vec<Operation<B>> {
    vec![
        ("wait", ONE, |cell, _| wait(cell)),
        ("wait_attempt", ONE, |cell, _| job(cell.wait_attempt(), see)),
        ("wait_timeout", ONE, |cell, _| {
            act(|| see(cell.wait_timeout(Duration::from_nanos(1))))
        }),
        ("insert", ONE, |cell, _| insert(cell)),
        ("get_or_init", FUTURES, get_or_init),
        ("get_or_try_init", FUTURE_RESULTS, get_or_try_init),
        ("get_or_try_init_shared", FUTURE_RESULTS, |cell, init| {
            let value = cell.get_or_try_init_shared(init.future(Init::result));
            job(value, see_ok)
        }),
        ("set in a destructor", ONE, |cell, _| {
            let value = Value::value();
            act(|| in_destructor(|| drop(cell.set(value))))
        }),
        ("try_insert", ONE, |cell, _| {
            let value = Value::value();
            act(|| see(cell.try_insert(value).ok()))
        }),
        ("try_get_or_init", ONE, |cell, init| {
            let init = init.blocking(Init::value);
            act(|| see(cell.try_get_or_init(init).ok()))
        }),
        ("try_claim and set", ONE, |cell, _| {
            let value = Value::value();
            act(|| see(cell.try_claim().ok().map(|guard| guard.set(value))))
        }),
        ("try_claim and drop in a destructor", ONE, |cell, _| {
            act(|| in_destructor(|| drop(cell.try_claim())))
        }),
        ("get_or_claim and set", ONE, |cell, _| {
            let value = Value::value();
            job(cell.get_or_claim(), |claimed| {
                claimed.unwrap_or_else(|guard| guard.set(value)).see();
            })
        }),
    ]
}

/// Returns the operations that block their thread, unless they find a value or initialize the cell at once.
fn that_block<B: Backend + 'static>() -> Vec<Operation<B>> {
    vec![
        ("insert_blocking", ONE, |cell, _| {
            let value = Value::value();
            act(move || see_present(cell.insert_blocking(value)))
        }),
        ("get_or_try_init_blocking", RESULTS, |cell, init| {
            let init = init.blocking(Init::result);
            act(|| see_ok(cell.get_or_try_init_blocking(init)))
        }),
    ]
}

/// Returns the operations whose initializer runs in a task of its own.
fn that_spawn<B: Backend<Waiter: Send> + Send + Sync + 'static>() -> Vec<Operation<B>> {
    vec![
        ("get_or_init_spawned", FUTURES, |cell, init| {
            let init = init.future(Init::value);
            job(cell.get_or_init_spawned(Spawner, init), Value::see)
        }),
        ("get_or_try_init_spawned", FUTURE_RESULTS, |cell, init| {
            let init = init.future(Init::result);
            job(cell.get_or_try_init_spawned(Spawner, init), see_ok)
        }),
        ("get_or_try_init_shared_spawned", FUTURE_RESULTS, |cell, init| {
            let init = init.future(Init::result);
            job(cell.get_or_try_init_shared_spawned(Spawner, init), see_ok)
        }),
        ("get_or_try_init_spawned_blocking", RESULTS, |cell, init| {
            let value = cell.get_or_try_init_spawned_blocking(Spawner, init.blocking(Init::result));
            job(value, see_ok)
        }),
    ]
}

fn wait<B: Backend>(cell: CellRef<B>) -> Work {
    with(|run| run.tasks[run.context.task].waits_for_value = true);
    job(cell.wait(), Value::see)
}

fn insert<B: Backend>(cell: CellRef<B>) -> Work {
    job(cell.insert(Value::value()), see_present)
}

fn get_or_init<B: Backend>(cell: CellRef<B>, init: Init) -> Work {
    job(cell.get_or_init(init.future(Init::value)), Value::see)
}

fn get_or_try_init<B: Backend>(cell: CellRef<B>, init: Init) -> Work {
    job(cell.get_or_try_init(init.future(Init::result)), see_ok)
}

fn see(value: Option<&Value>) {
    value.into_iter().for_each(Value::see);
}

fn see_ok<E>(result: Result<&Value, E>) {
    see(result.ok());
}

fn see_present(inserted: Result<&Value, (&Value, Value)>) {
    inserted.unwrap_or_else(|(present, _)| present).see();
}

/// What other tasks do to the cell.
#[derive(Debug, Clone, Copy)]
enum Others {
    Nothing,
    /// The cell has a value from the beginning.
    HaveSetIt,
    /// Two tasks wait for the value of an empty cell.
    Wait,
    /// The operation comes first, and the other tasks wait for its initializer.
    Follow,
    /// An initializer runs, with waiters of both kinds before and behind the operation, some of which move to other tasks.
    Initialize(Ending),
    /// An initializer runs, with so many waiters that they are woken in several batches.
    Crowd(Ending),
}

/// How the initializer of the other tasks ends.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Value,
    Error,
    Cancelled,
}

const WITHOUT_INITIALIZER: [Others; 4] = [Others::Nothing, Others::HaveSetIt, Others::Wait, Others::Follow];
const ENDINGS: [Ending; 3] = [Ending::Value, Ending::Error, Ending::Cancelled];

/// Runs each operation with each kind of other tasks.
pub(crate) fn run<B: Backend + 'static>(runner: &mut Runner) {
    run_with(runner, &that_do_not_block::<B>(), &WITHOUT_INITIALIZER);
    run_with(
        runner,
        &that_do_not_block::<B>(),
        &ENDINGS.map(Others::Initialize),
    );
    run_with(runner, &that_block::<B>(), &WITHOUT_INITIALIZER);
    let insert: Operation<B> = ("insert", ONE, |cell, _| insert(cell));
    run_with(runner, &[insert], &ENDINGS.map(Others::Crowd));
    run_exclusive::<B>(runner);
}

/// Runs each operation that spawns with each kind of other tasks, except a crowd.
pub(crate) fn run_spawned<B: Backend<Waiter: Send> + Send + Sync + 'static>(runner: &mut Runner) {
    run_with(runner, &that_spawn::<B>(), &WITHOUT_INITIALIZER);
    run_with(runner, &that_spawn::<B>(), &ENDINGS.map(Others::Initialize));
}

fn run_with<B: Backend + 'static>(runner: &mut Runner, operations: &[Operation<B>], all_others: &[Others]) {
    for &(name, inits, start) in operations {
        for &init in inits {
            for &others in all_others {
                let name = format!("{name} of {init:?}, others: {others:?}");
                runner.scenario(&name, || scenario(|cell| start(cell, init), others));
            }
        }
    }
}

fn new_cell<B: Backend>(has_value: bool) -> Cell<B> {
    if has_value {
        Cell::with_backend_and_value(Value::value())
    } else {
        Cell::with_backend()
    }
}

fn scenario<B: Backend + 'static>(start: impl Fn(CellRef<B>) -> Work, others: Others) {
    let lent = Lent::new(Arc::new(new_cell(matches!(others, Others::HaveSetIt))));
    let cell: CellRef<B> = lent.get();
    let watched = Arc::downgrade(cell);
    let is_claimed = move || {
        let cell = watched.upgrade();
        cell.is_none_or(|cell| cell.state() == State::Initializing)
    };
    with(|run| run.is_claimed = Some(Rc::new(is_claimed)));
    add_tasks(cell, start, others);
    run_to_end(
        || cell.initialized(),
        || {
            add(|| wait(cell));
            add(|| get_or_init(cell, VALUE))
        },
    );
    require(cell.initialized(), "the cell is usable after a fault");
    match Arc::into_inner(lent.take()) {
        Some(cell) => take_apart(cell),
        None => require(false, "nothing holds the cell in the end"),
    }
}

/// Adds the tasks of a scenario.
fn add_tasks<B: Backend>(cell: CellRef<B>, start: impl Fn(CellRef<B>) -> Work, others: Others) {
    let add_operation = || add(|| start(cell));
    let add_waiter = || add(|| wait(cell));
    let add_claimant = |init| add(|| get_or_try_init(cell, init));
    match others {
        Others::Nothing | Others::HaveSetIt => {
            add_operation();
        }
        Others::Wait => {
            add_waiter();
            add_waiter();
            add_operation();
        }
        Others::Follow => {
            add_operation();
            add_claimant(LATER);
            add_waiter();
            add(|| insert(cell));
            add_opener();
        }
        Others::Initialize(end) => {
            let initializer = add_claimant(end.init());
            let moving = [add_claimant(ERROR), add_waiter(), add_operation()];
            add_waiter();
            add_claimant(VALUE);
            for task in moving {
                add_act(move || move_task(task));
            }
            end.add(initializer);
        }
        Others::Crowd(end) => {
            let initializer = add_claimant(end.init());
            for _ in 0..9 {
                add_waiter();
                add_claimant(VALUE);
            }
            add_operation();
            for _ in 0..9 {
                add_claimant(ERROR);
            }
            end.add(initializer);
        }
    }
}

impl Ending {
    fn init(self) -> Init {
        match self {
            Self::Error => ERROR_AT_GATE,
            Self::Value | Self::Cancelled => VALUE_AT_GATE,
        }
    }

    /// Adds the task that ends the initializer.
    fn add(self, initializer: TaskId) {
        match self {
            Self::Cancelled => add_act(move || cancel(initializer)),
            Self::Value | Self::Error => add_opener(),
        };
    }
}

/// Calls the methods that borrow the cell exclusively or consume it, and `clone`.
fn take_apart<B: Backend>(mut cell: Cell<B>) {
    if let Some(clone) = as_owner(|| cell.clone()) {
        as_owner(|| drop(clone));
    }
    require(cell.initialized(), "`clone` does not change the cell");
    let taken = as_owner(|| cell.take());
    require(!cell.initialized(), "`take` empties the cell");
    as_owner(|| drop(taken));
    let again = without_points(|| cell.set(Value::value()));
    require(again.is_ok(), "the cell is usable after `take`");
    let value = as_owner(|| cell.into_inner());
    as_owner(|| drop(value));
}

/// Runs the operations that need `&mut`.
fn run_exclusive<B: Backend + 'static>(runner: &mut Runner) {
    for has_value in [false, true] {
        for init in [VALUE, LATER, ERROR, ERROR_LATER] {
            let name = format!("exclusive {init:?}, has a value: {has_value}");
            runner.scenario(&name, || exclusive::<B>(has_value, init));
        }
    }
}

fn exclusive<B: Backend + 'static>(has_value: bool, init: Init) {
    let mut cell = Lent::new(new_cell::<B>(has_value));
    let borrowed = cell.get_mut();
    add(|| {
        if init.fails {
            let value = borrowed.get_mut_or_try_init(init.future(Init::result));
            job(value, |value| see(value.ok().as_deref()))
        } else {
            job(borrowed.get_mut_or_init(init.future(Init::value)), |value| {
                value.see()
            })
        }
    });
    run_to_end(|| true, || {});
    require(
        cell.get().initialized() == (has_value || with(|run| run.seen.is_some())),
        "a call that returns no value leaves the cell empty",
    );
    let borrowed = cell.get_mut();
    without_points(|| {
        add(|| {
            job(borrowed.get_mut_or_init(VALUE.future(Init::value)), |value| {
                value.see()
            })
        });
        run_to_end(|| true, || {});
    });
    require(cell.get().initialized(), "the cell is usable after a fault");
    take_apart(cell.take());
}
