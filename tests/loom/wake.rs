//! Models of wakers that are replaced, of spurious polls, and of wakers that panic.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::thread;

use super::support::{Failed, both, bounded, exhaustive};

/// A waiter that has moved to another task is woken there, or finds the value.
///
/// Risk: A has moved the older waker out and is about to wake it; B puts its newer waker into a node that is no
/// longer in the list, and sleeps.
#[test]
fn the_newest_waker_is_woken_by_a_value() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let moving = harness.waiting(harness.get_or_init(2));
        assert_eq!(claim.end_beside(Ok(1), || moving.migrate().run()), 1);
    });
}

/// A waiter that has moved to another task is woken there by a failure, or finds the cell empty.
#[test]
fn the_newest_waker_is_woken_by_a_failure() {
    bounded(5, |harness| {
        let claim = harness.claim();
        let moving = harness.waiting(harness.get_or_init(1));
        assert_eq!(claim.end_beside(Err(Failed), || moving.migrate().run()), 1);
    });
}

/// A passive waiter that has moved to another task stays in the list through a failure, and is woken there by the value.
///
/// Risk: the failing thread unlocks the list with a passive waiter at its head that has changed its waker.
#[test]
fn the_newest_waker_of_a_passive_waiter_is_woken() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let moving = harness.waiting(harness.cell.wait());
        let moved = thread::spawn(|| *moving.migrate().run());
        claim.end(Err(Failed));
        assert_eq!(harness.cell.set(1), Ok(()));
        assert_eq!(moved.join().unwrap(), 1);
    });
}

/// A spurious poll during a publication does no harm.
///
/// Risk: B sees that its waker is the same and sleeps on, while A has just unlinked it: the wake is still to come.
#[test]
fn a_spurious_poll_against_publication() {
    exhaustive(|harness| assert_eq!(harness.waiter_against(Ok(1), harness.get_or_init(2)), 1));
}

/// A spurious poll may take the claim while its node is still in the list that another thread drains.
///
/// Risk: B claims, runs and publishes while A, which has failed, is about to wake it.
#[test]
fn a_spurious_poll_against_failure() {
    bounded(5, |harness| {
        assert_eq!(harness.waiter_against(Err(Failed), harness.get_or_init(1)), 1);
        assert_eq!(harness.runs(), 2);
    });
}

/// A waker that panics leaves no waiter asleep, even while another waiter is dropped.
///
/// Risk: the panic unwinds out of the drain while the lock is free, and B unlinks itself before the drain resumes.
#[test]
fn a_panicking_waker_strands_no_waiter() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let explosive = harness.waiting_with_hook(harness.cell.wait(), || resume_unwind(Box::new(Failed)));
        let [gone, left] = harness.two_claimants();
        let end = || catch_unwind(AssertUnwindSafe(|| claim.end(Ok(1))));
        assert!(both(end, || gone.cancel()).0.unwrap_err().is::<Failed>());
        assert_eq!([explosive.wakes(), left.wakes()], [1; 2]);
        assert_eq!(left.run(), 1);
    });
}

/// After an initializer panics, another claimant takes over.
///
/// Risk: the state changes during the unwinding, when the waiter is registering.
#[test]
fn after_a_panic_the_other_claimant_takes_over() {
    bounded(3, |harness| {
        let panic = || -> std::future::Ready<u32> { resume_unwind(Box::new(Failed)) };
        let panics = || catch_unwind(AssertUnwindSafe(|| *harness.run(harness.cell.get_or_init(panic))));
        let (panicked, waiter) = both(panics, || harness.run(harness.get_or_init(1)));
        assert!(panicked.map_or(true, |value| value == 1));
        assert_eq!(waiter, 1);
    });
}
