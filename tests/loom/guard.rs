//! Models of guards, which hold the claim as a value.

use super::support::{both, bounded, exhaustive};

/// A task that waits for a guard, or that registers while the guard is being dropped, gets the next one.
///
/// Risk: B finds INITIALIZING; A releases the claim and finds no waiters; B registers and sleeps.
#[test]
fn a_guard_follows_a_dropped_guard() {
    exhaustive(|harness| {
        let guard = harness.cell.try_claim();
        let waiter = || match harness.run(harness.cell.get_or_claim()) {
            Ok(value) => panic!("no task has set {value}"),
            Err(next) => *next.set(1),
        };
        assert_eq!(both(|| drop(guard), waiter), ((), 1));
        assert_eq!(harness.cell.get(), Some(&1));
    });
}

/// A waiter that is dropped while a guard sets the value leaves nothing behind, and its neighbor gets the value.
#[test]
fn set_against_cancellation() {
    bounded(3, |harness| {
        let guard = harness.cell.try_claim().unwrap();
        let gone = harness.waiting(harness.cell.get_or_claim());
        let left = harness.waiting(harness.get_or_init(3));
        let set = || (*guard.set(1), left.run());
        assert_eq!(both(set, || gone.cancel()).0, (1, 1));
    });
}

/// A guard that was sent to another thread completes the cell there.
#[test]
fn a_guard_is_set_by_another_thread() {
    exhaustive(|harness| {
        let guard = harness.cell.try_claim().unwrap();
        let set = || {
            harness.work();
            *guard.set(1)
        };
        assert_eq!(both(|| *harness.run(harness.cell.wait()), set), (1, 1));
        assert_eq!(harness.runs(), 1);
    });
}
