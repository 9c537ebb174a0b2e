//! The value, the closure, its future, the error and the wakers are dropped once, and when. `contract/endings.rs` counts
//! the drops of an initializer that panics, is cancelled, or panics when it is dropped; `tests/faults` those on every path.

mod util;

use std::{
    sync::{Arc, Mutex},
    task::Poll,
};

use oncelot::OnceCell;
use util::{BoxFuture, Counted, Drops, Gate, Op, Task, With, now, panic_of, poll, poll_with, start};

/// The parts of one initialization, counted apart.
#[derive(Default)]
struct Parts {
    closure: Drops,
    future: Drops,
    value: Drops,
}

impl Parts {
    /// A closure that makes a future that yields a value when the gate opens.
    fn init(&self, gate: &Gate<()>) -> impl FnOnce() -> BoxFuture<'static, Counted> + Send + use<> {
        let [closure, future] = [self.closure.counted(), self.future.counted()];
        let value = self.value.clone();
        let gate = gate.clone();
        move || {
            drop(closure);
            Box::pin(With::new(
                Box::pin(async move {
                    gate.await;
                    value.counted()
                }),
                future,
            ))
        }
    }

    #[track_caller]
    fn assert_dropped(&self, closure: usize, future: usize, value: usize) {
        assert_eq!(
            (self.closure.count(), self.future.count(), self.value.count()),
            (closure, future, value),
            "drops of closure, future, value"
        );
    }
}

#[test]
fn a_value_is_dropped_with_its_cell() {
    let drops = Drops::new();
    drop(OnceCell::from(drops.counted()));
    assert_eq!(drops.count(), 1);
    let cell = OnceCell::new();
    assert!(cell.set(drops.counted()).is_ok());
    assert_eq!(drops.count(), 1);
    drop(cell);
    assert_eq!(drops.count(), 2);
}

#[test]
fn an_empty_cell_drops_nothing() {
    drop(OnceCell::<Counted>::new());
    let cell = OnceCell::<Counted>::new();
    let (_gate, running) = start(&cell);
    drop(running);
    panic_of(|| now(cell.get_or_init(|| -> Gate<Counted> { panic!("in the closure") })));
    drop(cell);
}

#[test]
fn take_and_into_inner_give_the_only_value_away() {
    let drops = Drops::new();
    let mut cell = OnceCell::from(drops.counted());
    let taken = cell.take();
    drop(cell);
    assert_eq!(drops.count(), 0);
    drop(taken);
    assert_eq!(drops.count(), 1);

    let mut cell = OnceCell::from(drops.counted());
    drop(cell.take());
    assert!(cell.set(drops.counted()).is_ok());
    let inner = cell.into_inner();
    assert_eq!(drops.count(), 2);
    drop(inner);
    assert_eq!(drops.count(), 3);
}

#[test]
fn a_rejected_value_and_an_error_are_given_away_undropped() {
    let [present, rejected] = [Drops::new(), Drops::new()];
    let cell = OnceCell::new();
    let by_init = now(cell.get_or_try_init(async || Err(rejected.counted()))).unwrap_err();
    assert!(cell.set(present.counted()).is_ok());
    let by_set = cell.set(rejected.counted()).unwrap_err();
    let (_, by_insert) = now(cell.insert(rejected.counted())).unwrap_err();
    assert_eq!(rejected.count(), 0);
    drop((by_init, by_set, by_insert));
    assert_eq!((present.count(), rejected.count()), (0, 3));
}

#[test]
fn an_insert_drops_its_value_only_if_it_is_cancelled() {
    let drops = Drops::new();
    let cell = OnceCell::new();
    drop(cell.insert(drops.counted()));
    assert_eq!(drops.count(), 1, "never polled");
    let (_gate, running) = start(&cell);
    let mut insert = Box::pin(cell.insert(drops.counted()));
    assert!(poll(&mut insert).is_pending());
    drop(insert);
    assert_eq!(drops.count(), 2, "while waiting");
    drop(running);
    assert!(now(cell.insert(drops.counted())).is_ok());
    assert_eq!(drops.count(), 2, "completed");
    drop(cell);
    assert_eq!(drops.count(), 3);
}

#[test]
fn a_completed_initialization_drops_closure_and_future_and_keeps_the_value() {
    let parts = Parts::default();
    let gate = Gate::new();
    let cell = OnceCell::new();
    let mut running = Box::pin(cell.get_or_init(parts.init(&gate)));
    gate.open(());
    assert!(poll(&mut running).is_ready());
    parts.assert_dropped(1, 1, 0);
    drop(running);
    parts.assert_dropped(1, 1, 0);
    drop(cell);
    parts.assert_dropped(1, 1, 1);
}

