//! A conformance suite for implementations of [`Backend`](crate::Backend).
//!
//! [`conformance_tests!`](crate::conformance_tests) generates a `#[test]` for every property, so that the test runner
//! names those that fail:
//!
//! ```
//! # /*
//! #[cfg(test)]
//! mod conformance {
//!     oncelot::conformance_tests!(crate::MyBackend);
//! }
//! # */
//! # mod conformance { oncelot::conformance_tests!(oncelot::backend::Intrusive); }
//! ```
//!
//! A property is a plain function. It panics if the backend does not have the property, and the message names the violated rule
//! of the documentation of `Backend`.
//!
//! | module | properties | exceptions |
//! |---|---|---|
//! | [`soundness`] | the state machine and rules 1 to 4 | none: cells would be unsound |
//! | [`liveness`] | rules 5 and 9 | none: tasks would hang, or wait for more than one attempt |
//! | [`cells`] | the behavior of a cell with this backend | none |
//! | [`optional`] | rules 6 to 8, and further guarantees of the methods | single properties, if documented |
//!
//! Exceptions are named, and each name is checked to be one of [`optional`]:
//!
//! ```
//! # mod conformance {
//! oncelot::conformance_tests!(
//!     oncelot::backend::Intrusive,
//!     except [wakers_may_reenter_when_woken, each_kind_is_woken_oldest_first]
//! );
//! # }
//! ```
//!
//! # Limits
//!
//! No property waits for a thread or a task: a lost wakeup is detected by counting wakes, and fails. Only a backend that blocks
//! in its own calls can hang, such as a backend that runs wakers under a lock; the test runner then reports the name of the
//! test. No property depends on timing.
//!
//! Wakers re-enter the backend on the thread of the property only: a backend that wakes on a thread of its own is not
//! re-entered there.
//!
//! The properties with threads race for a bounded number of steps. They find errors that occur often. To find rare errors, and
//! orderings that are too weak for other processors, run them under Miri, a thread sanitizer, or a model checker. Under Miri they
//! race for fewer rounds.

pub mod cells;
pub mod liveness;
pub mod optional;
pub mod soundness;

mod claim;
mod parts;
mod rule;
mod threads;
mod waiter;

/// Generates a `#[test]` for every property in [`testing`](crate::testing), to test a backend.
///
/// The arguments are the type of the backend, and the properties of [`testing::optional`](crate::testing::optional) that are
/// not tested because the documentation of the backend excludes them. For several backends, call the macro in several modules.
///
/// The backend must be `Sync` and `'static`, and its [`Waiter`](crate::Backend::Waiter) must be `Send`. For a backend that is
/// not `Sync`, write `: !Sync` after its type. The properties that need several threads are then omitted.
///
/// # Examples
///
/// ```
/// mod intrusive {
///     oncelot::conformance_tests!(oncelot::backend::Intrusive);
/// }
/// mod local {
///     oncelot::conformance_tests!(oncelot::backend::Local: !Sync);
/// }
/// ```
///
/// A backend that is `Sync` is tested with threads:
///
/// ```compile_fail,E0283
/// oncelot::conformance_tests!(oncelot::backend::Intrusive: !Sync);
/// ```
///
/// Soundness has no exceptions:
///
/// ```compile_fail
/// oncelot::conformance_tests!(oncelot::backend::Intrusive, except [publishing_is_final]);
/// ```
#[macro_export]
macro_rules! conformance_tests {
    ($backend:ty: !Sync $(, except [$($exception:ident),* $(,)?])? $(,)?) => {
        // For a type that is `Sync`, it is ambiguous which of the implementations is meant.
        const _: fn() = {
            trait IsNotSync<Case> {
                fn check() {}
            }
            struct IsSync;
            impl<T> IsNotSync<()> for T {}
            impl<T: Sync> IsNotSync<IsSync> for T {}
            <$backend as IsNotSync<_>>::check
        };
        $crate::__oncelot_suite! { [$backend: !Sync] $backend, [$($($exception)*)?] }
    };
    ($backend:ty $(, except [$($exception:ident),* $(,)?])? $(,)?) => {
        $crate::__oncelot_suite! { [$backend] $backend, [$($($exception)*)?] }
    };
}

/// Both forms of [`conformance_tests!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __oncelot_suite {
    ($subject:tt $backend:ty, [$($exception:ident)*]) => {
        // An exception is the name of an optional property.
        $(const _: fn() = $crate::testing::optional::$exception::<$backend>;)*
        $crate::__oncelot_properties! {
            ($crate::__oncelot_tests) $subject [$($exception)*]
        }
    };
}

