//! Guards: `try_claim`, `get_or_claim` and `InitGuard`.

use std::{mem::forget, task::Poll, thread};

use oncelot::{OnceCell, SetError, State};

use crate::util::{
    CROWDS, Drops, Log, Op, Task, Waiter, claimant_or_passive, now, panic_of, poll, poll_with, start,
};

#[test]
fn a_guard_sets_the_value() {
    let cell = OnceCell::new();
    let guard = cell.try_claim().unwrap();
    assert_eq!(cell.state(), State::Initializing);
    assert_eq!(cell.get(), None);
    assert_eq!(guard.set(1), &1);
    assert_eq!(cell.get(), Some(&1));
}

#[test]
fn the_reference_that_a_guard_returns_is_of_the_value_in_the_cell() {
    let cell = OnceCell::new();
    let value: &String = cell.try_claim().unwrap().set("text".to_owned());
    assert!(std::ptr::eq(value, cell.get().unwrap()));
}

#[test]
fn a_dropped_guard_leaves_the_cell_empty() {
    let cell = OnceCell::new();
    drop(cell.try_claim());
    assert_eq!(cell.state(), State::Uninit);
    assert_eq!(cell.set(1), Ok(()));
}

#[test]
fn a_claim_fails_with_the_state_that_it_finds() {
    let cell = OnceCell::new();
    let guard = cell.try_claim().unwrap();
    assert_eq!(cell.try_claim().unwrap_err(), State::Initializing);
    guard.set(1);
    assert_eq!(cell.try_claim().unwrap_err(), State::Ready);
    let cell = OnceCell::new();
    let (_gate, _running) = start::<u32>(&cell);
    assert_eq!(cell.try_claim().unwrap_err(), State::Initializing);
}

#[test]
fn a_guard_excludes_the_other_initializers() {
    let cell = OnceCell::new();
    let _guard = cell.try_claim();
    assert_eq!(cell.set(1), Err(SetError::InitializingError(1)));
    assert!(cell.try_get_or_init(|| 1).is_err());
    assert!(poll(&mut Box::pin(cell.get_or_init(async || 1))).is_pending());
    assert!(poll(&mut Box::pin(cell.insert(1))).is_pending());
    assert!(poll(&mut Box::pin(cell.get_or_claim())).is_pending());
}

#[test]
fn the_value_of_a_guard_wakes_every_waiter() {
    for crowd in CROWDS {
        let cell = OnceCell::new();
        let log = Log::new();
        let guard = cell.try_claim().unwrap();
        let mut waiters: Vec<_> = (0..crowd)
            .map(|i| claimant_or_passive(&cell, i % 3 == 0, 2))
            .collect();
        for (i, waiter) in waiters.iter_mut().enumerate() {
            assert!(poll_with(waiter, &log.waker(i)).is_pending());
        }
        guard.set(1);
        assert_eq!(log.take().len(), crowd);
        assert!(waiters.iter_mut().all(|waiter| poll(waiter) == Poll::Ready(&1)));
    }
}

#[test]
fn a_dropped_guard_wakes_every_claimant_oldest_first_and_no_passive_waiter() {
    for crowd in CROWDS {
        let cell = OnceCell::new();
        let log = Log::new();
        let guard = cell.try_claim();
        let mut waiters: Vec<_> = (0..crowd)
            .map(|i| claimant_or_passive(&cell, i % 3 == 0, 2))
            .collect();
        for (i, waiter) in waiters.iter_mut().enumerate() {
            assert!(poll_with(waiter, &log.waker(i)).is_pending());
        }
        drop(guard);
        assert!(log.take().into_iter().eq((0..crowd).filter(|i| i % 3 == 0)));
    }
}

#[test]
fn a_guard_that_unwinds_releases_the_claim() {
    let cell = OnceCell::<u32>::new();
    let mut waiter = None;
    panic_of(|| {
        let _guard = cell.try_claim();
        waiter = Some(Waiter::claimant(&cell, 1));
        panic!("with a guard")
    });
    let mut waiter = waiter.unwrap();
    assert_eq!(waiter.wakes(), 1);
    assert_eq!(waiter.poll(), Poll::Ready(&1));
}

