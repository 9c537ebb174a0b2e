//! The claim as a value, so that only who has it gives it up.

use std::mem;

use super::rule::{Rule, broken};
use crate::backend::{Backend, State};

/// How a claim ends.
pub(super) const OUTCOMES: [State; 2] = [State::Ready, State::Uninit];

/// The claim of a backend. Dropping it releases it, as a cell does it.
#[must_use]
pub(super) struct Claim<'a, B: Backend> {
    backend: &'a B,
}

impl<'a, B: Backend> Claim<'a, B> {
    /// Takes the claim of a backend that nobody is initializing.
    #[track_caller]
    pub(super) fn take(backend: &'a B) -> Self {
        Self::try_take(backend).unwrap_or_else(|found| {
            broken(
                Rule::StateMachine,
                format_args!(
                    "`try_claim` returned `Err({found:?})` when nobody had the claim and there was no value"
                ),
            )
        })
    }

    pub(super) fn try_take(backend: &'a B) -> Result<Self, State> {
        backend.try_claim().map(|()| Self { backend })
    }

    /// # Safety
    ///
    /// The claim was taken, and forgotten.
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
        // SAFETY: we have the claim and give it up. There is no value that anybody would read.
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
        // SAFETY: we have the claim and give it up.
        unsafe { self.backend.release() };
    }
}
