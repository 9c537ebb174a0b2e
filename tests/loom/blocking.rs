//! Models of threads that wait next to tasks.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use loom::thread;

use super::support::{Failed, Harness, ModelBackend, Outcome, both, bounded, exhaustive};

impl<B: ModelBackend> Harness<B> {
    /// Returns the value, or initializes the cell with `value` on this thread.
    fn get_or_init_blocking(&self, value: u32) -> u32 {
        *self.cell.get_or_init_blocking(|| {
            self.work();
            value
        })
    }

    /// Returns the value, or runs an initializer that fails on this thread.
    fn get_or_fail_blocking(&self) -> Outcome {
        let fail = || {
            self.work();
            Err(Failed)
        };
        self.cell.get_or_try_init_blocking(fail).copied()
    }

    /// Returns the value, or nothing if the time runs out, which can happen at any point of the other threads.
    pub(super) fn wait_a_while(&self) -> Option<u32> {
        self.cell.wait_timeout(Duration::from_secs(1)).copied()
    }
}

// Models that every backend runs.

impl<B: ModelBackend> Harness<B> {
    /// The value is published while a thread begins to wait.
    pub(super) fn model_the_value_of_a_task(&'static self) {
        assert_eq!(self.claim().end_beside(Ok(1), || *self.cell.wait_blocking()), 1);
    }

    /// The initializer fails while a thread calls for the value.
    pub(super) fn model_a_takeover(&'static self) {
        let value = self
            .claim()
            .end_beside(Err(Failed), || self.get_or_init_blocking(1));
        assert_eq!(value, 1);
    }
}

// Models of the default backend.

/// A thread gets the value that a task makes.
///
/// Risk: the value is published between the thread's load of the state and its registration, or between that and its
/// parking.
#[test]
fn a_thread_gets_the_value_of_a_task() {
    exhaustive(|harness| harness.model_the_value_of_a_task());
}

/// If a thread and a task ask concurrently, one of them initializes.
#[test]
fn a_thread_and_a_task_get_the_value_of_one() {
    bounded(2, |harness| {
        let (mine, other) = both(
            || harness.run(harness.get_or_init(2)),
            || harness.get_or_init_blocking(1),
        );
        assert_eq!((mine, harness.runs()), (other, 1));
    });
}

/// If two threads ask concurrently, one of them initializes.
#[test]
fn two_threads_get_the_value_of_one() {
    bounded(2, |harness| {
        let (mine, other) = both(
            || harness.get_or_init_blocking(2),
            || harness.get_or_init_blocking(1),
        );
        assert_eq!((mine, harness.runs()), (other, 1));
    });
}

/// When an initializer fails, a thread that waits takes over.
///
/// Risk: the failure falls between the thread's load of the state and its registration.
#[test]
fn a_thread_takes_over() {
    exhaustive(|harness| harness.model_a_takeover());
}

/// When an initializer is cancelled, a thread that waits to insert a value inserts it.
#[test]
fn a_thread_inserts_after_a_cancellation() {
    exhaustive(|harness| {
        let inserted = harness
            .claim()
            .cancel_beside(|| harness.cell.insert_blocking(1).copied());
        assert_eq!(inserted, Ok(1));
    });
}

/// A thread whose time runs out leaves the list before its stack is reused, whatever happens to the cell.
///
/// Risk: the drain has detached the thread's node, or holds its waker, when its time runs out.
#[test]
fn a_thread_whose_time_runs_out_leaves_nothing_behind() {
    exhaustive(|harness| {
        let found = harness.claim().end_beside(Ok(1), || harness.wait_a_while());
        assert!(matches!(found, None | Some(1)));
        assert_eq!(harness.cell.get(), Some(&1));
    });
}

/// A thread whose time runs out during a failure does not disturb the claimant that takes over.
///
/// Risk: A's drain unlinks the claimant, whose `next` is the thread's node, when B unlinks that node.
#[test]
fn a_thread_whose_time_runs_out_against_a_failure() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let claimant = harness.waiting(harness.get_or_init(1));
        let thread = thread::spawn(|| harness.wait_a_while());
        claim.end(Err(Failed));
        assert_eq!(claimant.wakes(), 1);
        assert_eq!(claimant.run(), 1);
        assert!(matches!(thread.join().unwrap(), None | Some(1)));
    });
}

/// A thread whose time runs out leaves the waiters around it linked and woken.
///
/// Risk: A, which publishes, has woken the first batch and not yet locked for the next one, in which B is no longer
/// linked.
#[test]
fn a_thread_whose_time_runs_out_between_waiters() {
    bounded(2, |harness| {
        let claim = harness.claim();
        let first = harness.waiting(harness.cell.wait());
        let thread = thread::spawn(|| harness.wait_a_while());
        let last = thread::spawn(|| *harness.run(harness.cell.wait()));
        claim.end(Ok(1));
        assert!(matches!(thread.join().unwrap(), None | Some(1)));
        assert_eq!((last.join().unwrap(), first.wakes()), (1, 1));
    });
}

/// A thread and a task that wait together both get the value.
///
/// Risk: both register while it is published, and one of them parks in a drain that has passed it.
#[test]
fn a_thread_and_a_task_wait_for_one_value() {
    bounded(2, |harness| {
        let claim = harness.claim();
        let thread = thread::spawn(|| *harness.cell.wait_blocking());
        let task = thread::spawn(|| harness.run(harness.get_or_init(2)));
        claim.end(Ok(1));
        assert_eq!((thread.join().unwrap(), task.join().unwrap()), (1, 1));
    });
}

/// When the initializer of a thread fails, only that thread gets the error, and a task takes over.
///
/// Risk: the failure falls between the task's load of the state and its registration.
#[test]
fn a_task_takes_over_from_a_thread_that_fails() {
    bounded(3, |harness| {
        let (mine, failing) = both(
            || harness.run(harness.get_or_init(1)),
            || harness.get_or_fail_blocking(),
        );
        assert_eq!((mine, harness.runs()), (1, if failing.is_err() { 2 } else { 1 }));
    });
}

/// When the initializer of a thread panics, a task takes over.
///
/// Risk: the claim is released during the unwinding, when the task is registering.
#[test]
fn a_task_takes_over_from_a_thread_that_panics() {
    bounded(3, |harness| {
        let panic = || -> u32 {
            harness.work();
            resume_unwind(Box::new(Failed))
        };
        let panics =
            move || catch_unwind(AssertUnwindSafe(|| *harness.cell.get_or_init_blocking(panic))).ok();
        let (mine, panicking) = both(|| harness.run(harness.get_or_init(1)), panics);
        assert_eq!(
            (mine, harness.runs()),
            (1, if panicking.is_none() { 2 } else { 1 })
        );
    });
}

/// `insert` waits for the initializer of a thread to end, or inserts its value first.
///
/// Risk: the thread publishes when `insert` has seen INITIALIZING and has not yet registered.
#[test]
fn insert_and_the_initializer_of_a_thread_agree() {
    bounded(3, |harness| {
        match both(
            || harness.run(harness.cell.insert(2)),
            || harness.get_or_init_blocking(1),
        ) {
            (Ok(mine), value) => assert_eq!((*mine, value, harness.runs()), (2, 2, 0)),
            (Err(values), value) => assert_eq!((values, value, harness.runs()), ((&1, 2), 1, 1)),
        }
    });
}
