//! Calls that make or wait for one attempt: `get_or_try_init_shared` and `wait_attempt`.

use loom::thread;

use super::support::{Failed, Harness, ModelBackend, Task, both, bounded, exhaustive};
use crate::SharedInitError::{Failed as OwnFailed, OtherFailed};

// A model that other backends run too.

impl<B: ModelBackend> Harness<B> {
    /// A shared call waits for an attempt that fails, after which the next one begins.
    pub(super) fn model_a_shared_call_beside_the_next_attempt(&'static self) {
        let claim = self.claim();
        let waiting = self.waiting(self.get_or_init_shared(2));
        let waiter = thread::spawn(|| waiting.run_beside_others());
        claim.end(Err(Failed));
        let next = self.claim();
        assert_eq!(waiter.join().unwrap().unwrap_or_else(Task::end), Err(OtherFailed));
        next.end(Ok(1));
    }
}

// Models of the default backend.

/// A shared call that begins while the initializer is failing returns `OtherFailed`, or makes the next attempt.
///
/// Risk: B finds INITIALIZING; A fails and finds no waiters; B registers and sleeps.
#[test]
fn a_shared_call_registers_against_a_failure() {
    exhaustive(|harness| {
        let ended = harness.newcomer_against(Err(Failed), harness.get_or_init_shared(1));
        match ended {
            Ok(value) => assert_eq!((value, harness.runs()), (1, 2)),
            Err(error) => assert_eq!((error, harness.runs()), (OtherFailed, 1)),
        }
    });
}

/// A shared call that waits for a failure returns when the initializer ends, and runs no other.
///
/// Risk: A's drain has unlinked B, which is polled before the state is stored, and returns while the claim is taken.
#[test]
fn a_shared_call_waits_for_a_failure() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let waiting = harness.waiting(harness.get_or_init_shared(1));
        let ended = claim.end_beside(Err(Failed), || (waiting.run(), harness.cell.state()));
        assert_eq!(ended, (Err(OtherFailed), crate::State::Uninit));
        assert_eq!(harness.runs(), 1);
    });
}

/// A shared call that waits for a value gets it, also if it is polled spuriously.
///
/// Risk: A's drain has unlinked B, which is polled before READY is stored, and takes the attempt for a failure.
#[test]
fn a_shared_call_waits_for_a_publication() {
    exhaustive(|harness| {
        assert_eq!(
            harness.waiter_against(Ok(1), harness.get_or_init_shared(2)),
            Ok(1)
        );
        assert_eq!(harness.runs(), 1);
    });
}

/// A shared call returns when the future of the initializer that it waits for is dropped.
#[test]
fn a_shared_call_waits_for_a_cancelled_initializer() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let waiting = harness.waiting(harness.get_or_init_shared(1));
        assert_eq!(claim.cancel_beside(|| waiting.run()), Err(OtherFailed));
        assert_eq!(harness.runs(), 0);
    });
}

/// A shared call returns after the attempt that it waits for, although the next one has begun and does not end before.
///
/// Risk: B is polled when C has claimed, finds INITIALIZING, registers again, and sleeps for as long as C runs.
#[test]
fn a_shared_call_does_not_wait_for_the_next_attempt() {
    exhaustive(|harness| harness.model_a_shared_call_beside_the_next_attempt());
}

/// A shared call that has moved to another task returns after its attempt, although the next one has begun.
///
/// Risk: B's newer waker is given to a node that A's drain has taken, or registers it with the next attempt.
#[test]
fn a_moved_shared_call_does_not_wait_for_the_next_attempt() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let waiting = harness.waiting(harness.get_or_init_shared(2));
        let waiter = thread::spawn(|| waiting.migrate().run());
        claim.cancel();
        let next = harness.claim();
        assert_eq!(waiter.join().unwrap(), Err(OtherFailed));
        next.end(Ok(1));
    });
}

