//! Models of the claim: which task initializes, and what the others get.

use loom::thread;

use super::support::{Failed, Harness, ModelBackend, both, bounded, exhaustive};

// Models that other backends run too.

impl<B: ModelBackend> Harness<B> {
    /// A claimant initializes while the initializer of another one fails.
    pub(super) fn model_a_claimant_beside_a_failing_one(&'static self) {
        let (mine, other) = both(|| self.run(self.get_or_init(1)), || self.run(self.get_or_fail()));
        match other {
            Err(Failed) => assert_eq!((mine, self.runs()), (1, 2)),
            Ok(value) => assert_eq!((mine, value, self.runs()), (1, 1, 1)),
        }
    }

    /// Two claimants fail concurrently.
    pub(super) fn model_two_failing_claimants(&'static self) {
        let failed = both(|| self.run(self.get_or_fail()), || self.run(self.get_or_fail()));
        assert_eq!(failed, (Err(Failed), Err(Failed)));
        assert_eq!(self.runs(), 2);
        assert!(!self.cell.initialized());
    }
}

// Models of the default backend.

/// Concurrent claimants get the same value, and one initializer runs.
///
/// Risk: both see UNINIT; the second one's claim fails, finds READY, and reads the value without having loaded the
/// word once more.
#[test]
fn two_claimants_get_the_value_of_one() {
    bounded(3, |harness| {
        let (mine, other) = both(
            || harness.run(harness.get_or_init(2)),
            || harness.run(harness.get_or_init(1)),
        );
        assert_eq!((mine, harness.runs()), (other, 1));
    });
}

/// Three concurrent claimants get the same value, and one initializer runs.
#[test]
fn three_claimants_get_the_value_of_one() {
    bounded(1, |harness| {
        let others = [1, 2].map(|value| thread::spawn(move || harness.run(harness.get_or_init(value))));
        let mine = harness.run(harness.get_or_init(3));
        assert_eq!(others.map(|other| other.join().unwrap()), [mine; 2]);
        assert_eq!(harness.runs(), 1);
    });
}

/// When an initializer fails, only its caller gets the error, and another claimant takes over.
///
/// Risk: the failure happens between the other's load of the state and its registration.
#[test]
fn after_a_failure_the_other_claimant_takes_over() {
    bounded(3, |harness| harness.model_a_claimant_beside_a_failing_one());
}

/// Initializers that fail one after the other do not race, although only the cell orders them.
///
/// Risk: A rolls back to UNINIT, and B claims without having acquired what A's initializer did.
#[test]
fn failed_initializers_do_not_race() {
    bounded(3, |harness| harness.model_two_failing_claimants());
}

/// Initializers that fail one after the other next to a passive waiter do not race, although every first
/// compare-and-swap fails.
///
/// Risk: A rolls back under the list lock, and B, having met the lock, claims by the slow path.
#[test]
fn failed_initializers_do_not_race_around_a_waiter() {
    bounded(2, |harness| {
        let claim = harness.claim();
        let passive = harness.waiting(harness.cell.wait());
        let other = thread::spawn(|| harness.run(harness.get_or_fail()));
        claim.end(Err(Failed));
        assert_eq!(harness.run(harness.get_or_fail()), Err(Failed));
        assert_eq!(other.join().unwrap(), Err(Failed));
        assert_eq!((harness.runs(), passive.wakes()), (3, 0));
    });
}

/// `set` and `get_or_init` agree on which of them made the value.
#[test]
fn set_and_get_or_init_agree() {
    exhaustive(|harness| {
        let (value, set) = both(|| harness.run(harness.get_or_init(2)), || harness.cell.set(1));
        match set.map_err(|error| error.into_inner()) {
            Ok(()) => assert_eq!((value, harness.runs()), (1, 0)),
            Err(mine) => assert_eq!((value, mine, harness.runs()), (2, 1, 1)),
        }
    });
}

/// `set` and `insert` agree when a passive waiter is in the list, so that every first compare-and-swap fails.
///
/// Risk: B has seen UNINIT by the slow path; its claim fails, finds READY, and reads the value without having loaded
/// the word once more.
#[test]
fn set_and_insert_agree_around_a_waiter() {
    bounded(3, |harness| {
        let passive = harness.waiting(harness.cell.wait());
        match both(|| harness.run(harness.cell.insert(2)), || harness.cell.set(1)) {
            (Ok(value), set) => assert_eq!((*value, set.is_err()), (2, true)),
            (Err(values), set) => assert_eq!((values, set), ((&1, 2), Ok(()))),
        }
        assert_eq!(passive.wakes(), 1);
    });
}

/// Of two `set`s one wins, and the other can read the value at once if its error says that there is one.
#[test]
fn of_two_sets_one_wins() {
    exhaustive(|harness| {
        let other = thread::spawn(|| harness.cell.set(1));
        let mine = harness.cell.set(2);
        if mine.is_err_and(|error| error.is_already_init_err()) {
            // SAFETY: the cell holds a value.
            assert_eq!(*unsafe { harness.cell.get_unchecked() }, 1);
        }
        assert_eq!(other.join().unwrap().is_ok(), mine.is_err());
        assert_eq!(harness.cell.get(), Some(if mine.is_ok() { &2 } else { &1 }));
    });
}

/// `insert` waits for an initializer that fails, and then stores its value.
#[test]
fn insert_follows_a_failure() {
    exhaustive(|harness| {
        assert_eq!(
            harness.newcomer_against(Err(Failed), harness.cell.insert(1)),
            Ok(&1)
        )
    });
}

/// `insert` waits for an initializer that succeeds, and returns its own value.
#[test]
fn insert_gives_way_to_a_value() {
    exhaustive(|harness| {
        assert_eq!(
            harness.newcomer_against(Ok(2), harness.cell.insert(1)),
            Err((&2, 1))
        )
    });
}
