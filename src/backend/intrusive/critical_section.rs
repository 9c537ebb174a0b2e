//! Loads and stores in critical sections: no compare-and-swap, and no lock that an interrupt could meet.

use critical_section::RestoreState;

use super::word::{Owned, Snapshot, Word};
use crate::sync::Ordering;

/// A critical section, from its making to its drop.
pub(super) struct Exclusion(RestoreState);

impl Exclusion {
    fn begin() -> Self {
        // SAFETY: the drop ends it, once. It never leaves the call of the crate that began it, so that sections end
        // on the thread where they began, in the reverse order.
        Self(unsafe { critical_section::acquire() })
    }
}

impl Drop for Exclusion {
    fn drop(&mut self) {
        // SAFETY: pairs with the `acquire` in `begin`.
        unsafe { critical_section::release(self.0) };
    }
}

impl<N> Word<N> {
    /// Changes the word from `current` to `new`, and tells what stood there, or stands there instead.
    pub(crate) fn exchange(
        &self,
        current: Snapshot<N>,
        new: Snapshot<N>,
        _success: Ordering,
    ) -> Result<Snapshot<N>, Snapshot<N>> {
        critical_section::with(|_| {
            let found = self.load();
            if found.into_raw() != current.into_raw() {
                return Err(found);
            }
            // ORDERING: Release, as in the drop of `Owned`.
            self.raw.store(new.into_raw(), Ordering::Release);
            Ok(found)
        })
    }

    /// Takes the list, or gives up as soon as `unless` says so of the word, and tells that word.
    pub(crate) fn own_unless(
        &self,
        unless: impl Fn(Snapshot<N>) -> bool,
    ) -> Result<Owned<'_, N>, Snapshot<N>> {
        let exclusion = Exclusion::begin();
        let current = self.load();
        if unless(current) {
            return Err(current);
        }
        Ok(Owned {
            word: self,
            value: current.locked(),
            _exclusion: exclusion,
        })
    }
}
