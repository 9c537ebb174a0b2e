//! Models of the end of an initializer against tasks that register.

use loom::thread;

use super::support::{Failed, both, bounded, exhaustive};

/// A task that sees READY sees the value.
///
/// Risk: A publishes READY before the write of the value is visible to B.
#[test]
fn who_sees_ready_sees_the_value() {
    exhaustive(|harness| {
        // The second thread loads: loom looks for races with the last access to the word only, and `set` begins with a
        // load of its own, which would hide a load before it.
        let (set, found) = both(|| harness.cell.set(1), || harness.cell.get().copied());
        assert_eq!(set, Ok(()));
        assert!(matches!(found, None | Some(1)));
        assert_eq!(harness.cell.get(), Some(&1));
    });
}

/// A task that sees READY sees the value when it is published under the list lock, and when waiters unlock the word
/// afterwards.
///
/// Risk: the READY that C sees was stored by B, which unlocked the list after A's publication.
#[test]
fn who_sees_ready_sees_the_value_around_waiters() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let [gone, left] = [(), ()].map(|()| harness.waiting(harness.cell.wait()));
        let cancel = thread::spawn(|| gone.cancel());
        let look = thread::spawn(|| harness.cell.get().copied());
        claim.end(Ok(1));
        cancel.join().unwrap();
        assert!(matches!(look.join().unwrap(), None | Some(1)));
        assert_eq!(left.wakes(), 1);
    });
}

/// A claimant that registers while the value is being published gets it.
///
/// Risk: A finds INITIALIZING; B publishes and finds no waiters; A registers and sleeps.
#[test]
fn a_claimant_registers_against_a_publication() {
    exhaustive(|harness| assert_eq!(harness.newcomer_against(Ok(1), harness.get_or_init(2)), 1));
}

/// A passive waiter that registers while the value is being published gets it.
#[test]
fn a_passive_waiter_registers_against_a_publication() {
    exhaustive(|harness| assert_eq!(harness.newcomer_against(Ok(1), harness.cell.wait()), &1));
}

/// A claimant that registers while the initializer is failing takes over.
///
/// Risk: A finds INITIALIZING; B rolls back and finds no waiters; A registers and sleeps.
#[test]
fn a_claimant_registers_against_a_failure() {
    exhaustive(|harness| {
        assert_eq!(harness.newcomer_against(Err(Failed), harness.get_or_init(1)), 1);
        assert_eq!(harness.runs(), 2);
    });
}

/// A claimant that registers while the initializer's future is being dropped takes over.
#[test]
fn a_claimant_registers_against_a_cancelled_initializer() {
    exhaustive(|harness| {
        let value = harness
            .claim()
            .cancel_beside(|| harness.run(harness.get_or_init(1)));
        assert_eq!((value, harness.runs()), (1, 1));
    });
}

/// `wait` gets the value of a `set`, although no initializer was running when it registered.
///
/// Risk: A registers while the cell is empty, and B claims and publishes past the waiter.
#[test]
fn wait_gets_what_is_set() {
    exhaustive(|harness| {
        let (set, value) = both(|| harness.cell.set(1), || *harness.run(harness.cell.wait()));
        assert_eq!((set, value), (Ok(()), 1));
    });
}

/// Two waiters that register during the publication both get the value.
///
/// Risk: A and B push themselves onto a list that each saw without the other.
#[test]
fn two_waiters_register_against_a_publication() {
    bounded(2, |harness| {
        let claim = harness.claim();
        let claimant = thread::spawn(|| harness.run(harness.get_or_init(2)));
        let passive = thread::spawn(|| *harness.run(harness.cell.wait()));
        claim.end(Ok(1));
        assert_eq!(claimant.join().unwrap(), 1);
        assert_eq!(passive.join().unwrap(), 1);
    });
}
