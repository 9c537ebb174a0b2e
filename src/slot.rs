//! The value beside its backend, and the claim: all unsafe access to the value is in here.

use core::{
    mem::{self, ManuallyDrop, MaybeUninit},
    ops::Deref,
    ptr,
};

use crate::{
    attempt::{Attempt, Attempts},
    backend::{Backend, State},
    sync::UnsafeCell,
};

/// What a cell is made of.
///
/// The value is initialized if and only if the backend's state is READY. It is written by the holder of the
/// claim, or by whoever has the slot exclusively; shared references to it exist from READY on.
pub(crate) struct Slot<T, B: Backend> {
    backend: B,
    attempts: Attempts,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: a slot that moves to another thread takes the value along (`T: Send`) and the backend.
unsafe impl<T: Send, B: Backend + Send> Send for Slot<T, B> {}
// SAFETY: through a shared slot, threads share the value (`T: Sync`) and the backend; and one thread may put
// a value in that another takes out or drops, having the slot exclusively later (`T: Send`).
unsafe impl<T: Send + Sync, B: Backend + Sync> Sync for Slot<T, B> {}

impl<T, B: Backend> Slot<T, B> {
    pub(crate) const fn empty() -> Self {
        Self {
            backend: B::UNINIT,
            attempts: Attempts::NONE,
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    pub(crate) const fn filled(value: T) -> Self {
        Self {
            backend: B::READY,
            attempts: Attempts::NONE,
            value: UnsafeCell::new(MaybeUninit::new(value)),
        }
    }

    #[inline(always)]
    pub(crate) fn backend(&self) -> &B {
        &self.backend
    }

    #[inline(always)]
    pub(crate) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    #[inline(always)]
    pub(crate) fn is_ready(&self) -> bool {
        self.backend.is_ready()
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_ready() {
            // SAFETY: the state is READY.
            Some(unsafe { self.get_unchecked() })
        } else {
            None
        }
    }

    /// # Safety
    ///
    /// That the state is READY happens before this call: the caller has seen it, say, or was told by who has.
    #[inline(always)]
    pub(crate) unsafe fn get_unchecked(&self) -> &T {
        // SAFETY: from READY on the value is initialized and only read, as long as the slot is shared.
        self.value.with(|value| unsafe { &*value.cast::<T>() })
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        if self.is_ready() {
            // SAFETY: the state is READY, and the slot is ours alone.
            Some(unsafe { self.value.get_mut().assume_init_mut() })
        } else {
            None
        }
    }

    /// Takes the value out and starts the slot afresh, whatever state it was in.
    ///
    /// A future that was leaked can have left more than a value behind: a claim, or a registered waiter, which the
    /// new backend does not know.
    pub(crate) fn take(&mut self) -> Option<T> {
        let was_ready = self.is_ready();
        self.backend = B::UNINIT;
        // SAFETY: the value was initialized. From now on it is not, as the state says.
        was_ready.then(|| unsafe { self.value.get_mut().assume_init_read() })
    }

    /// Puts a value in where there was none.
    pub(crate) fn fill(&mut self, value: T) -> &mut T {
        debug_assert!(!self.is_ready());
        let value = self.value.get_mut().write(value);
        self.backend = B::READY;
        value
    }

    /// The value, or the claim; neither while an initializer is at work.
    #[inline]
    pub(crate) fn acquire(&self) -> Option<Acquired<'_, T, B>> {
        match self.try_claim() {
            Ok(claim) => Some(Acquired::Claimed(claim)),
            // SAFETY: the backend has told that the state is READY.
            Err(State::Ready) => Some(Acquired::Ready(unsafe { self.get_unchecked() })),
            Err(_) => None,
        }
    }

    /// Takes the claim.
    ///
    /// # Errors
    ///
    /// The state that was found instead, `Initializing` or `Ready`.
    #[inline]
    pub(crate) fn try_claim(&self) -> Result<Claim<&Self>, State> {
        self.backend.try_claim()?;
        Ok(Claim { held: self })
    }
}

impl<T, B: Backend> Drop for Slot<T, B> {
    fn drop(&mut self) {
        if mem::needs_drop::<T>() && self.is_ready() {
            // SAFETY: the value is initialized, and nobody uses it any more.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

/// What a slot has for somebody who could initialize it.
pub(crate) enum Acquired<'a, T, B: Backend> {
    /// The value is there.
    Ready(&'a T),
    /// It is ours to make.
    Claimed(Claim<&'a Slot<T, B>>),
}

/// The right to initialize a slot. Dropping it is what failure, cancellation and panic have in common: the
/// slot is empty again, and everybody who could initialize is woken.
///
/// `H` is how the slot is held: by a reference, or by what a task of its own can hold.
#[must_use]
pub(crate) struct Claim<H: Hold> {
    held: H,
}

/// Holds a slot, and keeps it in its place.
///
/// # Safety
///
/// Dereferences to the same slot as long as it lives, however it is moved.
pub(crate) unsafe trait Hold: Deref<Target = Slot<Self::Value, Self::Backend>> {
    type Value;
    type Backend: Backend;
    /// What is left of it when the value is published.
    type Published;

    /// # Safety
    ///
    /// The state is READY.
    unsafe fn published(self) -> Self::Published;
}

// SAFETY: a reference stays the same.
unsafe impl<'a, T, B: Backend> Hold for &'a Slot<T, B> {
    type Value = T;
    type Backend = B;
    type Published = &'a T;

    #[inline(always)]
    unsafe fn published(self) -> &'a T {
        // SAFETY: the caller's promise.
        unsafe { self.get_unchecked() }
    }
}

impl<H: Hold> Claim<H> {
    #[inline(always)]
    pub(crate) fn slot(&self) -> &Slot<H::Value, H::Backend> {
        &self.held
    }

    /// Begins to make the value.
    #[inline(always)]
    pub(crate) fn attempt(&self) -> Attempt {
        let mut attempt = Attempt::NONE;
        attempt.begin::<H::Value>(&self.slot().attempts);
        attempt
    }

    /// Puts the value in and wakes everybody.
    #[inline]
    pub(crate) fn publish(self, value: H::Value) -> H::Published {
        let held = self.into_held();
        // SAFETY: we have the claim, so that nobody else writes, and nobody reads before READY.
        held.value
            .with_mut(|place| unsafe { place.write(MaybeUninit::new(value)) });
        // SAFETY: we have the claim and give it up; the value is written.
        unsafe { held.backend.publish() };
        // SAFETY: the state is READY.
        unsafe { held.published() }
    }

    /// The same claim, held by something else that holds the same slot.
    #[cfg(feature = "std")]
    pub(crate) fn hand_over<H2>(self, to: H2) -> Claim<H2>
    where
        H2: Hold<Value = H::Value, Backend = H::Backend>,
    {
        assert!(ptr::eq(self.slot(), &*to), "a claim is on one slot");
        self.into_held();
        Claim { held: to }
    }

    /// The claim stays taken.
    #[inline(always)]
    fn into_held(self) -> H {
        let this = ManuallyDrop::new(self);
        // SAFETY: it is moved out once, as the claim is not dropped.
        unsafe { ptr::read(&this.held) }
    }
}

impl<H: Hold> Drop for Claim<H> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: we have the claim and give it up.
        unsafe { self.held.backend.release() };
    }
}
