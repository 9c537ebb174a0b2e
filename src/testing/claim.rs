//! The claim as a value, so that only its holder can end it.

use std::mem;

use super::rule::{Rule, broken};
use crate::backend::{Backend, State};

/// The states with which a claim can end.
pub(super) const OUTCOMES: [State; 2] = [State::Ready, State::Uninit];

/// The claim of a backend. Dropping it releases it, as in a cell.
#[must_use]
pub(super) struct Claim<'a, B: Backend> {
    backend: &'a B,
}

impl<'a, B: Backend> Claim<'a, B> {
    /// Takes the claim of a backend whose state is UNINIT.
    #[track_caller]
    pub(super) fn take(backend: &'a B) -> Self {
        Self::try_take(backend).unwrap_or_else(|found| {
            broken(
                Rule::StateMachine,
                format_args!(
                    "`try_claim` returned `Err({found:?})` when the claim was free and there was no value"
                ),
            )
        })
    }

    pub(super) fn try_take(backend: &'a B) -> Result<Self, State> {
        backend.try_claim().map(|()| Self { backend })
    }

    /// # Safety
    ///
    /// The claim was taken and forgotten.
    pub(super) unsafe fn assume(backend: &'a B) -> Self {
        Self { backend }
    }

    /// Ends the claim: READY or UNINIT.
    pub(super) fn settle(self, outcome: State) {
        if outcome == State::Ready {
            self.publish();
        } else {
            self.release();
        }
    }

    pub(super) fn publish(self) {
        let backend = self.backend;
        mem::forget(self);
        // SAFETY: `self` is the claim, and is forgotten. No code reads a value.
        unsafe { backend.publish() };
    }

    pub(super) fn release(self) {
        drop(self);
    }

    /// Leaves the backend INITIALIZING.
    pub(super) fn forget(self) {
        mem::forget(self);
    }
}

impl<B: Backend> Drop for Claim<'_, B> {
    fn drop(&mut self) {
        // SAFETY: `self` is the claim, and is being dropped.
        unsafe { self.backend.release() };
    }
}
