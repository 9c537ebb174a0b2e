//! Scenarios for a cell that is borrowed exclusively.

use std::cell;

use oncelot::Backend;

use crate::{
    Runner,
    cells::Cell,
    check::check_tasks,
    run::{as_owner, require, without_points},
    tasks::{Tasks, job},
    user::{Error, Init, Ready, VALUE, Value},
};

pub(crate) fn run<B: Backend + 'static>(runner: &mut Runner) {
    for has_value in [false, true] {
        for ready in [Ready::AtOnce, Ready::Later] {
            let (value, error) = (Init::Value(ready), Init::Error(ready));
            for (is_fallible, init) in [(false, value), (true, value), (true, error)] {
                let name = format!("exclusive {init:?}, fallible: {is_fallible}, has a value: {has_value}");
                runner.scenario(&name, || scenario::<B>(has_value, is_fallible, init));
            }
        }
    }
}

fn scenario<B: Backend + 'static>(has_value: bool, is_fallible: bool, init: Init) {
    let mut cell = if has_value {
        Cell::<B>::with_backend_and_value(Value::value())
    } else {
        Cell::with_backend()
    };
    let is_returned = &cell::Cell::new(false);
    let see = |value: &mut Value| {
        is_returned.set(true);
        value.see();
    };
    let mut tasks = Tasks::new();
    tasks.add(|| {
        if is_fallible {
            let value = cell.get_mut_or_try_init(init.fallible());
            job(value, move |result: Result<&mut Value, Error>| {
                let _: Option<()> = result.map(see).ok();
            })
        } else {
            job(cell.get_mut_or_init(init.infallible()), see)
        }
    });
    tasks.run();
    check_tasks(tasks, true, |_| {});
    require(
        cell.initialized() == (has_value || is_returned.get()),
        "a call that returns no value leaves the cell empty",
    );
    without_points(|| {
        let mut tasks = Tasks::new();
        tasks.add(|| {
            job(cell.get_mut_or_init(VALUE.infallible()), |value: &mut Value| {
                value.see()
            })
        });
        tasks.run();
        check_tasks(tasks, true, |_| {});
    });
    require(cell.initialized(), "the cell is usable after a fault");
    as_owner(|| drop(cell));
}
