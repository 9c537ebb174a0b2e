//! Instrumentation of one initialization attempt: the `tracing` span and the frame of the deadlock detection.
//!
//! Each attempt has a span, in which the initializer is polled, and ends with one event: the initializer succeeded, failed, was
//! cancelled or panicked. A waiter that starts to wait emits an event too. Without the feature `tracing`, the types here are
//! zero-sized and the functions do nothing.
//!
//! The event is emitted and the span is closed when the claim is released or the value is published, so that a subscriber
//! can use the cell. The span is created, entered and exited while the claim is taken:
//!
//! - A span that is created before would also be created by each caller that loses the race for the claim, and initializes
//!   nothing.
//! - Between two polls of an initializer the claim stays taken, so that the span cannot be entered and exited without it.
//!
//! A subscriber that waits for the cell there is reported by [`deadlock`](crate::deadlock).

#[cfg(feature = "tracing")]
pub(crate) use self::traced::*;

#[cfg(not(feature = "tracing"))]
pub(crate) use self::untraced::*;

#[cfg(feature = "tracing")]
mod traced {
    use core::{any::type_name, cell::Cell, mem, panic::AssertUnwindSafe, time::Duration};
    use std::time::Instant;

    use tracing::{Span, field::debug, span::Entered};

    use crate::{
        deadlock::{Origin, Runner, with_frame, with_subscriber_frame},
        panics::{is_panicking, swallow_panic},
        sync::{AtomicU32, Ordering},
    };

    const TARGET: &str = "oncelot";

    std::thread_local! {
        /// Whether this thread is inside a call to the subscriber that this module has made.
        static IS_IN_SUBSCRIBER: Cell<bool> = const { Cell::new(false) };
    }

    fn is_in_subscriber() -> bool {
        IS_IN_SUBSCRIBER.try_with(Cell::get).unwrap_or(false)
    }

    /// Makes a call that calls the subscriber, which may use any cell.
    fn call_subscriber<R>(call: impl FnOnce() -> R) -> R {
        struct Leave {
            was_inside: bool,
        }

        impl Drop for Leave {
            fn drop(&mut self) {
                // Fails if the thread is ending and its flag has been destroyed.
                let _ = IS_IN_SUBSCRIBER.try_with(|is_inside| is_inside.set(self.was_inside));
            }
        }

        let was_inside = IS_IN_SUBSCRIBER.try_with(|is_inside| is_inside.replace(true));
        let _leave = Leave {
            was_inside: was_inside.unwrap_or(false),
        };
        call()
    }

    /// Makes such a call in a destructor. If the thread is unwinding, a panic of the subscriber would abort, and is discarded.
    fn call_subscriber_in_drop(call: impl FnOnce()) {
        if is_panicking() {
            swallow_panic(|| call_subscriber(call));
        } else {
            call_subscriber(call);
        }
    }

    /// Reads the clock, or returns `None` on targets whose `std` has no clock: `Instant::now` panics there.
    fn now() -> Option<Instant> {
        const HAS_CLOCK: bool = !cfg!(any(
            all(target_family = "wasm", target_os = "unknown"),
            target_os = "zkvm"
        ));
        HAS_CLOCK.then(Instant::now)
    }

    /// The number of attempts of a cell.
    pub(crate) struct AttemptCount(AtomicU32);

