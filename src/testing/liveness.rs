//! Rules 5 and 9 of [`Backend`]: no wakeup is lost, and a wait for one attempt ends with it. No backend is excepted from
//! these.
//!
//! "Woken" means woken since the last poll of the waiter. A backend may wake a waiter spuriously; the waiter's task then polls it,
//! and the waiter waits again.

use core::task::Poll;
use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    vec::Vec,
};

use super::{
    claim::{Claim, OUTCOMES},
    parts::Task,
    rule::require,
    threads::{ROUNDS, dawdle, linger, race},
    waiter::{
        CHOICES, CROWDS, Waiter, cause, crowd, every_attempt, mixed, only_claimants, only_passive,
        remove_where, require_woken,
    },
};
use crate::backend::{Backend, State, WaiterKind};

/// [`publish`](Backend::publish) wakes every waiter, and the next poll of each returns `Ready`: no waiter depends on another
/// waiter being polled.
pub fn a_value_wakes_every_waiter<B: Backend>() {
    every_attempt::<B, _>(&[State::Ready], "and no waiter was polled since", |_, _| ());
}

/// [`release`](Backend::release) wakes every waiter that could initialize.
pub fn a_failure_wakes_every_claimant<B: Backend>() {
    every_attempt::<B, _>(&[State::Uninit], "and no waiter was polled since", |_, _| ());
}

/// A waiter that is polled after the state has settled does not sleep.
pub fn no_waiter_waits_for_a_past_event<B: Backend>() {
    for (outcome, kind) in [
        (State::Ready, WaiterKind::Claimant),
        (State::Ready, WaiterKind::Passive),
        (State::Uninit, WaiterKind::Claimant),
    ] {
        let backend = B::UNINIT;
        let mut early = Waiter::new(&backend, kind);
        let claim = Claim::take(&backend);
        let mut asleep = Waiter::asleep(&backend, kind);
        claim.settle(outcome);
        for (waiter, which) in [
            (&mut early, "that was created before"),
            (&mut asleep, "that slept before"),
            (&mut Waiter::new(&backend, kind), "that was created afterwards"),
        ] {
            require!(
                waiter.finds_out(),
                NoLostWakeup,
                "a waiter with `WaiterKind::{kind:?}` {which} sleeps though {}",
                cause(outcome)
            );
        }
    }
}

/// For a waiter that has something to wait for, `poll_wait` returns `Pending` after a bounded number of polls.
pub fn waiting_comes_to_rest<B: Backend>() {
    let backend = B::UNINIT;
    Waiter::asleep(&backend, WaiterKind::Passive);
    let claim = Claim::take(&backend);
    let _waiters = crowd(&backend, 17, mixed);
    claim.release();
    Waiter::asleep(&backend, WaiterKind::Passive);
    let _claim = Claim::take(&backend);
    let _waiters = crowd(&backend, 17, mixed);
}

/// A waiter that was polled repeatedly is woken like any other.
pub fn spurious_polls_are_harmless<B: Backend>() {
    every_attempt::<B, _>(&OUTCOMES, "after spurious polls", |_, waiters| {
        for polls in 0..waiters.len().min(5) {
            waiters[polls..].iter_mut().for_each(Waiter::sleep);
        }
    });
}

/// A waiter that moves to another task is woken by the waker of that task.
pub fn the_newest_waker_is_woken<B: Backend>() {
    for is_chosen in CHOICES {
        every_attempt::<B, _>(
            &OUTCOMES,
            "after some were polled by other tasks",
            |_, waiters| {
                let mut moved = remove_where(waiters, is_chosen);
                for waiter in &mut moved {
                    let first_task = waiter.task().clone();
                    for task in [Task::new(), first_task, Task::new()] {
                        waiter.move_to(&task);
                        waiter.sleep();
                    }
                }
                waiters.append(&mut moved);
            },
        );
    }
}

