//! Operations on a shared cell, by themselves and with other tasks; and operations that need `&mut`.

use std::{sync::Arc, time::Duration};

use oncelot::{Backend, OnceCell, SetError};

use crate::{
    Runner,
    check::check_tasks,
    run::{self, Order, TaskId, as_owner, in_destructor, require, without_points},
    tasks::{Job, Tasks, act, job, order},
    user::{ERROR, Error, Init, Ready, VALUE, Value, gate},
};

pub(crate) type Cell<B> = OnceCell<Value, B>;

/// What one task does to the cell.
pub(crate) struct Operation<B: Backend> {
    name: String,
    start: Box<dyn for<'a> Fn(&'a Arc<Cell<B>>) -> Job<'a>>,
    /// Whether only a value wakes it.
    waits_for_value: bool,
    /// Whether other tasks can wait for its initializer.
    can_lead: bool,
    /// Whether it is run in a crowd, too.
    joins_crowd: bool,
}

impl<B: Backend> Operation<B> {
    pub(crate) fn new(
        name: impl Into<String>,
        start: impl for<'a> Fn(&'a Arc<Cell<B>>) -> Job<'a> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            start: Box::new(start),
            waits_for_value: false,
            can_lead: false,
            joins_crowd: false,
        }
    }

    pub(crate) fn waits_for_value(self) -> Self {
        Self {
            waits_for_value: true,
            ..self
        }
    }

    pub(crate) fn leads_if(self, can_lead: bool) -> Self {
        Self { can_lead, ..self }
    }

    pub(crate) fn joins_crowd(self) -> Self {
        Self {
            joins_crowd: true,
            ..self
        }
    }

    fn add<'a>(&self, tasks: &mut Tasks<'a>, cell: &'a Arc<Cell<B>>) -> TaskId {
        let start = || (self.start)(cell);
        if self.waits_for_value {
            tasks.add_for_value(start)
        } else {
            tasks.add(start)
        }
    }
}

/// The initializers that an operation is run with.
pub(crate) const INITS: [Init; 5] = [
    VALUE,
    VALUE.ready(Ready::Later),
    VALUE.ready(Ready::AtGate),
    ERROR,
    ERROR.ready(Ready::AtGate),
];

fn wait<B: Backend>() -> Operation<B> {
    Operation::new("wait", |cell| job(cell.wait(), Value::see)).waits_for_value()
}

fn insert<B: Backend>() -> Operation<B> {
    Operation::new("insert", |cell| {
        let value = Value::new();
        let id = value.id();
        job(cell.insert(value), move |inserted| check_inserted(inserted, id))
    })
    .joins_crowd()
}

fn get_or_init<B: Backend>(init: Init) -> Operation<B> {
    let name = format!("get_or_init of {init:?}");
    Operation::new(name, move |cell| {
        job(cell.get_or_init(init.infallible()), Value::see)
    })
    .leads_if(init.ready != Ready::AtOnce)
}

fn get_or_try_init<B: Backend>(init: Init) -> Operation<B> {
    let name = format!("get_or_try_init of {init:?}");
    Operation::new(name, move |cell| {
        job(cell.get_or_try_init(init.fallible()), check_result)
    })
    .leads_if(init.ready != Ready::AtOnce)
}

fn wait_timeout<B: Backend>() -> Operation<B> {
    Operation::new("wait_timeout", |cell| {
        act(|| {
            if let Some(value) = cell.wait_timeout(Duration::from_nanos(1)) {
                value.see();
            }
        })
    })
}

pub(crate) fn operations<B: Backend + 'static>() -> Vec<Operation<B>> {
    let mut operations = vec![
        wait(),
        insert(),
        wait_timeout(),
        Operation::new("set", |cell| {
            let value = Value::new();
            act(move || set(cell, value))
        }),
        Operation::new("set in a destructor", |cell| {
            let value = Value::new();
            act(move || in_destructor(move || set(cell, value)))
        }),
        Operation::new("try_insert", |cell| {
            let value = Value::new();
            act(move || {
                let id = value.id();
                check_set(cell.try_insert(value).map(Value::see), id);
            })
        }),
        Operation::new("try_get_or_init", |cell| {
            let init = Init::blocking_value();
            act(move || {
                if let Ok(value) = cell.try_get_or_init(init) {
                    value.see();
                }
            })
        }),
    ];
    for init in INITS {
        operations.push(get_or_try_init(init));
        if !init.fails {
            operations.push(get_or_init(init));
        }
    }
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

