//! Rule 6: wakers may panic.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    vec::Vec,
};

use crate::{
    backend::{Backend, State, WaiterKind},
    testing::{
        claim::{Claim, OUTCOMES},
        parts::{Op, Task},
        rule::require,
        waiter::{Waiter, cause, crowd, every_attempt, mixed, require_woken},
    },
};

/// The payload with which wakers panic, to distinguish their panics from those of a failed property.
struct OfAWaker;

fn panicking_on(op: Op) -> Arc<Task> {
    Task::disarmed_on(op, || std::panic::panic_any(OfAWaker))
}

/// Returns `true` if a waker's panic propagated from `call`. Resumes other panics.
fn lets_a_panic_out<R>(call: impl FnOnce() -> R) -> bool {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(_) => false,
        Err(payload) if payload.is::<OfAWaker>() => true,
        Err(payload) => resume_unwind(payload),
    }
}

/// If wakers panic when they are woken, all others are woken, the state is settled, and the panic propagates.
pub fn wakers_may_panic_when_woken<B: Backend>() {
    let choices: [fn(usize) -> bool; 4] = [
        |index| index == 0,
        |index| index == 19,
        |index| index % 7 == 3,
        |_| true,
    ];
    // Without `std`, this crate's backends abort when a second waker panics.
    let choices = if cfg!(feature = "std") {
        &choices
    } else {
        &choices[..2]
    };
    for outcome in OUTCOMES {
        for is_chosen in choices {
            let backend = B::UNINIT;
            let claim = Claim::take(&backend);
            let mut a_panic_is_out = false;
            let mut waiters = Vec::new();
            let mut tasks = Vec::new();
            for index in 0..20 {
                let task = if is_chosen(index) {
                    panicking_on(Op::Wake)
                } else {
                    Task::new()
                };
                task.arm();
                tasks.push(Arc::clone(&task));
                let mut waiter = Waiter::of_task(&backend, mixed(index), &task);
                // If the backend wakes other tasks in this call, their panics propagate here: this poll has failed, and its
                // task too.
                if lets_a_panic_out(|| waiter.sleep()) {
                    a_panic_is_out = true;
                    lets_a_panic_out(|| drop(waiter));
                } else {
                    waiters.push(waiter);
                }
            }
            a_panic_is_out |= lets_a_panic_out(|| claim.settle(outcome));
            let has_panicked = tasks.iter().any(|task| task.runs() > 0);
            require!(
                a_panic_is_out || !has_panicked,
                NoUserCodeUnderALock,
                "wakers panicked when {}, and the panic did not propagate",
                cause(outcome)
            );
            require_woken(&waiters, outcome, "and wakers panicked");
            tasks.iter().for_each(|task| task.disarm());
            let found = backend.state();
            require!(
                found == outcome,
                NoUserCodeUnderALock,
                "the state is {found:?} and not {outcome:?} after wakers have panicked when woken"
            );
            drop(waiters);
            if outcome == State::Uninit {
                let claim = Claim::take(&backend);
                let waiters = crowd(&backend, 3, mixed);
                claim.publish();
                require_woken(&waiters, State::Ready, "after wakers had panicked when woken");
            }
        }
    }
}

/// If a waker panics when it is cloned, the panic propagates, and every other waiter is woken.
pub fn wakers_may_panic_when_cloned<B: Backend>() {
    for is_new in [true, false] {
        let when = "after the waker of another one panicked when cloned";
        every_attempt::<B, _>(&OUTCOMES, when, |backend, waiters| {
            let mut waiter = Waiter::new(&**backend, WaiterKind::Claimant);
            if !is_new {
                waiter.sleep();
            }
            let task = panicking_on(Op::Clone);
            waiter.move_to(&task);
            let is_out = lets_a_panic_out(|| task.armed(|| waiter.poll()));
            require_propagated(is_out, &task, "cloned");
            drop(waiter);
            waiters.extend(crowd(&**backend, 2, mixed));
        });
    }
}

/// If a waker panics when it is dropped, the panic propagates, and every other waiter is woken.
pub fn wakers_may_panic_when_dropped<B: Backend>() {
    for is_cancelled in [true, false] {
        let when = "after the waker of another one panicked when dropped";
        every_attempt::<B, _>(&OUTCOMES, when, |backend, waiters| {
            let task = panicking_on(Op::Drop);
            let mut waiter = Waiter::of_task(&**backend, WaiterKind::Claimant, &task);
            waiter.sleep();
            waiters.extend(crowd(&**backend, 2, mixed));
            let is_out = lets_a_panic_out(|| {
                if is_cancelled {
                    task.armed(|| drop(waiter));
                } else {
                    waiter.move_to(&Task::new());
                    task.armed(|| waiter.sleep());
                }
            });
            require_propagated(is_out, &task, "dropped");
            waiters.extend(crowd(&**backend, 2, mixed));
        });
    }
}

#[track_caller]
fn require_propagated(is_out: bool, task: &Task, when: &str) {
    require!(
        is_out || task.runs() == 0,
        NoUserCodeUnderALock,
        "a waker panicked when it was {when}, and the panic did not propagate"
    );
}
