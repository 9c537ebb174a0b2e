//! Rules 6 to 8 of [`Backend`], and further guarantees of its methods. A backend may be excepted from single properties if its
//! documentation describes the exceptions.

use std::{
    format, mem,
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
    rc::Rc,
    sync::{Arc, Mutex},
    vec::Vec,
};

use super::{
    claim::{Claim, OUTCOMES},
    parts::{Log, Op, Task},
    rule::require,
    waiter::{
        CHOICES, CROWDS, MIXTURES, Waiter, cause, crowd, every_attempt, mixed, only_claimants, only_passive,
        remove_where, require_woken,
    },
};
use crate::backend::{Backend, State, WaiterKind};

// Waiters of a kind are woken oldest first.

/// Waiters of each kind are woken oldest first. A waiter keeps its place when it is polled again, also by another task, and a
/// passive waiter keeps its place when an initializer fails.
pub fn each_kind_is_woken_oldest_first<B: Backend>() {
    for outcome in OUTCOMES {
        for kind_of in MIXTURES {
            for count in CROWDS {
                oldest_first::<B>(count, kind_of, outcome, None);
            }
        }
    }
}

/// If a waiter is cancelled, the others keep their places. Of five waiters in every mixture of kinds, each one is cancelled.
pub fn a_cancelled_waiter_leaves_the_others_in_order<B: Backend>() {
    for outcome in OUTCOMES {
        for mixture in 0..1_u32 << 5 {
            for cancelled in 0..5 {
                let kind_of = |index| match mixture >> index & 1 {
                    0 => WaiterKind::Claimant,
                    _ => WaiterKind::Passive,
                };
                oldest_first::<B>(5, kind_of, outcome, Some(cancelled));
            }
        }
    }
}

fn oldest_first<B: Backend>(
    count: usize,
    kind_of: impl Fn(usize) -> WaiterKind,
    outcome: State,
    cancelled: Option<usize>,
) {
    let backend = B::UNINIT;
    let log = Log::new();
    let mut claim = None;
    let mut waiters = Vec::new();
    for index in 0..count {
        // Passive waiters can register before the attempt begins.
        if claim.is_none() && (kind_of(index) == WaiterKind::Claimant || index > count / 2) {
            claim = Some(Claim::take(&backend));
        }
        let mut waiter = Waiter::of_task(&backend, kind_of(index), &log.task(index));
        waiter.sleep();
        waiters.push(waiter);
    }
    let claim = claim.unwrap_or_else(|| Claim::take(&backend));
    for (index, waiter) in waiters.iter_mut().enumerate().rev() {
        if index % 2 == 0 {
            waiter.move_to(&log.task(index));
        }
        waiter.sleep();
    }
    cancelled.map(|index| waiters.remove(index));
    // A backend may have woken waiters spuriously.
    log.take();
    let require_order = |kinds: &[WaiterKind], outcome| {
        let woken = log.take();
        for &kind in kinds {
            let is_of_kind = |index: &usize| kind_of(*index) == kind;
            let woken: Vec<_> = woken.iter().copied().filter(is_of_kind).collect();
            let oldest_first: Vec<_> = (0..count)
                .filter(|index| is_of_kind(index) && kind.is_settled_by(outcome) && Some(*index) != cancelled)
                .collect();
            require!(
                woken == oldest_first,
                OldestFirst,
                "of {count} waiters, those of the kind {kind:?} were woken in this order, as {}: {woken:?}",
                cause(outcome)
            );
        }
    };
    claim.settle(outcome);
    require_order(&[WaiterKind::Claimant, WaiterKind::Passive], outcome);
    if outcome == State::Uninit {
        Claim::take(&backend).publish();
        require_order(&[WaiterKind::Passive], State::Ready);
    }
}

// No task is woken spuriously.

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

// Rule 7: nothing is left behind.

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

/// After a backend was dropped, no waker is left of the waiters that were cancelled before.
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

// Rule 6: wakers may call the backend. A backend that runs them under a lock hangs here, or panics.

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
            // A task for each waiter, so that a wake of one is no wake of another.
            for waiter in waiters.iter_mut().skip(1) {
                let task = reentering_on(Op::Clone, backend);
                waiter.move_to(&task);
                task.armed(|| waiter.sleep());
            }
            let task = reentering_on(Op::Clone, backend);
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
                    if mem::take(&mut *forgotten.lock().unwrap()) {
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
                "a waiter that has nothing to wait for, since its waker was cloned, has kept the waker"
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

// Rule 6: wakers may panic.

/// The payload with which wakers panic, to distinguish their panics from those of a failed property.
struct OfAWaker;

fn panicking_on(op: Op) -> Arc<Task> {
    Task::disarmed_on(op, || panic_any(OfAWaker))
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
