//! Bounded stress tests: threads contend for the same cells. The counts must be right in every schedule.

mod util;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use fastrand::Rng;
use futures_lite::future::{block_on, yield_now};
use oncelot::OnceCell;
use util::{Counted, Drops, poll};

const THREADS: usize = 8;
const ROUNDS: usize = if cfg!(miri) { 3 } else { 300 };

/// Runs `work` on all threads at once, round after round, each round with a new cell, which must be initialized then. The
/// random numbers are the same in every run.
fn in_rounds<T: Send + Sync>(work: impl Fn(&OnceCell<T>, &mut Rng) + Sync) {
    for round in 0..ROUNDS {
        let cell = OnceCell::new();
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (cell, barrier, work) = (&cell, &barrier, &work);
                scope.spawn(move || {
                    let mut random = Rng::with_seed((round * THREADS + thread) as u64);
                    barrier.wait();
                    work(cell, &mut random);
                });
            }
        });
        assert!(cell.initialized());
    }
}

/// Fails, is cancelled, panics or succeeds by chance, until there is a value.
#[test]
fn the_value_is_made_once_among_failures_cancellations_and_panics() {
    let made = AtomicUsize::new(0);
    let drops = Drops::new();
    in_rounds::<Counted>(|cell, random| {
        loop {
            let chance = random.u8(..4);
            let pauses = random.u8(..3);
            let mut future = Box::pin(cell.get_or_try_init(async || {
                for _ in 0..pauses {
                    yield_now().await;
                }
                match chance {
                    0 => Err("failed"),
                    1 => resume_unwind(Box::new("panicked")),
                    _ => {
                        made.fetch_add(1, Ordering::Relaxed);
                        Ok(drops.counted())
                    }
                }
            }));
            if random.u8(..4) == 0 {
                // Cancelled wherever it is by now.
                let _ = catch_unwind(AssertUnwindSafe(|| poll(&mut future).is_ready()));
                continue;
            }
            if let Ok(Ok(value)) = catch_unwind(AssertUnwindSafe(|| block_on(future))) {
                assert_eq!(value.look(), 7);
                return;
            }
        }
    });
    assert_eq!(made.into_inner(), ROUNDS);
    assert_eq!(drops.count(), ROUNDS);
}

#[test]
fn every_task_gets_the_value_through_every_method() {
    let drops = Drops::new();
    let offered = AtomicUsize::new(0);
    in_rounds::<Counted>(|cell, random| {
        let offer = || {
            offered.fetch_add(1, Ordering::Relaxed);
            drops.counted()
        };
        let seen = match random.u8(..4) {
            0 => block_on(cell.get_or_init(async || offer())),
            1 => block_on(cell.insert(offer())).unwrap_or_else(|(present, _)| present),
            2 => {
                let _ = cell.set(offer());
                block_on(cell.wait())
            }
            _ => loop {
                let failing = block_on(cell.get_or_try_init(async || {
                    yield_now().await;
                    Err("failed")
                }));
                if let Ok(value) = failing {
                    break value;
                }
                let _ = cell.try_insert(offer());
            },
        };
        assert!(util::is_same(seen, cell.get().unwrap()));
        assert_eq!(seen.look(), 7);
    });
    assert_eq!(drops.count(), offered.into_inner());
}

/// Some end while the others are woken: a task continues as soon as it sees the value.
#[test]
fn waiters_that_register_and_cancel_disturb_no_other_waiter() {
    in_rounds(|cell, random| {
        for _ in 0..20 {
            let mut claimant = Box::pin(cell.get_or_init(async || {
                yield_now().await;
                1
            }));
            let mut passive = Box::pin(cell.wait());
            let _ = poll(&mut passive);
            let _ = poll(&mut claimant);
            if random.bool() {
                drop(passive);
            } else {
                drop(claimant);
            }
        }
        let value = if random.bool() {
            block_on(cell.get_or_init(async || 1))
        } else {
            let _ = cell.set(1);
            let mut wait = Box::pin(cell.wait());
            while poll(&mut wait).is_pending() {
                thread::yield_now();
            }
            cell.get().unwrap()
        };
        assert_eq!(value, &1);
    });
}

#[test]
fn an_initialization_can_end_on_another_thread() {
    let drops = Drops::new();
    for _ in 0..ROUNDS {
        let cell = OnceCell::<Counted>::new();
        let gate = util::Gate::new();
        let mut running = Box::pin(cell.get_or_init(|| gate.clone()));
        assert!(poll(&mut running).is_pending());
        thread::scope(|scope| {
            let waiter = scope.spawn(|| block_on(cell.wait()).look());
            gate.open(drops.counted());
            scope.spawn(|| assert!(poll(&mut running).is_ready()));
            assert_eq!(waiter.join().unwrap(), 7);
        });
    }
    assert_eq!(drops.count(), ROUNDS);
}
