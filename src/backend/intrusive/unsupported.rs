//! No way to keep anybody apart: says so, and nothing else.

use super::word::{Owned, Snapshot, Word};
use crate::sync::Ordering;

compile_error!(
    "oncelot: this target has no compare-and-swap; turn on the feature `critical-section` (and link an implementation \
     of that crate), or the feature `portable-atomic` (and choose how that crate gets by on this target)"
);

pub(super) struct Exclusion;

// So that the message above is the only one.
impl<N> Word<N> {
    pub(crate) fn exchange(
        &self,
        _current: Snapshot<N>,
        _new: Snapshot<N>,
        _success: Ordering,
    ) -> Result<Snapshot<N>, Snapshot<N>> {
        unreachable!()
    }

    pub(crate) fn own_unless(
        &self,
        _unless: impl Fn(Snapshot<N>) -> bool,
    ) -> Result<Owned<'_, N>, Snapshot<N>> {
        unreachable!()
    }
}
