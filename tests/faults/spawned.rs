//! Initializers that run in a task of their own.

use std::sync::Arc;

use oncelot::{Backend, runtime::OnceCellExt};

use crate::{
    cells::{Cell, INITS, Operation, check_result},
    run::{current, with},
    shared::check_shared,
    tasks::{Job, Spawner, job},
    user::{ERROR, Init, Ready, VALUE, Value},
};

pub(crate) fn operations<B: Backend<Waiter: Send> + Send + Sync + 'static>() -> Vec<Operation<B>> {
    let mut operations = vec![operation(
        "get_or_init_spawned_blocking".to_owned(),
        true,
        |cell| {
            job(
                cell.get_or_init_spawned_blocking(Spawner, Init::blocking_value()),
                Value::see,
            )
        },
    )];
    for init in [VALUE, ERROR] {
        let name = format!("get_or_try_init_spawned_blocking of {init:?}");
        operations.push(operation(name, true, move |cell| {
            job(
                cell.get_or_try_init_spawned_blocking(Spawner, init.blocking()),
                check_result,
            )
        }));
    }
    for init in INITS {
        let can_lead = init.ready != Ready::AtOnce;
        let name = format!("get_or_try_init_spawned of {init:?}");
        operations.push(operation(name, can_lead, move |cell| {
            job(
                cell.get_or_try_init_spawned(Spawner, init.fallible()),
                check_result,
            )
        }));
        let name = format!("get_or_try_init_shared_spawned of {init:?}");
        operations.push(operation(name, can_lead, move |cell| {
            job(
                cell.get_or_try_init_shared_spawned(Spawner, init.fallible()),
                check_shared,
            )
        }));
        if !init.fails {
            let name = format!("get_or_init_spawned of {init:?}");
            operations.push(operation(name, can_lead, move |cell| {
                job(cell.get_or_init_spawned(Spawner, init.infallible()), Value::see)
            }));
        }
    }
    operations
}

fn operation<B: Backend>(
    name: String,
    can_lead: bool,
    start: impl for<'a> Fn(&'a Arc<Cell<B>>) -> Job<'a> + 'static,
) -> Operation<B> {
    let operation = Operation::new(name, move |cell| {
        let task = current();
        with(|run| run.tasks[task].is_async = true);
        start(cell)
    });
    operation.leads_if(can_lead)
}
