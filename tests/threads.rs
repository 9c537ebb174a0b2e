//! Bounded stress tests: threads contend for the same cells. The counts must be right in every schedule.

mod util;

use std::{
    pin::pin,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
};

use futures_lite::future::{block_on, yield_now};
use oncelot::OnceCell;
use util::{Counted, Drops, poll};

const THREADS: usize = 8;
const ROUNDS: usize = if cfg!(miri) { 3 } else { 300 };

/// A xorshift generator: the same numbers in every run.
struct Random(u64);

impl Random {
    fn new(seed: usize) -> Self {
        Self((seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Runs `work` on all threads at once, round after round, each round with a new cell.
fn in_rounds<T: Send + Sync>(work: impl Fn(&OnceCell<T>, &mut Random) + Sync, check: impl Fn(OnceCell<T>)) {
    for round in 0..ROUNDS {
        let cell = OnceCell::new();
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (cell, barrier, work) = (&cell, &barrier, &work);
                scope.spawn(move || {
                    let mut random = Random::new(round * THREADS + thread);
                    barrier.wait();
                    work(cell, &mut random);
                });
            }
        });
        check(cell);
    }
}

#[test]
fn one_of_many_threads_initializes() {
    let calls = AtomicUsize::new(0);
    in_rounds(
        |cell, _| {
            let value = block_on(cell.get_or_init(async || {
                yield_now().await;
                calls.fetch_add(1, Ordering::Relaxed)
            }));
            assert_eq!(Some(value), cell.get());
        },
        |cell| assert!(cell.initialized()),
    );
    assert_eq!(calls.into_inner(), ROUNDS);
}

/// Fails, is cancelled, panics or succeeds by chance, until there is a value.
#[test]
fn the_value_is_made_once_among_failures_cancellations_and_panics() {
    let made = AtomicUsize::new(0);
    let drops = Drops::new();
    in_rounds::<Counted>(
        |cell, random| {
            loop {
                let chance = random.below(4);
                let pauses = random.below(3);
                let mut future = Box::pin(cell.get_or_try_init(async || {
                    for _ in 0..pauses {
                        yield_now().await;
                    }
                    match chance {
                        0 => Err("failed"),
                        1 => std::panic::resume_unwind(Box::new("panicked")),
                        _ => {
                            made.fetch_add(1, Ordering::Relaxed);
                            Ok(drops.counted())
                        }
                    }
                }));
                if random.below(4) == 0 {
                    // Cancelled wherever it is by now.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        poll(&mut future).is_ready()
                    }));
                    continue;
                }
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(future)));
                if let Ok(Ok(value)) = outcome {
                    assert_eq!(value.look(), 7);
                    return;
                }
            }
        },
        |cell| assert_eq!(cell.into_inner().unwrap().look(), 7),
    );
    assert_eq!(made.into_inner(), ROUNDS);
    assert_eq!(drops.count(), ROUNDS);
}

#[test]
fn every_task_gets_the_value_through_every_method() {
    let drops = Drops::new();
    let offered = AtomicUsize::new(0);
    in_rounds::<Counted>(
        |cell, random| {
            let offer = || {
                offered.fetch_add(1, Ordering::Relaxed);
                drops.counted()
            };
            let seen = match random.below(5) {
                0 => block_on(cell.get_or_init(async || offer())),
                1 => block_on(cell.insert(offer())).unwrap_or_else(|(present, _)| present),
                2 => {
                    let _ = cell.set(offer());
                    block_on(cell.wait())
                }
                3 => {
                    // Waits a little, gives up, and asks again.
                    let _ = poll(&mut Box::pin(cell.wait()));
                    block_on(cell.get_or_init(async || offer()))
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
        },
        drop,
    );
    assert_eq!(drops.count(), offered.into_inner());
}

#[test]
fn waiters_that_register_and_cancel_disturb_no_other_waiter() {
    in_rounds(
        |cell, random| {
            for _ in 0..20 {
                let mut claimant = Box::pin(cell.get_or_init(async || {
                    yield_now().await;
                    1
                }));
                let mut passive = Box::pin(cell.wait());
                let _ = poll(&mut passive);
                let _ = poll(&mut claimant);
                if random.below(2) == 0 {
                    drop(passive);
                } else {
                    drop(claimant);
                }
            }
            assert_eq!(block_on(cell.get_or_init(async || 1)), &1);
        },
        |cell| assert_eq!(cell.into_inner(), Some(1)),
    );
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

/// The waiter's future lives on the stack of a thread, which continues as soon as it sees the value, possibly while
/// the other thread is still waking.
#[test]
fn a_waiter_may_be_dropped_while_the_others_are_woken() {
    in_rounds(
        |cell, random| {
            for _ in 0..random.below(4) {
                let mut wait = pin!(cell.wait());
                let mut cx = Context::from_waker(Waker::noop());
                if let Poll::Ready(value) = wait.as_mut().poll(&mut cx) {
                    assert_eq!(value, &1);
                    break;
                }
                thread::yield_now();
            }
            let _ = cell.set(1);
            let mut wait = pin!(cell.wait());
            while wait
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
            {
                thread::yield_now();
            }
        },
        |cell| assert_eq!(cell.into_inner(), Some(1)),
    );
}
