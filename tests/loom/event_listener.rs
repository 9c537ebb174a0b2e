//! Models of the backend `EventListener`.
//!
//! The crate `event-listener` clones and wakes wakers while it holds a lock that loom does not instrument. If a waker
//! let loom switch threads, the next thread would wait for that lock forever, because all threads of a model share
//! one system thread. So the wakers here only set a flag, and tasks do not sleep: a task that is pending when the
//! other threads have stopped must have been woken.
//!
//! For loom, each call of the crate is a single step. The models cover how the backend uses these calls, the state,
//! and whether a queue is in use. They leave out a second claimant that registers against a publication: fences in
//! that crate guarantee that a task which queues up after a notification sees the state, and [`Shadowed`] can replace
//! only the fence of the last notification, that of the passive waiters.

use loom::thread;

use super::{
    shadowed::Shadowed,
    support::{self, Failed, Task, bounded_on, exhaustive_on},
};
use crate::backend::EventListener;

type Harness = support::Harness<Shadowed<EventListener, false>>;

fn exhaustive(model: impl Fn(&'static Harness) + Send + Sync + 'static) {
    exhaustive_on(model);
}

fn bounded(preemptions: usize, model: impl Fn(&'static Harness) + Send + Sync + 'static) {
    bounded_on(preemptions, model);
}

/// The first claimant of a cell registers while the value is being published.
///
/// Risk: A finds INITIALIZING; B publishes and finds that no task has ever waited; A queues up and sleeps.
#[test]
fn the_first_claimant_registers_against_a_publication() {
    exhaustive(|harness| assert_eq!(harness.newcomer_against(Ok(1), harness.get_or_init(2)), 1));
}

/// The first claimant of a cell registers while the initializer is failing.
#[test]
fn the_first_claimant_registers_against_a_failure() {
    exhaustive(|harness| {
        assert_eq!(harness.newcomer_against(Err(Failed), harness.get_or_init(1)), 1);
        assert_eq!(harness.runs(), 2);
    });
}

/// A passive waiter and a claimant, each in its own queue, register against a publication.
#[test]
fn two_waiters_register_against_a_publication() {
    bounded(4, |harness| {
        let claim = harness.claim();
        let passive = thread::spawn(|| harness.task(harness.cell.wait()).run_for(3));
        let claimant = thread::spawn(|| harness.task(harness.get_or_init(2)).run_for(3));
        claim.end(Ok(1));
        let (passive, claimant) = (passive.join().unwrap(), claimant.join().unwrap());
        assert_eq!(*passive.unwrap_or_else(Task::end), 1);
        assert_eq!(claimant.unwrap_or_else(Task::end), 1);
    });
}

/// Two claimants register against a failure: each is woken, or initializes without having waited.
///
/// Risk: A is the first to queue up; B releases the claim and finds that no task has ever waited.
#[test]
fn two_claimants_register_against_a_failure() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let waiters = [(), ()].map(|()| thread::spawn(|| harness.task(harness.get_or_fail()).run_for(2)));
        claim.end(Err(Failed));
        for waiter in waiters.map(|waiter| waiter.join().unwrap()) {
            assert_eq!(waiter.unwrap_or_else(Task::end), Err(Failed));
        }
        assert_eq!(harness.runs(), 3);
    });
}

/// A waiter that is dropped during a publication leaves nothing behind, and its neighbor is woken.
#[test]
fn cancel_against_publication() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let [gone, left] = harness.two_claimants();
        claim.end_beside(Ok(1), || gone.cancel());
        assert_eq!(left.end(), 1);
    });
}

/// A waiter that is dropped during a failure leaves no other claimant asleep, even if others initialize meanwhile.
///
/// Risk: A is notified and dropped, and B, which registers for the next initializer, is left asleep.
#[test]
fn cancel_against_failure() {
    bounded(4, |harness| {
        let claim = harness.claim();
        let [gone, left] = harness.two_claimants();
        let cancel = thread::spawn(|| gone.cancel());
        let next = thread::spawn(|| {
            let next = harness.try_claim()?;
            Some((next, harness.waiting(harness.get_or_init(4))))
        });
        claim.end(Err(Failed));
        cancel.join().unwrap();
        let next = next.join().unwrap();
        assert!(left.is_woken());
        if let Some((next, late)) = next {
            next.end(Ok(1));
            assert_eq!(late.end(), 1);
        }
    });
}

/// A shared call returns after the attempt that it waits for, although the next one has begun.
#[test]
fn a_shared_call_does_not_wait_for_the_next_attempt() {
    exhaustive(|harness| harness.model_a_shared_call_beside_the_next_attempt());
}

/// A shared call that waits for the next attempt is not ended by the notification of the one before.
///
/// Risk: A has released the claim and not yet notified; B claims and C queues up; A notifies C.
#[test]
fn a_late_notification_does_not_end_the_next_attempt() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let earlier = harness.waiting(harness.cell.wait_attempt());
        harness.model_the_end_of_an_attempt_against_the_next(claim);
        assert_eq!(earlier.end().copied().unwrap_or(1), 1);
    });
}

/// A shared call that waits for a value gets it, also if it is polled spuriously.
#[test]
fn a_shared_call_waits_for_a_publication() {
    exhaustive(|harness| {
        assert_eq!(
            harness.waiter_against(Ok(1), harness.get_or_init_shared(2)),
            Ok(1)
        )
    });
}

/// A thread gets the value that a task makes.
///
/// Risk: the value is published when the thread has queued up and not yet parked.
#[cfg(feature = "blocking")]
#[test]
fn a_thread_gets_the_value_of_a_task() {
    exhaustive(|harness| harness.model_the_value_of_a_task());
}

/// When an initializer fails, a thread that waits takes over.
#[cfg(feature = "blocking")]
#[test]
fn a_thread_takes_over() {
    exhaustive(|harness| harness.model_a_takeover());
}

/// A thread whose time runs out leaves the queue, and the other task is woken.
#[cfg(feature = "blocking")]
#[test]
fn a_thread_whose_time_runs_out_against_a_publication() {
    exhaustive(|harness| harness.model_a_time_out_beside_a_task());
}
