//! Initializers that run in a task of their own.

use oncelot::{Backend, runtime::OnceCellExt};

use crate::{
    cells::{INITS, Operation, Role, check_result},
    shared::check_shared,
    tasks::{Spawner, job},
    user::{ERROR, Init, VALUE, Value},
};

pub(crate) fn operations<B: Backend<Waiter: Send> + Send + Sync + 'static>() -> Vec<Operation<B>> {
    let name = "get_or_init_spawned_blocking";
    let mut operations = vec![Operation::new(name, Role::Leader, |cell| {
        let value = cell.get_or_init_spawned_blocking(Spawner, Init::blocking_value());
        job(value, Value::see)
    })];
    for init in [VALUE, ERROR] {
        let name = format!("get_or_try_init_spawned_blocking of {init:?}");
        operations.push(Operation::new(name, Role::Leader, move |cell| {
            let value = cell.get_or_try_init_spawned_blocking(Spawner, init.blocking());
            job(value, check_result)
        }));
    }
    for init in INITS {
        operations.push(Operation::with(init, "get_or_try_init_spawned", |cell, init| {
            let value = cell.get_or_try_init_spawned(Spawner, init.fallible());
            job(value, check_result)
        }));
        operations.push(Operation::with(
            init,
            "get_or_try_init_shared_spawned",
            |cell, init| {
                let value = cell.get_or_try_init_shared_spawned(Spawner, init.fallible());
                job(value, check_shared)
            },
        ));
        if !init.fails() {
            operations.push(Operation::with(init, "get_or_init_spawned", |cell, init| {
                job(cell.get_or_init_spawned(Spawner, init.infallible()), Value::see)
            }));
        }
    }
    operations
}
