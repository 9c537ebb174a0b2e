//! Initializers that run in a task of their own.

use oncelot::{Backend, runtime::OnceCellExt};

use crate::{
    cells::{INITS, Operation, Role, check_result},
    shared::check_shared,
    tasks::{Spawner, job},
    user::{ERROR, Init, VALUE, Value},
};

pub(crate) fn operations<B: Backend<Waiter: Send> + Send + Sync + 'static>() -> Vec<Operation<B>> {
    let mut operations = vec![Operation::new(
        "get_or_init_spawned_blocking",
        Role::Leader,
        |cell| {
            job(
                cell.get_or_init_spawned_blocking(Spawner, Init::blocking_value()),
                Value::see,
            )
        },
    )];
    for init in [VALUE, ERROR] {
        let name = format!("get_or_try_init_spawned_blocking of {init:?}");
        operations.push(Operation::new(name, Role::Leader, move |cell| {
            job(
                cell.get_or_try_init_spawned_blocking(Spawner, init.blocking()),
                check_result,
            )
        }));
    }
    for init in INITS {
        let role = Role::of(init);
        let name = format!("get_or_try_init_spawned of {init:?}");
        operations.push(Operation::new(name, role, move |cell| {
            job(
                cell.get_or_try_init_spawned(Spawner, init.fallible()),
                check_result,
            )
        }));
        let name = format!("get_or_try_init_shared_spawned of {init:?}");
        operations.push(Operation::new(name, role, move |cell| {
            job(
                cell.get_or_try_init_shared_spawned(Spawner, init.fallible()),
                check_shared,
            )
        }));
        if !init.fails() {
            let name = format!("get_or_init_spawned of {init:?}");
            operations.push(Operation::new(name, role, move |cell| {
                job(cell.get_or_init_spawned(Spawner, init.infallible()), Value::see)
            }));
        }
    }
    operations
}
