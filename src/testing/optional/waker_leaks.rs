//! Rule 7: nothing is left behind.

use crate::{
    backend::{Backend, State},
    testing::{
        claim::{Claim, OUTCOMES},
        parts::Task,
        rule::require,
        waiter::{CHOICES, Waiter, crowd, every_attempt, mixed, remove_where},
    },
};
use std::vec::Vec;

/// After [`cancel`](Backend::cancel) the waker is dropped, at every position of the waiter.
pub fn cancelling_drops_the_waker<B: Backend>() {
    for is_chosen in CHOICES {
        every_attempt::<B, _>(&[State::Ready], "after others were cancelled", |_, waiters| {
            let count = waiters.len();
            for waiter in remove_where(waiters, is_chosen) {
                let task = waiter.task().clone();
                drop(waiter);
                require!(
                    task.wakers() == 0,
                    NothingLeftBehind,
                    "a cancelled waiter of {count} has left its waker behind"
                );
            }
        });
    }
}

/// After a waiter has moved to another task, the waker of the earlier task is dropped.
pub fn moving_to_another_task_drops_the_waker<B: Backend>() {
    every_attempt::<B, _>(&[State::Ready], "after others had moved", |_, waiters| {
        for waiter in waiters {
            let older = waiter.task().clone();
            waiter.move_to(&Task::new());
            waiter.sleep();
            require!(
                older.wakers() == 0,
                NothingLeftBehind,
                "the waker of the former task of a waiter that had moved was not dropped"
            );
        }
    });
}

/// The backend keeps at most one waker of a waiter, even if the waiter is polled repeatedly.
pub fn a_waiter_keeps_one_waker<B: Backend>() {
    every_attempt::<B, _>(&[State::Ready], "after spurious polls", |_, waiters| {
        for waiter in waiters {
            (1..5).for_each(|_| waiter.sleep());
            require!(
                waiter.task().wakers() <= 1,
                NothingLeftBehind,
                "a waiter that was polled five times keeps {} wakers",
                waiter.task().wakers()
            );
        }
    });
}

/// After a waiter was woken and polled again, its waker is dropped.
pub fn waking_drops_the_waker<B: Backend>() {
    for outcome in OUTCOMES {
        let backend = B::UNINIT;
        let claim = Claim::take(&backend);
        let mut waiters = crowd(&backend, 17, mixed);
        claim.settle(outcome);
        waiters.retain_mut(|waiter| waiter.kind.is_settled_by(outcome));
        let found_out: Vec<_> = waiters.iter_mut().map(Waiter::finds_out).collect();
        for (waiter, found_out) in waiters.iter().zip(found_out) {
            require!(
                found_out && waiter.task().wakers() == 0,
                NothingLeftBehind,
                "the waker of a waiter that has nothing to wait for was not dropped"
            );
        }
    }
}

/// After a backend was dropped, no waker of waiters that were cancelled before is left.
pub fn dropping_the_backend_drops_all_wakers<B: Backend>() {
    let backend = B::UNINIT;
    Claim::take(&backend).forget();
    let waiters = crowd(&backend, 17, mixed);
    let tasks: Vec<_> = waiters.iter().map(|waiter| waiter.task().clone()).collect();
    drop(waiters);
    drop(backend);
    require!(
        tasks.iter().all(|task| task.wakers() == 0),
        NothingLeftBehind,
        "a waker has outlived the backend"
    );
}
