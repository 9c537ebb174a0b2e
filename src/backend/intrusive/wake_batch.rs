//! A few wakers taken under the lock and woken outside it, without leaving anybody asleep when one panics.

use core::{mem::MaybeUninit, task::Waker};

use crate::panics::{is_panicking, swallow_panic};

/// Wakes batch after batch: `refill` takes wakers under its lock and tells whether there are more to come.
///
/// Each batch is woken after `refill` has returned, oldest first.
///
/// # Panics
///
/// If wakers panic, all others are woken all the same, and then the first panic goes on; the later ones are
/// swallowed. If the thread was unwinding before, so are all. Without `std`, where no panic can be caught, a
/// second panic aborts, as it does in any destructor.
pub(crate) fn wake_in_batches(refill: impl FnMut(&mut WakeBatch) -> bool) {
    let mut waking = Waking {
        batch: WakeBatch::new(),
        refill,
        more: true,
    };
    if !is_panicking() {
        waking.run();
    }
    // Dropping `waking` does what is left.
}

/// A queue of wakers on the stack: filled under the lock, emptied after the lock is released.
pub(crate) struct WakeBatch {
    /// Those in `next..len` are initialized.
    wakers: [MaybeUninit<Waker>; Self::CAPACITY],
    next: usize,
    len: usize,
}

impl WakeBatch {
    /// Bounds how long the lock is held, and the stack that waking takes: two words a waker. The models of
    /// loom and shuttle see drains of several batches with few waiters.
    pub(crate) const CAPACITY: usize = if cfg!(oncelot_loom) {
        1
    } else if cfg!(oncelot_shuttle) {
        2
    } else {
        16
    };

    const fn new() -> Self {
        Self {
            wakers: [const { MaybeUninit::uninit() }; Self::CAPACITY],
            next: 0,
            len: 0,
        }
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.len == Self::CAPACITY
    }

    /// # Panics
    ///
    /// Panics if the batch is full.
    #[inline]
    pub(crate) fn push(&mut self, waker: Waker) {
        self.wakers[self.len].write(waker);
        self.len += 1;
    }

    /// Wakes all and leaves the batch empty. If a waker panics, it is gone and those behind it stay.
    fn wake_all(&mut self) {
        while self.next < self.len {
            self.next += 1;
            // SAFETY: this waker was in `next..len`, and has just left it.
            let waker = unsafe { self.wakers[self.next - 1].assume_init_read() };
            waker.wake();
        }
        self.next = 0;
        self.len = 0;
    }
}

/// Completes the waking when it is dropped, so that a panic strands nobody.
struct Waking<F: FnMut(&mut WakeBatch) -> bool> {
    batch: WakeBatch,
    refill: F,
    more: bool,
}

impl<F: FnMut(&mut WakeBatch) -> bool> Waking<F> {
    fn run(&mut self) {
        self.batch.wake_all();
        while self.more {
            self.more = (self.refill)(&mut self.batch);
            self.batch.wake_all();
        }
    }

    fn is_done(&self) -> bool {
        !self.more && self.batch.next == self.batch.len
    }
}

impl<F: FnMut(&mut WakeBatch) -> bool> Drop for Waking<F> {
    fn drop(&mut self) {
        // Each panic takes one waker out of the batch, so this ends.
        while !self.is_done() {
            swallow_panic(|| self.run());
        }
    }
}
