//! What happens when an initializer ends. Its future is dropped, then the state changes, and then the waiters are woken. If the
//! initializer has panicked, its future is dropped last. If the destructor of the future panics, the cell is UNINIT or READY
//! afterwards, and nothing is dropped twice.

use std::{future::pending, thread};

use oncelot::{OnceCell, State};

use crate::util::{
    Drops, Gate, Log, OnDrop, Op, Panicking, Task, With, leak, now, panic_of, poll, poll_with, static_cell,
};

/// How an initializer ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Value,
    Error,
    Panic,
    Cancellation,
}
use Ending::*;

/// If the initializer panics, the waiters are woken while the thread unwinds, and its future is dropped afterwards.
#[test]
fn the_future_is_dropped_then_the_state_changes_then_the_waiters_are_woken() {
    for ending in [Value, Error, Panic, Cancellation] {
        let cell = static_cell();
        let log = Log::new();
        let note = |event| {
            let log = log.clone();
            move || {
                assert_eq!(cell.get().is_some(), cell.state() == State::Ready);
                log.note((event, cell.state(), thread::panicking()));
            }
        };
        let gate = Gate::<Result<_, ()>>::new();
        let inner = Box::pin({
            let gate = gate.clone();
            async { gate.await.unwrap_or_else(|()| panic!("in the poll")) }
        });
        let init = With::new(inner, OnDrop(note("dropped")));
        let mut running = Box::pin(cell.get_or_try_init(|| init));
        assert!(poll(&mut running).is_pending());
        let mut waiting = Box::pin(cell.get_or_init(async || 2));
        let task = Task::on(Op::Wake, note("woken"));
        assert!(poll_with(&mut waiting, &task.waker()).is_pending());

        match ending {
            Value => gate.open(Ok(Ok(1))),
            Error => gate.open(Ok(Err("failed"))),
            Panic => gate.open(Err(())),
            Cancellation => (),
        }
        match ending {
            Value | Error => assert!(poll(&mut running).is_ready()),
            Panic => assert_eq!(panic_of(|| poll(&mut running).is_ready()), "in the poll"),
            Cancellation => (),
        }
        drop(running);
        let dropped = ("dropped", State::Initializing, false);
        let expected = match ending {
            Value => [dropped, ("woken", State::Ready, false)],
            Error | Cancellation => [dropped, ("woken", State::Uninit, false)],
            Panic => [("woken", State::Uninit, true), ("dropped", State::Uninit, false)],
        };
        assert_eq!(log.take(), expected, "{ending:?}");
    }
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
fn get_mut_and_get_mut_or_init_ignore_a_leaked_claim() {
    let mut cell = OnceCell::<u32>::new();
    let mut running = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut running).is_pending());
    leak(running);
    assert_eq!(cell.get_mut(), None);
    assert_eq!(now(cell.get_mut_or_init(async || 1)), &mut 1);
    assert_eq!(cell.get(), Some(&1));
}

/// Adds a destructor that counts in `drops` and then panics.
fn with_panicking_destructor<F: Future + Unpin>(
    future: F,
    drops: &Drops,
) -> impl Future<Output = F::Output> + Unpin + use<F> {
    let mut counted = Some(drops.counted());
    let destructor = move || {
        drop(counted.take());
        panic!("in the destructor")
    };
    With::new(future, OnDrop(destructor))
}

#[test]
fn a_destructor_that_panics_leaves_the_cell_empty_and_wakes_its_waiters() {
    for ending in [Value, Error, Cancellation] {
        let cell = OnceCell::new();
        let [output, future] = [Drops::new(), Drops::new()];
        let gate = Gate::new();
        let init = with_panicking_destructor(gate.clone(), &future);
        let mut running = Box::pin(cell.get_or_try_init(|| init));
        assert!(poll(&mut running).is_pending());
        let task = Task::new();
        let mut waiting = Box::pin(cell.get_or_init(async || Drops::new().counted()));
        assert!(poll_with(&mut waiting, &task.waker()).is_pending());

        match ending {
            Value => gate.open(Ok(output.counted())),
            Cancellation => drop(output.counted()),
            _ => gate.open(Err(output.counted())),
        }
        if ending == Cancellation {
            assert_eq!(panic_of(|| drop(running)), "in the destructor");
        } else {
            assert_eq!(panic_of(|| poll(&mut running).is_ready()), "in the destructor");
            let message = panic_of(|| poll(&mut running).is_ready());
            assert!(message.contains("or a panic"), "{message}");
            drop(running);
        }
        assert!(!cell.initialized());
        assert_eq!(task.wakes(), 1);
        assert!(poll(&mut waiting).is_ready());
        assert_eq!((output.count(), future.count()), (1, 1));
    }
}

#[test]
fn a_destructor_that_panics_after_the_future_has_panicked_leaves_the_cell_to_the_others() {
    let cell = OnceCell::new();
    let future = Drops::new();
    let init = with_panicking_destructor(Panicking("in the poll"), &future);
    let mut running = Box::pin(cell.get_or_init(|| init));
    assert_eq!(panic_of(|| poll(&mut running).is_ready()), "in the poll");
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
    assert_eq!(panic_of(|| drop(running)), "in the destructor");
    assert_eq!(cell.get(), Some(&1));
    assert_eq!(future.count(), 1);
}

#[test]
fn a_destructor_that_panics_under_an_exclusive_borrow_leaves_the_cell_empty() {
    let mut cell = OnceCell::new();
    let [value, future] = [Drops::new(), Drops::new()];
    let gate = Gate::new();
    gate.open(value.counted());
    let init = with_panicking_destructor(gate, &future);
    let mut running = Box::pin(cell.get_mut_or_init(|| init));
    assert_eq!(panic_of(|| poll(&mut running).is_ready()), "in the destructor");
    drop(running);
    assert!(cell.take().is_none());
    assert_eq!((value.count(), future.count()), (1, 1));
}

#[test]
fn a_destructor_of_an_uncalled_closure_that_panics_leaves_the_value_to_the_others() {
    let cell = OnceCell::new();
    let closure = Drops::new();
    let panicking = with_panicking_destructor(pending(), &closure);
    let mut future = Box::pin(cell.get_or_init(move || panicking));
    cell.set(1).unwrap();
    assert_eq!(panic_of(|| poll(&mut future).is_ready()), "in the destructor");
    drop(future);
    assert_eq!(closure.count(), 1);
    assert_eq!(cell.get(), Some(&1));
}
