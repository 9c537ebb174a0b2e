//! Compare-and-swap, and a bit of the word as the list lock.

use super::word::{Condition, ListGuard, Snapshot, Word};
use crate::{
    backend::State,
    sync::{Ordering, back_off},
};

/// A placeholder for the critical section, which the lock bit does not need.
pub(super) struct CriticalSection;

impl Word {
    /// Changes UNINIT to INITIALIZING.
    ///
    /// # Errors
    ///
    /// Returns the word that was found if its state is not UNINIT.
    #[inline(always)]
    pub(super) fn claim(&self) -> Result<(), Snapshot> {
        // ORDERING: Acquire pairs with the Release in `settle`: the initializer before this one has ended.
        match self.compare_and_swap(Snapshot::UNINIT, Snapshot::CLAIMED, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(_) => self.claim_contended(),
        }
    }

    /// Claims an empty cell that has waiters, or whose list another thread has locked.
    #[cold]
    #[inline(never)]
    fn claim_contended(&self) -> Result<(), Snapshot> {
        self.lock_if(Condition::UNINIT)
            .map(|mut guard| guard.set_state(State::Initializing))
    }

    /// Changes INITIALIZING to `outcome`, or returns `false` if there are waiters, or if another thread has locked the list.
    #[inline(always)]
    pub(super) fn settle_without_waiters(&self, outcome: State) -> bool {
        let settled = Snapshot::without_waiters(outcome);
        // ORDERING: Release pairs with the Acquire of a thread that sees READY, or claims after this UNINIT.
        self.compare_and_swap(Snapshot::CLAIMED, settled, Ordering::Release)
            .is_ok()
    }

    /// Takes the list lock if the word meets `condition`. Waits for a thread that holds the lock.
    ///
    /// # Errors
    ///
    /// Returns the word that does not meet `condition`.
    #[inline(always)]
    pub(super) fn lock_if(&self, condition: Condition) -> Result<ListGuard<'_>, Snapshot> {
        let mut current = self.load();
        loop {
            if condition.and_unlocked().is_met_by(current) {
                match self.try_lock_from(current) {
                    Ok(guard) => return Ok(guard),
                    Err(found) => current = found,
                }
            } else if condition.is_met_by(current) {
                current = self.wait_until_unlocked();
            } else {
                return Err(current);
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
    fn wait_until_unlocked(&self) -> Snapshot {
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

#[cfg(all(test, feature = "std", not(oncelot_loom)))]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
        time::Duration,
    };

    use super::*;

    /// Runs `hold` while it holds the list lock, and `wait` in another thread, where `wait` is given a function that waits for
    /// the lock. `hold` runs when that function is about to wait.
    fn while_locked(hold: impl FnOnce(), wait: impl FnOnce(&dyn Fn()) + Send) {
        let word = Word::new(Snapshot::UNINIT);
        let (is_waiting, is_released) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            let guard = word.lock();
            scope.spawn(|| {
                wait(&|| {
                    is_waiting.store(true, Ordering::SeqCst);
                    let _guard = word.lock();
                    assert!(is_released.load(Ordering::SeqCst));
                })
            });
            while !is_waiting.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            hold();
            is_released.store(true, Ordering::SeqCst);
            drop(guard);
        });
    }

    #[test]
    fn a_thread_that_meets_the_lock_waits_until_it_is_released() {
        while_locked(|| thread::sleep(Duration::from_millis(50)), |wait| wait());
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    fn a_thread_that_waits_long_for_the_lock_sleeps() {
        use std::{
            fs,
            path::{Path, PathBuf},
            sync::OnceLock,
            time::Instant,
        };

        /// However busy the machine is, a thread comes to sleep within this time.
        const LONG: Duration = Duration::from_secs(20);

        /// Returns the number of times that the thread with this status has gone to sleep. A yield is not counted.
        fn sleeps(status: &Path) -> u32 {
            fs::read_to_string(status)
                .expect("Linux has it")
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
                .and_then(|count| count.trim().parse().ok())
                .expect("Linux counts them")
        }

        let waiting = OnceLock::<(PathBuf, u32)>::new();
        let mut has_slept = false;
        let hold = || {
            let (status, before) = waiting.get().expect("the thread stores it before it waits");
            let began = Instant::now();
            while !has_slept && began.elapsed() < LONG {
                thread::sleep(Duration::from_millis(1));
                has_slept = sleeps(status) > *before;
            }
        };
        while_locked(hold, |wait| {
            let thread = fs::read_link("/proc/thread-self").expect("Linux has it");
            let status = Path::new("/proc").join(thread).join("status");
            let before = sleeps(&status);
            waiting.set((status, before)).expect("it is stored once");
            wait();
        });
        assert!(has_slept, "the thread did not sleep while the lock was held");
    }
}
