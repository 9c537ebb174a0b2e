//! The storage of a cell and the initialization claim. All unsafe access to the value is in this module.

use core::{
    fmt,
    mem::{self, ManuallyDrop, MaybeUninit},
    ops::Deref,
    panic::{RefUnwindSafe, UnwindSafe},
    ptr,
};

use crate::{
    backend::{Backend, State},
    deadlock::{Origin, Runner},
    sync::UnsafeCell,
    trace::{AttemptCount, InitSpan},
};

pub(crate) mod initialize;
pub(crate) mod phases;
pub(crate) mod stage;
pub(crate) mod wait;

/// The value of a cell, and the backend that synchronizes access to it.
///
/// The value is initialized if and only if the backend's state is READY. Before that, the holder of the claim writes it,
/// or the owner of an exclusive reference to the raw cell. Shared references to it exist from READY on.
pub(crate) struct RawCell<T, B: Backend> {
    backend: B,
    attempts: AttemptCount,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: a raw cell that moves to another thread takes the value along (`T: Send`) and the backend.
unsafe impl<T: Send, B: Backend + Send> Send for RawCell<T, B> {}
// SAFETY: through a shared raw cell, threads share the value (`T: Sync`) and the backend. One thread may store a value that
// another thread, which has the raw cell exclusively later, takes out or drops (`T: Send`).
unsafe impl<T: Send + Sync, B: Backend + Sync> Sync for RawCell<T, B> {}

// A panic leaves the raw cell empty or ready, never in between. A broken invariant can be observed only through the value.
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

    /// # Safety
    ///
    /// A call that found the state READY happens before this call.
    #[inline(always)]
    pub(crate) unsafe fn get_unchecked(&self) -> &T {
        // SAFETY: from READY on, the value is initialized and only read while the raw cell is shared.
        self.value.with(|value| unsafe { &*value.cast::<T>() })
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        if self.is_ready() {
            // SAFETY: the state is READY, and `self` is an exclusive reference.
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
            // If the state is READY, the cell became ready after the caller looked for the value.
            None => &format_args!("<initializing>"),
        };
        f.debug_tuple(name).field(shown).finish()
    }

    /// Takes the value out and resets the raw cell, whatever its state was.
    ///
    /// A leaked future may have left a claim or a registered waiter behind. The new backend contains neither.
    pub(crate) fn take(&mut self) -> Option<T> {
        let value = self
            .is_ready()
            // SAFETY: the state is READY. It is UNINIT after the next statement.
            .then(|| unsafe { self.value.get_mut().assume_init_read() });
        self.backend = B::UNINIT;
        value
    }

    /// Stores the value of an empty raw cell.
    #[inline]
    pub(crate) fn fill(&mut self, value: T) -> &mut T {
        debug_assert!(!self.is_ready());
        let place: *mut T = self.value.get_mut().as_mut_ptr();
        // SAFETY: `self` is an exclusive reference, and the raw cell has no value to drop.
        unsafe { place.write(value) };
        self.backend = B::READY;
        // SAFETY: the value is initialized.
        unsafe { &mut *place }
    }

    /// Takes the claim.
    ///
    /// # Errors
    ///
    /// Returns the current state if it is not UNINIT: `Initializing` or `Ready`.
    #[inline]
    pub(crate) fn try_claim(&self) -> Result<Claim<&Self>, State> {
        self.backend.try_claim()?;
        Ok(Claim { held: self })
    }
}

