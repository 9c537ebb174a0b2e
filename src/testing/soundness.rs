//! The state machine and rules 1 to 4 of [`Backend`], on which the memory safety of cells depends. No backend is excepted from
//! these.
//!
//! Orderings that are too weak cause failures on few processors only. Run these properties also under Miri or a thread
//! sanitizer, which detect every data race.

use std::{
    boxed::Box,
    mem,
    panic::resume_unwind,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    vec::Vec,
};

use super::{
    claim::{Claim, OUTCOMES},
    rule::{Rule, broken, require},
    threads::{ROUNDS, THREADS, Unsynchronized, dawdle, linger, race},
    waiter::{CHOICES, MIXTURES, Waiter, crowd, every_attempt, mixed, only_claimants, remove_where},
};
use crate::backend::{Backend, State, WaiterKind};

/// A backend that begins as [`UNINIT`](Backend::UNINIT) is UNINIT, and its claim can be taken.
pub fn uninit_is_uninit<B: Backend>() {
    let backend = B::UNINIT;
    require_state(&backend, State::Uninit, "in the beginning");
    Claim::take(&backend).release();
}

/// A backend that begins as [`READY`](Backend::READY) stays READY, and no waiter waits for it.
pub fn ready_is_ready<B: Backend>() {
    let backend = B::READY;
    for _ in 0..2 {
        require_state(&backend, State::Ready, "though it began as `READY`");
    }
    for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
        require!(
            Waiter::new(&backend, kind).finds_out(),
            Publication,
            "a waiter with `WaiterKind::{kind:?}` waits for a backend that began as `READY`"
        );
    }
}

/// While a caller has the claim, no other caller gets it, and the state is INITIALIZING (rule 1).
pub fn a_claim_excludes_others<B: Backend>() {
    let backend = B::UNINIT;
    let claim = Claim::take(&backend);
    let waiters = crowd(&backend, 4, mixed);
    for _ in 0..3 {
        require_state(&backend, State::Initializing, "while the claim is taken");
    }
    drop(waiters);
    require_state(&backend, State::Initializing, "while the claim is taken");
    claim.release();
}

/// After [`publish`](Backend::publish) the state stays READY (rule 2).
pub fn publishing_is_final<B: Backend>() {
    for waiters in [0, 1, 17] {
        let backend = B::UNINIT;
        let claim = Claim::take(&backend);
        let waiters = crowd(&backend, waiters, mixed);
        claim.publish();
        for _ in 0..2 {
            require_state(&backend, State::Ready, "after `publish`");
        }
        drop(waiters);
        require_state(&backend, State::Ready, "after `publish`");
    }
}

/// After [`release`](Backend::release) the state is UNINIT, and another caller gets the claim.
pub fn releasing_makes_room_for_the_next_claim<B: Backend>() {
    let backend = B::UNINIT;
    for waiters in [0, 1, 17, 0] {
        let claim = Claim::take(&backend);
        let waiters = crowd(&backend, waiters, mixed);
        claim.release();
        require_state(&backend, State::Uninit, "after `release`");
        drop(waiters);
    }
    Claim::take(&backend).publish();
    require_state(&backend, State::Ready, "after `publish`");
}

/// Threads that race for the claim get it one at a time (rule 1).
pub fn threads_never_share_a_claim<B: Backend + Sync>() {
    let backend = B::UNINIT;
    let holders = AtomicUsize::new(0);
    race(ROUNDS, |round, _| {
        for step in 0..10 {
            let Ok(claim) = Claim::try_take(&backend) else {
                continue;
            };
            let others = holders.fetch_add(1, Ordering::Relaxed);
            linger((round + step) % 7);
            require!(
                others == 0,
                Exclusion,
                "two threads had the claim at the same time"
            );
            require_state(&backend, State::Initializing, "while a thread has the claim");
            holders.fetch_sub(1, Ordering::Relaxed);
            claim.release();
        }
    });
    require_state(&backend, State::Uninit, "after every claim was released");
}

