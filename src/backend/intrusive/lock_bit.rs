//! Compare-and-swap, and a bit of the word as the list's lock.

use super::word::{Owned, Snapshot, Word};
use crate::sync::{Ordering, yield_now};

/// How often to look again before giving way to another thread.
const SPINS: u32 = 64;

/// The bit itself is all.
pub(super) struct Exclusion;

impl<N> Word<N> {
    /// Changes the word from `current`, which is unlocked, to `new`, and tells what stood there, or stands there
    /// instead.
    ///
    /// Addresses are compared, and nothing else: a node that has gone may have had the address of the one that
    /// is there now. So it is what was found that is used on, not `current`; and a caller whose `new` has a head
    /// (only `own_unless`) stores it again from what was found.
    #[inline(always)]
    pub(crate) fn exchange(
        &self,
        current: Snapshot<N>,
        new: Snapshot<N>,
        success: Ordering,
    ) -> Result<Snapshot<N>, Snapshot<N>> {
        let (current, new) = (current.into_raw(), new.into_raw());
        // ORDERING: on failure Acquire, as in `load`.
        (self.raw)
            .compare_exchange(current, new, success, Ordering::Acquire)
            .map(Snapshot::from_raw)
            .map_err(Snapshot::from_raw)
    }

    /// Takes the list, or gives up as soon as `unless` says so of the word, and tells that word.
    #[inline]
    pub(crate) fn own_unless(
        &self,
        unless: impl Fn(Snapshot<N>) -> bool,
    ) -> Result<Owned<'_, N>, Snapshot<N>> {
        let mut current = self.load();
        loop {
            if unless(current) {
                return Err(current);
            }
            if current.is_locked() {
                current = self.wait_until_unlocked();
                continue;
            }
            // ORDERING: Acquire pairs with the Release in the drop of `Owned`: we see the list as its last
            // owner left it.
            match self.exchange(current, current.locked(), Ordering::Acquire) {
                Ok(found) => {
                    return Ok(Owned {
                        word: self,
                        value: found.locked(),
                        _exclusion: Exclusion,
                    });
                }
                Err(found) => current = found,
            }
        }
    }

    /// Waits for the owner of the list, who runs no user code and a bounded number of steps.
    #[cold]
    #[inline(never)]
    fn wait_until_unlocked(&self) -> Snapshot<N> {
        // The owner is at work on another core, and soon done, or it was descheduled in mid-step, and needs the
        // core that we are on.
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

    /// Longer than the other one spins.
    #[test]
    fn who_meets_an_owner_that_stays_comes_after_it() {
        let word = Word::<u64>::new(Snapshot::UNINIT);
        let (has_come, has_left) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            let Ok(owned) = word.own_unless(|_| false) else {
                unreachable!("nothing stops the first one")
            };
            scope.spawn(|| {
                let owned = word.own_unless(|_| {
                    has_come.store(true, Ordering::SeqCst);
                    false
                });
                assert!(owned.is_ok_and(|_| has_left.load(Ordering::SeqCst)));
            });
            while !has_come.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            for _ in 0..100 * SPINS {
                thread::yield_now();
            }
            has_left.store(true, Ordering::SeqCst);
            drop(owned);
        });
    }
}
