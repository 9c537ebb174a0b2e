//! What happens first when an initializer ends: the drop of its future, the new state, or the wakes.

use std::{future::pending, sync::Mutex, task::Poll, thread};

use oncelot::OnceCell;

use crate::util::{
    Gate, Log, OnDrop, Op, Panicking, Task, Waiter, With, leak, now, panic_of, poll, poll_with, start,
};

#[test]
fn the_future_is_dropped_then_the_value_is_published_then_the_waiters_are_woken() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let log = Log::new();
    let gate = Gate::new();
    let note = |event| {
        let log = log.clone();
        move || log.note((event, CELL.get().copied(), CELL.set(0).unwrap_err()))
    };
    let init = With::new(gate.clone(), OnDrop(note("dropped")));
    let mut running = Box::pin(CELL.get_or_init(|| init));
    assert!(poll(&mut running).is_pending());

    let mut claimant = Box::pin(CELL.get_or_init(async || 2));
    let mut passive = Box::pin(CELL.wait());
    let tasks = ["first", "second"].map(|name| Task::on(Op::Wake, note(name)));
    assert!(poll_with(&mut claimant, &tasks[0].waker()).is_pending());
    assert!(poll_with(&mut passive, &tasks[1].waker()).is_pending());

    gate.open(1);
    assert!(poll(&mut running).is_ready());
    use oncelot::SetError::{AlreadyInitializedError, InitializingError};
    assert_eq!(
        log.take(),
        [
            ("dropped", None, InitializingError(0)),
            ("first", Some(1), AlreadyInitializedError(0)),
            ("second", Some(1), AlreadyInitializedError(0)),
        ]
    );
}

#[test]
fn the_inner_future_is_dropped_before_the_claim_is_given_back() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let log = Log::new();
    let note = |event| {
        let log = log.clone();
        move || log.note((event, CELL.set(0).is_err_and(|error| error.is_initializing_err())))
    };
    let init = With::new(pending(), OnDrop(note("dropped")));
    let mut running = Box::pin(CELL.get_or_init(|| init));
    assert!(poll(&mut running).is_pending());
    let mut waiting = Box::pin(CELL.get_or_init(async || 1));
    let task = Task::on(Op::Wake, note("woken"));
    assert!(poll_with(&mut waiting, &task.waker()).is_pending());
    drop(running);
    assert_eq!(log.take(), [("dropped", true), ("woken", false)]);
}

#[test]
fn a_panic_in_the_closure_wakes_every_claimant_and_no_passive_waiter() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let waiters = Mutex::new(Vec::new());
    let message = panic_of(|| {
        now(CELL.get_or_init(|| -> Gate<u32> {
            // Another task arrives while the closure runs.
            waiters.lock().unwrap().push(Waiter::claimant(&CELL, 1));
            waiters.lock().unwrap().push(Waiter::passive(&CELL));
            panic!("in the closure")
        }))
    });
    assert_eq!(message, "in the closure");
    let waiters = waiters.into_inner().unwrap();
    assert_eq!((waiters[0].wakes(), waiters[1].wakes()), (1, 0));
    assert_eq!(CELL.set(2), Ok(()));
}

#[test]
fn a_panic_wakes_during_the_unwinding_and_before_the_future_is_dropped() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let log = Log::new();
    let note = |event| {
        let log = log.clone();
        move || log.note((event, thread::panicking()))
    };
    let gate = Gate::new();
    let panicking = Box::pin({
        let gate = gate.clone();
        async move { panic!("{}", gate.await) }
    });
    let init = With::new(panicking, OnDrop(note("dropped")));
    let mut running = Box::pin(CELL.get_or_init(|| init));
    assert!(poll(&mut running).is_pending());
    let mut waiting = Box::pin(CELL.get_or_init(async || 1));
    let task = Task::on(Op::Wake, note("woken"));
    assert!(poll_with(&mut waiting, &task.waker()).is_pending());

    gate.open("in the poll");
    panic_of(|| poll(&mut running).is_ready());
    drop(running);
    assert_eq!(log.take(), [("woken", true), ("dropped", false)]);
}

#[test]
fn the_destructor_of_a_panicked_initializer_can_use_the_cell() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let log = Log::new();
    let set = {
        let log = log.clone();
        move || log.note((CELL.get().copied(), CELL.set(2), thread::panicking()))
    };
    panic_of(|| now(CELL.get_or_init(|| With::new(Panicking("in the poll"), OnDrop(set)))));
    assert_eq!(log.take(), [(None, Ok(()), true)]);
    assert_eq!(CELL.get(), Some(&2));
}

#[test]
fn a_waiter_can_take_over_and_then_be_cancelled() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let mut second = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut second).is_pending());
    let mut third = Waiter::claimant(&cell, 3);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert!(poll(&mut second).is_pending());
    assert!(third.poll().is_pending());
    drop(second);
    assert_eq!(third.wakes(), 2);
    assert_eq!(third.poll(), Poll::Ready(&3));
}

#[test]
fn get_mut_looks_through_a_leaked_claim() {
    let mut cell = OnceCell::<u32>::new();
    let mut running = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut running).is_pending());
    leak(running);
    assert_eq!(cell.get_mut(), None);
    assert_eq!(now(cell.get_mut_or_init(async || 1)), &mut 1);
    assert_eq!(cell.get(), Some(&1));
}
