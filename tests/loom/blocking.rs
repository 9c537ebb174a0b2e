//! Threads that wait beside tasks.

use std::time::Duration;

use loom::thread;

use super::support::{Failed, Stage, bounded, exhaustive};

impl Stage {
    /// The value; if there is none, `value` by an initializer of ours, on this thread.
    fn get_or_init_blocking(&self, value: u32) -> u32 {
        *self.cell.get_or_init_blocking(|| {
            self.work();
            value
        })
    }
}

/// A thread gets the value that a task makes.
///
/// Worrying: the value is published between the thread's look at the state and its registration, or between that and
/// its parking.
#[test]
fn a_thread_gets_the_value_of_a_task() {
    exhaustive(|stage| {
        let claimed = stage.claim();
        let thread = thread::spawn(|| *stage.cell.wait_blocking());
        claimed.end(Ok(1));
        assert_eq!(thread.join().unwrap(), 1);
    });
}

/// One of a thread and a task that come together initializes.
#[test]
fn a_thread_and_a_task_get_the_value_of_one() {
    bounded(2, |stage| {
        let thread = thread::spawn(|| stage.get_or_init_blocking(1));
        let mine = stage.run(stage.get_or_init(2));
        assert_eq!(mine, thread.join().unwrap());
        assert_eq!(stage.runs(), 1);
    });
}

/// So with two threads.
#[test]
fn two_threads_get_the_value_of_one() {
    bounded(2, |stage| {
        let thread = thread::spawn(|| stage.get_or_init_blocking(1));
        let mine = stage.get_or_init_blocking(2);
        assert_eq!(mine, thread.join().unwrap());
        assert_eq!(stage.runs(), 1);
    });
}

/// When an initializer fails or is cancelled, a thread that waits takes over.
///
/// Worrying: the failure falls between the thread's look at the state and its registration.
#[test]
fn a_thread_takes_over() {
    exhaustive(|stage| {
        let claimed = stage.claim();
        let thread = thread::spawn(|| stage.get_or_init_blocking(1));
        claimed.end(Err(Failed));
        assert_eq!(thread.join().unwrap(), 1);
    });
    exhaustive(|stage| {
        let claimed = stage.claim();
        let thread = thread::spawn(|| stage.cell.insert_blocking(1).copied());
        claimed.cancel();
        assert_eq!(thread.join().unwrap(), Ok(1));
    });
}

/// A thread whose time runs out is gone from the list before its stack is used for something else, whatever happens
/// to the cell.
///
/// Worrying: the drain has detached the thread's node, or holds its waker, when its time runs out.
#[test]
fn a_thread_whose_time_runs_out_leaves_nothing_behind() {
    exhaustive(|stage| {
        let claimed = stage.claim();
        let thread = thread::spawn(|| stage.cell.wait_timeout(Duration::from_secs(1)).copied());
        claimed.end(Ok(1));
        assert!(matches!(thread.join().unwrap(), None | Some(1)));
        assert_eq!(stage.cell.get(), Some(&1));
    });
}
