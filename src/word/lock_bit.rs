//! Compare-and-swap, and a bit of the word as the list's lock.

use super::{Owned, Word};
use crate::{
    state::Snapshot,
    sync::{AtomicU8, Ordering, yield_now},
};

#[cfg(not(any(oncelot_loom, feature = "portable-atomic", target_has_atomic = "ptr")))]
compile_error!(
    "oncelot: this target has no compare-and-swap; turn on the feature `critical-section` (and link an \
     implementation of that crate), or the feature `portable-atomic` (and choose how it gets by on this target)"
);

#[cfg(all(not(oncelot_loom), feature = "portable-atomic"))]
portable_atomic::cfg_no_atomic_cas! {
    compile_error!(
        "oncelot: this target has no compare-and-swap, and `portable-atomic` was not told how to get by; turn on \
         one of that crate's own features (`critical-section`, `unsafe-assume-single-core`), or oncelot's feature \
         `critical-section`"
    );
}

/// How often to look again before giving way to another thread.
const SPINS: u32 = 64;

/// The bit itself is all.
pub(super) struct Exclusion;

impl Exclusion {
    pub(super) fn end(&mut self) {}
}

/// Changes a byte from `current` to `new`, seeing and showing what was done before; or tells what it is instead.
pub(crate) fn exchange_byte(byte: &AtomicU8, current: u8, new: u8) -> Result<(), u8> {
    // ORDERING: AcqRel, as the users of bytes hand something on in both directions.
    match byte.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(()),
        Err(found) => Err(found),
    }
}

impl<N> Word<N> {
    /// Changes the word from `current`, which is unlocked, to `new`; or tells what stands there instead.
    #[inline(always)]
    pub(crate) fn exchange(
        &self,
        current: Snapshot<N>,
        new: Snapshot<N>,
        success: Ordering,
    ) -> Result<(), Snapshot<N>> {
        let (current, new) = (current.into_raw(), new.into_raw());
        // ORDERING: on failure Acquire, as in `load`.
        match (self.raw).compare_exchange(current, new, success, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(found) => Err(Snapshot::from_raw(found)),
        }
    }

    /// Takes the list, or gives up as soon as `unless` says so of the word.
    #[inline]
    pub(crate) fn own_unless(&self, unless: impl Fn(Snapshot<N>) -> bool) -> Option<Owned<'_, N>> {
        let mut current = self.load();
        loop {
            if unless(current) {
                return None;
            }
            if current.is_locked() {
                current = self.wait_until_unlocked();
                continue;
            }
            // ORDERING: Acquire pairs with the Release in the drop of `Owned`: we see the list as its last
            // owner left it.
            match self.exchange(current, current.locked(), Ordering::Acquire) {
                Ok(()) => {
                    return Some(Owned {
                        word: self,
                        value: current.locked(),
                        exclusion: Exclusion,
                    });
                }
                Err(found) => current = found,
            }
        }
    }

    /// Waits for the owner of the list, who runs no user code and a bounded number of steps.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait_until_unlocked(&self) -> Snapshot<N> {
        // The owner is at work on another core, and soon done, or it was descheduled in mid-step, and needs the
        // core that we are on.
        let mut spins = if cfg!(oncelot_loom) { 0 } else { SPINS };
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
