//! Operations on a shared cell, by themselves and with other tasks; and operations that need `&mut`.

use std::{sync::Arc, time::Duration};

use oncelot::{Backend, OnceCell, SetError};

use crate::{
    Runner,
    check::check_tasks,
    run::{self, Order, TaskId, as_owner, in_destructor, record, require, without_points},
    tasks::{Job, Tasks, act, job, open_gate, order},
    user::{ERROR, Error, Init, Ready, VALUE, Value},
};

pub(crate) type Cell<B> = OnceCell<Value, B>;

/// What one task does to the cell.
pub(crate) struct Operation<B: Backend> {
    name: String,
    role: Role,
    start: Start<B>,
}

type Start<B> = Box<dyn for<'a> Fn(&'a Arc<Cell<B>>) -> Job<'a>>;

/// Which scenarios an operation is in besides those that all operations are in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Other tasks wait for its initializer.
    Leader,
    /// It is in a crowd.
    InCrowd,
    Other,
}

impl<B: Backend> Operation<B> {
    pub(crate) fn new(
        name: impl Into<String>,
        role: Role,
        start: impl for<'a> Fn(&'a Arc<Cell<B>>) -> Job<'a> + 'static,
    ) -> Self {
        let (name, start) = (name.into(), Box::new(start));
        Self { name, role, start }
    }

    /// Returns an operation that is run with an initializer.
    pub(crate) fn with(
        init: Init,
        name: &str,
        start: impl for<'a> Fn(&'a Arc<Cell<B>>, Init) -> Job<'a> + 'static,
    ) -> Self {
        let role = match init.ready() {
            Ready::AtOnce => Role::Other,
            Ready::Later | Ready::AtGate => Role::Leader,
        };
        Self::new(format!("{name} of {init:?}"), role, move |cell| start(cell, init))
    }
}

/// The initializers that operations are run with.
pub(crate) const INITS: [Init; 5] = [
    VALUE,
    Init::Value(Ready::Later),
    Init::Value(Ready::AtGate),
    ERROR,
    Init::Error(Ready::AtGate),
];

fn wait<B: Backend>() -> Operation<B> {
    Operation::new("wait", Role::Other, |cell| {
        record(|task| task.waits_for_value = true);
        job(cell.wait(), Value::see)
    })
}

fn insert<B: Backend>() -> Operation<B> {
    Operation::new("insert", Role::InCrowd, |cell| {
        let value = Value::value();
        let id = value.id();
        job(cell.insert(value), move |inserted| check_inserted(inserted, id))
    })
}

fn get_or_init<B: Backend>(init: Init) -> Operation<B> {
    Operation::with(init, "get_or_init", |cell, init| {
        job(cell.get_or_init(init.infallible()), Value::see)
    })
}

fn get_or_try_init<B: Backend>(init: Init) -> Operation<B> {
    Operation::with(init, "get_or_try_init", |cell, init| {
        job(cell.get_or_try_init(init.fallible()), check_result)
    })
}

fn wait_timeout<B: Backend>() -> Operation<B> {
    Operation::new("wait_timeout", Role::Other, |cell| {
        let wait = || cell.wait_timeout(Duration::from_nanos(1));
        act(move || wait().into_iter().for_each(Value::see))
    })
}

pub(crate) fn operations<B: Backend + 'static>() -> Vec<Operation<B>> {
    let mut operations = vec![
        wait(),
        insert(),
        wait_timeout(),
        Operation::new("set", Role::Other, |cell| {
            let value = Value::value();
            act(move || set(cell, value))
        }),
        Operation::new("set in a destructor", Role::Other, |cell| {
            let value = Value::value();
            act(move || in_destructor(move || set(cell, value)))
        }),
        Operation::new("try_insert", Role::Other, |cell| {
            let value = Value::value();
            let id = value.id();
            act(move || check_set(cell.try_insert(value).map(Value::see), id))
        }),
        Operation::new("try_get_or_init", Role::Other, |cell| {
            let init = Init::blocking_value();
            act(move || cell.try_get_or_init(init).into_iter().for_each(Value::see))
        }),
    ];
    operations.extend(INITS.map(get_or_try_init));
    let infallible = INITS.into_iter().filter(|init| !init.fails());
    operations.extend(infallible.map(get_or_init));
    operations
}

