//! `try_get_or_init`, which calls a closure immediately or not at all; the closures of other methods; and `InitGuard`.

use std::{future::ready, task::Poll};

use oncelot::{InitializingError, OnceCell, SetError, State};

use crate::util::{Drops, OnDrop, Waiter, is_same, now, panic_of, poll, start};

#[test]
fn the_value_that_try_get_or_init_and_a_guard_return_is_in_the_cell() {
    let cells = [const { OnceCell::new() }; 2];
    assert!(is_same(
        cells[0].try_get_or_init(|| 1).unwrap(),
        cells[0].get().unwrap()
    ));
    assert!(is_same(
        cells[1].try_claim().unwrap().set(1),
        cells[1].get().unwrap()
    ));
}

#[test]
fn a_closure_that_is_not_needed_is_dropped_uncalled() {
    let drops = Drops::new();
    let uncalled = || {
        let counted = drops.counted();
        move || -> u32 {
            let _counted = &counted;
            panic!("called")
        }
    };
    let cell = OnceCell::from(1);
    assert_eq!(cell.try_get_or_init(uncalled()), Ok(&1));
    assert_eq!(drops.count(), 1);
    let closure = uncalled();
    let mut shared = Box::pin(cell.get_or_try_init_shared(move || ready(Ok::<_, ()>(closure()))));
    assert_eq!(poll(&mut shared), Poll::Ready(Ok(&1)));
    assert_eq!(drops.count(), 2);

    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    assert_eq!(cell.try_get_or_init(uncalled()), Err(InitializingError));
    assert_eq!(drops.count(), 3);
    gate.open(Err("failed"));
    assert_eq!(poll(&mut running), Poll::Ready(Err("failed")));
    assert_eq!(cell.try_get_or_init(|| 2), Ok(&2));
}

#[test]
fn the_tasks_that_wait_for_the_closure_are_woken() {
    for (panics, is_future) in [(false, false), (true, false), (false, true), (true, true)] {
        let cell = OnceCell::new();
        let mut waiters = Vec::new();
        let mut initialize = || {
            // In a program, these tasks would run on other threads or in interrupt handlers.
            waiters.extend([Waiter::claimant(&cell, 2), Waiter::passive(&cell)]);
            assert!(!panics, "out of luck");
            1
        };
        let call = || match is_future {
            false => cell.try_get_or_init(initialize),
            true => Ok(now(cell.get_or_init(|| ready(initialize())))),
        };
        if panics {
            assert_eq!(panic_of(call), "out of luck");
            assert_eq!(cell.state(), State::Uninit);
        } else {
            assert_eq!(call(), Ok(&1));
        }
        // A panic does not wake the passive waiter.
        let wakes: Vec<_> = waiters.iter().map(Waiter::wakes).collect();
        assert_eq!(wakes, [1, usize::from(!panics)]);
        let value = if panics { &2 } else { &1 };
        assert!(
            waiters
                .iter_mut()
                .all(|waiter| waiter.poll() == Poll::Ready(value))
        );
    }
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
fn a_guard_shows_no_value() {
    let cell = OnceCell::<u32>::new();
    let guard = cell.try_claim().unwrap();
    assert_eq!(
        format!("{guard:?} {cell:?}"),
        "InitGuard { .. } OnceCell(<initializing>)"
    );
}