#[test]
fn an_uncalled_closure_is_dropped_by_the_poll_that_finds_the_value_or_with_its_future() {
    let parts = Parts::default();
    let cell = OnceCell::new();
    // What the future consists of is still inside the closure.
    drop(cell.get_or_init(parts.init(&Gate::new())));
    parts.assert_dropped(1, 1, 0);
    assert!(cell.set(Drops::new().counted()).is_ok());
    let mut future = Box::pin(cell.get_or_init(parts.init(&Gate::new())));
    assert!(poll(&mut future).is_ready());
    parts.assert_dropped(2, 2, 0);
    drop(future);
    parts.assert_dropped(2, 2, 0);
}

#[test]
fn a_cancelled_waiter_drops_its_closure() {
    for is_woken in [false, true] {
        let parts = Parts::default();
        let cell = OnceCell::new();
        let (gate, mut running) = start(&cell);
        let mut waiting = Box::pin(cell.get_or_init(parts.init(&Gate::new())));
        assert!(poll(&mut waiting).is_pending());
        if is_woken {
            gate.open(Err("failed"));
            assert!(poll(&mut running).is_ready());
        }
        parts.assert_dropped(0, 0, 0);
        drop(waiting);
        parts.assert_dropped(1, 1, 0);
    }
}

#[test]
fn a_panicked_closure_is_dropped() {
    let drops = Drops::new();
    let cell = OnceCell::new();
    let captured = drops.counted();
    let mut future = Box::pin(cell.get_or_init(move || -> Gate<Counted> {
        panic!("with {captured:?} inside");
    }));
    panic_of(|| poll(&mut future).is_ready());
    assert_eq!(drops.count(), 1);
    drop(future);
    assert_eq!(drops.count(), 1);
}

/// The error is on its way to the caller when the claim is given up, which wakes.
#[test]
fn an_error_is_dropped_when_a_waker_panics_before_it_is_given_away() {
    let drops = Drops::new();
    let cell = OnceCell::<u32>::new();
    let gate = Gate::new();
    let mut failing = Box::pin(cell.get_or_try_init(|| gate.clone()));
    assert!(poll(&mut failing).is_pending());
    let mut waiting = Box::pin(cell.insert(1));
    let task = Task::panicking_on(Op::Wake, "woken");
    assert!(poll_with(&mut waiting, &task.waker()).is_pending());

    gate.open(Err(drops.counted()));
    assert_eq!(panic_of(|| poll(&mut failing).is_ready()), "woken");
    assert_eq!(drops.count(), 1);
}

#[test]
fn the_clone_of_a_cell_drops_its_own_value() {
    let value = Arc::new(());
    let cell = OnceCell::from(value.clone());
    let clone = cell.clone();
    assert_eq!(Arc::strong_count(&value), 3);
    drop(cell);
    assert_eq!(Arc::strong_count(&value), 2);
    drop(clone);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_woken_waiter_has_no_waker_left() {
    for is_value in [true, false] {
        let cell = OnceCell::new();
        let (gate, mut running) = start(&cell);
        let task = Task::new();
        let mut waiting = Box::pin(cell.get_or_init(async || 2));
        assert!(poll_with(&mut waiting, &task.waker()).is_pending());
        assert_eq!(task.wakers(), 1);
        gate.open(if is_value { Ok(1) } else { Err("failed") });
        assert!(poll(&mut running).is_ready());
        assert_eq!(task.wakers(), 0);
    }
}

/// The waiter finds the value by itself, before the wake has reached it.
#[test]
fn the_waker_of_a_waiter_that_completes_while_registered_is_dropped() {
    static CELL: OnceCell<u32> = OnceCell::new();
    static LAST: Mutex<Option<BoxFuture<'static, &u32>>> = Mutex::new(None);

    let (gate, mut running) = start(&CELL);
    let first = Task::on(Op::Wake, || {
        let mut last = LAST.lock().unwrap();
        assert_eq!(poll(last.as_mut().unwrap()), Poll::Ready(&1));
    });
    let mut first_waiter = Box::pin(CELL.wait());
    assert!(poll_with(&mut first_waiter, &first.waker()).is_pending());
    let _rest_of_the_batch: Vec<_> = (0..15).map(|_| util::Waiter::passive(&CELL)).collect();
    let task = Task::new();
    let mut last: BoxFuture<'static, _> = Box::pin(CELL.wait());
    assert!(poll_with(&mut last, &task.waker()).is_pending());
    *LAST.lock().unwrap() = Some(last);
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
    assert_eq!(first.wakes(), 1);
    assert_eq!((task.wakes(), task.wakers()), (0, 0));
}
