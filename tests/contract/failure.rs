//! The initializer returns an error or panics: the cell is empty again, every claimant is woken, and the claim is
//! reserved for none of them.

use std::{task::Poll, thread};

use oncelot::OnceCell;

use crate::util::{
    CROWDS, Gate, Log, OnDrop, Op, Panicking, Task, Waiter, With, claimant_or_passive, now, panic_of, poll,
    poll_with, start,
};

#[test]
fn an_error_goes_to_its_caller_alone() {
    let cell = OnceCell::<u32>::new();
    let (gate, mut running) = start(&cell);
    let mut waiting = Box::pin(cell.get_or_try_init(async || Err("the waiter's own")));
    assert!(poll(&mut waiting).is_pending());
    gate.open(Err("the first one's"));
    assert_eq!(poll(&mut running), Poll::Ready(Err("the first one's")));
    assert_eq!(poll(&mut waiting), Poll::Ready(Err("the waiter's own")));
}

#[test]
fn an_error_leaves_the_cell_empty() {
    let cell = OnceCell::new();
    assert_eq!(now(cell.get_or_try_init(async || Err("failed"))), Err("failed"));
    assert!(!cell.initialized());
    assert_eq!(cell.set(1), Ok(()));
}

#[test]
fn a_failure_wakes_every_claimant_oldest_first_and_no_passive_waiter() {
    let mixes: [fn(usize) -> bool; 4] = [|_| true, |_| false, |i| i % 3 == 0, |i| i % 3 != 0];
    for mix in mixes {
        for crowd in CROWDS {
            let cell = OnceCell::new();
            let log = Log::new();
            let (gate, mut running) = start(&cell);
            let mut waiters: Vec<_> = (0..crowd)
                .map(|i| claimant_or_passive(&cell, mix(i), 2))
                .collect();
            for (i, waiter) in waiters.iter_mut().enumerate() {
                assert!(poll_with(waiter, &log.waker(i)).is_pending());
            }
            gate.open(Err("failed"));
            assert!(poll(&mut running).is_ready());
            let claimants = (0..crowd).filter(|i| mix(*i));
            assert!(log.take().into_iter().eq(claimants), "{crowd} waiters");
            // The passive ones have kept their places.
            assert_eq!(cell.set(1), Ok(()));
            let passive = (0..crowd).filter(|i| !mix(*i));
            assert!(log.take().into_iter().eq(passive), "{crowd} waiters");
        }
    }
}

#[test]
fn a_failure_wakes_every_insert() {
    let cell = OnceCell::new();
    let log = Log::new();
    let (gate, mut running) = start(&cell);
    let mut inserts = [Box::pin(cell.insert(1)), Box::pin(cell.insert(2))];
    for (i, insert) in inserts.iter_mut().enumerate() {
        assert!(poll_with(insert, &log.waker(i)).is_pending());
    }
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert_eq!(log.take(), [0, 1]);
}

#[test]
fn the_claim_is_released_before_a_failure_wakes_a_waiter() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let (gate, mut running) = start(&CELL);
    let mut waiting = Box::pin(CELL.get_or_init(async || 1));
    let task = Task::on(Op::Wake, || {
        let mut newcomer = Box::pin(CELL.get_or_try_init(async || Err("it could claim")));
        assert_eq!(poll(&mut newcomer), Poll::Ready(Err("it could claim")));
    });
    assert!(poll_with(&mut waiting, &task.waker()).is_pending());
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert_eq!(task.wakes(), 1);
}

#[test]
fn after_a_failure_any_waiter_can_initialize() {
    for lucky in 0..3 {
        let cell = OnceCell::new();
        let (gate, mut running) = start(&cell);
        let mut waiters = [1, 2, 3].map(|value| Waiter::claimant(&cell, value));
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        assert_eq!(waiters[lucky].poll(), Poll::Ready(&(lucky as u32 + 1)));
    }
}

#[test]
fn a_newcomer_claims_before_the_woken_waiters_are_polled() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let mut woken = Waiter::claimant(&cell, 1);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert_eq!(woken.wakes(), 1);
    assert_eq!(now(cell.get_or_init(async || 2)), &2);
    assert_eq!(woken.poll(), Poll::Ready(&2));
}

#[test]
fn set_succeeds_before_the_woken_waiters_are_polled() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let mut woken = Waiter::claimant(&cell, 1);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert_eq!(cell.set(2), Ok(()));
    assert_eq!(woken.poll(), Poll::Ready(&2));
}

#[test]
fn a_panic_in_the_closure_empties_the_cell_and_propagates() {
    let cell = OnceCell::new();
    let mut future = Box::pin(cell.get_or_init(|| -> Gate<u32> { panic!("in the closure") }));
    assert_eq!(panic_of(|| poll(&mut future).is_ready()), "in the closure");
    assert_eq!(cell.set(1), Ok(()));
}

#[test]
fn a_panic_in_a_poll_empties_the_cell_and_propagates() {
    let cell = OnceCell::new();
    let mut future = Box::pin(cell.get_or_init(|| Panicking("in the poll")));
    assert_eq!(panic_of(|| poll(&mut future).is_ready()), "in the poll");
    assert_eq!(cell.set(1), Ok(()));
}

#[test]
fn a_panic_poisons_nothing() {
    let cell = OnceCell::new();
    for _ in 0..3 {
        panic_of(|| now(cell.get_or_init(|| Panicking("again"))));
    }
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
}

#[test]
fn a_panic_in_the_closure_wakes_every_claimant_and_no_passive_waiter() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let waiters = std::sync::Mutex::new(Vec::new());
    panic_of(|| {
        now(CELL.get_or_init(|| -> Gate<u32> {
            // Another task arrives while the closure runs.
            waiters.lock().unwrap().push(Waiter::claimant(&CELL, 1));
            waiters.lock().unwrap().push(Waiter::passive(&CELL));
            panic!("in the closure")
        }))
    });
    let waiters = waiters.into_inner().unwrap();
    assert_eq!((waiters[0].wakes(), waiters[1].wakes()), (1, 0));
}

#[test]
fn a_panic_in_a_poll_wakes_every_claimant_and_no_passive_waiter() {
    let cell = OnceCell::new();
    let gate = Gate::new();
    let mut running = Box::pin(cell.get_or_init({
        let gate = gate.clone();
        async move || -> u32 { panic!("{}", gate.await) }
    }));
    assert!(poll(&mut running).is_pending());
    let mut claimants: Vec<_> = (0..20).map(|i| Waiter::claimant(&cell, i)).collect();
    let passive = Waiter::passive(&cell);
    gate.open("in the second poll");
    assert_eq!(panic_of(|| poll(&mut running).is_ready()), "in the second poll");
    assert!(claimants.iter().all(|waiter| waiter.wakes() == 1));
    assert_eq!(passive.wakes(), 0);
    assert_eq!(claimants[19].poll(), Poll::Ready(&19));
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
