//! Passive waiters, which wait for the value and never initialize.

use std::task::Poll;

use oncelot::OnceCell;

use crate::util::{Waiter, poll, start};

#[test]
fn a_passive_waiter_of_an_empty_cell_waits_without_claiming() {
    let cell = OnceCell::new();
    let mut waiter = Waiter::passive(&cell);
    assert_eq!(cell.set(1), Ok(()));
    assert_eq!(waiter.wakes(), 1);
    assert_eq!(waiter.poll(), Poll::Ready(&1));
}

#[test]
fn a_passive_waiter_is_woken_by_the_value_and_by_no_failure_before_it() {
    let cell = OnceCell::new();
    let waiter = Waiter::passive(&cell);
    for _ in 0..3 {
        let (gate, mut running) = start(&cell);
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        let (_gate, running) = start(&cell);
        drop(running);
    }
    assert_eq!(waiter.wakes(), 0);
    assert_eq!(cell.set(1), Ok(()));
    assert_eq!(waiter.wakes(), 1);
}

#[test]
fn a_passive_waiter_polled_between_two_initializers_keeps_waiting() {
    let cell = OnceCell::new();
    let mut waiter = Waiter::passive(&cell);
    let (gate, mut running) = start(&cell);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert!(waiter.poll().is_pending());
    assert_eq!(cell.set(1), Ok(()));
    assert_eq!(waiter.wakes(), 1);
}

#[test]
fn passive_waiters_do_not_keep_a_failure_from_the_claimants_behind_them() {
    let cell = OnceCell::new();
    let passive: Vec<_> = (0..50).map(|_| Waiter::passive(&cell)).collect();
    let (gate, mut running) = start(&cell);
    let claimant = Waiter::claimant(&cell, 2);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert_eq!(claimant.wakes(), 1);
    assert!(passive.iter().all(|waiter| waiter.wakes() == 0));
}
