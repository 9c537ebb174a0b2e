//! Collects wakers under the list lock and wakes them after it is released. A panicking waker does not prevent the others from
//! being woken.

use core::{mem::MaybeUninit, slice, task::Waker};

use crate::panics::complete;

/// Wakes batch after batch: `refill` fills an empty batch under the list lock, and returns `true` if there are more
/// wakers.
///
/// A batch is woken after `refill` has returned, in the order of the wakers in it.
///
/// # Panics
///
/// As [`complete`]: if wakers panic, all others are woken, and then the first panic propagates.
#[inline(always)]
pub(super) fn wake_in_batches(mut refill: impl FnMut(&mut WakeBatch) -> bool) {
    let mut batch = WakeBatch::new();
    let mut has_more = true;
    complete(move || {
        loop {
            batch.wake_all();
            if !has_more {
                break;
            }
            has_more = refill(&mut batch);
        }
    });
}

/// A queue of wakers on the stack: filled under the list lock, emptied after the lock is released.
pub(super) struct WakeBatch {
    /// Those in `next..len` are initialized.
    wakers: [MaybeUninit<Waker>; Self::CAPACITY],
    next: usize,
    len: usize,
}

impl WakeBatch {
    /// Bounds how long the lock is held, and the stack that waking takes: two words a waker. With the smaller batches of
    /// the models, two waiters make a drain of several batches.
    pub(super) const CAPACITY: usize = if cfg!(oncelot_loom) { 1 } else { 16 };

    const fn new() -> Self {
        Self {
            wakers: [const { MaybeUninit::uninit() }; Self::CAPACITY],
            next: 0,
            len: 0,
        }
    }

    /// Calls `take`, which writes wakers to an empty batch, from the first slot on, and advances the iterator past them.
    ///
    /// # Safety
    ///
    /// The batch is empty. `take` initializes each slot that it takes from the iterator.
    #[inline(always)]
    pub(super) unsafe fn fill(&mut self, take: impl FnOnce(&mut slice::IterMut<'_, MaybeUninit<Waker>>)) {
        let mut slots = self.wakers.iter_mut();
        take(&mut slots);
        self.len = Self::CAPACITY - slots.len();
    }

    /// Wakes all wakers, and leaves the batch empty. If a waker panics, the wakers after it stay in the batch.
    #[inline(always)]
    fn wake_all(&mut self) {
        while self.next < self.len {
            // SAFETY: `next` is less than `len`, which is at most the capacity.
            let slot = unsafe { self.wakers.get_unchecked(self.next) };
            self.next += 1;
            // SAFETY: this waker was in `next..len`, and has just left it.
            let waker = unsafe { slot.assume_init_read() };
            waker.wake();
        }
        self.next = 0;
        self.len = 0;
    }
}
