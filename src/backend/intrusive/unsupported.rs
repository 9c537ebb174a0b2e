//! A target without compare-and-swap, and no feature that replaces it: one error message.

use super::word::{ListGuard, Snapshot, Word};
use crate::sync::Ordering;

compile_error!(
    "oncelot: this target has no compare-and-swap; turn on the feature `critical-section` (and link an implementation \
     of that crate), or the feature `portable-atomic` (and choose how that crate gets by on this target)"
);

pub(super) struct CriticalSection;

// These exist so that the message above is the only one.
impl Word {
    pub(super) fn compare_exchange(
        &self,
        _current: Snapshot,
        _new: Snapshot,
        _success: Ordering,
    ) -> Result<Snapshot, Snapshot> {
        unreachable!()
    }

    pub(super) fn lock_unless(&self, _unless: impl Fn(Snapshot) -> bool) -> Result<ListGuard<'_>, Snapshot> {
        unreachable!()
    }

    pub(super) fn try_lock_if(&self, _condition: impl Fn(Snapshot) -> bool) -> Option<ListGuard<'_>> {
        unreachable!()
    }

    pub(super) fn wait_until_unlocked(&self) -> Snapshot {
        unreachable!()
    }
}
