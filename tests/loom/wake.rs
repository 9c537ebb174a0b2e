//! Wakers replaced, polls that nobody called for, and wakers that panic.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::thread;

use super::support::{Failed, bounded, exhaustive};

/// A waiter that has moved to another task is woken there, or finds the value.
///
/// Worrying: A has taken the older waker out and is about to wake it; B gives its newer waker to a node that
/// nobody will look at any more, and sleeps.
#[test]
fn the_newest_waker_is_woken_by_a_value() {
    exhaustive(|stage| {
        let claim = stage.claim();
        let moving = stage.waiting(stage.get_or_init(2));
        let moved = thread::spawn(|| moving.migrate().run());
        claim.end(Ok(1));
        assert_eq!(moved.join().unwrap(), 1);
    });
}

/// A waiter that has moved to another task is woken there by a failure, or finds the cell empty.
#[test]
fn the_newest_waker_is_woken_by_a_failure() {
    exhaustive(|stage| {
        let claim = stage.claim();
        let moving = stage.waiting(stage.get_or_init(1));
        let moved = thread::spawn(|| moving.migrate().run());
        claim.end(Err(Failed));
        assert_eq!(moved.join().unwrap(), 1);
    });
}

/// A passive waiter that has moved to another task stays in the list through a failure, and is woken there by the value.
///
/// Worrying: the failing thread unlocks the list with a passive waiter at its head that has changed its waker.
#[test]
fn the_newest_waker_of_a_passive_waiter_is_woken() {
    bounded(3, |stage| {
        let claim = stage.claim();
        let moving = stage.waiting(stage.cell.wait());
        let moved = thread::spawn(|| *moving.migrate().run());
        claim.end(Err(Failed));
        assert_eq!(stage.cell.set(1), Ok(()));
        assert_eq!(moved.join().unwrap(), 1);
    });
}

/// A poll that nobody called for does no harm when the value comes.
///
/// Worrying: B sees that its waker is the same and sleeps on, while A has just taken it out: the wake is
/// still to come.
#[test]
fn a_spurious_poll_against_publication() {
    exhaustive(|stage| {
        let claim = stage.claim();
        let waiter = stage.waiting(stage.get_or_init(2));
        let waiter = thread::spawn(|| waiter.run());
        claim.end(Ok(1));
        assert_eq!(waiter.join().unwrap(), 1);
    });
}

/// A poll that nobody called for may take the claim, with the node still in the list of the one who drains it.
///
/// Worrying: B claims, runs and publishes while A, who has failed, is about to wake it.
#[test]
fn a_spurious_poll_against_failure() {
    exhaustive(|stage| {
        let claim = stage.claim();
        let waiter = stage.waiting(stage.get_or_init(1));
        let waiter = thread::spawn(|| waiter.run());
        claim.end(Err(Failed));
        assert_eq!(waiter.join().unwrap(), 1);
        assert_eq!(stage.runs(), 2);
    });
}

/// A waker that panics strands nobody, even as another waiter is dropped.
///
/// Worrying: the panic unwinds out of the drain when its lock is free, and B takes itself out of the list
/// before the drain goes on.
#[test]
fn a_panicking_waker_strands_no_waiter() {
    bounded(3, |stage| {
        let claim = stage.claim();
        let explosive = stage.waiting_for_trouble(stage.cell.wait(), || resume_unwind(Box::new(Failed)));
        let gone = stage.waiting(stage.get_or_init(2));
        let left = stage.waiting(stage.get_or_init(3));
        let cancel = thread::spawn(|| gone.cancel());
        let ended = catch_unwind(AssertUnwindSafe(|| claim.end(Ok(1))));
        assert!(ended.unwrap_err().is::<Failed>());
        cancel.join().unwrap();
        assert_eq!([explosive.wakes(), left.wakes()], [1; 2]);
        assert_eq!(left.run(), 1);
    });
}

/// An initializer that panics leaves the cell to the next one.
///
/// Worrying: the state changes during the unwinding, when the waiter is registering.
#[test]
fn after_a_panic_the_other_claimant_takes_over() {
    bounded(3, |stage| {
        let waiter = thread::spawn(|| stage.run(stage.get_or_init(1)));
        let panicking = stage.cell.get_or_init(|| -> std::future::Ready<u32> {
            resume_unwind(Box::new(Failed));
        });
        let panicked = catch_unwind(AssertUnwindSafe(|| *stage.run(panicking)));
        assert!(panicked.map_or(true, |value| value == 1));
        assert_eq!(waiter.join().unwrap(), 1);
    });
}
