//! Models of initializers that run as tasks of their own, on a thread that the runtime chooses.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    task::Poll,
};

use loom::thread;

use super::support::{Failed, Harness, Outcome, both, bounded};
use crate::{
    OnceCell,
    runtime::{OnceCellExt, Runtime},
};

/// A thread for each task.
struct Threads;

std::thread_local! {
    /// The threads of the model, which loom runs on one system thread.
    static STARTED: RefCell<Vec<thread::JoinHandle<()>>> = const { RefCell::new(Vec::new()) };
}

impl Threads {
    /// Joins all threads at the end of a model.
    fn join() {
        for thread in STARTED.take() {
            thread.join().expect("a task does not panic");
        }
    }
}

impl Runtime for Threads {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        self.spawn_blocking(|| loom::future::block_on(task));
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        let started = thread::spawn(work);
        STARTED.with_borrow_mut(|all| all.push(started));
    }
}

/// Returns the cell as a reference that a spawned task can own.
fn cell(harness: &'static Harness) -> &'static OnceCell<u32> {
    &harness.cell
}

impl Harness {
    /// Returns the value, or the outcome of an initializer in a task of its own.
    async fn get_or_spawn(&'static self, outcome: Outcome) -> Outcome {
        let init = move || self.initialize(outcome);
        cell(self).get_or_try_init_spawned(Threads, init).await.copied()
    }
}

/// A caller whose spawned initializer fails, unless another task initializes first with 1, which otherwise takes over.
fn model_a_takeover(harness: &'static Harness, call: impl FnOnce() -> Outcome) {
    let (called, other) = both(call, || harness.run(harness.get_or_init(1)));
    assert_eq!(other, 1);
    Threads::join();
    assert_eq!(harness.runs(), if called == Err(Failed) { 2 } else { 1 });
}

/// The claim moves to another thread, and the caller gets the value.
///
/// Risk: the report is sent between the caller's load and its registration; the caller reads the value without having
/// seen that it was written.
#[test]
fn the_caller_gets_the_value() {
    bounded(3, |harness| {
        assert_eq!(harness.run(harness.get_or_spawn(Ok(1))), Ok(1));
        Threads::join();
        assert_eq!(harness.runs(), 1);
    });
}

/// The claim moves to the blocking pool, and the caller gets the value.
#[test]
fn the_caller_gets_the_value_of_blocking_work() {
    bounded(3, |harness| {
        let init = || {
            harness.work();
            1
        };
        let call = cell(harness).get_or_init_spawned_blocking(Threads, init);
        assert_eq!(*harness.run(call), 1);
        Threads::join();
    });
}

/// The caller gets the error, and a waiter takes over.
#[test]
fn the_caller_gets_the_error_and_a_waiter_takes_over() {
    bounded(1, |harness| {
        model_a_takeover(harness, || harness.run(harness.get_or_spawn(Err(Failed))));
    });
}

/// The caller gets the panic, and a waiter takes over.
#[test]
fn the_caller_gets_the_panic_and_a_waiter_takes_over() {
    bounded(1, |harness| {
        let init = async || {
            harness.work();
            resume_unwind(Box::new(Failed))
        };
        let caller = harness.task(cell(harness).get_or_init_spawned(Threads, init));
        model_a_takeover(harness, || {
            match catch_unwind(AssertUnwindSafe(|| *caller.run())) {
                Err(payload) => Err(*payload.downcast().expect("the panic of the initializer")),
                Ok(value) => Ok(value),
            }
        });
    });
}

/// A cancelled caller leaves the initializer running, and other callers get its value.
///
/// Risk: the caller is dropped while the report that it waits for is being sent.
#[test]
fn a_cancelled_caller_leaves_the_initializer_running() {
    bounded(2, |harness| {
        let mut caller = harness.task(harness.get_or_spawn(Ok(1)));
        match caller.poll() {
            Poll::Pending => caller.cancel(),
            Poll::Ready(result) => assert_eq!(result, Ok(1)),
        }
        assert_eq!(harness.run(harness.get_or_init(2)), 1);
        Threads::join();
        assert_eq!(harness.runs(), 1);
    });
}

/// A caller that is cancelled while its initializer fails leaves no other claimant asleep.
///
/// Risk: the claim is released, and the report sent, while the caller is cancelled and a waiter registers; no caller
/// is left to take the error.
#[test]
fn a_caller_is_cancelled_while_its_initializer_fails() {
    bounded(2, |harness| {
        let mut caller = harness.task(harness.get_or_spawn(Err(Failed)));
        match caller.poll() {
            Poll::Pending => caller.cancel(),
            Poll::Ready(result) => assert_eq!(result, Err(Failed)),
        }
        assert_eq!(harness.run(harness.get_or_init(1)), 1);
        Threads::join();
        assert_eq!(harness.runs(), 2);
    });
}

/// `set` and a spawned initializer agree on which of them made the value.
///
/// Risk: the caller has claimed and the task has not begun when `set` comes, or the task has published and the caller
/// has not yet received the report.
#[test]
fn set_and_a_spawned_initializer_agree() {
    bounded(1, |harness| {
        let set = thread::spawn(|| harness.cell.set(1).is_ok());
        let value = harness.run(harness.get_or_spawn(Ok(2)));
        Threads::join();
        let expected = if set.join().unwrap() {
            (Ok(1), 0)
        } else {
            (Ok(2), 1)
        };
        assert_eq!((value, harness.runs()), expected);
    });
}

/// The caller gets the error of blocking work, and a waiter takes over.
#[test]
fn the_caller_gets_the_error_of_blocking_work_and_a_waiter_takes_over() {
    bounded(1, |harness| {
        let init = || {
            harness.work();
            Err(Failed)
        };
        let call = cell(harness).get_or_try_init_spawned_blocking(Threads, init);
        model_a_takeover(harness, || harness.run(call).copied());
    });
}

/// Drops each task on a thread of its own, unpolled.
struct ShuttingDown;

impl Runtime for ShuttingDown {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        self.spawn_blocking(|| drop(task));
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        Threads.spawn_blocking(|| drop(work));
    }
}

/// When the runtime drops the task, its caller panics, and a waiter takes over.
///
/// Risk: the claim is released by the one thread, and the loss reported, when the caller is registering for the
/// report and the waiter for the claim.
#[test]
fn the_caller_learns_that_the_task_is_lost_and_a_waiter_takes_over() {
    bounded(1, |harness| {
        let caller = harness.task(cell(harness).get_or_init_spawned(ShuttingDown, async || 2));
        let caller = || catch_unwind(AssertUnwindSafe(|| *caller.run()));
        let (caller, other) = both(caller, || harness.run(harness.get_or_init(1)));
        assert!(matches!(caller, Err(_) | Ok(1)));
        Threads::join();
        assert_eq!((other, harness.runs()), (1, 1));
    });
}