/// If waiters are cancelled (the first, the last, one in the middle, every other one, or all, in either order), all other waiters
/// are woken, and so are waiters that register afterwards.
pub fn cancelling_loses_no_wakeup<B: Backend>() {
    for (is_chosen, newest_first) in CHOICES
        .into_iter()
        .flat_map(|choice| [(choice, false), (choice, true)])
    {
        every_attempt::<B, _>(&OUTCOMES, "after others were cancelled", |backend, waiters| {
            let mut cancelled = remove_where(waiters, is_chosen);
            if newest_first {
                cancelled.reverse();
            }
            drop(cancelled);
            waiters.extend(crowd(&**backend, 2, mixed));
        });
    }
}

/// If waiters are woken and then cancelled, no wakeup is lost: no other waiter depends on them.
pub fn cancelling_a_woken_waiter_loses_no_wakeup<B: Backend>() {
    for is_chosen in CHOICES {
        let backend = B::UNINIT;
        let claim = Claim::take(&backend);
        let mut waiters = crowd(&backend, 17, only_claimants);
        claim.release();
        drop(remove_where(&mut waiters, is_chosen));
        require_woken(&waiters, State::Uninit, "after other woken ones were cancelled");
        for waiter in &mut waiters {
            require!(
                waiter.finds_out(),
                NoLostWakeup,
                "a claimant sleeps on in UNINIT after other woken ones were cancelled"
            );
        }

        // A waiter is woken by a failure, and cancelled during the next attempt.
        let claim = Claim::take(&backend);
        let mut waiters = crowd(&backend, 17, only_claimants);
        claim.release();
        let claim = Claim::take(&backend);
        let later = crowd(&backend, 3, mixed);
        drop(remove_where(&mut waiters, is_chosen));
        waiters.iter_mut().for_each(Waiter::sleep);
        claim.publish();
        require_woken(&waiters, State::Ready, "after a wake by a failure");
        require_woken(&later, State::Ready, "after older waiters were cancelled");
    }
}

/// Nothing is reserved for a woken claimant: a new caller gets the claim, and the first claimant to be polled finds that there is
/// nothing to wait for.
pub fn a_wake_reserves_nothing<B: Backend>() {
    for first in 0..5 {
        let backend = B::UNINIT;
        let claim = Claim::take(&backend);
        let mut waiters = crowd(&backend, 5, only_claimants);
        claim.release();
        // A new caller.
        Claim::take(&backend).release();
        require!(
            waiters[first].finds_out(),
            NoLostWakeup,
            "claimant {first} of 5 sleeps on in UNINIT: it waits for another one that was woken too and is not polled"
        );
        Claim::take(&backend).publish();
        for waiter in &mut waiters {
            require!(
                waiter.finds_out(),
                NoLostWakeup,
                "a claimant that was woken twice sleeps on after `publish`"
            );
        }
    }
}

/// A waiter that was woken by a failure, or has returned `Ready`, or was cancelled can wait again.
pub fn a_waiter_can_wait_again<B: Backend>() {
    use WaiterKind::{Claimant, Passive};

    let backend = B::UNINIT;
    let mut waiters = [Claimant, Claimant, Claimant, Passive].map(|kind| Waiter::new(&backend, kind));
    for _ in 0..3 {
        let claim = Claim::take(&backend);
        waiters.iter_mut().for_each(Waiter::sleep);
        waiters[0].cancel();
        claim.release();
        require!(
            waiters[1].finds_out(),
            NoLostWakeup,
            "a claimant sleeps on in UNINIT"
        );
        // The third waiter was woken too, and is not polled.
    }
    let claim = Claim::take(&backend);
    waiters.iter_mut().for_each(Waiter::sleep);
    claim.publish();
    require_woken(&waiters, State::Ready, "after it had waited before");
}

/// Cancelling a waiter that is not registered, or cancelling it twice, does nothing.
pub fn cancelling_is_idempotent<B: Backend>() {
    every_attempt::<B, _>(
        &OUTCOMES,
        "after another one was cancelled twice",
        |backend, _| {
            for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
                let mut waiter = Waiter::new(&**backend, kind);
                waiter.cancel();
                waiter.sleep();
                waiter.cancel();
                waiter.cancel();
            }
        },
    );
}

