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
        parts::{Op, Task},
        rule::require,
        waiter::{Waiter, cause, crowd, mixed, only_claimants, require_woken},
    },
};

/// Uses the backend in every way that does not require a claim.
fn use_every_way<B: Backend>(backend: &B) {
    let _ = backend.is_ready();
    if let Ok(claim) = Claim::try_take(backend) {
        claim.release();
    }
    for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
        // Dropping the waiter cancels it.
        let _ = Waiter::new(backend, kind).poll();
    }
}

/// A waker that reads the state while it is woken finds the state settled.
pub fn wakers_may_look_at_the_state<B: Backend + 'static>() {
    for outcome in OUTCOMES {
        let backend = Rc::new(B::UNINIT);
        let claim = Claim::take(&*backend);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let waiters: Vec<_> = (0..20)
            .map(|index| {
                let task = Task::disarmed_on(Op::Wake, {
                    let (backend, seen) = (Rc::clone(&backend), Arc::clone(&seen));
                    move || {
                        let state = (backend.state(), backend.is_ready());
                        seen.lock().unwrap().push(state);
                    }
                });
                let mut waiter = Waiter::of_task(&*backend, mixed(index), &task);
                waiter.sleep();
                waiter
            })
            .collect();
        waiters.iter().for_each(|waiter| waiter.task().arm());
        claim.settle(outcome);
        for seen in &*seen.lock().unwrap() {
            require!(
                *seen == (outcome, outcome == State::Ready),
                NoLostWakeup,
                "a waker that was woken when {} found `state` and `is_ready` to be {seen:?}",
                cause(outcome)
            );
        }
    }
}

/// A waker that is woken may use the backend in every way.
pub fn wakers_may_reenter_when_woken<B: Backend + 'static>() {
    for outcome in OUTCOMES {
        let backend = Rc::new(B::UNINIT);
        let claim = Claim::take(&*backend);
        let waiters: Vec<_> = (0..20)
            .map(|index| {
                let task = Task::disarmed_on(Op::Wake, {
                    let backend = Rc::clone(&backend);
                    move || use_every_way(&*backend)
                });
                task.arm();
                let mut waiter = Waiter::of_task(&*backend, mixed(index), &task);
                waiter.sleep();
                waiter
            })
            .collect();
        claim.settle(outcome);
        require_woken(&waiters, outcome, "and every waker used the backend");
        require!(
            backend.state() == outcome,
            StateMachine,
            "wakers have used the backend, and the state is {:?} and not {outcome:?}",
            backend.state()
        );
    }
}

/// A waker that is cloned may use the backend in every way.
pub fn wakers_may_reenter_when_cloned<B: Backend + 'static>() {
    for outcome in OUTCOMES {
        let backend = Rc::new(B::UNINIT);
        let claim = Claim::take(&*backend);
        let mut waiters = crowd(&*backend, 3, only_claimants);
        let task = Task::disarmed_on(Op::Clone, {
            let backend = Rc::clone(&backend);
            move || use_every_way(&*backend)
        });
        for index in [1, 2] {
            waiters[index].move_to(&task);
            task.armed(|| waiters[index].sleep());
        }
        let mut newcomer = Waiter::of_task(&*backend, WaiterKind::Claimant, &task);
        task.armed(|| newcomer.sleep());
        waiters.push(newcomer);
        claim.settle(outcome);
        require_woken(&waiters, outcome, "after wakers had used the backend when cloned");
    }
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
    for outcome in OUTCOMES {
        for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
            let backend = Rc::new(B::UNINIT);
            let claim = Claim::take(&*backend);
            let task = Task::disarmed_on(Op::Drop, {
                let backend = Rc::clone(&backend);
                move || use_every_way(&*backend)
            });
            let mut cancelled = Waiter::of_task(&*backend, kind, &task);
            cancelled.sleep();
            let mut moved = Waiter::of_task(&*backend, kind, &task);
            moved.sleep();
            let waiters = crowd(&*backend, 3, mixed);
            moved.move_to(&Task::new());
            task.armed(|| moved.sleep());
            task.armed(|| drop(cancelled));
            claim.settle(outcome);
            require_woken(
                &waiters,
                outcome,
                "after wakers had used the backend when dropped",
            );
            require_woken(&[moved], outcome, "after its earlier waker had used the backend");
        }
    }
}
