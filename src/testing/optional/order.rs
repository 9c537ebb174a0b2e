//! Oldest first.

use std::{
    sync::{Arc, Mutex},
    vec::Vec,
};

use crate::{
    backend::{Backend, State, WaiterKind},
    testing::{
        claim::{Claim, OUTCOMES},
        parts::{Op, Task},
        rule::require,
        waiter::{CROWDS, Waiter, cause, mixed, only_claimants},
    },
};

/// Waiters of each kind are woken oldest first, and a waiter keeps its place when it is polled again.
pub fn each_kind_is_woken_oldest_first<B: Backend>() {
    for outcome in OUTCOMES {
        for kind_of in [only_claimants, mixed] {
            oldest_first::<B>(kind_of, outcome);
        }
    }
}

fn oldest_first<B: Backend>(kind_of: fn(usize) -> WaiterKind, outcome: State) {
    for count in CROWDS {
        let backend = B::UNINIT;
        let claim = Claim::take(&backend);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut waiters: Vec<_> = (0..count)
            .map(|index| {
                let woken = Arc::clone(&woken);
                let task = Task::disarmed_on(Op::Wake, move || woken.lock().unwrap().push(index));
                let mut waiter = Waiter::of_task(&backend, kind_of(index), &task);
                waiter.sleep();
                waiter
            })
            .collect();
        // The waiters keep their places.
        for waiter in waiters.iter_mut().rev() {
            waiter.sleep();
        }
        waiters.iter().for_each(|waiter| waiter.task().arm());
        claim.settle(outcome);
        let woken = woken.lock().unwrap();
        for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
            let is_of_kind = |index: &usize| kind_of(*index) == kind;
            let woken: Vec<_> = woken.iter().copied().filter(is_of_kind).collect();
            let oldest_first: Vec<_> = (0..count)
                .filter(|index| is_of_kind(index) && kind.is_settled_by(outcome))
                .collect();
            require!(
                woken == oldest_first,
                OldestFirst,
                "of {count} waiters, those of the kind {kind:?} were woken in this order, as {}: {woken:?}",
                cause(outcome)
            );
        }
    }
}
