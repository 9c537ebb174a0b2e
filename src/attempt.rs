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
        panics::{is_panicking, swallow_panic},
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

    /// Tells how it has ended when it is dropped, which is after the cell has moved on: a subscriber that panics takes
    /// nothing with it.
    pub(crate) struct Attempt(Option<Lasting>);

    struct Lasting {
        // What a subscriber does is not what a panic of the initializer can break.
        span: AssertUnwindSafe<Span>,
        began: Instant,
        end: End,
    }

    /// How an attempt has ended, should it be dropped now.
    enum End {
        Cancelled,
        /// While the initializer runs; and ever after if it panicked.
        Panicked,
        Succeeded(Duration),
        /// With an error of the type that is named.
        Failed(Duration, &'static str),
    }

    impl Attempt {
        pub(crate) const NONE: Self = Self(None);

        /// Begins one to make a `T`, unless it lasts already. Its span is a child of the caller's.
        pub(crate) fn begin<T>(&mut self, attempts: &Attempts) {
            self.0.get_or_insert_with(|| {
                // Here, as a span that nobody wants does not look at its fields.
                let attempt = attempts.next();
                Lasting {
                    // At this level, as what happens in it may be as grave as that: no event is without its span.
                    span: AssertUnwindSafe(tracing::error_span!(
                        "initialize",
                        value = type_name::<T>(),
                        attempt
                    )),
                    began: Instant::now(),
                    end: End::Cancelled,
                }
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
            lasting.end = End::Panicked;
            let result = lasting.span.in_scope(|| initializing(cell, runner, run));
            lasting.end = End::Cancelled;
            result
        }

        pub(crate) fn succeed(&mut self) {
            if let Some(lasting) = &mut self.0 {
                lasting.end = End::Succeeded(lasting.began.elapsed());
            }
        }

        pub(crate) fn fail<E>(&mut self) {
            if let Some(lasting) = &mut self.0 {
                lasting.end = End::Failed(lasting.began.elapsed(), type_name::<E>());
            }
        }
    }

    impl Lasting {
        fn tell(self) {
            let (span, duration) = (&*self.span, self.began.elapsed());
            match self.end {
                End::Cancelled => {
                    tracing::warn!(target: TARGET, parent: span, ?duration, "the initializer was cancelled");
                }
                End::Panicked => {
                    tracing::error!(target: TARGET, parent: span, ?duration, "the initializer panicked");
                }
                End::Succeeded(duration) => {
                    tracing::debug!(target: TARGET, parent: span, ?duration, "initialized");
                }
                End::Failed(duration, error) => {
                    tracing::warn!(target: TARGET, parent: span, ?duration, error, "the initializer failed");
                }
            }
        }
    }

    impl Drop for Attempt {
        fn drop(&mut self) {
            let Some(lasting) = self.0.take() else { return };
            if is_panicking() {
                // A second panic would abort.
                swallow_panic(|| lasting.tell());
            } else {
                lasting.tell();
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
        pub(crate) fn succeed(&mut self) {}

        #[inline(always)]
        pub(crate) fn fail<E>(&mut self) {}
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
