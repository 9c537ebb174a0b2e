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
    use core::{any::type_name, panic::AssertUnwindSafe};
    use std::time::Instant;

    use tracing::Span;

    use crate::{
        reentrancy::{Runner, initializing},
        sync::{AtomicU32, Ordering},
    };

    const TARGET: &str = "oncelot";

    /// How many attempts a cell has seen.
    pub(crate) struct Attempts(AtomicU32);

    impl Attempts {
        #[allow(
            clippy::declare_interior_mutable_const,
            reason = "each cell has one of its own"
        )]
        pub(crate) const NONE: Self = Self(AtomicU32::new(0));

        fn next(&self) -> u32 {
            // Attempts are made one after the other, by those who have the claim.
            let next = self.0.load(Ordering::Relaxed).saturating_add(1);
            self.0.store(next, Ordering::Relaxed);
            next
        }
    }

    /// Dropped while it lasts, it was cancelled, or has panicked.
    pub(crate) struct Attempt(Option<Lasting>);

    struct Lasting {
        // What a subscriber does is not what a panic of the initializer can break.
        span: AssertUnwindSafe<Span>,
        began: Instant,
        /// While the initializer runs; and ever after if it panicked.
        is_running: bool,
    }

    impl Attempt {
        pub(crate) const NONE: Self = Self(None);

        /// Begins one to make a `T`, unless it lasts already.
        pub(crate) fn begin<T>(&mut self, attempts: &Attempts) {
            self.0.get_or_insert_with(|| Lasting {
                // At this level, as what happens in it may be as grave as that: no event is without its span.
                span: AssertUnwindSafe(tracing::error_span!(
                    "initialize",
                    value = type_name::<T>(),
                    attempt = attempts.next()
                )),
                began: Instant::now(),
                is_running: false,
            });
        }

        pub(crate) fn take(&mut self) -> Self {
            Self(self.0.take())
        }

        /// Has `runner` run a part of the initializer of `cell`.
        pub(crate) fn run<C, R>(&mut self, cell: &C, runner: Runner<'_>, run: impl FnOnce() -> R) -> R {
            let Some(lasting) = &mut self.0 else {
                return initializing(cell, runner, run);
            };
            lasting.is_running = true;
            let result = lasting.span.in_scope(|| initializing(cell, runner, run));
            lasting.is_running = false;
            result
        }

        pub(crate) fn succeed(mut self) {
            if let Some(Lasting { span, began, .. }) = self.0.take() {
                tracing::debug!(target: TARGET, parent: &*span, duration = ?began.elapsed(), "initialized");
            }
        }

        pub(crate) fn fail<E>(mut self) {
            if let Some(Lasting { span, began, .. }) = self.0.take() {
                let (duration, error) = (began.elapsed(), type_name::<E>());
                tracing::warn!(target: TARGET, parent: &*span, ?duration, error, "the initializer failed");
            }
        }
    }

    impl Drop for Attempt {
        fn drop(&mut self) {
            if let Some(Lasting {
                span,
                began,
                is_running,
            }) = self.0.take()
            {
                let duration = began.elapsed();
                if is_running {
                    tracing::error!(target: TARGET, parent: &*span, ?duration, "the initializer panicked");
                } else {
                    tracing::warn!(target: TARGET, parent: &*span, ?duration, "the initializer was cancelled");
                }
            }
        }
    }

    /// A waiter's wait, and whether it has been told of.
    pub(crate) struct Wait {
        is_told: bool,
    }

    impl Wait {
        pub(crate) const NONE: Self = Self { is_told: false };
        pub(crate) const TOLD: Self = Self { is_told: true };

        /// For a `T`. The second time and later nothing is said.
        pub(crate) fn begin<T>(&mut self) {
            if !self.is_told {
                self.is_told = true;
                tracing::trace!(target: TARGET, value = type_name::<T>(), "waiting");
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod untraced {
    use crate::reentrancy::{Runner, initializing};

    pub(crate) struct Attempts;

    impl Attempts {
        pub(crate) const NONE: Self = Self;
    }

    pub(crate) struct Attempt;

    impl Attempt {
        pub(crate) const NONE: Self = Self;

        #[inline(always)]
        pub(crate) fn begin<T>(&mut self, _attempts: &Attempts) {}

        #[inline(always)]
        pub(crate) fn take(&mut self) -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn run<C, R>(&mut self, cell: &C, runner: Runner<'_>, run: impl FnOnce() -> R) -> R {
            initializing(cell, runner, run)
        }

        #[inline(always)]
        pub(crate) fn succeed(self) {}

        #[inline(always)]
        pub(crate) fn fail<E>(self) {}
    }

    pub(crate) struct Wait;

    impl Wait {
        pub(crate) const NONE: Self = Self;
        #[cfg(feature = "std")]
        pub(crate) const TOLD: Self = Self;

        #[inline(always)]
        pub(crate) fn begin<T>(&mut self) {}
    }
}