/// Runs each operation with all that others do.
pub(crate) fn run<B: Backend + 'static>(runner: &mut Runner, operations: Vec<Operation<B>>) {
    for operation in operations {
        for others in OTHERS {
            let fits = match others {
                Others::Follow => operation.can_lead,
                Others::Crowd(_) => operation.joins_crowd,
                _ => true,
            };
            if fits {
                run_one(runner, &operation, others, Last::Drop);
            }
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

/// One task waits.
#[cfg(unix)]
pub(crate) fn wait_alone<B: Backend + 'static>() {
    scenario::<B>(&wait(), Others::Nothing, Last::Drop);
}

fn scenario<B: Backend + 'static>(operation: &Operation<B>, others: Others, last: Last) {
    let cell = Arc::new(match others {
        Others::HaveSetIt => Cell::<B>::with_backend_and_value(Value::new()),
        _ => Cell::<B>::with_backend(),
    });
    watch_claim(&cell);
    let mut tasks = Tasks::new();
    others.add(&mut tasks, &cell, operation);
    tasks.run();
    check_tasks(tasks, cell.initialized(), |tasks| {
        tasks.add_for_value(|| job(cell.wait(), Value::see));
        tasks.add(|| job(cell.get_or_init(VALUE.infallible()), Value::see));
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
        let open_gate = |tasks: &mut Tasks<'a>| {
            tasks.add(|| act(gate::open_in_destructor));
        };
        let add_initializer = |tasks: &mut Tasks<'a>, end| {
            let init = match end {
                End::Error => ERROR.ready(Ready::AtGate),
                End::Value | End::Cancelled => VALUE.ready(Ready::AtGate),
            };
            get_or_try_init(init).add(tasks, cell)
        };
        let end_initializer = |tasks: &mut Tasks<'a>, end, initializer| match end {
            End::Value | End::Error => open_gate(tasks),
            End::Cancelled => {
                tasks.add(|| order(Order::Cancel(initializer)));
            }
        };
        match self {
            Self::Nothing | Self::HaveSetIt => {
                operation.add(tasks, cell);
            }
            Self::Wait => {
                wait().add(tasks, cell);
                wait().add(tasks, cell);
                operation.add(tasks, cell);
            }
            Self::Follow => {
                operation.add(tasks, cell);
                get_or_init(VALUE.ready(Ready::Later)).add(tasks, cell);
                wait().add(tasks, cell);
                insert().add(tasks, cell);
                open_gate(tasks);
            }
            Self::Initialize(end) => {
                let initializer = add_initializer(tasks, end);
                let moved = [
                    get_or_try_init(ERROR).add(tasks, cell),
                    wait().add(tasks, cell),
                    operation.add(tasks, cell),
                ];
                wait().add(tasks, cell);
                get_or_init(VALUE).add(tasks, cell);
                for task in moved {
                    tasks.add(|| order(Order::Move(task)));
                }
                end_initializer(tasks, end, initializer);
            }
            Self::Crowd(end) => {
                let initializer = add_initializer(tasks, end);
                for _ in 0..9 {
                    wait().add(tasks, cell);
                    get_or_init(VALUE).add(tasks, cell);
                }
                operation.add(tasks, cell);
                for _ in 0..9 {
                    get_or_try_init(ERROR).add(tasks, cell);
                }
                end_initializer(tasks, end, initializer);
            }
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
                let again = without_points(|| cell.set(Value::new()));
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
            let set = cell.set(Value::new());
            set.is_err_and(|error| error.is_initializing_err())
        };
        cell.upgrade().is_none_or(is_claimed)
    });
}

/// A value of any initializer, or an error of the caller's own.
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
