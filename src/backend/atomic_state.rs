//! The state machine alone, for backends that keep their waiters elsewhere.

use super::State;
use crate::sync::{AtomicU8, Ordering};

const UNINIT: u8 = 0;
const INITIALIZING: u8 = 1;
const READY: u8 = 2;

/// A state in a byte.
#[derive(Debug)]
pub(super) struct AtomicState(AtomicU8);

impl AtomicState {
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "each use is meant to make a new state"
    )]
    pub(super) const UNINIT: Self = Self(AtomicU8::new(UNINIT));
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "each use is meant to make a new state"
    )]
    pub(super) const READY: Self = Self(AtomicU8::new(READY));

    #[inline]
    pub(super) fn get(&self) -> State {
        // ORDERING: Acquire pairs with the Release in `settle`.
        state_of(self.0.load(Ordering::Acquire))
    }

    #[inline]
    pub(super) fn try_claim(&self) -> Result<(), State> {
        // ORDERING: Acquire pairs with the Release in `settle`: the initializer before us has ended.
        match (self.0).compare_exchange(UNINIT, INITIALIZING, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(found) => Err(state_of(found)),
        }
    }

    /// Ends INITIALIZING. Only the holder of the claim may: nobody else changes the state meanwhile, so that a
    /// store is enough.
    #[inline]
    pub(super) fn settle(&self, outcome: State) {
        let outcome = if outcome == State::Ready { READY } else { UNINIT };
        // ORDERING: Release pairs with the Acquire in `get` and `try_claim`.
        self.0.store(outcome, Ordering::Release);
    }
}

fn state_of(byte: u8) -> State {
    match byte {
        UNINIT => State::Uninit,
        INITIALIZING => State::Initializing,
        _ => State::Ready,
    }
}
