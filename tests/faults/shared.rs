//! Operations that share the outcome of one attempt.

use oncelot::{Backend, SharedInitError};

use crate::{
    cells::{INITS, Operation, Role, check_result},
    tasks::job,
    user::{Error, Value},
};

pub(crate) fn operations<B: Backend + 'static>() -> Vec<Operation<B>> {
    let mut operations = vec![Operation::new("wait_attempt", Role::Other, |cell| {
        job(cell.wait_attempt(), |value| {
            value.into_iter().for_each(Value::see)
        })
    })];
    for init in INITS {
        operations.push(Operation::with(init, "get_or_try_init_shared", |cell, init| {
            job(cell.get_or_try_init_shared(init.fallible()), check_shared)
        }));
    }
    operations
}

/// Checks that the result is a value, the caller's own error, or `OtherFailed`.
pub(crate) fn check_shared(result: Result<&Value, SharedInitError<Error>>) {
    match result {
        Ok(value) => value.see(),
        Err(SharedInitError::Failed(error)) => check_result(Err(error)),
        Err(SharedInitError::OtherFailed) => {}
    }
}
