//! Compare-and-swap, and a bit of the word as the list's lock.

use super::word::{Owned, Snapshot, Word};
use crate::sync::{Ordering, back_off};

#[cfg(all(not(any(oncelot_loom, oncelot_shuttle)), feature = "portable-atomic"))]
portable_atomic::cfg_no_atomic_cas! {
    compile_error!(
        "oncelot: this target has no compare-and-swap, and `portable-atomic` was not told how to get by; turn on \
         one of that crate's own features (`critical-section`, `unsafe-assume-single-core`), or oncelot's feature \
         `critical-section`"
    );
}

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

    /// Waits until the list is unlocked. Its owner runs no user code and a bounded number of steps.
    #[cold]
    #[inline(never)]
    fn wait_until_unlocked(&self) -> Snapshot<N> {
        let mut turn = 0;
        loop {
            let current = self.load();
            if !current.is_locked() {
                return current;
            }
            back_off(turn);
            turn = turn.saturating_add(1);
        }
    }
}

#[cfg(all(test, feature = "std", not(any(oncelot_loom, oncelot_shuttle))))]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
        time::Duration,
    };

    use super::*;

    /// Longer than a thread spins and yields.
    const LONG: Duration = Duration::from_millis(50);

    /// Holds the list for a long time while another thread waits for it. Returns what `wait` returns in that thread, to
    /// which the wait is given.
    fn while_locked<R: Send>(wait: impl FnOnce(&dyn Fn()) -> R + Send) -> R {
        let word = Word::<u64>::new(Snapshot::UNINIT);
        let (has_come, has_left) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            let Ok(owned) = word.own_unless(|_| false) else {
                unreachable!("nothing stops the first one")
            };
            let waiting = scope.spawn(|| {
                wait(&|| {
                    let owned = word.own_unless(|_| {
                        has_come.store(true, Ordering::SeqCst);
                        false
                    });
                    assert!(owned.is_ok_and(|_| has_left.load(Ordering::SeqCst)));
                })
            });
            while !has_come.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            thread::sleep(LONG);
            has_left.store(true, Ordering::SeqCst);
            drop(owned);
            waiting.join().expect("the wait ends after the lock is released")
        })
    }

    #[test]
    fn a_thread_that_meets_the_lock_waits_until_it_is_released() {
        while_locked(|wait| wait());
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    fn a_thread_that_waits_long_for_the_lock_sleeps() {
        /// How often the thread has gone to sleep. A yield is not counted.
        fn sleeps() -> u32 {
            std::fs::read_to_string("/proc/thread-self/status")
                .expect("Linux has it")
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
                .and_then(|count| count.trim().parse().ok())
                .expect("Linux counts them")
        }

        let sleeps = while_locked(|wait| {
            let before = sleeps();
            wait();
            sleeps() - before
        });
        assert!(sleeps > 0, "the thread did not sleep while the lock was held");
    }
}
