//! The word that threads, cores and interrupts share, and what keeps them apart.
//!
//! There are two ways, and the feature `critical-section` chooses for the whole program:
//!
//! | | by the lock bit | by critical sections |
//! |---|---|---|
//! | the state changes by | a compare-and-swap, or the list's owner | a load and a store in a critical section |
//! | the list is owned by | who has set LOCKED, by a compare-and-swap | who is in a critical section |
//! | who comes second | spins; with `std` yields | cannot come |
//! | an interrupt handler may use the cell | to look at it | yes |
//! | the target needs | compare-and-swap, its own or `portable-atomic`'s | loads and stores |
//!
//! The rest of the crate sees no difference: where there are critical sections, LOCKED stands only in the
//! owner's copy of the word.

use crate::{
    state::Snapshot,
    sync::{AtomicPtr, Ordering},
};

#[cfg(feature = "critical-section")]
#[path = "word/critical_section.rs"]
mod exclusion;

#[cfg(all(
    not(feature = "critical-section"),
    any(
        oncelot_loom,
        oncelot_shuttle,
        feature = "portable-atomic",
        target_has_atomic = "ptr"
    )
))]
#[path = "word/lock_bit.rs"]
mod exclusion;

#[cfg(not(any(
    feature = "critical-section",
    oncelot_loom,
    oncelot_shuttle,
    feature = "portable-atomic",
    target_has_atomic = "ptr"
)))]
#[path = "word/unsupported.rs"]
mod exclusion;

pub(crate) use self::exclusion::exchange_byte;

/// The shared word. It has the address of a list's first node, of type `N`.
pub(crate) struct Word<N> {
    raw: AtomicPtr<N>,
}

/// The list, owned: nobody else changes the word until this is dropped.
pub(crate) struct Owned<'a, N> {
    word: &'a Word<N>,
    /// What the word will be: LOCKED until then.
    pub(crate) value: Snapshot<N>,
    /// Ends when it is dropped, after the word is written.
    _exclusion: exclusion::Exclusion,
}

impl<N> Word<N> {
    pub(crate) const fn new(value: Snapshot<N>) -> Self {
        Self {
            raw: AtomicPtr::new(value.into_raw()),
        }
    }

    #[inline(always)]
    pub(crate) fn load(&self) -> Snapshot<N> {
        // ORDERING: Acquire pairs with the Release of whoever changed the word, and so published the value.
        Snapshot::from_raw(self.raw.load(Ordering::Acquire))
    }
}

impl<N> Drop for Owned<'_, N> {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: Release pairs with the Acquire in `load`, for what was published, and with that of whoever
        // owns the list next. A store is enough, as nobody else writes.
        let value = self.value.unlocked();
        self.word.raw.store(value.into_raw(), Ordering::Release);
    }
}
