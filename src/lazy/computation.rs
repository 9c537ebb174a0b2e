//! The storage of a lazy value: its future, which the value replaces.

use core::{
    hint, mem,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    backend::Backend,
    deadlock::{Origin, Runner},
    panics::swallow_panic,
    raw::{Attempt, RawCell},
    sync::UnsafeCell,
    trace::InitSpan,
};

/// A future, and after it has completed, its value. It is pinned if `F` is not `Unpin`.
///
/// It is accessed by the holder of the claim of a [`RawCell`], or by the owner of an exclusive reference. From READY on it
/// is `Finished` and only read.
pub(super) struct Computation<T, F>(UnsafeCell<FutureSlot<T, F>>);

pin_project! {
    #[project = FutureSlotProj]
    enum FutureSlot<T, F> {
        Unfinished {
            #[pin]
            future: F,
            // Of the attempt that the first poll begins.
            span: InitSpan,
            origin: Origin,
        },
        Finished {
            value: T,
        },
        // The future has panicked, in a poll or when it was dropped.
        Poisoned,
    }
}

impl<T, F> Computation<T, F> {
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub(super) const fn new(future: F) -> Self {
        Self(UnsafeCell::new(FutureSlot::Unfinished {
            future,
            span: InitSpan::NONE,
            origin: Origin::caller(),
        }))
    }

    pub(super) const fn with_value(value: T) -> Self {
        Self(UnsafeCell::new(FutureSlot::Finished { value }))
    }

    /// # Safety
    ///
    /// A call that found the state READY happens before this call.
    #[inline(always)]
    pub(super) unsafe fn get_unchecked(&self) -> &T {
        self.0.with(|slot| {
            // SAFETY: from READY on, the slot is only read while the computation is shared.
            match unsafe { &*slot } {
                FutureSlot::Finished { value } => value,
                // SAFETY: the state is READY, and only `Finished` is published.
                _ => unsafe { hint::unreachable_unchecked() },
            }
        })
    }

    pub(super) fn value_mut(&mut self) -> Option<&mut T> {
        match self.0.get_mut() {
            FutureSlot::Finished { value } => Some(value),
            _ => None,
        }
    }

    /// Takes the value out, or drops the unfinished future and returns `None`.
    pub(super) fn take_value(&mut self) -> Option<T> {
        match self.take() {
            FutureSlot::Finished { value } => Some(value),
            _ => None,
        }
    }

    /// Takes the value out, or the unfinished future.
    ///
    /// # Panics
    ///
    /// Panics if the future has panicked.
    pub(super) fn take_parts(&mut self) -> Result<T, F> {
        match self.take() {
            FutureSlot::Finished { value } => Ok(value),
            FutureSlot::Unfinished { future, span, .. } => {
                // Before the return value is written: if a drop panics after that, the return value leaks.
                span.emit();
                Err(future)
            }
            FutureSlot::Poisoned => poisoned(),
        }
    }

    fn take(&mut self) -> FutureSlot<T, F> {
        mem::replace(self.0.get_mut(), FutureSlot::Poisoned)
    }
}

impl<T, F: Future<Output = T>> Computation<T, F> {
    /// Polls the future. After `Ready` the value is in place, and `attempt` is to publish it. `Pending` suspends `attempt`.
    ///
    /// # Safety
    ///
    /// `self` is pinned, or `F` is `Unpin`. `attempt` has the claim of the raw cell that belongs to this computation.
    pub(super) unsafe fn poll<B: Backend>(
        &self,
        attempt: &mut Attempt<&RawCell<(), B>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.0.with_mut(|slot| {
            // SAFETY: the claim gives exclusive access to the slot.
            let slot = unsafe { &mut *slot };
            // SAFETY: the slot is pinned with `self`, or need not be pinned.
            let mut slot = unsafe { Pin::new_unchecked(slot) };
            let origin = match slot.as_mut().project() {
                FutureSlotProj::Unfinished { span, origin, .. } => {
                    attempt.resume::<T>(span.take());
                    *origin
                }
                _ => poisoned(),
            };
            let mut poisoning = Poisoning { slot };
            attempt.run::<T, _>(Runner::Task(cx.waker()), origin, || {
                let FutureSlotProj::Unfinished { future, .. } = poisoning.slot.as_mut().project() else {
                    unreachable!("the future was unfinished above")
                };
                if let Poll::Ready(value) = future.poll(cx) {
                    // Drops the future. If that panics, the value is still stored, and then dropped by `poisoning`.
                    poisoning.slot.set(FutureSlot::Finished { value });
                }
            });
            let poll = match poisoning.slot.as_mut().project() {
                FutureSlotProj::Unfinished { span, .. } => {
                    *span = attempt.suspend();
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            };
            mem::forget(poisoning);
            poll
        })
    }
}

#[cold]
fn poisoned() -> ! {
    panic!("lazy value is poisoned: its future panicked; create another lazy value to retry")
}

/// Poisons the slot when it is dropped, which happens only when a panic unwinds.
struct Poisoning<'a, T, F> {
    slot: Pin<&'a mut FutureSlot<T, F>>,
}

impl<T, F> Drop for Poisoning<'_, T, F> {
    fn drop(&mut self) {
        // Drops the future. A second panic would abort.
        swallow_panic(|| self.slot.set(FutureSlot::Poisoned));
    }
}
