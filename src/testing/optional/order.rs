//! Oldest first.

use std::vec::Vec;

use crate::{
    backend::{Backend, State, WaiterKind},
    testing::{
        claim::{Claim, OUTCOMES},
        parts::Log,
        rule::require,
        waiter::{CROWDS, MIXTURES, Waiter, cause},
    },
};

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

/// If a waiter is cancelled, the others keep their places: of five waiters in every mixture of kinds, each one.
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
