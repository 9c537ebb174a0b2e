//! The state machine's word: bits, snapshot, transitions.
//!
//! One pointer-sized word holds everything that [`Intrusive`](crate::backend::Intrusive) shares between
//! threads. Nodes are aligned to eight bytes, which leaves three bits below their addresses:
//!
//! ```text
//!   63                                3   2        1       0
//!  +-----------------------------------+--------+-------+--------------+
//!  | address of the first waiter       | LOCKED | READY | INITIALIZING |
//!  +-----------------------------------+--------+-------+--------------+
//!
//!  UNINIT = neither READY nor INITIALIZING; READY and INITIALIZING exclude each other.
//! ```
//!
//! This file is arithmetic on values: nothing here is shared, nothing is unsafe.

use core::ptr;

use super::State;
use crate::sync::{AtomicPtr, Ordering};

/// While set, one initializer holds the claim. Set by `claimed`, cleared by `settled`.
const INITIALIZING: usize = 0b001;
/// While set, the value is there. Set by `settled`, never cleared while the cell is shared.
const READY: usize = 0b010;
/// While set, one thread owns the list and nobody else changes the word. Set by `locked`, cleared by
/// `unlocked` in the same call of the backend.
const LOCKED: usize = 0b100;

const STATE: usize = INITIALIZING | READY;
/// The bits that addresses of nodes must leave free.
pub(crate) const FLAGS: usize = STATE | LOCKED;

/// One value of the word, as it was when it was read.
#[derive(Debug)]
pub(crate) struct Snapshot<N>(*mut N);

impl<N> Clone for Snapshot<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Snapshot<N> {}

impl<N> Snapshot<N> {
    /// A fresh word: UNINIT, no waiters, unlocked.
    pub(crate) const UNINIT: Self = Self(ptr::null_mut());
    /// A fresh word: READY, no waiters, unlocked.
    pub(crate) const READY: Self = Self(ptr::without_provenance_mut(READY));
    /// The word of a running initializer without waiters: what `settled` most often starts from.
    pub(crate) const CLAIMED: Self = Self(ptr::without_provenance_mut(INITIALIZING));

    pub(crate) const fn from_raw(raw: *mut N) -> Self {
        Self(raw)
    }

    pub(crate) const fn into_raw(self) -> *mut N {
        self.0
    }

    #[inline(always)]
    pub(crate) fn is_ready(self) -> bool {
        self.0.addr() & READY != 0
    }

    #[inline]
    pub(crate) fn is_locked(self) -> bool {
        self.0.addr() & LOCKED != 0
    }

    #[inline]
    pub(crate) fn state(self) -> State {
        match self.0.addr() & STATE {
            0 => State::Uninit,
            INITIALIZING => State::Initializing,
            _ => State::Ready,
        }
    }

    /// The first waiter, or null.
    #[inline]
    pub(crate) fn head(self) -> *mut N {
        self.0.map_addr(|addr| addr & !FLAGS)
    }

    /// UNINIT to INITIALIZING; the waiters and the lock stay.
    #[inline]
    #[must_use]
    pub(crate) fn claimed(self) -> Self {
        debug_assert!(self.state() == State::Uninit);
        Self(self.0.map_addr(|addr| addr | INITIALIZING))
    }

    /// INITIALIZING to `outcome`, READY or UNINIT; the waiters and the lock stay.
    #[inline]
    #[must_use]
    pub(crate) fn settled(self, outcome: State) -> Self {
        debug_assert!(self.state() == State::Initializing && outcome != State::Initializing);
        let bits = if outcome == State::Ready { READY } else { 0 };
        Self(self.0.map_addr(|addr| addr & !STATE | bits))
    }

    /// Takes the list lock; the state and the waiters stay.
    #[inline]
    #[must_use]
    pub(crate) fn locked(self) -> Self {
        debug_assert!(!self.is_locked());
        Self(self.0.map_addr(|addr| addr | LOCKED))
    }

    /// Releases the list lock; the state and the waiters stay.
    #[inline]
    #[must_use]
    pub(crate) fn unlocked(self) -> Self {
        debug_assert!(self.is_locked());
        Self(self.0.map_addr(|addr| addr & !LOCKED))
    }

    /// Puts `head` in the place of the first waiter; the state and the lock stay.
    #[inline]
    #[must_use]
    pub(crate) fn with_head(self, head: *mut N) -> Self {
        debug_assert!(head.addr() & FLAGS == 0);
        Self(head.map_addr(|addr| addr | self.0.addr() & FLAGS))
    }
}

/// The shared word. It has the address of a list's first node, of type `N`.
pub(crate) struct Word<N> {
    pub(super) raw: AtomicPtr<N>,
}

/// The list, owned: nobody else changes the word until this is dropped.
pub(crate) struct Owned<'a, N> {
    pub(super) word: &'a Word<N>,
    /// What the word will be: LOCKED until then.
    pub(crate) value: Snapshot<N>,
    /// Ends when it is dropped, after the word is written.
    pub(super) _exclusion: super::exclusion::Exclusion,
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

#[cfg(all(test, not(any(oncelot_loom, oncelot_shuttle))))]
mod tests {
    use super::*;

    #[repr(align(8))]
    struct Node;

    fn with_head(node: &mut Node) -> Snapshot<Node> {
        Snapshot::<Node>::UNINIT.with_head(node)
    }

    #[test]
    fn transitions_keep_the_waiters() {
        let mut node = Node;
        let head: *mut Node = &mut node;
        let word = with_head(&mut node);
        for word in [
            word,
            word.claimed(),
            word.claimed().locked(),
            word.claimed().settled(State::Ready),
            word.claimed().locked().settled(State::Uninit),
        ] {
            assert_eq!(word.head(), head);
        }
    }

    #[test]
    fn unlocking_keeps_the_state() {
        let word = Snapshot::<Node>::UNINIT.claimed().locked();
        let word = word.unlocked();
        assert_eq!(word.state(), State::Initializing);
        assert!(!word.is_locked());
    }

    #[test]
    fn settling_keeps_the_lock() {
        let word = Snapshot::<Node>::UNINIT.claimed().locked();
        assert!(word.settled(State::Ready).is_locked());
        assert!(word.settled(State::Ready).is_ready());
        assert_eq!(word.settled(State::Uninit).state(), State::Uninit);
    }

    #[test]
    fn fresh_words_are_what_their_names_say() {
        assert_eq!(Snapshot::<Node>::UNINIT.state(), State::Uninit);
        assert_eq!(Snapshot::<Node>::CLAIMED.state(), State::Initializing);
        assert_eq!(Snapshot::<Node>::READY.state(), State::Ready);
        assert!(Snapshot::<Node>::READY.head().is_null());
    }
}
