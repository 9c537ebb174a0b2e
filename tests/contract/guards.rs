//! `InitGuard`: panics, drops and `Debug`. The conformance suite tests how a guard is taken, and what it excludes.

use std::task::Poll;

use oncelot::OnceCell;

use crate::util::{Drops, Op, Task, Waiter, panic_of, poll_with};

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
