//! The initializer returns a value: its future is dropped, the value is written, READY is published, and every waiter
//! is woken, oldest first.

use oncelot::OnceCell;

use crate::util::{
    CROWDS, Gate, Log, OnDrop, Op, Task, Waiter, With, claimant_or_passive, is_same, poll, poll_with, start,
};

/// The kinds of the waiters by their numbers: `true` for a claimant.
const MIXES: [fn(usize) -> bool; 5] = [
    |_| true,
    |_| false,
    |i| i % 3 != 0,
    |i| i % 5 == 4,
    |i| (i * 7919) >> 3 & 1 == 0,
];

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
fn a_value_wakes_every_claimant_and_then_every_passive_waiter_oldest_first() {
    for mix in MIXES {
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
            gate.open(Ok(1));
            assert!(poll(&mut running).is_ready());
            let (mut expected, passive): (Vec<_>, Vec<_>) = (0..crowd).partition(|i| mix(*i));
            expected.extend(passive);
            assert_eq!(log.take(), expected, "{crowd} waiters");
        }
    }
}

#[test]
fn set_wakes_every_passive_waiter_oldest_first() {
    for crowd in CROWDS {
        let cell = OnceCell::new();
        let log = Log::new();
        let mut waiters: Vec<_> = (0..crowd).map(|_| Box::pin(cell.wait())).collect();
        for (i, waiter) in waiters.iter_mut().enumerate() {
            assert!(poll_with(waiter, &log.waker(i)).is_pending());
        }
        assert_eq!(cell.set(1), Ok(()));
        assert!(log.take().into_iter().eq(0..crowd), "{crowd} waiters");
    }
}

#[test]
fn insert_wakes_the_passive_waiters() {
    let cell = OnceCell::new();
    let mut waiter = Waiter::passive(&cell);
    assert_eq!(crate::util::now(cell.insert(1)), Ok(&1));
    assert_eq!(waiter.wakes(), 1);
    assert!(waiter.poll().is_ready());
}

#[test]
fn passive_waiters_of_an_empty_cell_and_of_a_running_initializer_are_woken_in_one_order() {
    let cell = OnceCell::new();
    let log = Log::new();
    let mut early = Box::pin(cell.wait());
    assert!(poll_with(&mut early, &log.waker("early")).is_pending());
    let (gate, mut running) = start(&cell);
    let mut late = Box::pin(cell.wait());
    assert!(poll_with(&mut late, &log.waker("late")).is_pending());
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
    assert_eq!(log.take(), ["early", "late"]);
}

#[test]
fn every_caller_gets_the_same_value() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let mut waiters = [Waiter::claimant(&cell, 2), Waiter::passive(&cell)];
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
    let value = cell.get().unwrap();
    assert_eq!(value, &1);
    for waiter in &mut waiters {
        let std::task::Poll::Ready(seen) = waiter.poll() else {
            panic!("the cell is ready")
        };
        assert!(is_same(seen, value));
    }
}

#[test]
fn the_initializer_gets_a_reference_into_the_cell() {
    let cell = OnceCell::new();
    let value = crate::util::now(cell.get_or_init(async || 1));
    assert!(is_same(value, cell.get().unwrap()));
}
