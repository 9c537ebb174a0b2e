//! The value beside its backend, and the claim: all unsafe access to the value is in here.

use core::{
    fmt,
    mem::{self, ManuallyDrop, MaybeUninit},
    ops::Deref,
    panic::{RefUnwindSafe, UnwindSafe},
    ptr,
};

use crate::{
    backend::{Backend, State},
    deadlock::Runner,
    sync::UnsafeCell,
    trace::{AttemptCount, InitSpan},
};

pub(crate) mod initialize;
pub(crate) mod wait;

/// What a cell is made of.
///
/// The value is initialized if and only if the backend's state is READY. It is written by the holder of the
/// claim, or by whoever has the raw cell exclusively; shared references to it exist from READY on.
pub(crate) struct RawCell<T, B: Backend> {
    backend: B,
    attempts: AttemptCount,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: a raw cell that moves to another thread takes the value along (`T: Send`) and the backend.
unsafe impl<T: Send, B: Backend + Send> Send for RawCell<T, B> {}
// SAFETY: through a shared raw cell, threads share the value (`T: Sync`) and the backend; and one thread may put
// a value in that another takes out or drops, having the raw cell exclusively later (`T: Send`).
unsafe impl<T: Send + Sync, B: Backend + Sync> Sync for RawCell<T, B> {}

// A panic leaves the raw cell empty or ready, never in between: what it lets one see of a broken invariant, it lets one see
// through the value.
impl<T: UnwindSafe, B: Backend> UnwindSafe for RawCell<T, B> {}
impl<T: UnwindSafe + RefUnwindSafe, B: Backend> RefUnwindSafe for RawCell<T, B> {}

impl<T, B: Backend> RawCell<T, B> {
    pub(crate) const fn empty() -> Self {
        Self {
            backend: B::UNINIT,
            attempts: AttemptCount::NONE,
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    pub(crate) const fn filled(value: T) -> Self {
        Self {
            backend: B::READY,
            attempts: AttemptCount::NONE,
            value: UnsafeCell::new(MaybeUninit::new(value)),
        }
    }

    #[inline(always)]
    pub(crate) fn backend(&self) -> &B {
        &self.backend
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
        // SAFETY: from READY on the value is initialized and only read, as long as the raw cell is shared.
        self.value.with(|value| unsafe { &*value.cast::<T>() })
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        if self.is_ready() {
            // SAFETY: the state is READY, and the raw cell is ours alone.
            Some(unsafe { self.value.get_mut().assume_init_mut() })
        } else {
            None
        }
    }

    /// Formats a cell of the type `name` by its value, or by the state of this raw cell if it has none.
    pub(crate) fn debug(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        value: Option<&dyn fmt::Debug>,
    ) -> fmt::Result {
        let shown: &dyn fmt::Debug = match value {
            Some(value) => value,
            None if self.backend.state() == State::Uninit => &format_args!("<uninit>"),
            // Or made since the caller looked for it.
            None => &format_args!("<initializing>"),
        };
        f.debug_tuple(name).field(shown).finish()
    }

    /// Takes the value out and starts the raw cell afresh, whatever state it was in.
    ///
    /// A future that was leaked can have left more than a value behind: a claim, or a registered waiter, which the
    /// new backend does not know.
    pub(crate) fn take(&mut self) -> Option<T> {
        let value = self
            .is_ready()
            // SAFETY: the value is initialized. From the next line on it is not, as the state says.
            .then(|| unsafe { self.value.get_mut().assume_init_read() });
        self.backend = B::UNINIT;
        value
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

impl<T, B: Backend> Drop for RawCell<T, B> {
    fn drop(&mut self) {
        if mem::needs_drop::<T>() && self.is_ready() {
            // SAFETY: the value is initialized, and nobody uses it any more.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

/// What a raw cell has for somebody who could initialize it.
pub(crate) enum Acquired<'a, T, B: Backend> {
    /// The value is there.
    Ready(&'a T),
    /// It is ours to make.
    Claimed(Claim<&'a RawCell<T, B>>),
}

/// The right to initialize a raw cell. Dropping it is what failure, cancellation and panic have in common: the
/// raw cell is empty again, and everybody who could initialize is woken.
///
/// `H` is how the raw cell is held: by a reference, or by what a task of its own can hold.
#[must_use]
pub(crate) struct Claim<H: RawCellRef> {
    held: H,
}

/// Holds a raw cell, and keeps it in its place.
///
/// # Safety
///
/// Dereferences to the same raw cell as long as it lives, however it is moved.
pub(crate) unsafe trait RawCellRef:
    Deref<Target = RawCell<Self::Value, Self::Backend>>
{
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
unsafe impl<'a, T, B: Backend> RawCellRef for &'a RawCell<T, B> {
    type Value = T;
    type Backend = B;
    type Published = &'a T;

    #[inline(always)]
    unsafe fn published(self) -> &'a T {
        // SAFETY: the caller's promise.
        unsafe { self.get_unchecked() }
    }
}

impl<H: RawCellRef> Claim<H> {
    #[inline(always)]
    pub(crate) fn raw(&self) -> &RawCell<H::Value, H::Backend> {
        &self.held
    }

    /// Begins an attempt to make the value.
    #[inline(always)]
    pub(crate) fn begin(self) -> Attempt<H> {
        let mut attempt = self.into_attempt();
        attempt.resume::<H::Value>(InitSpan::NONE);
        attempt
    }

    /// Makes an attempt of the claim whose span is to come: see [`Attempt::resume`].
    #[inline(always)]
    pub(crate) fn into_attempt(self) -> Attempt<H> {
        Attempt {
            claim: self,
            span: InitSpan::NONE,
        }
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

    /// The claim stays taken.
    #[inline(always)]
    fn into_held(self) -> H {
        let this = ManuallyDrop::new(self);
        // SAFETY: it is moved out once, as the claim is not dropped.
        unsafe { ptr::read(&this.held) }
    }
}

/// One attempt to initialize a raw cell: the claim, and the span that reports how the attempt ends.
///
/// The fields are dropped in this order: the claim is released before the span emits its event and closes, so that a
/// subscriber can use the cell.
#[must_use]
pub(crate) struct Attempt<H: RawCellRef> {
    claim: Claim<H>,
    span: InitSpan,
}

impl<H: RawCellRef> Attempt<H> {
    /// Runs a part of the initializer inside the span, where `runner` must not wait for the cell.
    #[inline(always)]
    pub(crate) fn run<R>(&mut self, runner: Runner<'_>, run: impl FnOnce() -> R) -> R {
        self.span.run(self.claim.raw().backend(), runner, run)
    }

    /// Resumes the attempt that `span` was taken from, or begins one to make a `T` if it is [`InitSpan::NONE`].
    #[inline(always)]
    pub(crate) fn resume<T>(&mut self, span: InitSpan) {
        self.span = span;
        let raw = self.claim.raw();
        self.span.begin::<T, _>(raw.backend(), &raw.attempts);
    }

    /// Takes the span out, for another holder of the claim to resume the attempt.
    #[inline(always)]
    pub(crate) fn suspend(&mut self) -> InitSpan {
        self.span.take()
    }

    /// Returns the claim of an attempt that is suspended.
    #[inline(always)]
    pub(crate) fn into_claim(self) -> Claim<H> {
        self.claim
    }

    /// Publishes the value. The span emits its event and closes afterwards.
    #[inline(always)]
    pub(crate) fn publish(self, value: H::Value) -> H::Published {
        // In this order: if publishing panics, the span is dropped after the claim.
        let Self { mut span, claim } = self;
        span.succeed();
        claim.publish(value)
    }

    /// Publishes the value, or releases the claim. The span emits its event and closes afterwards.
    #[inline(always)]
    pub(crate) fn conclude<E>(self, result: Result<H::Value, E>) -> Result<H::Published, E> {
        match result {
            Ok(value) => Ok(self.publish(value)),
            Err(error) => {
                let Self { mut span, claim } = self;
                span.fail::<E>();
                // Here, and not at the end: a return value is leaked if what is dropped after it panics.
                drop(claim);
                span.emit();
                Err(error)
            }
        }
    }

    /// Moves the attempt to another handle of the same raw cell.
    #[cfg(feature = "std")]
    pub(crate) fn hand_over<H2>(self, to: H2) -> Attempt<H2>
    where
        H2: RawCellRef<Value = H::Value, Backend = H::Backend>,
    {
        assert!(ptr::eq(self.claim.raw(), &*to), "a claim is on one raw cell");
        self.claim.into_held();
        Attempt {
            claim: Claim { held: to },
            span: self.span,
        }
    }
}

impl<H: RawCellRef> Drop for Claim<H> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: we have the claim and give it up.
        unsafe { self.held.backend.release() };
    }
}