/// What other tasks do to the cell.
#[derive(Debug, Clone, Copy)]
enum Others {
    Nothing,
    /// The cell has its value already.
    HaveSetIt,
    /// Two tasks wait for the value of an empty cell.
    Wait,
    /// The operation comes first, and the other tasks wait for its initializer.
    Follow,
    /// An initializer runs, with waiters of both kinds before and behind the operation, some of which move to other tasks.
    Initialize(End),
    /// An initializer runs, with so many waiters that they are woken in several batches.
    Crowd(End),
}

/// How the initializer of the other tasks ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Value,
    Error,
    Cancelled,
}

const OTHERS: [Others; 10] = [
    Others::Nothing,
    Others::HaveSetIt,
    Others::Wait,
    Others::Follow,
    Others::Initialize(End::Value),
    Others::Initialize(End::Error),
    Others::Initialize(End::Cancelled),
    Others::Crowd(End::Value),
    Others::Crowd(End::Error),
    Others::Crowd(End::Cancelled),
];

/// What is done to the cell in the end.
#[derive(Debug, Clone, Copy)]
enum Last {
    Drop,
    Take,
    IntoInner,
    Clone,
    Eq,
    Debug,
}

/// Runs each operation with each kind of other tasks.
pub(crate) fn run<B: Backend + 'static>(runner: &mut Runner, operations: Vec<Operation<B>>) {
    for operation in operations {
        let fits = |others: &Others| match others {
            Others::Follow => operation.role == Role::Leader,
            Others::Crowd(_) => operation.role == Role::InCrowd,
            _ => true,
        };
        for others in OTHERS.into_iter().filter(fits) {
            run_one(runner, &operation, others, Last::Drop);
        }
    }
}

/// Runs some operations with each end of a cell.
pub(crate) fn run_ends<B: Backend + 'static>(runner: &mut Runner) {
    for last in [Last::Take, Last::IntoInner, Last::Clone, Last::Eq, Last::Debug] {
        run_one::<B>(runner, &wait(), Others::HaveSetIt, last);
        run_one::<B>(runner, &wait_timeout(), Others::Nothing, last);
        run_one::<B>(runner, &get_or_init(VALUE), Others::Nothing, last);
        run_one::<B>(runner, &insert(), Others::Initialize(End::Error), last);
    }
}

fn run_one<B: Backend + 'static>(runner: &mut Runner, operation: &Operation<B>, others: Others, last: Last) {
    let name = format!("{}, others: {others:?}, last: {last:?}", operation.name);
    runner.scenario(&name, || scenario(operation, others, last));
}

/// Runs one task that waits.
#[cfg(unix)]
pub(crate) fn wait_alone<B: Backend + 'static>() {
    scenario::<B>(&wait(), Others::Nothing, Last::Drop);
}

fn scenario<B: Backend + 'static>(operation: &Operation<B>, others: Others, last: Last) {
    let cell = Arc::new(match others {
        Others::HaveSetIt => Cell::<B>::with_backend_and_value(Value::value()),
        _ => Cell::<B>::with_backend(),
    });
    watch_claim(&cell);
    let mut tasks = Tasks::new();
    others.add(&mut tasks, &cell, operation);
    tasks.run();
    check_tasks(tasks, cell.initialized(), |tasks| {
        tasks.add(|| (wait().start)(&cell));
        tasks.add(|| (get_or_init(VALUE).start)(&cell));
    });
    require(cell.initialized(), "the cell is usable after a fault");
    match Arc::into_inner(cell) {
        Some(cell) => last.apply(cell),
        None => require(false, "nothing holds the cell in the end"),
    }
}

