//! Models with more waiters than fit into one batch: the drain unlocks between batches, and other threads use the
//! cell.
//!
//! Under loom a batch is one waker, so that two waiters, or a claimant and the marker behind it, make two batches.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::thread;

use super::support::{Failed, Task, both, bounded};

/// A failure wakes every waiter that could initialize: none depends on another one being polled.
///
/// Risk: the one that is woken first is not polled for a long time.
#[test]
fn a_failure_wakes_every_claimant() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let [unpolled, eager] = harness.two_claimants();
        assert_eq!(claim.end_beside(Err(Failed), || eager.run()), 3);
        assert_eq!(unpolled.wakes(), 1);
    });
}

/// Failures that follow each other during the first one's drain leave no claimant asleep.
///
/// Risk: woken by A, B claims and fails; C, polled spuriously, registers again in between, behind the end of A's
/// drain, and B's drain finds a part of the list.
#[test]
fn a_claimant_registers_again_during_a_drain() {
    bounded(1, |harness| {
        let claim = harness.claim();
        let failing = harness.waiting(harness.get_or_fail());
        let waiter = harness.waiting(harness.get_or_init(1));
        let failing = thread::spawn(|| failing.run());
        let waiter = thread::spawn(|| waiter.run());
        claim.end(Err(Failed));
        assert_eq!(waiter.join().unwrap(), 1);
        assert!(matches!(failing.join().unwrap(), Ok(1) | Err(Failed)));
    });
}

/// A value wakes every waiter, even if waiters register and cancel between the batches.
///
/// Risk: B is dropped, or polled, when A has woken the first batch and not yet locked for the second.
#[test]
fn a_value_wakes_every_waiter() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let passive = harness.waiting(harness.cell.wait());
        let polled = harness.waiting(harness.get_or_init(2));
        let last = harness.waiting(harness.cell.wait());
        assert_eq!(claim.end_beside(Ok(1), || polled.run()), 1);
        assert_eq!([passive.wakes(), last.wakes()], [1; 2]);
    });
}

/// A passive waiter sleeps through every failure, and is woken by the value.
///
/// Risk: A's drain looks for claimants behind the passive waiter, which registered first.
#[test]
fn a_passive_waiter_sleeps_through_failures() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let passive = harness.waiting(harness.cell.wait());
        let claimant = harness.waiting(harness.get_or_fail());
        assert_eq!(claim.end_beside(Err(Failed), || claimant.run()), Err(Failed));
        assert_eq!(passive.wakes(), 0);
        assert_eq!(harness.cell.set(1), Ok(()));
        assert_eq!(passive.wakes(), 1);
    });
}

/// A passive waiter is woken once by a value that comes while a failure is still waking the claimants.
///
/// Risk: A's drain after the failure and B's drain after the publication overlap.
#[test]
fn a_passive_waiter_is_woken_between_drains() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let passive = harness.waiting(harness.cell.wait());
        let [claimant, other] = harness.two_claimants();
        assert_eq!(claim.end_beside(Err(Failed), || claimant.run()), 2);
        assert_eq!([passive.wakes(), other.wakes()], [1; 2]);
    });
}

/// A drain after a failure leaves later claimants asleep: they wait for the next initializer.
///
/// Risk: between A's batches B claims and C registers; woken by A, C would register again, and be woken again, as
/// long as A finds a waiter.
#[test]
fn a_drain_leaves_later_claimants_asleep() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let earlier = harness.two_claimants();
        let later = claim.end_beside(Err(Failed), || {
            let next = harness.try_claim()?;
            Some((next, harness.waiting(harness.get_or_init(4))))
        });
        assert_eq!(earlier.each_ref().map(Task::wakes), [1; 2]);
        if let Some((next, late)) = later {
            assert_eq!(late.wakes(), 0);
            next.end(Ok(1));
            assert_eq!(late.wakes(), 1);
        }
    });
}

/// The last claimant before a marker, and its only neighbor, can be cancelled while the drain goes on.
///
/// Risk: B unlinks itself from the marker on A's stack, and A finds the marker at the head of the lane.
#[test]
fn the_last_claimant_before_a_marker_is_cancelled() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let [first, last] = harness.two_claimants();
        let passive = harness.waiting(harness.cell.wait());
        claim.end_beside(Err(Failed), || last.cancel());
        assert_eq!([first.wakes(), passive.wakes()], [1, 0]);
    });
}

