//! Operations on a cell that is claimed with an `InitGuard`.

use oncelot::Backend;

use crate::{
    cells::{Operation, Role},
    run::in_destructor,
    tasks::{act, job},
    user::Value,
};

pub(crate) fn operations<B: Backend + 'static>() -> Vec<Operation<B>> {
    vec![
        Operation::new("try_claim and set", Role::Other, |cell| {
            let value = Value::value();
            act(move || {
                if let Ok(guard) = cell.try_claim() {
                    guard.set(value).see();
                }
            })
        }),
        Operation::new("try_claim and drop", Role::Other, |cell| {
            act(|| drop(cell.try_claim()))
        }),
        Operation::new("try_claim and drop in a destructor", Role::Other, |cell| {
            act(|| in_destructor(|| drop(cell.try_claim())))
        }),
        Operation::new("get_or_claim and set", Role::Other, |cell| {
            let value = Value::value();
            job(cell.get_or_claim(), move |claimed| match claimed {
                Ok(present) => present.see(),
                Err(guard) => guard.set(value).see(),
            })
        }),
    ]
}