/// Passes the names of all properties to a macro, after the other tokens. `: Sync` follows the names of the properties that need
/// several threads.
#[doc(hidden)]
#[macro_export]
macro_rules! __oncelot_properties {
    (($($macro:tt)*) $($given:tt)*) => {
        $($macro)*! {
            $($given)*
            soundness::uninit_is_uninit
            soundness::ready_is_ready
            soundness::a_claim_excludes_others
            soundness::publishing_is_final
            soundness::releasing_makes_room_for_the_next_claim
            soundness::threads_never_share_a_claim: Sync
            soundness::threads_see_what_was_released: Sync
            soundness::threads_see_what_was_published: Sync
            soundness::a_claim_may_change_threads: Sync
            soundness::a_cancelled_waiter_is_not_touched
            soundness::a_settled_waiter_is_not_touched
            soundness::threads_do_not_touch_a_cancelled_waiter: Sync
            soundness::leaked_waiters_may_outlive_the_backend

            liveness::a_value_wakes_every_waiter
            liveness::a_failure_wakes_every_claimant
            liveness::no_waiter_waits_for_a_past_event
            liveness::waiting_comes_to_rest
            liveness::spurious_polls_are_harmless
            liveness::the_newest_waker_is_woken
            liveness::cancelling_loses_no_wakeup
            liveness::cancelling_a_woken_waiter_loses_no_wakeup
            liveness::a_wake_reserves_nothing
            liveness::a_waiter_can_wait_again
            liveness::cancelling_is_idempotent
            liveness::passive_waiters_outlast_failures
            liveness::an_attempt_in_progress_is_waited_for
            liveness::the_end_of_an_attempt_is_not_missed
            liveness::threads_lose_no_wakeup: Sync
            liveness::threads_leave_no_claimant_asleep: Sync
            liveness::threads_see_the_end_of_their_attempt: Sync

            cells::a_value_is_shared
            cells::an_error_passes_the_turn_on
            cells::a_panic_passes_the_turn_on
            cells::a_dropped_initializer_passes_the_turn_on
            cells::a_failed_attempt_is_shared
            cells::a_panicked_attempt_is_shared
            cells::a_dropped_attempt_is_shared
            cells::a_cell_is_set_once
            cells::one_initializer_runs
            cells::initializers_run_until_one_succeeds
            cells::the_first_waiter_that_is_polled_is_next
            cells::waiting_gets_the_value_and_never_makes_it
            cells::a_shared_call_waits_for_one_attempt
            cells::a_ready_cell_registers_no_waiter
            cells::a_cell_starts_afresh_after_take
            cells::threads_fill_a_cell_once: Sync
            cells::threads_take_their_turns: Sync
            cells::threads_share_attempts: Sync

            optional::each_kind_is_woken_oldest_first
            optional::a_cancelled_waiter_leaves_the_others_in_order

            optional::registering_wakes_no_waiter
            optional::cancelling_wakes_no_waiter
            optional::failures_do_not_touch_passive_waiters

            optional::cancelling_drops_the_waker
            optional::moving_to_another_task_drops_the_waker
            optional::a_waiter_keeps_one_waker
            optional::waking_drops_the_waker
            optional::dropping_the_backend_drops_all_wakers

            optional::wakers_may_look_at_the_state
            optional::wakers_may_reenter_when_woken
            optional::wakers_may_reenter_when_cloned
            optional::wakers_may_settle_the_state_when_cloned
            optional::wakers_may_reenter_when_dropped

            optional::wakers_may_panic_when_woken
            optional::wakers_may_panic_when_cloned
            optional::wakers_may_panic_when_dropped
        }
    };
}

/// The tests of [`conformance_tests!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __oncelot_tests {
    ($subject:tt $exceptions:tt $($module:ident::$property:ident $(: $sync:ident)?)*) => {
        $($crate::__oncelot_test!($subject $exceptions $module::$property $(: $sync)?);)*
    };
}

/// One test of [`conformance_tests!`], unless it is among the exceptions, or needs several threads and the backend is not `Sync`.
#[doc(hidden)]
#[macro_export]
macro_rules! __oncelot_test {
    ([$backend:ty: !Sync] $exceptions:tt $module:ident::$property:ident: Sync) => {};
    ([$backend:ty $(: !Sync)?] [$($exception:ident)*] $module:ident::$property:ident $(: Sync)?) => {
        // The first arm that matches is used. For an exception, it expands to nothing.
        macro_rules! __oncelot_unless_excepted {
            $(($exception) => {};)*
            ($property) => {
                #[test]
                fn $property() {
                    $crate::testing::$module::$property::<$backend>();
                }
            };
        }
        __oncelot_unless_excepted!($property);
    };
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    macro_rules! names {
        ($($module:ident::$property:ident $(: Sync)?)*) => {
            Vec::from([$(stringify!($property)),*])
        };
    }

    // Without the feature `testing`, the unit tests run the suite. With it, `tests/backends.rs` runs the suite on every backend.
    #[cfg(not(feature = "testing"))]
    mod intrusive {
        crate::conformance_tests!(crate::backend::Intrusive);
    }
    #[cfg(not(feature = "testing"))]
    mod local {
        crate::conformance_tests!(crate::backend::Local: !Sync);
    }

    #[test]
    fn no_property_is_forgotten() {
        let sources = [
            include_str!("testing/soundness.rs"),
            include_str!("testing/liveness.rs"),
            include_str!("testing/cells.rs"),
            include_str!("testing/optional.rs"),
        ];
        let written: Vec<_> = sources
            .iter()
            .flat_map(|source| source.lines())
            .filter_map(|line| line.strip_prefix("pub fn ")?.split('<').next())
            .collect();
        assert_eq!(crate::__oncelot_properties! { (names) }, written);
    }
}