    impl AttemptCount {
        #[allow(
            clippy::declare_interior_mutable_const,
            reason = "each cell has one of its own"
        )]
        pub(crate) const NONE: Self = Self(AtomicU32::new(0));

        fn next(&self) -> u32 {
            // ORDERING: Relaxed, as only the holder of the claim gets here: attempts happen one after the other.
            let next = self.0.load(Ordering::Relaxed).saturating_add(1);
            self.0.store(next, Ordering::Relaxed);
            next
        }
    }

    /// Emits the closing event and closes the span on drop, after the value was published or the claim released. So the
    /// subscriber can use the cell, and a panicking subscriber leaks neither the value nor the claim.
    pub(crate) struct InitSpan(Option<Active>);

    struct Active {
        /// When the attempt began, unless the span is disabled or there is no clock.
        began: Option<Instant>,
        outcome: Outcome,
        span: OwnedSpan,
    }

    /// The outcome of an attempt if it is dropped now.
    enum Outcome {
        Cancelled,
        /// Also set while the initializer is being polled.
        Panicked,
        Succeeded(Option<Duration>),
        /// Contains the type name of the error.
        Failed(Option<Duration>, &'static str),
    }

    impl InitSpan {
        pub(crate) const NONE: Self = Self(None);

        /// Begins an attempt to make a `T` for `cell`, unless one has begun. Its span is a child of the caller's.
        ///
        /// The caller has the claim, so the subscriber must not wait for the cell.
        pub(crate) fn begin<T, C>(&mut self, cell: &C, attempts: &AttemptCount) {
            if self.0.is_some() {
                return;
            }
            // Computed eagerly: a disabled span does not evaluate its fields.
            let attempt = attempts.next();
            if is_in_subscriber() {
                return;
            }
            let span = with_subscriber_frame(cell, || {
                call_subscriber(|| {
                    // ERROR, the level of the gravest event inside, so that no event is emitted without its span.
                    tracing::error_span!("initialize", value = type_name::<T>(), attempt)
                })
            });
            self.0 = Some(Active {
                began: if span.is_disabled() { None } else { now() },
                outcome: Outcome::Cancelled,
                span: OwnedSpan(AssertUnwindSafe(span)),
            });
        }

        pub(crate) fn take(&mut self) -> Self {
            Self(self.0.take())
        }

        /// Runs a part of the initializer of `cell`, which makes a `T`, for `runner`, inside the span.
        ///
        /// The caller has the claim, so the subscriber must not wait for the cell.
        pub(crate) fn run<T, C, R>(
            &mut self,
            cell: &C,
            runner: Runner<'_>,
            origin: Origin,
            run: impl FnOnce() -> R,
        ) -> R {
            let Some(active) = &mut self.0 else {
                return with_frame::<T, _, _>(cell, runner, origin, run);
            };
            let entered = EnteredSpan::enter(&active.span, cell);
            active.outcome = Outcome::Panicked;
            let result = with_frame::<T, _, _>(cell, runner, origin, run);
            active.outcome = Outcome::Cancelled;
            // Dropped explicitly: if a destructor panics after the return value is written, the return value leaks.
            drop(entered);
            result
        }

        pub(crate) fn succeed(&mut self) {
            if let Some(active) = &mut self.0 {
                active.outcome = Outcome::Succeeded(active.elapsed());
            }
        }

        pub(crate) fn fail<E>(&mut self) {
            if let Some(active) = &mut self.0 {
                active.outcome = Outcome::Failed(active.elapsed(), type_name::<E>());
            }
        }

        /// Emits the event and closes the span now.
        pub(crate) fn emit(self) {}
    }

    impl Active {
        /// Reads the clock.
        fn elapsed(&self) -> Option<Duration> {
            self.began.map(|began| began.elapsed())
        }

        fn emit(&self) {
            let span = &*self.span.0;
            let since_began = || self.elapsed().map(debug);
            let shown = |duration: Option<Duration>| duration.map(debug);
            match self.outcome {
                Outcome::Cancelled => {
                    tracing::warn!(target: TARGET, parent: span, duration = since_began(), "the initializer was cancelled");
                }
                Outcome::Panicked => {
                    tracing::error!(target: TARGET, parent: span, duration = since_began(), "the initializer panicked");
                }
                Outcome::Succeeded(duration) => {
                    tracing::debug!(target: TARGET, parent: span, duration = shown(duration), "initialized");
                }
                Outcome::Failed(duration, error) => {
                    tracing::warn!(
                        target: TARGET, parent: span, duration = shown(duration), error, "the initializer failed"
                    );
                }
            }
        }
    }

    impl Drop for InitSpan {
        fn drop(&mut self) {
            // The span closes after the event, even if emitting the event panics.
            if let Some(active) = self.0.take() {
                call_subscriber_in_drop(|| active.emit());
            }
        }
    }

    /// Closes its span when it is dropped.
    struct OwnedSpan(
        // A panic in the initializer cannot leave the span in a broken state.
        AssertUnwindSafe<Span>,
    );

    impl Drop for OwnedSpan {
        fn drop(&mut self) {
            let span = mem::replace(&mut *self.0, Span::none());
            call_subscriber_in_drop(|| drop(span));
        }
    }

    /// Exits the span of an attempt when it is dropped.
    struct EnteredSpan<'a, C> {
        entered: Option<Entered<'a>>,
        cell: &'a C,
    }

    impl<'a, C> EnteredSpan<'a, C> {
        fn enter(span: &'a OwnedSpan, cell: &'a C) -> Self {
            let entered = with_subscriber_frame(cell, || call_subscriber(|| span.0.enter()));
            Self {
                entered: Some(entered),
                cell,
            }
        }
    }

    impl<C> Drop for EnteredSpan<'_, C> {
        fn drop(&mut self) {
            let entered = self.entered.take();
            call_subscriber_in_drop(|| with_subscriber_frame(self.cell, || drop(entered)));
        }
    }

    /// Whether the event of a waiter that starts to wait was emitted.
    pub(crate) struct WaitEvent {
        is_emitted: bool,
    }

    impl WaitEvent {
        pub(crate) const NOT_EMITTED: Self = Self { is_emitted: false };
        pub(crate) const EMITTED: Self = Self { is_emitted: true };

        /// Returns whether the event was emitted, even if the subscriber panicked.
        pub(crate) fn is_emitted(&self) -> bool {
            self.is_emitted
        }

        /// Emits the event for a `T`, unless it was emitted before.
        pub(crate) fn emit<T>(&mut self) {
            if !self.is_emitted {
                self.is_emitted = true;
                if !is_in_subscriber() {
                    call_subscriber(|| tracing::trace!(target: TARGET, value = type_name::<T>(), "waiting"));
                }
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod untraced {
    use crate::deadlock::{Origin, Runner, with_frame};

    pub(crate) struct AttemptCount;

    impl AttemptCount {
        pub(crate) const NONE: Self = Self;
    }

    pub(crate) struct InitSpan;

    impl InitSpan {
        pub(crate) const NONE: Self = Self;

        #[inline(always)]
        pub(crate) fn begin<T, C>(&mut self, _cell: &C, _attempts: &AttemptCount) {}

        #[inline(always)]
        pub(crate) fn take(&mut self) -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn run<T, C, R>(
            &mut self,
            cell: &C,
            runner: Runner<'_>,
            origin: Origin,
            run: impl FnOnce() -> R,
        ) -> R {
            with_frame::<T, _, _>(cell, runner, origin, run)
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
        pub(crate) fn is_emitted(&self) -> bool {
            false
        }

        #[inline(always)]
        pub(crate) fn emit<T>(&mut self) {}
    }
}
