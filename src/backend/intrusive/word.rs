//! The word that threads, cores and interrupt handlers share: its bits, its transitions, and the guard of the list.
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
//! All arithmetic on the bits is in this file. Two other files make changes of the word exclusive, and the feature
//! `critical-section` selects one of them for the whole program:
//!
//! | | `lock_bit.rs` | `critical_section.rs` |
//! |---|---|---|
//! | the state changes by | a compare-and-swap, or under the list lock | a load and a store in a critical section |
//! | the list lock is | the bit LOCKED, set by a compare-and-swap | a critical section |
//! | a second thread | spins; with `std` it yields, then sleeps | cannot run |
//! | an interrupt handler may | read the state | do what a task may |
//! | the target needs | compare-and-swap, its own or `portable-atomic`'s | atomic loads and stores |
//!
//! With critical sections, the bit LOCKED is never set.

use core::{ptr, task::Waker};

use super::{
    exclusion::CriticalSection,
    list::{List, Node},
};
use crate::{
    backend::{State, WaiterKind},
    sync::{AtomicPtr, Ordering},
};

pub(super) type WaiterNode = Node<Waker>;

/// While set, one initializer holds the claim.
const INITIALIZING: usize = 0b001;
/// While set, the cell holds a value.
const READY: usize = 0b010;
/// While set, one thread holds the list lock, and no other thread changes the word.
const LOCKED: usize = 0b100;

const STATE: usize = INITIALIZING | READY;
const FLAGS: usize = STATE | LOCKED;

const _: () = assert!(align_of::<WaiterNode>() > FLAGS);

/// A value of the word, as it was when it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Snapshot(*mut WaiterNode);

impl Snapshot {
    /// An empty cell without waiters.
    pub(super) const UNINIT: Self = Self(ptr::null_mut());
    /// A cell with a value and without waiters.
    pub(super) const READY: Self = Self(ptr::without_provenance_mut(READY));
    /// An empty cell without waiters, whose claim is taken.
    pub(super) const CLAIMED: Self = Self(ptr::without_provenance_mut(INITIALIZING));

    #[inline(always)]
    pub(super) fn is_ready(self) -> bool {
        self.0.addr() & READY != 0
    }

    #[inline(always)]
    pub(super) fn is_initializing(self) -> bool {
        self.0.addr() & INITIALIZING != 0
    }

    #[inline(always)]
    pub(super) fn is_locked(self) -> bool {
        cfg!(not(feature = "critical-section")) && self.0.addr() & LOCKED != 0
    }

    #[inline(always)]
    pub(super) fn state(self) -> State {
        if self.is_ready() {
            State::Ready
        } else if self.is_initializing() {
            State::Initializing
        } else {
            State::Uninit
        }
    }

    /// Returns the word with LOCKED set.
    #[cfg_attr(
        feature = "critical-section",
        allow(dead_code, reason = "there is no lock bit")
    )]
    #[inline(always)]
    pub(super) fn locked(self) -> Self {
        debug_assert!(!self.is_locked());
        Self(self.0.map_addr(|addr| addr | LOCKED))
    }

    /// Returns `true` if the two words have the same bits. The addresses in them may be of different nodes.
    #[cfg_attr(
        not(feature = "critical-section"),
        allow(dead_code, reason = "an instruction compares")
    )]
    pub(super) fn has_bits_of(self, other: Self) -> bool {
        self.0.addr() == other.0.addr()
    }

    /// Returns the word of a cell without waiters that is empty or has a value.
    #[inline(always)]
    pub(super) fn without_waiters(state: State) -> Self {
        match state {
            State::Uninit => Self::UNINIT,
            State::Initializing => Self::CLAIMED,
            State::Ready => Self::READY,
        }
    }
}

/// A condition on the state in a word, as arithmetic: a branch for each kind of waiter takes twice the instructions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    /// The bits of the state that the condition is about.
    mask: usize,
    /// Those of them that must be set. The others must not be.
    set: usize,
}

