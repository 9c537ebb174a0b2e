//! Loads and stores in critical sections: no compare-and-swap, and no lock that an interrupt handler could wait for.

use critical_section::RestoreState;

use super::word::{Condition, ListGuard, Snapshot, Word};
use crate::backend::State;

/// A critical section, which ends when it is dropped.
pub(super) struct CriticalSection(RestoreState);

impl CriticalSection {
    fn begin() -> Self {
        // SAFETY: the drop ends the section, once. The value never leaves the call of the crate that created it, so
        // that sections end on the thread where they began, in the reverse order.
        Self(unsafe { critical_section::acquire() })
    }
}

impl Drop for CriticalSection {
    fn drop(&mut self) {
        // SAFETY: pairs with the `acquire` in `begin`.
        unsafe { critical_section::release(self.0) };
    }
}

impl Word {
    /// Changes UNINIT to INITIALIZING.
    ///
    /// # Errors
    ///
    /// Returns the word that was found if its state is not UNINIT.
    pub(super) fn claim(&self) -> Result<(), Snapshot> {
        self.lock_if(Condition::UNINIT)
            .map(|mut guard| guard.set_state(State::Initializing))
    }

    /// Changes INITIALIZING to `outcome`, or returns `false` if there are waiters.
    pub(super) fn settle_without_waiters(&self, outcome: State) -> bool {
        critical_section::with(|_| {
            let has_no_waiters = self.load().has_bits_of(Snapshot::CLAIMED);
            if has_no_waiters {
                self.store(Snapshot::without_waiters(outcome));
            }
            has_no_waiters
        })
    }

    /// Takes the list lock if the word meets `condition`.
    ///
    /// # Errors
    ///
    /// Returns the word that does not meet `condition`.
    #[inline(always)]
    pub(super) fn lock_if(&self, condition: Condition) -> Result<ListGuard<'_>, Snapshot> {
        let critical_section = CriticalSection::begin();
        let found = self.load();
        if !condition.is_met_by(found) {
            return Err(found);
        }
        // SAFETY: the critical section excludes all other access to the word.
        Ok(unsafe { ListGuard::new(self, found, critical_section) })
    }
}
