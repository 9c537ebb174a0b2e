//! No task is woken spuriously.

use std::{format, sync::Arc, vec::Vec};

use crate::{
    backend::Backend,
    testing::{
        claim::{Claim, OUTCOMES},
        parts::{Op, Task},
        rule::require,
        waiter::{
            CHOICES, CROWDS, Waiter, crowd, every_attempt, mixed, only_claimants, only_passive, remove_where,
        },
    },
};

/// Waiters that register, are polled again or move to another task wake neither themselves nor others.
pub fn registering_wakes_no_waiter<B: Backend>() {
    every_attempt::<B, _>(&OUTCOMES, "after others had moved", |_, waiters| {
        require_asleep(waiters, "when others registered");
        waiters.iter_mut().rev().for_each(Waiter::sleep);
        require_asleep(waiters, "when others were polled again");
        let older: Vec<_> = waiters.iter().map(|waiter| waiter.task().clone()).collect();
        for waiter in &mut *waiters {
            waiter.move_to(&Task::new());
            waiter.sleep();
        }
        require_asleep(waiters, "when others moved to another task");
        require_no_wakes(&older, "when its waiter had moved");
    });
}

/// A cancelled waiter wakes neither itself nor others, even if it was woken before.
pub fn cancelling_wakes_no_waiter<B: Backend>() {
    for is_chosen in CHOICES {
        every_attempt::<B, _>(&OUTCOMES, "after others were cancelled", |_, waiters| {
            let cancelled = remove_where(waiters, is_chosen);
            let tasks: Vec<_> = cancelled.iter().map(|waiter| waiter.task().clone()).collect();
            drop(cancelled);
            require_asleep(waiters, "when others were cancelled");
            require_no_wakes(&tasks, "when its waiter was cancelled");
        });

        // Waiters that were woken by a failure are cancelled during the next attempt.
        let backend = B::UNINIT;
        let claim = Claim::take(&backend);
        let mut woken = crowd(&backend, 5, only_claimants);
        claim.release();
        let _claim = Claim::take(&backend);
        let waiters = crowd(&backend, 5, mixed);
        drop(remove_where(&mut woken, is_chosen));
        woken.iter_mut().for_each(Waiter::sleep);
        require_asleep(&waiters, "when others were cancelled that had been woken before");
    }
}

/// [`release`](Backend::release) neither wakes a passive waiter nor touches its waker (rule 8).
pub fn failures_do_not_touch_passive_waiters<B: Backend>() {
    for count in CROWDS {
        let backend = B::UNINIT;
        let tasks: Vec<_> = [Op::Clone, Op::Wake, Op::Drop]
            .into_iter()
            .cycle()
            .take(count.max(3))
            .map(|op| Task::disarmed_on(op, || ()))
            .collect();
        let mut waiters = crowd(&backend, tasks.len(), only_passive);
        for (waiter, task) in waiters.iter_mut().zip(&tasks) {
            waiter.move_to(task);
            waiter.sleep();
        }
        let claim = Claim::take(&backend);
        let _claimants = crowd(&backend, 3, only_claimants);
        tasks.iter().for_each(|task| task.arm());
        claim.release();
        for task in &tasks {
            task.disarm();
            require!(
                task.runs() == 0 && task.wakes() == 0,
                CheapRelease,
                "`release` woke a passive waiter, or cloned or dropped its waker"
            );
        }
        drop(waiters);
    }
}

#[track_caller]
fn require_no_wakes(tasks: &[Arc<Task>], when: &str) {
    require!(
        tasks.iter().all(|task| task.wakes() == 0),
        NoSpuriousWake,
        "a task was woken {when}"
    );
}

#[track_caller]
fn require_asleep<B: Backend>(waiters: &[Waiter<'_, B>], when: &str) {
    let woken: Vec<_> = (waiters.iter().enumerate())
        .filter(|(_, waiter)| waiter.is_woken())
        .map(|(index, waiter)| format!("{index} ({:?})", waiter.kind))
        .collect();
    require!(
        woken.is_empty(),
        NoSpuriousWake,
        "of {} waiters these were woken {when}, in INITIALIZING: {woken:?}",
        waiters.len()
    );
}
