//! One run of an initializer, as debug builds and the feature `tracing` watch it.
//!
//! Each attempt has a span, in which the initializer is polled, and ends with one event: it succeeded, failed, was
//! cancelled or panicked. A waiter that starts to wait is an event too. Without the feature all of it is nothing.

#[cfg(feature = "tracing")]
pub(crate) use self::traced::*;

#[cfg(not(feature = "tracing"))]
pub(crate) use self::untraced::*;

#[cfg(feature = "tracing")]
mod traced {
    use core::{any::type_name, panic::AssertUnwindSafe, time::Duration};
    use std::time::Instant;

    use tracing::Span;

    use crate::{
        deadlock::{Runner, with_frame},
        panics::{is_panicking, swallow_panic},
        sync::{AtomicU32, Ordering},
    };

    const TARGET: &str = "oncelot";

    /// How many attempts a cell has seen.
    pub(crate) struct AttemptCount(AtomicU32);

    impl AttemptCount {
        #[allow(
            clippy::declare_interior_mutable_const,
            reason = "each cell has one of its own"
        )]
        pub(crate) const NONE: Self = Self(AtomicU32::new(0));

        fn next(&self) -> u32 {
            // AttemptCount are made one after the other, by those who have the claim.
            let next = self.0.load(Ordering::Relaxed).saturating_add(1);
            self.0.store(next, Ordering::Relaxed);
            next
        }
    }

    /// Tells how it has ended when it is dropped. That is after a value was published, and after an error has given the
    /// claim up: a subscriber that panics takes nothing with it.
    pub(crate) struct InitSpan(Option<Active>);

    struct Active {
        // What a subscriber does is not what a panic of the initializer can break.
        span: AssertUnwindSafe<Span>,
        began: Instant,
        outcome: Outcome,
    }

    /// How an attempt has ended, should it be dropped now.
    enum Outcome {
        Cancelled,
        /// While the initializer runs; and ever after if it panicked.
        Panicked,
        Succeeded(Duration),
        /// With an error of the type that is named.
        Failed(Duration, &'static str),
    }

    impl InitSpan {
        pub(crate) const NONE: Self = Self(None);

        /// Begins one to make a `T`, unless it lasts already. Its span is a child of the caller's.
        pub(crate) fn begin<T>(&mut self, attempts: &AttemptCount) {
            self.0.get_or_insert_with(|| {
                // Here, as a span that nobody wants does not look at its fields.
                let attempt = attempts.next();
                Active {
                    // At this level, as what happens in it may be as grave as that: no event is without its span.
                    span: AssertUnwindSafe(tracing::error_span!(
                        "initialize",
                        value = type_name::<T>(),
                        attempt
                    )),
                    began: Instant::now(),
                    outcome: Outcome::Cancelled,
                }
            });
        }

        pub(crate) fn take(&mut self) -> Self {
            Self(self.0.take())
        }

        /// Has `runner` run a part of the initializer of `cell`.
        pub(crate) fn run<C, R>(&mut self, cell: &C, runner: Runner<'_>, run: impl FnOnce() -> R) -> R {
            let Some(active) = &mut self.0 else {
                return with_frame(cell, runner, run);
            };
            active.outcome = Outcome::Panicked;
            // Not a return value: that would leak if the subscriber panicked as the span is left.
            let mut result = None;
            active
                .span
                .in_scope(|| result = Some(with_frame(cell, runner, run)));
            active.outcome = Outcome::Cancelled;
            result.expect("it was run in the span")
        }

        pub(crate) fn succeed(&mut self) {
            if let Some(active) = &mut self.0 {
                active.outcome = Outcome::Succeeded(active.began.elapsed());
            }
        }

        pub(crate) fn fail<E>(&mut self) {
            if let Some(active) = &mut self.0 {
                active.outcome = Outcome::Failed(active.began.elapsed(), type_name::<E>());
            }
        }

        /// Tells now.
        pub(crate) fn emit(self) {}
    }

    impl Active {
        fn emit(self) {
            let (span, duration) = (&*self.span, self.began.elapsed());
            match self.outcome {
                Outcome::Cancelled => {
                    tracing::warn!(target: TARGET, parent: span, ?duration, "the initializer was cancelled");
                }
                Outcome::Panicked => {
                    tracing::error!(target: TARGET, parent: span, ?duration, "the initializer panicked");
                }
                Outcome::Succeeded(duration) => {
                    tracing::debug!(target: TARGET, parent: span, ?duration, "initialized");
                }
                Outcome::Failed(duration, error) => {
                    tracing::warn!(target: TARGET, parent: span, ?duration, error, "the initializer failed");
                }
            }
        }
    }

    impl Drop for InitSpan {
        fn drop(&mut self) {
            let Some(active) = self.0.take() else { return };
            if is_panicking() {
                // A second panic would abort.
                swallow_panic(|| active.emit());
            } else {
                active.emit();
            }
        }
    }

    /// Whether the event of a waiter that begins to wait was emitted.
    pub(crate) struct WaitEvent {
        is_emitted: bool,
    }

    impl WaitEvent {
        pub(crate) const NOT_EMITTED: Self = Self { is_emitted: false };
        pub(crate) const EMITTED: Self = Self { is_emitted: true };

        /// Emits the event for a `T`, unless it was emitted before.
        pub(crate) fn emit<T>(&mut self) {
            if !self.is_emitted {
                self.is_emitted = true;
                tracing::trace!(target: TARGET, value = type_name::<T>(), "waiting");
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod untraced {
    use crate::deadlock::{Runner, with_frame};

    pub(crate) struct AttemptCount;

    impl AttemptCount {
        pub(crate) const NONE: Self = Self;
    }

    pub(crate) struct InitSpan;

    impl InitSpan {
        pub(crate) const NONE: Self = Self;

        #[inline(always)]
        pub(crate) fn begin<T>(&mut self, _attempts: &AttemptCount) {}

        #[inline(always)]
        pub(crate) fn take(&mut self) -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn run<C, R>(&mut self, cell: &C, runner: Runner<'_>, run: impl FnOnce() -> R) -> R {
            with_frame(cell, runner, run)
        }

        #[inline(always)]
        pub(crate) fn succeed(&mut self) {}

        #[inline(always)]
        pub(crate) fn fail<E>(&mut self) {}

        #[inline(always)]
        pub(crate) fn emit(self) {}
    }

    pub(crate) struct WaitEvent;

    impl WaitEvent {
        pub(crate) const NOT_EMITTED: Self = Self;
        #[cfg(feature = "std")]
        pub(crate) const EMITTED: Self = Self;

        #[inline(always)]
        pub(crate) fn emit<T>(&mut self) {}
    }
}
