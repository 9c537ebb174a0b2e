//! The state machine without waiters, for backends that store their waiters elsewhere.
//!
//! ```text
//!    7                     2   1   0
//!  +-------------------------+-------+
//!  | number of the attempt   | STATE |
//!  +-------------------------+-------+
//! ```
//!
//! The number is that of the newest attempt, modulo 64. By this number, a waiter detects whether the attempt that it waits for
//! is still in progress. A waiter that is not polled again until exactly 64 more attempts have begun, or a multiple of 64,
//! mistakes the newest attempt for its own.

use super::State;
use crate::sync::{AtomicU8, Ordering};

const UNINIT: u8 = 0;
const INITIALIZING: u8 = 1;
const READY: u8 = 2;
const STATE: u8 = 0b11;
/// The number of the attempt is incremented by this.
const ATTEMPT: u8 = 0b100;

/// A state and the number of an attempt in a byte.
#[derive(Debug)]
pub(super) struct AtomicState(AtomicU8);

/// A value of the byte, as it was when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Snapshot(u8);

impl Snapshot {
    pub(super) const UNINIT: Self = Self(UNINIT);

    #[inline]
    pub(super) fn state(self) -> State {
        match self.0 & STATE {
            UNINIT => State::Uninit,
            INITIALIZING => State::Initializing,
            _ => State::Ready,
        }
    }

    /// Returns INITIALIZING in the next attempt.
    #[inline]
    fn claimed(self) -> Self {
        Self((self.0 & !STATE).wrapping_add(ATTEMPT) | INITIALIZING)
    }
}

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
        self.load().state()
    }

    #[inline]
    pub(super) fn load(&self) -> Snapshot {
        // ORDERING: Acquire pairs with the Release in `settle`.
        Snapshot(self.0.load(Ordering::Acquire))
    }

    #[inline]
    pub(super) fn try_claim(&self) -> Result<(), State> {
        // Most cells have had no attempt before.
        let mut found = Snapshot::UNINIT;
        while found.state() == State::Uninit {
            let claimed = found.claimed();
            // ORDERING: Acquire pairs with the Release in `settle`: the initializer before this one has ended.
            match (self.0).compare_exchange(found.0, claimed.0, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Ok(()),
                Err(byte) => found = Snapshot(byte),
            }
        }
        Err(found.state())
    }

    /// Ends INITIALIZING. The caller holds the claim. A store is enough, because no other thread changes the state meanwhile.
    #[inline]
    pub(super) fn settle(&self, outcome: State) {
        let outcome = if outcome == State::Ready { READY } else { UNINIT };
        // ORDERING: Relaxed, as no other thread changes the byte.
        let attempt = self.0.load(Ordering::Relaxed) & !STATE;
        // ORDERING: Release pairs with the Acquire in `load` and `try_claim`.
        self.0.store(attempt | outcome, Ordering::Release);
    }
}

#[cfg(all(test, not(oncelot_loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_differs_from_the_63_attempts_that_follow() {
        let state = AtomicState::UNINIT;
        let attempts: Vec<_> = (0..129)
            .map(|_| {
                assert_eq!(state.try_claim(), Ok(()));
                assert_eq!(state.try_claim(), Err(State::Initializing));
                let attempt = state.load();
                assert_eq!(state.load(), attempt);
                state.settle(State::Uninit);
                attempt
            })
            .collect();
        for (i, earlier) in attempts.iter().enumerate() {
            assert_eq!(earlier.state(), State::Initializing);
            for (distance, later) in attempts[i..].iter().enumerate() {
                assert_eq!(earlier == later, distance % 64 == 0, "{i}, {distance}");
            }
        }
        assert_eq!(state.try_claim(), Ok(()));
        state.settle(State::Ready);
        assert_eq!(state.try_claim(), Err(State::Ready));
    }
}
