//! The destructor of the initializer's future panics: the cell ends READY or UNINIT, and nothing is dropped
//! twice.

use std::{future::pending, sync::Arc};

use oncelot::OnceCell;

use crate::util::{Counted, Drops, Gate, OnDrop, Task, With, now, panic_of, poll, poll_with};

/// Counts, and then panics.
fn panicking_destructor(drops: &Drops) -> impl Sized + Unpin + use<> {
    let mut counted = Some(drops.counted());
    OnDrop(move || {
        drop(counted.take());
        panic!("in the destructor")
    })
}

fn waiting_task<'a>(
    cell: &'a OnceCell<Counted>,
    value: &Drops,
) -> (Arc<Task>, crate::util::BoxFuture<'a, &'a Counted>) {
    let task = Task::new();
    let value = value.counted();
    let mut waiting: crate::util::BoxFuture<'_, _> = Box::pin(cell.get_or_init(async || value));
    assert!(poll_with(&mut waiting, &task.waker()).is_pending());
    (task, waiting)
}

#[test]
fn during_completion_the_cell_ends_empty_and_wakes_its_waiters() {
    let cell = OnceCell::new();
    let [value, future] = [Drops::new(), Drops::new()];
    let gate = Gate::new();
    let init = With::new(gate.clone(), panicking_destructor(&future));
    let mut running = Box::pin(cell.get_or_init(|| init));
    assert!(poll(&mut running).is_pending());
    let (task, mut waiting) = waiting_task(&cell, &Drops::new());

    gate.open(value.counted());
    assert_eq!(panic_of(|| poll(&mut running).is_ready()), "in the destructor");
    assert!(!cell.initialized());
    assert_eq!(task.wakes(), 1);
    assert!(poll(&mut waiting).is_ready());
    drop(running);
    assert_eq!((value.count(), future.count()), (1, 1));
}

#[test]
fn during_an_error_the_cell_ends_empty_and_wakes_its_waiters() {
    let cell = OnceCell::new();
    let [error, future] = [Drops::new(), Drops::new()];
    let gate = Gate::new();
    let init = With::new(gate.clone(), panicking_destructor(&future));
    let mut running = Box::pin(cell.get_or_try_init(|| init));
    assert!(poll(&mut running).is_pending());
    let (task, mut waiting) = waiting_task(&cell, &Drops::new());

    gate.open(Err(error.counted()));
    assert_eq!(panic_of(|| poll(&mut running).is_ready()), "in the destructor");
    assert_eq!(task.wakes(), 1);
    assert!(poll(&mut waiting).is_ready());
    drop(running);
    assert_eq!((error.count(), future.count()), (1, 1));
}

#[test]
fn during_cancellation_the_cell_ends_empty_and_wakes_its_waiters() {
    let cell = OnceCell::new();
    let future = Drops::new();
    let init = With::new(pending(), panicking_destructor(&future));
    let mut running = Box::pin(cell.get_or_init(|| init));
    assert!(poll(&mut running).is_pending());
    let (task, mut waiting) = waiting_task(&cell, &Drops::new());

    assert_eq!(panic_of(|| drop(running)), "in the destructor");
    assert_eq!(task.wakes(), 1);
    assert!(poll(&mut waiting).is_ready());
    assert_eq!(future.count(), 1);
}

#[test]
fn of_a_future_that_has_panicked_leaves_the_cell_to_the_others() {
    let cell = OnceCell::new();
    let future = Drops::new();
    let init = With::new(
        crate::util::Panicking("in the poll"),
        panicking_destructor(&future),
    );
    let mut running = Box::pin(cell.get_or_init(|| init));
    assert_eq!(panic_of(|| poll(&mut running).is_ready()), "in the poll");
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
    assert_eq!(panic_of(|| drop(running)), "in the destructor");
    assert_eq!(cell.get(), Some(&1));
    assert_eq!(future.count(), 1);
}

#[test]
fn after_it_the_future_refuses_another_poll() {
    let cell = OnceCell::new();
    let gate = Gate::new();
    gate.open(1);
    let init = With::new(gate, panicking_destructor(&Drops::new()));
    let mut running = Box::pin(cell.get_or_init(|| init));
    assert_eq!(panic_of(|| poll(&mut running).is_ready()), "in the destructor");
    let message = panic_of(|| poll(&mut running).is_ready());
    assert!(message.contains("or a panic"), "{message}");
}

#[test]
fn under_an_exclusive_borrow_the_cell_ends_empty() {
    let mut cell = OnceCell::new();
    let [value, future] = [Drops::new(), Drops::new()];
    let gate = Gate::new();
    gate.open(value.counted());
    let init = With::new(gate, panicking_destructor(&future));
    let mut running = Box::pin(cell.get_mut_or_init(|| init));
    assert_eq!(panic_of(|| poll(&mut running).is_ready()), "in the destructor");
    drop(running);
    assert!(cell.take().is_none());
    assert_eq!((value.count(), future.count()), (1, 1));
}

#[test]
fn of_an_uncalled_closure_leaves_the_value_to_the_others() {
    let cell = OnceCell::new();
    let closure = Drops::new();
    let panicking = panicking_destructor(&closure);
    let mut future = Box::pin(cell.get_or_init(move || With::new(pending(), panicking)));
    cell.set(1).unwrap();
    assert_eq!(panic_of(|| poll(&mut future).is_ready()), "in the destructor");
    drop(future);
    assert_eq!(closure.count(), 1);
    assert_eq!(cell.get(), Some(&1));
}