impl Others {
    fn add<'a, B: Backend + 'static>(
        self,
        tasks: &mut Tasks<'a>,
        cell: &'a Arc<Cell<B>>,
        operation: &Operation<B>,
    ) {
        let mut add = |operations: &[&Operation<B>]| -> Vec<TaskId> {
            let add = |operation: &&Operation<B>| tasks.add(|| (operation.start)(cell));
            operations.iter().map(add).collect()
        };
        let (wait, insert, claim, fail) = (&wait(), &insert(), &get_or_init(VALUE), &get_or_try_init(ERROR));
        let claim_later = &get_or_init(Init::Value(Ready::Later));
        let open_gate = &Operation::new("", Role::Other, |_| open_gate());
        let initializer = match self {
            Self::Initialize(End::Error) | Self::Crowd(End::Error) => Some(Init::Error(Ready::AtGate)),
            Self::Initialize(_) | Self::Crowd(_) => Some(Init::Value(Ready::AtGate)),
            _ => None,
        };
        let initializer = initializer.map(|init| add(&[&get_or_try_init(init)])[0]);
        match self {
            Self::Nothing | Self::HaveSetIt => drop(add(&[operation])),
            Self::Wait => drop(add(&[wait, wait, operation])),
            Self::Follow => drop(add(&[operation, claim_later, wait, insert, open_gate])),
            Self::Initialize(_) => {
                for &task in &add(&[fail, wait, operation, wait, claim])[..3] {
                    add(&[&Operation::new("", Role::Other, move |_| {
                        order(Order::Move(task))
                    })]);
                }
            }
            Self::Crowd(_) => {
                add(&[[wait, claim]; 9].concat());
                add(&[operation]);
                add(&[fail; 9]);
            }
        }
        if let Some(initializer) = initializer {
            let cancel = Operation::new("", Role::Other, move |_| order(Order::Cancel(initializer)));
            let end: &Operation<B> = match self {
                Self::Initialize(End::Cancelled) | Self::Crowd(End::Cancelled) => &cancel,
                _ => open_gate,
            };
            add(&[end]);
        }
    }
}

impl Last {
    fn apply<B: Backend>(self, mut cell: Cell<B>) {
        let is_ready = cell.initialized();
        match self {
            Self::Drop => {}
            Self::Take => {
                let taken = as_owner(|| cell.take()).flatten();
                require(
                    taken.is_some() == is_ready && !cell.initialized(),
                    "`take` returns the value",
                );
                as_owner(|| drop(taken));
                let again = without_points(|| cell.set(Value::value()));
                require(again.is_ok(), "the cell is usable after `take`");
            }
            Self::IntoInner => {
                let value = as_owner(|| cell.into_inner()).flatten();
                require(value.is_some() == is_ready, "`into_inner` returns the value");
                as_owner(|| drop(value));
                return;
            }
            Self::Clone => {
                if let Some(clone) = as_owner(|| cell.clone()) {
                    require(
                        clone.initialized() == is_ready,
                        "a clone has a value if the cell has",
                    );
                    as_owner(|| drop(clone));
                }
                require(cell.initialized() == is_ready, "`clone` does not change the cell");
            }
            Self::Eq => {
                let same = without_points(|| cell.clone());
                let is_equal = as_owner(|| cell == same);
                require(is_equal != Some(false), "cells of equal values are equal");
                as_owner(|| drop(same));
            }
            Self::Debug => {
                let text = as_owner(|| format!("{cell:?}"));
                require(
                    text.is_none_or(|text| text == "OnceCell(Value)"),
                    "`Debug` shows the value",
                );
            }
        }
        as_owner(|| drop(cell));
    }
}

/// Makes this thread check the claim of the cell whenever a part of an initializer runs.
pub(crate) fn watch_claim<B: Backend + 'static>(cell: &Arc<Cell<B>>) {
    let cell = Arc::downgrade(cell);
    run::watch_claim(move || {
        // If the cell is not claimed, this may set a value, but the run has failed anyway.
        let is_claimed = |cell: Arc<Cell<B>>| {
            let set = cell.set(Value::value());
            set.is_err_and(|error| error.is_initializing_err())
        };
        cell.upgrade().is_none_or(is_claimed)
    });
}

/// Checks that the result is a value of any initializer, or the caller's own error.
pub(crate) fn check_result(result: Result<&Value, Error>) {
    match result {
        Ok(value) => value.see(),
        Err(error) => require(error.is_own(), "an error is returned to its own caller"),
    }
}

pub(crate) fn check_inserted(inserted: Result<&Value, (&Value, Value)>, id: usize) {
    match inserted {
        Ok(value) => {
            value.see();
            require(value.id() == id, "the value is the inserted one");
        }
        Err((present, value)) => {
            present.see();
            require(value.id() == id, "a refused value is returned");
        }
    }
}

fn set<B: Backend>(cell: &Cell<B>, value: Value) {
    let id = value.id();
    check_set(cell.set(value), id);
}

fn check_set(set: Result<(), SetError<Value>>, id: usize) {
    if let Err(error) = set {
        require(error.into_inner().id() == id, "a refused value is returned");
    }
}
