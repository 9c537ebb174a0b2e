//! Oldest first.

use std::{
    sync::{Arc, Mutex},
    vec::Vec,
};

use crate::{
    backend::{Backend, State, WaiterKind},
    testing::{
        claim::{Claim, OUTCOMES},
        rule::require,
        task::{Op, Task},
        waiter::{CROWDS, Waiter, cause, mixed, only_claimants},
    },
};

/// Waiters of one kind are woken oldest first, and a waiter keeps its place when it is polled again.
pub fn claimants_are_woken_oldest_first<B: Backend>() {
    for outcome in OUTCOMES {
        oldest_first::<B>(only_claimants, outcome);
    }
}

/// All waiters are woken oldest first, whatever they wait for.
pub fn waiters_are_woken_oldest_first<B: Backend>() {
    for outcome in OUTCOMES {
        oldest_first::<B>(mixed, outcome);
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
                let task = Task::on(Op::Wake, move || woken.lock().unwrap().push(index));
                let mut waiter = Waiter::of_task(&backend, kind_of(index), &task);
                waiter.sleep();
                waiter
            })
            .collect();
        // They keep their places.
        for waiter in waiters.iter_mut().rev() {
            waiter.sleep();
        }
        waiters.iter().for_each(|waiter| waiter.task().arm());
        claim.settle(outcome);
        let woken = woken.lock().unwrap();
        let oldest_first: Vec<_> = (0..count)
            .filter(|index| kind_of(*index).is_settled_by(outcome))
            .collect();
        require!(
            *woken == oldest_first,
            OldestFirst,
            "after {} waiters had come, and {}, they were woken in this order: {woken:?}",
            oldest_first.len(),
            cause(outcome)
        );
    }
}