/// After failures, passive waiters stay registered and keep waiting.
pub fn passive_waiters_outlast_failures<B: Backend>() {
    for count in CROWDS {
        let backend = B::UNINIT;
        let mut waiters = crowd(&backend, count, only_passive);
        for attempt in 0..3 {
            let claim = Claim::take(&backend);
            let claimants = crowd(&backend, attempt, only_claimants);
            claim.release();
            require_woken(&claimants, State::Uninit, "next to passive waiters");
            // The tasks of these waiters would poll them.
            let woken = waiters.iter_mut().filter(|waiter| waiter.is_woken());
            woken.for_each(Waiter::sleep);
        }
        Claim::take(&backend).publish();
        require_woken(&waiters, State::Ready, "after three failures");
    }
}

/// While an attempt is in progress, [`poll_attempt`](Backend::poll_attempt) leaves its claimants registered, with their
/// newest wakers (rule 9).
pub fn an_attempt_in_progress_is_waited_for<B: Backend>() {
    every_attempt::<B, _>(
        &OUTCOMES,
        "after `poll_attempt` had returned `Pending`",
        |_, waiters| {
            for is_moved in [false, true, false] {
                for (index, waiter) in waiters.iter_mut().enumerate() {
                    if is_moved && index % 2 == 0 {
                        waiter.move_to(&Task::new());
                    }
                    let is_pending = match waiter.kind {
                        WaiterKind::Claimant => waiter.poll_attempt().is_pending(),
                        WaiterKind::Passive => waiter.poll().is_pending(),
                    };
                    require!(
                        is_pending || waiter.kind == WaiterKind::Passive,
                        OneAttempt,
                        "`poll_attempt` returned `Ready` while the attempt was in progress"
                    );
                }
            }
        },
    );
}

/// A claimant that is polled only after its attempt has ended and others have begun does not wait for those (rule 9).
pub fn the_end_of_an_attempt_is_not_missed<B: Backend>() {
    for count in CROWDS {
        for later_attempts in 0..4 {
            let backend = B::UNINIT;
            let claim = Claim::take(&backend);
            let mut waiters = crowd(&backend, count, only_claimants);
            claim.release();
            for _ in 1..later_attempts {
                Claim::take(&backend).release();
            }
            let _last = (later_attempts > 0).then(|| Claim::take(&backend));
            for waiter in &mut waiters {
                require!(
                    waiter.poll_attempt().is_ready(),
                    OneAttempt,
                    "`poll_attempt` returned `Pending` though the attempt has ended, and {later_attempts} have begun since"
                );
            }
        }
    }
    let backend = B::UNINIT;
    let claim = Claim::take(&backend);
    let mut waiters = crowd(&backend, 17, only_claimants);
    claim.publish();
    for waiter in &mut waiters {
        require!(
            waiter.poll_attempt().is_ready() && backend.state() == State::Ready,
            OneAttempt,
            "`poll_attempt` returned `Pending` after `publish`"
        );
    }
}

/// Threads register waiters, move them to other tasks and cancel them, while another thread settles the state: every waiter that
/// is asleep afterwards is woken.
pub fn threads_lose_no_wakeup<B: Backend<Waiter: Send> + Sync>() {
    let backends: Vec<_> = (0..ROUNDS).map(|_| B::UNINIT).collect();
    backends.iter().for_each(|backend| Claim::take(backend).forget());
    let outcome_of = |round| OUTCOMES[round % 2];
    let asleep = race(ROUNDS, |round, thread| {
        let backend = &backends[round];
        dawdle(round * (2 * thread + 1) % 97);
        if thread == 0 {
            // SAFETY: the claim was forgotten above.
            unsafe { Claim::assume(backend) }.settle(outcome_of(round));
            return Vec::new();
        }
        let mut asleep = Vec::new();
        for index in 0..6 {
            let mut waiter = Waiter::new(backend, mixed(index));
            let mut is_asleep = waiter.poll().is_pending();
            if index % 2 == 1 && is_asleep {
                waiter.move_to(&Task::new());
                is_asleep = waiter.poll().is_pending();
            }
            if index % 4 == 2 {
                waiter.cancel();
            } else if is_asleep {
                asleep.push(waiter);
            }
        }
        asleep
    });
    for (round, asleep) in asleep.into_iter().enumerate() {
        for waiters in asleep {
            require_woken(&waiters, outcome_of(round), "on another thread");
        }
    }
}