impl Condition {
    /// Any state.
    pub(super) const NONE: Self = Self { mask: 0, set: 0 };
    /// UNINIT.
    pub(super) const UNINIT: Self = Self { mask: STATE, set: 0 };

    /// Returns the condition that the state does not settle what a waiter of `kind` waits for.
    #[inline(always)]
    pub(super) fn keeps_waiting(kind: WaiterKind) -> Self {
        match kind {
            WaiterKind::Claimant => Self {
                mask: STATE,
                set: INITIALIZING,
            },
            WaiterKind::Passive => Self { mask: READY, set: 0 },
        }
    }

    #[inline(always)]
    pub(super) fn is_met_by(self, word: Snapshot) -> bool {
        word.0.addr() & self.mask == self.set
    }

    /// Adds the condition that the word is unlocked.
    #[cfg(not(feature = "critical-section"))]
    #[inline(always)]
    pub(super) fn and_unlocked(self) -> Self {
        Self {
            mask: self.mask | LOCKED,
            set: self.set,
        }
    }
}

/// The shared word.
pub(super) struct Word {
    raw: AtomicPtr<WaiterNode>,
}

impl Word {
    pub(super) const fn new(value: Snapshot) -> Self {
        Self {
            raw: AtomicPtr::new(value.0),
        }
    }

    #[inline(always)]
    pub(super) fn load(&self) -> Snapshot {
        // ORDERING: Acquire pairs with the Release of the thread that changed the word, and so published the value.
        Snapshot(self.raw.load(Ordering::Acquire))
    }

    /// Takes the list lock. Waits for a thread that holds the lock.
    #[inline(always)]
    pub(super) fn lock(&self) -> ListGuard<'_> {
        match self.lock_if(Condition::NONE) {
            Ok(guard) => guard,
            Err(_) => unreachable!("there is no condition"),
        }
    }

    /// Replaces `current`, which is unlocked, by `new` with one instruction. For `lock_bit.rs`.
    ///
    /// A compare-and-swap compares addresses and nothing else: the node that is linked now can have the address of a
    /// node that is gone (the ABA problem). So a caller never uses the address in `current` again, but the address in
    /// the word that is returned.
    ///
    /// # Errors
    ///
    /// Returns the word that was found if it is not `current`.
    #[cfg(not(feature = "critical-section"))]
    #[inline(always)]
    pub(super) fn compare_and_swap(
        &self,
        current: Snapshot,
        new: Snapshot,
        success: Ordering,
    ) -> Result<Snapshot, Snapshot> {
        // ORDERING: on failure Acquire, as in `load`.
        match (self.raw).compare_exchange(current.0, new.0, success, Ordering::Acquire) {
            Ok(found) => Ok(Snapshot(found)),
            Err(found) => Err(Snapshot(found)),
        }
    }

    /// Stores a word. For `critical_section.rs`, whose caller is in a critical section.
    #[cfg(feature = "critical-section")]
    #[inline(always)]
    pub(super) fn store(&self, new: Snapshot) {
        // ORDERING: Release, as in the drop of `ListGuard`.
        self.raw.store(new.0, Ordering::Release);
    }
}

/// The list lock, held. While it is, no other thread changes the word (invariant 1).
pub(super) struct ListGuard<'a> {
    word: &'a Word,
    /// The state that the word has, or will have when the guard is dropped.
    state: usize,
    pub(super) list: List<Waker>,
    /// Ends when the guard is dropped, after the word is written.
    _critical_section: CriticalSection,
}

