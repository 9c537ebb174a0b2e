//! Models of waiting futures that are dropped while other threads use the list.

use loom::thread;

use super::support::{Failed, both, bounded};

/// A waiter that is dropped during a publication leaves nothing behind, and its neighbor is woken.
///
/// Risk: B has seen itself linked, and A unlinks it before B locks; or B sees itself unlinked and is freed while A
/// still uses its node.
#[test]
fn cancel_against_publication() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let [gone, left] = harness.two_claimants();
        let cancel = thread::spawn(|| gone.cancel());
        claim.end(Ok(1));
        assert_eq!(left.run(), 1);
        cancel.join().unwrap();
    });
}

/// A passive waiter that is dropped during a publication leaves nothing behind, and the older one is woken.
#[test]
fn cancel_against_publication_behind_a_passive_waiter() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let [left, gone] = [(), ()].map(|()| harness.waiting(harness.cell.wait()));
        let cancel = thread::spawn(|| gone.cancel());
        claim.end(Ok(1));
        assert_eq!(*left.run(), 1);
        cancel.join().unwrap();
    });
}

/// A waiter that is dropped during a failure leaves no other claimant asleep.
///
/// Risk: the wakeup goes to B, which is dropped, and C sleeps forever.
#[test]
fn cancel_against_failure() {
    bounded(2, |harness| {
        let claim = harness.claim();
        let [gone, left] = harness.two_claimants();
        let cancel = thread::spawn(|| gone.cancel());
        let left = thread::spawn(|| left.run());
        claim.end(Err(Failed));
        cancel.join().unwrap();
        assert_eq!(left.join().unwrap(), 3);
    });
}

/// A waiter that is dropped after it has been woken leaves no other claimant asleep.
///
/// Risk: B is woken by the failure and dropped instead of polled, while C still sleeps.
#[test]
fn a_woken_waiter_is_cancelled() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let mut woken = harness.waiting(harness.get_or_fail());
        let left = harness.waiting(harness.get_or_init(3));
        let other = thread::spawn(|| {
            let _ = woken.poll();
            woken.cancel();
        });
        claim.cancel();
        assert_eq!(left.run(), 3);
        other.join().unwrap();
    });
}

/// Neighbors in the list can be dropped concurrently, and the one before them is still found.
///
/// Risk: A and B redirect each other's pointers.
#[test]
fn cancel_against_cancel_behind_a_waiter() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let left = harness.waiting(harness.get_or_init(1));
        for cancel in harness
            .two_claimants()
            .map(|gone| thread::spawn(|| gone.cancel()))
        {
            cancel.join().unwrap();
        }
        claim.end(Ok(1));
        assert_eq!(left.wakes(), 1);
        assert_eq!(left.run(), 1);
    });
}

/// Neighbors that are dropped concurrently between waiters leave both sides linked, and the passive waiter behind
/// them.
#[test]
fn cancel_against_cancel_between_waiters() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let first = harness.waiting(harness.get_or_init(1));
        let gone = harness.two_claimants();
        let last = harness.waiting(harness.get_or_init(4));
        let passive = harness.waiting(harness.cell.wait());
        for cancel in gone.map(|gone| thread::spawn(|| gone.cancel())) {
            cancel.join().unwrap();
        }
        claim.end(Ok(1));
        assert_eq!([first.wakes(), last.wakes(), passive.wakes()], [1; 3]);
    });
}

/// Neighbors in the list can be dropped concurrently while the value is published, and the one before them is woken.
#[test]
fn cancel_against_cancel_against_publication() {
    bounded(2, |harness| {
        let claim = harness.claim();
        let left = harness.waiting(harness.get_or_init(1));
        let cancels = harness
            .two_claimants()
            .map(|gone| thread::spawn(|| gone.cancel()));
        claim.end(Ok(1));
        for cancel in cancels {
            cancel.join().unwrap();
        }
        assert_eq!(left.wakes(), 1);
    });
}

/// A task that registers while another waiter is dropped stays in the list.
///
/// Risk: B links itself to A's node, which A is unlinking.
#[test]
fn cancel_against_registration() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let gone = harness.waiting(harness.get_or_init(2));
        let register = || harness.waiting(harness.get_or_init(3));
        let (registered, ()) = both(register, || gone.cancel());
        claim.end(Ok(1));
        assert_eq!(registered.wakes(), 1);
    });
}