/// A shared call that waits for the next attempt is not ended by the drain of the one before.
///
/// Risk: between A's batches B claims and C registers; A's drain reaches C, which takes its attempt for ended.
#[test]
fn a_drain_does_not_end_a_later_attempt() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let waiting = [2, 3].map(|value| harness.waiting(harness.get_or_init_shared(value)));
        let later = claim.end_beside(Err(Failed), || {
            let next = harness.try_claim()?;
            let mut late = harness.waiting(harness.get_or_init_shared(4));
            assert!(late.poll().is_pending());
            Some((next, late))
        });
        if let Some((next, mut late)) = later {
            assert!(late.poll().is_pending());
            next.end(Ok(1));
            assert_eq!(late.run(), Ok(1));
        }
        drop(waiting);
    });
}

/// Of two shared calls that fail, each returns after one attempt: its own, or the one that it has waited for.
#[test]
fn two_shared_calls_fail() {
    bounded(3, |harness| {
        let run = || harness.run(harness.get_or_fail_shared());
        match both(run, run) {
            (Err(OwnFailed(Failed)), Err(OwnFailed(Failed))) => assert_eq!(harness.runs(), 2),
            (Err(OwnFailed(Failed)), Err(OtherFailed)) | (Err(OtherFailed), Err(OwnFailed(Failed))) => {
                assert_eq!(harness.runs(), 1);
            }
            ended => panic!("{ended:?} after {} attempts", harness.runs()),
        }
    });
}

/// A shared call that is dropped during a failure takes nothing from its neighbor, which returns.
#[test]
fn cancel_against_failure() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let [gone, left] = [2, 3].map(|value| harness.waiting(harness.get_or_init_shared(value)));
        let cancel = thread::spawn(|| gone.cancel());
        claim.end(Err(Failed));
        assert_eq!(left.wakes(), 1);
        assert_eq!(left.run(), Err(OtherFailed));
        cancel.join().unwrap();
        assert_eq!(harness.runs(), 1);
    });
}

/// `wait_attempt` returns `None` for a failure that it has waited for, or that has just happened.
#[test]
fn a_wait_registers_against_a_failure() {
    exhaustive(|harness| {
        let ended = harness.newcomer_against(Err(Failed), harness.cell.wait_attempt());
        assert_eq!(ended, None);
    });
}

/// `wait_attempt` returns the value that it has waited for, or that is there when it comes.
#[test]
fn a_wait_registers_against_a_publication() {
    exhaustive(|harness| {
        assert_eq!(
            harness.newcomer_against(Ok(1), harness.cell.wait_attempt()),
            Some(&1)
        )
    });
}

/// `wait_attempt` returns the value, also if it is polled spuriously while the value is being published.
#[test]
fn a_wait_is_polled_against_a_publication() {
    exhaustive(|harness| {
        assert_eq!(
            harness.waiter_against(Ok(1), harness.cell.wait_attempt()),
            Some(&1)
        )
    });
}

/// `wait_attempt` returns after a cancelled initializer, although the next one has begun and does not end before.
#[test]
fn a_wait_does_not_wait_for_the_next_attempt() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let waiting = harness.waiting(harness.cell.wait_attempt());
        let waiter = thread::spawn(|| waiting.run());
        claim.cancel();
        let next = harness.claim();
        assert_eq!(waiter.join().unwrap(), None);
        next.end(Ok(1));
    });
}

/// A `wait_attempt` that is dropped while a guard is being dropped lets the claimant next to it take over.
#[test]
fn a_wait_is_cancelled_against_a_dropped_guard() {
    bounded(3, |harness| {
        let guard = harness.cell.try_claim();
        let gone = harness.waiting(harness.cell.wait_attempt());
        let left = harness.waiting(harness.get_or_init(1));
        let cancel = thread::spawn(|| gone.cancel());
        drop(guard);
        assert_eq!(left.run(), 1);
        cancel.join().unwrap();
    });
}
