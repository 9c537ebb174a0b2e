//! Threads that race for a bounded number of steps. No thread waits for another one without a limit, so that every error ends in
//! a failure and not in a hang.

use core::{cell::UnsafeCell, hint};
use std::{
    panic,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    vec::Vec,
};

/// The number of threads that race. Two cores are enough for them to interleave.
pub(super) const THREADS: usize = 3;

/// The number of repetitions of a race.
pub(super) const ROUNDS: usize = if cfg!(miri) { 5 } else { 4_000 };

/// Calls `run` with the numbers of round and thread. Each thread runs all rounds, and tries to begin each of them at the same time
/// as the other threads. Returns the results of the threads, round by round.
#[track_caller]
pub(super) fn race<R: Send>(rounds: usize, run: impl Fn(usize, usize) -> R + Sync) -> Vec<Vec<R>> {
    let arrived: Vec<_> = (0..rounds).map(|_| AtomicUsize::new(0)).collect();
    let (arrived, run) = (&arrived, &run);
    let mut ends = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let round = |round| {
                        meet(&arrived[round]);
                        run(round, thread)
                    };
                    (0..rounds).map(round).collect::<Vec<_>>().into_iter()
                })
            })
            .collect();
        let ends: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ends.into_iter()
            .map(|end| end.unwrap_or_else(|payload| panic::resume_unwind(payload)))
            .collect::<Vec<_>>()
    });
    let mut next_round = || ends.iter_mut().filter_map(Iterator::next).collect();
    (0..rounds).map(|_| next_round()).collect()
}

/// Waits for the other threads for a bounded time, because one of them may have panicked.
fn meet(arrived: &AtomicUsize) {
    const PATIENCE: usize = if cfg!(miri) { 10 } else { 500 };

    arrived.fetch_add(1, Ordering::Relaxed);
    for step in 0..PATIENCE {
        if arrived.load(Ordering::Relaxed) == THREADS {
            return;
        }
        if step % 50 == 49 {
            thread::yield_now();
        } else {
            hint::spin_loop();
        }
    }
}

/// Spins for some steps, so that the threads interleave differently in each round.
pub(super) fn dawdle(steps: usize) {
    for _ in 0..steps {
        hint::spin_loop();
    }
}

/// Spins for some steps, or yields if `steps` is zero. A thread calls this while it holds a claim, or waits for one: if another
/// thread on the same processor takes the claim too, the yield lets the test detect it.
pub(super) fn linger(steps: usize) {
    if steps == 0 {
        thread::yield_now();
    } else {
        dawdle(steps);
    }
}

/// Memory without synchronization of its own, in which Miri and sanitizers detect data races.
pub(super) struct Unsynchronized<T>(UnsafeCell<T>);

// SAFETY: the callers of the `unsafe` methods guarantee that no two threads access the memory concurrently, unless both read.
unsafe impl<T: Send> Sync for Unsynchronized<T> {}

impl<T: Copy> Unsynchronized<T> {
    pub(super) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// # Safety
    ///
    /// No other thread writes at the same time.
    pub(super) unsafe fn get(&self) -> T {
        // SAFETY: as the caller guarantees.
        unsafe { *self.0.get() }
    }

    /// # Safety
    ///
    /// No other thread reads or writes at the same time.
    pub(super) unsafe fn set(&self, value: T) {
        // SAFETY: as the caller guarantees.
        unsafe { *self.0.get() = value };
    }
}