#[test]
fn a_waker_that_panics_when_a_guard_sets_the_value_does_not_undo_it() {
    let cell = OnceCell::new();
    let guard = cell.try_claim().unwrap();
    let task = Task::panicking_on(Op::Wake, "when woken");
    let mut waiting = Box::pin(cell.wait());
    assert!(poll_with(&mut waiting, &task.waker()).is_pending());
    let other = Waiter::passive(&cell);
    assert_eq!(panic_of(|| guard.set(1)), "when woken");
    assert_eq!(cell.get(), Some(&1));
    assert_eq!(other.wakes(), 1);
}

#[test]
fn a_waker_that_panics_when_a_guard_is_dropped_does_not_keep_the_claim() {
    let cell = OnceCell::new();
    let guard = cell.try_claim();
    let task = Task::panicking_on(Op::Wake, "when woken");
    let mut waiting = Box::pin(cell.insert(2));
    assert!(poll_with(&mut waiting, &task.waker()).is_pending());
    let other = Waiter::claimant(&cell, 3);
    assert_eq!(panic_of(|| drop(guard)), "when woken");
    assert_eq!(other.wakes(), 1);
    assert_eq!(cell.set(1), Ok(()));
}

#[test]
fn a_forgotten_guard_leaves_the_cell_initializing_and_take_recovers_it() {
    let mut cell = OnceCell::new();
    forget(cell.try_claim());
    assert_eq!(cell.state(), State::Initializing);
    assert!(cell.set(1).is_err());
    assert_eq!(cell.take(), None);
    assert_eq!(cell.set(1), Ok(()));
}

#[test]
fn the_value_of_a_guard_is_dropped_once() {
    let drops = Drops::new();
    let cell = OnceCell::new();
    cell.try_claim().unwrap().set(drops.counted());
    assert_eq!(drops.count(), 0);
    drop(cell);
    assert_eq!(drops.count(), 1);
}

#[test]
fn another_thread_completes_a_guard() {
    let cell = OnceCell::new();
    let guard = cell.try_claim().unwrap();
    let mut waiter = Waiter::passive(&cell);
    thread::scope(|scope| {
        scope.spawn(|| guard.set(1));
    });
    assert_eq!(waiter.wakes(), 1);
    assert_eq!(waiter.poll(), Poll::Ready(&1));
}

#[test]
fn a_guard_shows_no_value() {
    let cell = OnceCell::<u32>::new();
    let guard = cell.try_claim().unwrap();
    assert_eq!(
        format!("{guard:?} {cell:?}"),
        "InitGuard { .. } OnceCell(<initializing>)"
    );
}

// `get_or_claim`.

#[test]
fn a_ready_cell_is_not_claimed() {
    let cell = OnceCell::from(1);
    assert_eq!(now(cell.get_or_claim()).unwrap(), &1);
}

#[test]
fn an_empty_cell_is_claimed() {
    let cell = OnceCell::new();
    assert_eq!(now(cell.get_or_claim()).unwrap_err().set(1), &1);
}

#[test]
fn a_task_that_waits_for_a_guard_gets_the_value() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let mut claiming = Box::pin(cell.get_or_claim());
    assert!(poll(&mut claiming).is_pending());
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
    let Poll::Ready(Ok(value)) = poll(&mut claiming) else {
        panic!("there is a value")
    };
    assert_eq!(value, &1);
}

#[test]
fn a_task_that_waits_for_a_guard_gets_it_after_a_failure() {
    let cell = OnceCell::new();
    let (_gate, running) = start(&cell);
    let mut claiming = Box::pin(cell.get_or_claim());
    assert!(poll(&mut claiming).is_pending());
    drop(running);
    let Poll::Ready(Err(guard)) = poll(&mut claiming) else {
        panic!("the claim is free")
    };
    drop(claiming);
    assert_eq!(guard.set(1), &1);
}

#[test]
fn a_cancelled_wait_for_a_guard_leaves_the_others_their_turns() {
    let cell = OnceCell::new();
    let guard = cell.try_claim();
    let mut cancelled = Box::pin(cell.get_or_claim());
    assert!(poll(&mut cancelled).is_pending());
    let mut left = Waiter::claimant(&cell, 1);
    drop(guard);
    drop(cancelled);
    assert_eq!(left.poll(), Poll::Ready(&1));
}

#[test]
fn a_completed_wait_for_a_guard_panics_when_it_is_polled() {
    let cell = OnceCell::<u32>::new();
    let mut claiming = Box::pin(cell.get_or_claim());
    assert!(poll(&mut claiming).is_ready());
    let message = panic_of(|| poll(&mut claiming).is_ready());
    assert!(message.contains("polled after completion"), "{message}");
    assert_eq!(cell.set(1), Ok(()));
}
