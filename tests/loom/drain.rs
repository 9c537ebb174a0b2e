//! More waiters than fit into one batch: the drain unlocks in between, and the world goes on.
//!
//! Under loom a batch is one waker.

use loom::thread;

use super::support::{Failed, bounded};

/// A failure wakes every waiter that could initialize: none depends on another one being polled.
///
/// Worrying: the one that is woken first is not polled for a long time.
#[test]
fn a_failure_wakes_every_claimant() {
    bounded(3, |stage| {
        let claim = stage.claim();
        let unpolled = stage.waiting(stage.get_or_init(2));
        let eager = stage.waiting(stage.get_or_init(1));
        let eager = thread::spawn(|| eager.run());
        claim.end(Err(Failed));
        assert_eq!(eager.join().unwrap(), 1);
        assert_eq!(unpolled.wakes(), 1);
    });
}

/// Failures that follow each other while the first one's drain is at work strand nobody.
///
/// Worrying: woken by A, B claims and fails; C, polled for no reason, registers again in between and stands
/// behind the end of A's drain, and B's drain finds the list half empty.
#[test]
fn a_claimant_registers_again_during_a_drain() {
    bounded(1, |stage| {
        let claim = stage.claim();
        let failing = stage.waiting(stage.get_or_fail());
        let waiter = stage.waiting(stage.get_or_init(1));
        let failing = thread::spawn(|| failing.run());
        let waiter = thread::spawn(|| waiter.run());
        claim.end(Err(Failed));
        assert_eq!(waiter.join().unwrap(), 1);
        assert!(matches!(failing.join().unwrap(), Ok(1) | Err(Failed)));
    });
}

/// A value wakes everybody, claimants or not, even if they come and go between the batches.
///
/// Worrying: B is dropped, or polled, when A has woken the first batch and not yet locked for the second.
#[test]
fn a_value_wakes_everybody() {
    bounded(3, |stage| {
        let claim = stage.claim();
        let passive = stage.waiting(stage.cell.wait());
        let polled = stage.waiting(stage.get_or_init(2));
        let last = stage.waiting(stage.cell.wait());
        let polled = thread::spawn(|| polled.run());
        claim.end(Ok(1));
        assert_eq!(polled.join().unwrap(), 1);
        assert_eq!([passive.wakes(), last.wakes()], [1; 2]);
    });
}

/// A passive waiter sleeps through every failure, and is woken by the value that comes at last.
///
/// Worrying: A's drain looks for claimants behind the passive waiter, who came first.
#[test]
fn a_passive_waiter_sleeps_through_failures() {
    bounded(3, |stage| {
        let claim = stage.claim();
        let passive = stage.waiting(stage.cell.wait());
        let claimant = stage.waiting(stage.get_or_fail());
        let claimant = thread::spawn(|| claimant.run());
        claim.end(Err(Failed));
        assert_eq!(claimant.join().unwrap(), Err(Failed));
        assert_eq!(passive.wakes(), 0);
        assert_eq!(stage.cell.set(1), Ok(()));
        assert_eq!(passive.wakes(), 1);
    });
}

/// A passive waiter is woken once by a value that comes while a failure is still waking the claimants.
///
/// Worrying: A's drain after the failure and B's drain after the publication overlap.
#[test]
fn a_passive_waiter_is_woken_between_drains() {
    bounded(3, |stage| {
        let claim = stage.claim();
        let passive = stage.waiting(stage.cell.wait());
        let claimant = stage.waiting(stage.get_or_init(1));
        let other = stage.waiting(stage.get_or_init(1));
        let claimant = thread::spawn(|| claimant.run());
        claim.end(Err(Failed));
        assert_eq!(claimant.join().unwrap(), 1);
        assert_eq!([passive.wakes(), other.wakes()], [1; 2]);
    });
}

/// A drain after a failure leaves those asleep who came after it: they wait for the next initializer.
///
/// Worrying: between A's batches B claims and C registers; woken by A, C would register again, and be woken
/// again, as long as A finds anybody.
#[test]
fn a_drain_leaves_those_who_came_later_asleep() {
    bounded(3, |stage| {
        let claim = stage.claim();
        let waiters = [2, 3].map(|value| stage.waiting(stage.get_or_init(value)));
        let later = thread::spawn(|| {
            let next = stage.try_claim()?;
            Some((next, stage.waiting(stage.get_or_init(4))))
        });
        claim.end(Err(Failed));
        assert_eq!(waiters.each_ref().map(|waiter| waiter.wakes()), [1; 2]);
        if let Some((next, late)) = later.join().unwrap() {
            assert_eq!(late.wakes(), 0);
            next.end(Ok(1));
            assert_eq!(late.wakes(), 1);
        }
    });
}