/// Threads repeatedly take the claim, release it and wait for each other: after the last release, no claimant is asleep.
pub fn threads_leave_no_claimant_asleep<B: Backend<Waiter: Send> + Sync>() {
    let backends: Vec<_> = (0..ROUNDS).map(|_| B::UNINIT).collect();
    let asleep = race(ROUNDS, |round, thread| {
        let backend = &backends[round];
        let mut waiter = Waiter::new(backend, WaiterKind::Claimant);
        let mut is_asleep = false;
        for step in 0..20 {
            if is_asleep && !waiter.is_woken() {
                dawdle(1);
                continue;
            }
            is_asleep = false;
            match Claim::try_take(backend) {
                Ok(claim) => {
                    linger((round + step * thread) % 31);
                    claim.release();
                }
                Err(_) => is_asleep = waiter.poll().is_pending(),
            }
        }
        is_asleep.then_some(waiter)
    });
    for asleep in asleep {
        let asleep: Vec<_> = asleep.into_iter().flatten().collect();
        require_woken(&asleep, State::Uninit, "for the last time, on another thread");
    }
}

/// Threads claim and release, and wait for each other's attempts: `poll_attempt` returns `Pending` while the attempt is
/// in progress, and `Ready` after it has ended, even if the next one has begun (rule 9).
pub fn threads_see_the_end_of_their_attempt<B: Backend<Waiter: Send> + Sync>() {
    /// A backend, and what is known of its attempts, which are numbered from 1.
    struct Watched<B> {
        backend: B,
        begun: AtomicUsize,
        /// The attempt that is certainly in progress, or 0.
        current: AtomicUsize,
        /// The newest attempt whose `release` has returned.
        released: AtomicUsize,
    }

    let watched: Vec<_> = (0..ROUNDS)
        .map(|_| Watched {
            backend: B::UNINIT,
            begun: AtomicUsize::new(0),
            current: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
        })
        .collect();
    race(ROUNDS, |round, _| {
        let Watched {
            backend,
            begun,
            current,
            released,
        } = &watched[round];
        let mut waiter = Waiter::new(backend, WaiterKind::Claimant);
        for step in 0..10 {
            if let Ok(claim) = Claim::try_take(backend) {
                let number = begun.fetch_add(1, SeqCst) + 1;
                current.store(number, SeqCst);
                linger((round + step) % 5 * 50);
                current.store(0, SeqCst);
                claim.release();
                released.fetch_max(number, SeqCst);
                continue;
            }
            let attempt = current.load(SeqCst);
            if waiter.poll().is_ready() {
                continue;
            }
            if attempt == 0 || current.load(SeqCst) != attempt {
                // It is not known in which attempt the waiter was registered.
                waiter.cancel();
                continue;
            }
            for poll in 0..10 {
                let has_ended = released.load(SeqCst) >= attempt;
                match waiter.poll_attempt() {
                    Poll::Ready(()) => {
                        require!(
                            current.load(SeqCst) != attempt,
                            OneAttempt,
                            "`poll_attempt` returned `Ready` while the attempt was in progress"
                        );
                        break;
                    }
                    Poll::Pending => require!(
                        !has_ended,
                        OneAttempt,
                        "`poll_attempt` returned `Pending` though the attempt has ended"
                    ),
                }
                linger(poll % 5 * 50);
            }
            waiter.cancel();
        }
    });
}
