//! Compare-and-swap, and a bit of the word as the list lock.

use super::word::{ListGuard, Snapshot, Word};
use crate::sync::{Ordering, yield_now};

/// How often to look again before giving way to another thread.
const SPINS: u32 = 64;

/// The lock bit needs no critical section beside it.
pub(super) struct CriticalSection;

impl Word {
    /// Replaces `current`, which is unlocked, by `new`.
    ///
    /// A compare-and-swap compares addresses and nothing else: the node that is linked now can have the address of a
    /// node that is gone (the ABA problem). So a caller never uses the address in `current` again, but the address in
    /// the word that is returned.
    ///
    /// # Errors
    ///
    /// Returns the word that was found if it is not `current`.
    #[inline(always)]
    pub(super) fn compare_exchange(
        &self,
        current: Snapshot,
        new: Snapshot,
        success: Ordering,
    ) -> Result<Snapshot, Snapshot> {
        self.compare_and_swap(current, new, success)
    }

    /// Takes the list lock if `condition`, which no locked word meets, returns `true` for the word. Does not wait.
    #[inline(always)]
    pub(super) fn try_lock_if(&self, condition: impl Fn(Snapshot) -> bool) -> Option<ListGuard<'_>> {
        let current = self.load();
        if condition(current) {
            self.try_lock_from(current).ok()
        } else {
            None
        }
    }

    /// Takes the list lock, unless `unless` returns `true` for the word. Waits for a thread that holds the lock.
    ///
    /// # Errors
    ///
    /// Returns the word for which `unless` returned `true`.
    #[inline]
    pub(super) fn lock_unless(&self, unless: impl Fn(Snapshot) -> bool) -> Result<ListGuard<'_>, Snapshot> {
        let mut current = self.load();
        loop {
            if unless(current) {
                return Err(current);
            }
            if current.is_locked() {
                current = self.wait_until_unlocked();
                continue;
            }
            match self.try_lock_from(current) {
                Ok(guard) => return Ok(guard),
                Err(found) => current = found,
            }
        }
    }

    /// Takes the list lock if the word still is `current`, which is unlocked.
    #[inline(always)]
    fn try_lock_from(&self, current: Snapshot) -> Result<ListGuard<'_>, Snapshot> {
        // ORDERING: Acquire pairs with the Release in the drop of `ListGuard`: the list is as the last holder of the
        // lock has left it.
        let found = self.compare_and_swap(current, current.locked(), Ordering::Acquire)?;
        // SAFETY: the compare-and-swap has taken the lock.
        Ok(unsafe { ListGuard::new(self, found, CriticalSection) })
    }

    /// Waits for the thread that holds the list lock, which runs no user code and a bounded number of steps.
    #[cold]
    #[inline(never)]
    pub(super) fn wait_until_unlocked(&self) -> Snapshot {
        // The holder runs on another core and is soon done, or it was preempted while it held the lock, and needs the
        // core that this thread runs on.
        let mut spins = if cfg!(any(oncelot_loom, oncelot_shuttle)) {
            0
        } else {
            SPINS
        };
        loop {
            let current = self.load();
            if !current.is_locked() {
                return current;
            }
            if spins > 0 {
                spins -= 1;
                core::hint::spin_loop();
            } else {
                yield_now();
            }
        }
    }
}

#[cfg(all(test, feature = "std", not(any(oncelot_loom, oncelot_shuttle))))]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;

    /// The lock is held for longer than the second thread spins.
    #[test]
    fn a_thread_waits_for_a_lock_that_is_held_for_long() {
        let word = Word::new(Snapshot::UNINIT);
        let (is_waiting, is_released) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            let Ok(guard) = word.lock_unless(|_| false) else {
                unreachable!("no condition prevents the lock")
            };
            scope.spawn(|| {
                let guard = word.lock_unless(|_| {
                    is_waiting.store(true, Ordering::SeqCst);
                    false
                });
                assert!(guard.is_ok_and(|_| is_released.load(Ordering::SeqCst)));
            });
            while !is_waiting.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            for _ in 0..100 * SPINS {
                thread::yield_now();
            }
            is_released.store(true, Ordering::SeqCst);
            drop(guard);
        });
    }
}