impl<T, B: Backend> Drop for RawCell<T, B> {
    fn drop(&mut self) {
        if mem::needs_drop::<T>() && self.is_ready() {
            // SAFETY: the state is READY, and the value is not used again.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

/// The right to initialize a raw cell.
///
/// Dropping a claim releases it: the raw cell is empty again, and every claimant is woken. This happens if an initializer
/// fails, panics or is cancelled.
///
/// `H` is a handle of the raw cell: a reference, or a handle that owns what a spawned task needs.
#[must_use]
pub(crate) struct Claim<H: RawCellRef> {
    held: H,
}

/// A handle of a raw cell, which keeps the raw cell in its place.
///
/// # Safety
///
/// `deref` must return the same raw cell every time, even after the handle was moved.
pub(crate) unsafe trait RawCellRef:
    Deref<Target = RawCell<Self::Value, Self::Backend>>
{
    type Value;
    type Backend: Backend;
    /// The type that the handle is converted to when the value is published.
    type Published;

    /// # Safety
    ///
    /// The state is READY.
    unsafe fn published(self) -> Self::Published;
}

// SAFETY: a reference dereferences to the same raw cell.
unsafe impl<'a, T, B: Backend> RawCellRef for &'a RawCell<T, B> {
    type Value = T;
    type Backend = B;
    type Published = &'a T;

    #[inline(always)]
    unsafe fn published(self) -> &'a T {
        // SAFETY: the caller guarantees that the state is READY.
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

    /// Converts the claim to an attempt without a span: see [`Attempt::resume`].
    #[inline(always)]
    pub(crate) fn into_attempt(self) -> Attempt<H> {
        Attempt {
            claim: self,
            span: InitSpan::NONE,
        }
    }

    /// Stores the value, publishes it and wakes every waiter.
    #[inline]
    pub(crate) fn publish(self, value: H::Value) -> H::Published {
        self.into_attempt().publish(value)
    }

    /// Returns the address of the value.
    #[inline(always)]
    fn place(&self) -> *mut H::Value {
        self.raw().value.with_mut(|place| place.cast())
    }

    /// Returns the handle without releasing the claim.
    #[inline(always)]
    fn into_held(self) -> H {
        let this = ManuallyDrop::new(self);
        // SAFETY: the handle is moved out once, because `this` is not dropped.
        unsafe { ptr::read(&this.held) }
    }
}

impl<H: RawCellRef> Drop for Claim<H> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the claim is held until this call.
        unsafe { self.held.backend.release() };
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
    /// Runs a part of the initializer that makes a `T` inside the span, where `runner` must not wait for the cell.
    #[inline(always)]
    pub(crate) fn run<T, R>(&mut self, runner: Runner<'_>, origin: Origin, run: impl FnOnce() -> R) -> R {
        self.span
            .run::<T, _, _>(self.claim.raw().backend(), runner, origin, run)
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

    /// Stores the value, publishes it and wakes every waiter. The span emits its event and closes afterwards.
    #[inline]
    pub(crate) fn publish(self, value: H::Value) -> H::Published {
        // SAFETY: no other task has the claim, and no task reads before READY. There is no value to drop.
        unsafe { self.claim.place().write(value) };
        // SAFETY: the value is stored.
        unsafe { self.publish_stored() }
    }

    /// Publishes the value as [`publish`](Self::publish) does, or releases the claim.
    #[inline]
    pub(crate) fn conclude<E>(self, result: Result<H::Value, E>) -> Result<H::Published, E> {
        match result {
            Ok(value) => {
                // In builds without optimizations, each call that takes a large value copies it once more. So this is not
                // a call of `publish`.
                // SAFETY: as in `publish`.
                unsafe { self.claim.place().write(value) };
                // SAFETY: the value is stored.
                Ok(unsafe { self.publish_stored() })
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// # Safety
    ///
    /// The value is stored.
    #[inline]
    unsafe fn publish_stored(self) -> H::Published {
        // In this order: if publishing panics, the span is dropped after the claim.
        let Self { mut span, claim } = self;
        span.succeed();
        let held = claim.into_held();
        // SAFETY: the claim is held until this call. The value is initialized.
        unsafe { held.backend.publish() };
        // SAFETY: the state is READY.
        unsafe { held.published() }
    }

    /// Releases the claim. The span emits its event and closes afterwards.
    #[inline]
    fn fail<E>(self, error: E) -> E {
        let Self { mut span, claim } = self;
        span.fail::<E>();
        // Dropped explicitly: if a drop at the end of this function panicked, the return value would leak.
        drop(claim);
        span.emit();
        error
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