impl<'a> ListGuard<'a> {
    /// # Safety
    ///
    /// The caller has just taken the list lock, and found `found` in the word.
    #[inline(always)]
    pub(super) unsafe fn new(word: &'a Word, found: Snapshot, critical_section: CriticalSection) -> Self {
        let head = found.0.map_addr(|addr| addr & !FLAGS);
        Self {
            word,
            state: found.0.addr() & STATE,
            // SAFETY: only the holder of the lock uses the list (invariant 1). Linked nodes are valid (invariant 3).
            list: unsafe { List::from_head(head) },
            _critical_section: critical_section,
        }
    }

    /// Sets the state that the word has from the drop of the guard on.
    #[inline(always)]
    pub(super) fn set_state(&mut self, state: State) {
        self.state = Snapshot::without_waiters(state).0.addr();
    }
}

impl Drop for ListGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let unlocked = self.list.head().map_addr(|addr| addr | self.state);
        // ORDERING: Release pairs with the Acquire in `load`, for a published value, and with the Acquire of the next
        // thread that takes the lock. A store is enough, as no other thread changes the word.
        self.word.raw.store(unlocked, Ordering::Release);
    }
}

#[cfg(all(test, not(oncelot_loom)))]
mod tests {
    use core::pin::Pin;

    use super::*;

    const STATES: [State; 3] = [State::Uninit, State::Initializing, State::Ready];

    #[test]
    fn words_without_waiters_have_the_states_of_their_names() {
        for (word, state) in [Snapshot::UNINIT, Snapshot::CLAIMED, Snapshot::READY]
            .into_iter()
            .zip(STATES)
        {
            assert_eq!(word.state(), state);
            assert!(!word.is_locked());
            assert!(word.has_bits_of(Snapshot::without_waiters(state)));
        }
    }

    #[cfg(not(feature = "critical-section"))]
    #[test]
    fn setting_the_lock_keeps_the_state() {
        for state in STATES {
            let locked = Snapshot::without_waiters(state).locked();
            assert!(locked.is_locked());
            assert_eq!(locked.state(), state);
        }
    }

    #[test]
    fn a_waiter_keeps_waiting_in_the_states_that_do_not_settle_what_it_waits_for() {
        for state in STATES {
            for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
                assert_eq!(
                    Condition::keeps_waiting(kind).is_met_by(Snapshot::without_waiters(state)),
                    !kind.is_settled_by(state),
                    "{kind:?} {state:?}"
                );
            }
        }
    }

    #[cfg(not(feature = "critical-section"))]
    #[test]
    fn a_condition_on_an_unlocked_word_is_not_met_by_a_locked_one() {
        for state in STATES {
            let word = Snapshot::without_waiters(state);
            let is_uninit = state == State::Uninit;
            for (condition, is_met) in [(Condition::NONE, true), (Condition::UNINIT, is_uninit)] {
                assert_eq!(condition.is_met_by(word), is_met, "{state:?}");
                assert_eq!(condition.is_met_by(word.locked()), is_met, "{state:?}");
                assert_eq!(condition.and_unlocked().is_met_by(word), is_met, "{state:?}");
                assert!(!condition.and_unlocked().is_met_by(word.locked()), "{state:?}");
            }
        }
    }

    #[test]
    fn the_guard_keeps_the_state_and_the_waiters() {
        for state in STATES {
            let word = Word::new(Snapshot::without_waiters(state));
            let node = Box::pin(WaiterNode::new(WaiterKind::Claimant));
            let mut guard = word.lock();
            // SAFETY: the node is new, and is popped below.
            unsafe { node.put_payload(Waker::noop().clone()) };
            // SAFETY: as above.
            unsafe { guard.list.push(Pin::as_ref(&node), WaiterKind::Claimant) };
            drop(guard);
            assert_eq!(word.load().state(), state);
            assert!(!word.load().is_locked());

            let mut guard = word.lock();
            // SAFETY: the node is in the list.
            assert!(unsafe { guard.list.unlink(Pin::as_ref(&node)) }.is_some());
            guard.set_state(State::Ready);
            drop(guard);
            assert!(word.load().has_bits_of(Snapshot::READY));
        }
    }
}