/// Both neighbors of a marker can be cancelled, one of them a newcomer behind it.
///
/// Risk: B claims and C registers behind A's marker; C and the claimant before the marker are dropped at the same
/// time, while A unlinks the marker in between.
#[test]
fn both_neighbors_of_a_marker_are_cancelled() {
    bounded(2, |harness| {
        let claim = harness.claim();
        let [first, last] = harness.two_claimants();
        let next = claim.end_beside(Err(Failed), || {
            let next = harness.try_claim()?;
            let newcomer = harness.waiting(harness.get_or_init(4));
            last.cancel();
            newcomer.cancel();
            Some(next)
        });
        assert_eq!(first.wakes(), 1);
        if let Some(next) = next {
            let late = harness.waiting(harness.get_or_init(5));
            next.end(Ok(1));
            assert_eq!(late.wakes(), 1);
        }
    });
}

/// A publication that overtakes a failure's drain wakes the waiters that the drain has not reached, and the marker is
/// unlinked before the drain returns.
///
/// Risk: A is between two batches; B claims and publishes, takes the last claimant and A's marker, and is about to
/// clear `prev` of the marker when A looks at it.
#[test]
fn a_publication_overtakes_a_drain() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let claimants = harness.two_claimants();
        let passive = harness.waiting(harness.cell.wait());
        let is_set = claim.end_beside(Err(Failed), || harness.cell.set(1).is_ok());
        assert_eq!(claimants.each_ref().map(Task::wakes), [1; 2]);
        assert_eq!(passive.wakes(), usize::from(is_set));
    });
}

/// A second failure that overtakes a failure's drain wakes the waiters that the drain has not reached, and those that
/// registered for the second attempt.
///
/// Risk: the markers of A and B are in the lane at the same time; B takes A's, and A may lock before or after.
#[test]
fn a_second_failure_overtakes_a_drain() {
    bounded(2, |harness| {
        let claim = harness.claim();
        let earlier = harness.two_claimants();
        let newcomers = claim.end_beside(Err(Failed), || {
            let next = harness.try_claim()?;
            let newcomers = harness.two_claimants();
            next.end(Err(Failed));
            Some(newcomers)
        });
        for waiter in earlier.iter().chain(newcomers.iter().flatten()) {
            assert_eq!(waiter.wakes(), 1);
        }
    });
}

/// A drain from inside a waker of another drain takes the marker of the outer one, while a claimant is cancelled.
///
/// Risk: the waker that A wakes first claims and fails during the wake; this inner drain takes A's marker, and B unlinks
/// the claimant before it at the same time.
#[test]
fn a_drain_inside_a_drain_takes_its_marker() {
    bounded(2, |harness| {
        let claim = harness.claim();
        let first = harness.waiting_with_hook(harness.get_or_init(1), || {
            if let Some(next) = harness.try_claim() {
                next.end(Err(Failed));
            }
        });
        let [second, last] = harness.two_claimants();
        claim.end_beside(Err(Failed), || last.cancel());
        assert_eq!([first.wakes(), second.wakes()], [1; 2]);
        assert_eq!(harness.cell.set(1), Ok(()));
    });
}

/// A waker that panics while the marker is linked leaves no claimant asleep, and no marker behind.
///
/// Risk: A unwinds through the frame that its marker is in, while B unlinks the claimant before the marker.
#[test]
fn a_waker_panics_while_the_marker_is_linked() {
    bounded(2, |harness| {
        let claim = harness.claim();
        let first = harness.waiting_with_hook(harness.get_or_init(1), || resume_unwind(Box::new(Failed)));
        let [second, last] = harness.two_claimants();
        let fail = || catch_unwind(AssertUnwindSafe(|| claim.end(Err(Failed))));
        assert!(both(fail, || last.cancel()).0.unwrap_err().is::<Failed>());
        assert_eq!([first.wakes(), second.wakes()], [1; 2]);
        assert_eq!(harness.cell.set(1), Ok(()));
    });
}