/// The next holder of the claim sees all writes that preceded the release (rule 3).
pub fn threads_see_what_was_released<B: Backend + Sync>() {
    let backend = B::UNINIT;
    let count = Unsynchronized::new(0_usize);
    let claims = race(ROUNDS, |round, _| {
        let attempts = (0..10).filter(|step| {
            let Ok(claim) = Claim::try_take(&backend) else {
                return false;
            };
            // SAFETY: only the holder of the claim accesses the memory.
            let prev = unsafe { count.get() };
            linger((round + step) % 7);
            // SAFETY: as above.
            unsafe { count.set(prev + 1) };
            claim.release();
            true
        });
        attempts.count()
    });
    // SAFETY: the threads have ended.
    let count = unsafe { count.get() };
    let claims: usize = claims.into_iter().flatten().sum();
    require!(
        count == claims,
        Succession,
        "{claims} holders of the claim have incremented a counter one after the other, and its value is {count}"
    );
}

/// A thread that observes READY sees all writes that preceded the publication (rule 2).
pub fn threads_see_what_was_published<B: Backend + Sync>() {
    const WHOLE: [usize; 8] = [7; 8];

    let (backends, _) = claimed::<B>();
    let values: Vec<_> = backends.iter().map(|_| Unsynchronized::new([0; 8])).collect();
    race(ROUNDS, |round, thread| {
        let backend = &backends[round];
        if thread == 0 {
            dawdle(round % 50);
            // SAFETY: no thread reads before the state is READY.
            unsafe { values[round].set(WHOLE) };
            // SAFETY: the claim was forgotten.
            unsafe { Claim::assume(backend) }.publish();
            return;
        }
        // The state is read in one way only, so that the ordering of another way cannot hide an error.
        let sees_ready = || match (round + thread) % 3 {
            0 => backend.is_ready(),
            1 => backend.state() == State::Ready,
            _ => matches!(Claim::try_take(backend), Err(State::Ready)),
        };
        if (0..200).any(|_| sees_ready()) {
            // SAFETY: no thread writes after the state has become READY.
            let seen = unsafe { values[round].get() };
            require!(
                seen == WHOLE,
                Publication,
                "a thread saw READY, and of the value {seen:?}"
            );
        }
    });
    for backend in &backends {
        require_state(backend, State::Ready, "after another thread has published");
    }
}

/// A claim may end on another thread than the one that took it.
pub fn a_claim_may_change_threads<B: Backend + Sync>() {
    let backend = B::UNINIT;
    for outcome in [State::Uninit, State::Ready] {
        Claim::take(&backend).forget();
        let backend = &backend;
        // SAFETY: the claim was forgotten.
        let settle = || unsafe { Claim::assume(backend) }.settle(outcome);
        thread::scope(|scope| scope.spawn(settle).join()).unwrap_or_else(|payload| resume_unwind(payload));
        require_state(backend, outcome, "after another thread has ended the claim");
    }
}

/// After [`cancel`](Backend::cancel) no thread accesses the waiter (rule 4).
pub fn a_cancelled_waiter_is_not_touched<B: Backend>() {
    for is_chosen in CHOICES {
        let remains = every_attempt::<B, _>(&OUTCOMES, "after others were cancelled", |backend, waiters| {
            let cancelled = remove_where(waiters, is_chosen);
            let remains: Vec<_> = cancelled.into_iter().map(Waiter::into_remains).collect();
            waiters.extend(crowd(&**backend, 2, mixed));
            waiters.iter_mut().for_each(Waiter::sleep);
            remains
        });
        for remains in remains.iter().flatten() {
            remains.require_untouched("after `cancel` had returned");
        }
    }
}

