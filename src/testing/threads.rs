//! Threads that race for a bounded number of steps. None of them ever blocks on another one's progress, so
//! that whatever goes wrong ends in a failure.

use core::{cell::UnsafeCell, hint};
use std::{
    panic,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    vec::Vec,
};

/// How many threads race. Two cores suffice for them to meet.
pub(super) const THREADS: usize = 3;

/// How often a race is repeated.
pub(super) const ROUNDS: usize = if cfg!(miri) { 5 } else { 4_000 };

/// Calls `run` with the numbers of round and thread: each thread goes through all rounds, and tries to begin
/// each of them together with the others. Returns what the threads have returned, round by round.
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

/// Waits for the others, but not for ever: one of them may have panicked.
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

/// Spends some steps, so that threads meet elsewhere in each round.
pub(super) fn dawdle(steps: usize) {
    for _ in 0..steps {
        hint::spin_loop();
    }
}

/// The same for a thread that holds what no other may hold, or waits for that. Lets the others run at times: if one of them
/// holds it too, they meet though they share a processor.
pub(super) fn linger(steps: usize) {
    if steps == 0 {
        thread::yield_now();
    } else {
        dawdle(steps);
    }
}

/// Memory without synchronization of its own: Miri and sanitizers see who races for it.
pub(super) struct Unsynchronized<T>(UnsafeCell<T>);

// SAFETY: whoever uses it promises that nobody else does at the same time.
unsafe impl<T: Send> Sync for Unsynchronized<T> {}

impl<T: Copy> Unsynchronized<T> {
    pub(super) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// # Safety
    ///
    /// Nobody writes at the same time.
    pub(super) unsafe fn get(&self) -> T {
        // SAFETY: the caller's promise.
        unsafe { *self.0.get() }
    }

    /// # Safety
    ///
    /// Nobody reads or writes at the same time.
    pub(super) unsafe fn set(&self, value: T) {
        // SAFETY: the caller's promise.
        unsafe { *self.0.get() = value };
    }
}
