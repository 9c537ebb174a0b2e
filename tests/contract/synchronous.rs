//! `try_get_or_init`: an initializer that is a plain closure, and runs immediately or not at all.

use std::task::Poll;

use oncelot::{InitializingError, OnceCell, SetError, State};

use crate::util::{Drops, OnDrop, Waiter, is_same, panic_of, poll, start};

#[test]
fn makes_the_value_of_an_empty_cell() {
    let cell = OnceCell::new();
    let value = cell.try_get_or_init(|| 1).unwrap();
    assert_eq!(value, &1);
    assert!(is_same(value, cell.get().unwrap()));
}

#[test]
fn returns_the_value_of_a_ready_cell_and_drops_the_closure_uncalled() {
    let cell = OnceCell::from(1);
    let drops = Drops::new();
    let counted = drops.counted();
    let value = cell.try_get_or_init(move || {
        let _counted = counted;
        panic!("called")
    });
    assert_eq!(value, Ok(&1));
    assert_eq!(drops.count(), 1);
}

#[test]
fn fails_while_another_initializer_runs_and_drops_the_closure_uncalled() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let drops = Drops::new();
    let counted = drops.counted();
    let refused = cell.try_get_or_init(move || {
        let _counted = counted;
        panic!("called")
    });
    assert_eq!(refused, Err(InitializingError));
    assert_eq!(drops.count(), 1);

    gate.open(Err("failed"));
    assert_eq!(poll(&mut running), Poll::Ready(Err("failed")));
    assert_eq!(cell.try_get_or_init(|| 2), Ok(&2));
}

#[test]
fn wakes_the_tasks_that_have_come_to_wait_for_it() {
    let cell = OnceCell::new();
    let mut waiters = Vec::new();
    let value = cell.try_get_or_init(|| {
        // Other tasks, which run on other threads or in interrupt handlers meanwhile.
        waiters.extend([Waiter::claimant(&cell, 2), Waiter::passive(&cell)]);
        1
    });
    assert_eq!(value, Ok(&1));
    for waiter in &mut waiters {
        assert_eq!(waiter.wakes(), 1);
        assert_eq!(waiter.poll(), Poll::Ready(&1));
    }
}

#[test]
fn a_panic_of_the_closure_releases_the_claim() {
    let cell = OnceCell::new();
    let mut waiters = Vec::new();
    let message = panic_of(|| {
        cell.try_get_or_init(|| {
            waiters.extend([Waiter::claimant(&cell, 2), Waiter::passive(&cell)]);
            panic!("out of luck")
        })
    });
    assert_eq!(message, "out of luck");
    assert_eq!(cell.state(), State::Uninit);
    let [claimant, passive] = &mut *waiters else {
        unreachable!("two have come")
    };
    assert_eq!((claimant.wakes(), passive.wakes()), (1, 0));
    assert_eq!(claimant.poll(), Poll::Ready(&2));
    assert_eq!(cell.try_get_or_init(|| 3), Ok(&2));
}

#[test]
fn the_closure_can_use_the_cell_except_to_wait() {
    let cell = OnceCell::new();
    let value = cell.try_get_or_init(|| {
        assert_eq!(cell.get(), None);
        assert_eq!(cell.state(), State::Initializing);
        assert_eq!(cell.set(2), Err(SetError::InitializingError(2)));
        assert_eq!(cell.try_insert(2), Err(SetError::InitializingError(2)));
        assert_eq!(cell.try_get_or_init(|| 2), Err(InitializingError));
        1
    });
    assert_eq!(value, Ok(&1));
}

#[test]
fn the_closure_is_dropped_before_the_value_is_published() {
    let cell = OnceCell::new();
    let guard = OnDrop(|| assert_eq!(cell.state(), State::Initializing));
    let value = cell.try_get_or_init(move || {
        let _guard = guard;
        1
    });
    assert_eq!(value, Ok(&1));
}