/// After [`poll_wait`](Backend::poll_wait) has returned `Ready`, no thread accesses the waiter (rule 4).
pub fn a_settled_waiter_is_not_touched<B: Backend>() {
    for kind_of in MIXTURES {
        let backend = B::UNINIT;
        let claim = Claim::take(&backend);
        let waiters = crowd(&backend, 17, kind_of);
        claim.publish();
        let mut remains = Vec::new();
        for mut waiter in waiters {
            require!(
                waiter.finds_out(),
                NoLostWakeup,
                "a waiter stayed asleep after `publish`"
            );
            remains.push(waiter.into_remains());
        }
        drop(backend);
        for remains in &remains {
            remains.require_untouched("after `poll_wait` had returned `Ready`");
        }
    }
}

/// Threads that settle the state do not touch the waiters that are being cancelled by others (rule 4).
pub fn threads_do_not_touch_a_cancelled_waiter<B: Backend<Waiter: Send> + Sync>() {
    let (backends, outcomes) = claimed::<B>();
    let shares: Vec<_> = (backends.iter())
        .map(|backend| [(); THREADS].map(|()| Mutex::new(crowd(backend, 4, mixed))))
        .collect();
    let remains = race(ROUNDS, |round, thread| {
        dawdle(round * (thread + 1) % 50);
        if thread == 0 {
            // SAFETY: the claim was forgotten.
            unsafe { Claim::assume(&backends[round]) }.settle(outcomes[round]);
        }
        let share = mem::take(&mut *shares[round][thread].lock().expect("each thread has its own"));
        Vec::from_iter(share.into_iter().map(Waiter::into_remains))
    });
    for remains in remains.iter().flatten().flatten() {
        remains.require_untouched("after `cancel` had returned on another thread");
    }
}

/// A backend may be dropped or replaced while waiters that were leaked are registered. Their memory stays valid, and the new
/// backend has no reference to them.
pub fn leaked_waiters_may_outlive_the_backend<B: Backend>() {
    for kind_of in MIXTURES {
        let mut backend = Box::new(B::UNINIT);
        Claim::take(&*backend).forget();
        crowd(&*backend, 3, kind_of).into_iter().for_each(Waiter::leak);
        // As `OnceCell::take` does.
        *backend = B::UNINIT;
        require_state(&*backend, State::Uninit, "in the beginning");
        let claim = Claim::take(&*backend);
        let waiters = crowd(&*backend, 2, only_claimants);
        claim.release();
        require!(
            waiters.iter().all(Waiter::is_woken),
            NoLostWakeup,
            "a waiter that was registered after others were leaked was not woken by `release`"
        );
    }
}

/// Returns backends whose claims are taken and forgotten, and the outcomes with which to settle them.
fn claimed<B: Backend>() -> (Vec<B>, Vec<State>) {
    let backends: Vec<_> = (0..ROUNDS).map(|_| B::UNINIT).collect();
    backends.iter().for_each(|backend| Claim::take(backend).forget());
    (backends, OUTCOMES.into_iter().cycle().take(ROUNDS).collect())
}

#[track_caller]
fn require_state<B: Backend>(backend: &B, expected: State, when: &str) {
    let found = backend.state();
    if found != expected {
        let rule = match (found, expected) {
            (_, State::Initializing) => Rule::Exclusion,
            (State::Ready, _) | (_, State::Ready) => Rule::Publication,
            _ => Rule::StateMachine,
        };
        broken(
            rule,
            format_args!("`state` is {found:?} and not {expected:?} {when}"),
        );
    }
    let is_ready = backend.is_ready();
    require!(
        is_ready == (expected == State::Ready),
        Publication,
        "`is_ready` is {is_ready} {when}, and the state {expected:?}"
    );
    let claimed = Claim::try_take(backend).map(|claim| {
        // Dropping a claim that was not free would end the attempt twice.
        if expected == State::Uninit {
            claim.release();
        } else {
            claim.forget();
        }
    });
    let may_claim = if expected == State::Uninit {
        Ok(())
    } else {
        Err(expected)
    };
    require!(
        claimed.is_err() || claimed == may_claim,
        Exclusion,
        "`try_claim` returned `Ok` in {expected:?}"
    );
    require!(
        claimed == may_claim,
        StateMachine,
        "`try_claim` returned `{claimed:?}` in {expected:?} {when}"
    );
}
