//! Rule 6: wakers may call the backend. A backend that runs them under a lock hangs here, or panics.

use std::{
    rc::Rc,
    sync::{Arc, Mutex},
    vec::Vec,
};

use crate::{
    backend::{Backend, State, WaiterKind},
    testing::{
        claim::{Claim, OUTCOMES},
        parts::{Log, Op, Task},
        rule::require,
        waiter::{Waiter, cause, crowd, every_attempt, only_claimants, require_woken},
    },
};

/// Returns a task whose wakers use the backend in every way that does not require a claim.
fn reentering_on<B: Backend + 'static>(op: Op, backend: &Rc<B>) -> Arc<Task> {
    let backend = Rc::clone(backend);
    Task::disarmed_on(op, move || {
        let _ = backend.is_ready();
        if let Ok(claim) = Claim::try_take(&*backend) {
            claim.release();
        }
        for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
            // Dropping the waiter cancels it.
            let _ = Waiter::new(&*backend, kind).poll();
        }
    })
}

/// A waker that reads the state while it is woken finds the state settled.
pub fn wakers_may_look_at_the_state<B: Backend + 'static>() {
    for outcome in OUTCOMES {
        let seen = Log::new();
        let when = "and every waker looked at the state";
        every_attempt::<B, _>(&[outcome], when, |backend, waiters| {
            let waiters = waiters
                .iter_mut()
                .filter(|waiter| waiter.kind.is_settled_by(outcome));
            let tasks: Vec<_> = waiters
                .map(|waiter| {
                    let (backend, seen) = (Rc::clone(backend), seen.clone());
                    let look = move || seen.note((backend.state(), backend.is_ready()));
                    waiter.move_to(&Task::disarmed_on(Op::Wake, look));
                    waiter.sleep();
                    waiter.task().clone()
                })
                .collect();
            // A backend may have woken waiters spuriously.
            tasks.iter().for_each(|task| task.arm());
        });
        for seen in seen.take() {
            require!(
                seen == (outcome, outcome == State::Ready),
                NoLostWakeup,
                "a waker that was woken when {} found `state` and `is_ready` to be {seen:?}",
                cause(outcome)
            );
        }
    }
}

/// A waker that is woken may use the backend in every way.
pub fn wakers_may_reenter_when_woken<B: Backend + 'static>() {
    every_attempt::<B, _>(
        &OUTCOMES,
        "and every waker used the backend",
        |backend, waiters| {
            for waiter in waiters {
                let task = reentering_on(Op::Wake, backend);
                task.arm();
                waiter.move_to(&task);
                waiter.sleep();
            }
        },
    );
}

/// A waker that is cloned may use the backend in every way.
pub fn wakers_may_reenter_when_cloned<B: Backend + 'static>() {
    every_attempt::<B, _>(
        &OUTCOMES,
        "after wakers had used the backend when cloned",
        |backend, waiters| {
            let task = reentering_on(Op::Clone, backend);
            for waiter in waiters.iter_mut().skip(1) {
                waiter.move_to(&task);
                task.armed(|| waiter.sleep());
            }
            let mut newcomer = Waiter::of_task(&**backend, WaiterKind::Claimant, &task);
            task.armed(|| newcomer.sleep());
            waiters.push(newcomer);
        },
    );
}

/// A waiter whose waker settles the state while it is being cloned does not fall asleep.
pub fn wakers_may_settle_the_state_when_cloned<B: Backend + 'static>() {
    for (kind, outcome) in [
        (WaiterKind::Claimant, State::Ready),
        (WaiterKind::Claimant, State::Uninit),
        (WaiterKind::Passive, State::Ready),
    ] {
        for is_new in [true, false] {
            let backend = Rc::new(B::UNINIT);
            Claim::take(&*backend).forget();
            let mut others = crowd(&*backend, 2, only_claimants);
            let mut waiter = Waiter::new(&*backend, kind);
            if !is_new {
                waiter.sleep();
            }
            let forgotten = Mutex::new(true);
            let task = Task::disarmed_on(Op::Clone, {
                let backend = Rc::clone(&backend);
                move || {
                    if std::mem::take(&mut *forgotten.lock().unwrap()) {
                        // SAFETY: the claim was forgotten above, and no other code assumes it.
                        unsafe { Claim::assume(&*backend) }.settle(outcome);
                    }
                }
            });
            waiter.move_to(&task);
            let is_asleep = task.armed(|| waiter.poll().is_pending() && !waiter.is_woken());
            require!(
                !is_asleep || task.runs() == 0,
                NoLostWakeup,
                "a waiter with `WaiterKind::{kind:?}` fell asleep though {} while its waker was being cloned",
                cause(outcome)
            );
            require!(
                is_asleep || task.wakers() == 0,
                NothingLeftBehind,
                "a waiter has nothing to wait for since its waker was cloned, and kept the waker"
            );
            if task.runs() > 0 {
                require_woken(&others, outcome, "by the waker of another one");
            }
            others.clear();
        }
    }
}

/// A waker that is dropped may use the backend in every way.
pub fn wakers_may_reenter_when_dropped<B: Backend + 'static>() {
    every_attempt::<B, _>(
        &OUTCOMES,
        "after wakers had used the backend when dropped",
        |backend, waiters| {
            let task = reentering_on(Op::Drop, backend);
            for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
                let mut cancelled = Waiter::of_task(&**backend, kind, &task);
                cancelled.sleep();
                task.armed(|| drop(cancelled));
            }
            for waiter in waiters.iter_mut().step_by(2) {
                waiter.move_to(&task);
                waiter.sleep();
                waiter.move_to(&Task::new());
                task.armed(|| waiter.sleep());
            }
        },
    );
}
