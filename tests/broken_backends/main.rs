//! Tests of the conformance suite: it must reject backends that have one fault each, and each property must reject at least one
//! of them.

#[path = "../../examples/custom_backend/locked.rs"]
mod locked;
#[path = "../util/mod.rs"]
mod util;

mod broken;

use std::panic::catch_unwind;

use broken::Broken;
use oncelot::testing::{cells, liveness, optional, soundness};
use util::message;

/// Declares [`Fault`] and generates a `#[test]` for each fault, in which each property listed must panic. The message of the panic
/// must begin with the first text, which is the rule of `Backend` or what the backend itself panics with, and contain the second.
macro_rules! faults {
    ($(
        $(#[$doc:meta])*
        $fault:ident { $($module:ident::$property:ident: $rule:literal, $how:literal;)+ }
    )+) => {
        /// How a backend is broken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault {
            Absent,
            $($(#[$doc])* $fault,)+
        }

        impl Fault {
            pub(crate) const ALL: &[Self] = &[Self::Absent, $(Self::$fault),+];
        }

        /// The properties that reject a fault.
        const REJECTING: &[&str] = &[$($(stringify!($property)),+),+];

        #[allow(non_snake_case, reason = "the tests have the names of the faults")]
        mod rejects {
            use super::*;

            $(#[test] fn $fault() {
                type Backend = Broken<{ Fault::$fault as usize }>;
                $(assert_rejects($module::$property::<Backend>, stringify!($property), $rule, $how);)+
            })+
        }
    };
}

faults! {
    // Soundness.

    ClaimFailsSpuriously {
        soundness::uninit_is_uninit: "the state machine", "`Err(Uninit)` in Uninit";
        cells::a_cell_is_set_once: "the state machine", "`set` fails on an empty cell";
    }
    ClaimIsGivenTwice {
        soundness::a_claim_excludes_others: "rule 1", "`try_claim` returned `Ok` in Initializing";
        cells::one_initializer_runs: "rule 1", "a cell was given a value, or claimed, during an attempt";
        cells::threads_fill_a_cell_once: "rule 1", "two initializers ran at the same time";
        cells::threads_take_their_turns: "rule 1", "two initializers ran at the same time";
        cells::threads_share_attempts: "rule 1", "two initializers ran at the same time";
    }
    /// The state is read and then changed, in two critical sections.
    ClaimInTwoSteps {
        soundness::threads_never_share_a_claim: "rule 1", "claim";
        soundness::threads_see_what_was_released: "rule 3", "holders of the claim have incremented a counter";
    }
    /// Only the thread that took the claim can end it.
    ClaimStaysOnThread {
        soundness::a_claim_may_change_threads: "the state machine", "Uninit after another thread";
    }
    StateIsReadyEarly {
        soundness::a_claim_excludes_others: "rule 1", "`state` is Ready and not Initializing";
        soundness::threads_see_what_was_published: "rule 2", "a thread saw READY, and of the value [";
    }
    ReadyIsUninit {
        soundness::ready_is_ready: "rule 2", "`state` is Uninit and not Ready";
        cells::a_cell_is_set_once: "rule 2", "a cell that was created with a value does not have it";
        cells::a_ready_cell_registers_no_waiter: "rule 2", "a future of a ready cell";
    }
    PublishIsRelease {
        soundness::publishing_is_final: "rule 2", "`state` is Uninit and not Ready after `publish`";
        cells::one_initializer_runs: "rule 1", "2 initializers were called, and none has failed";
    }
    ReleaseKeepsClaim {
        soundness::releasing_makes_room_for_the_next_claim: "the state machine", "Uninit after `release`";
    }
    SettleWritesToCancelled {
        soundness::a_cancelled_waiter_is_not_touched: "rule 4", "was written after `cancel` had returned";
        soundness::threads_do_not_touch_a_cancelled_waiter: "rule 4", "had returned on another thread";
    }
    PollWritesToSettled {
        soundness::a_settled_waiter_is_not_touched: "rule 4",
            "written after `poll_wait` had returned `Ready`";
    }

    // Lost wakeups.

    PublishForgetsPassive {
        liveness::a_value_wakes_every_waiter: "rule 5", "Passive`, was not woken when `publish`";
        cells::waiting_gets_the_value_and_never_makes_it: "rule 5", "17 of 17 futures stay asleep";
    }
    PublishForgetsClaimants {
        liveness::a_value_wakes_every_waiter: "rule 5", "Claimant`, was not woken when `publish`";
        cells::a_value_is_shared: "rule 5", "1 of 1 futures stay asleep";
    }
    /// Waiters that were leaked, and whose backend was dropped, are woken by the next backend that publishes.
    PublishWakesLeaked {
        cells::a_cell_starts_afresh_after_take: "the state machine", "leaked before `take` was woken";
    }
    ReleaseWakesNone {
        liveness::a_failure_wakes_every_claimant: "rule 5", "waiter 0 of 1, with";
        soundness::leaked_waiters_may_outlive_the_backend: "rule 5", "after others were leaked";
        liveness::threads_leave_no_claimant_asleep: "rule 5", "for the last time, on another thread";
        cells::an_error_passes_the_turn_on: "rule 5", "1 of 1 futures stay asleep";
        cells::a_panic_passes_the_turn_on: "rule 5", "1 of 1 futures stay asleep";
        cells::a_dropped_initializer_passes_the_turn_on: "rule 5", "1 of 1 futures stay asleep";
        cells::a_failed_attempt_is_shared: "rule 5", "1 of 1 futures stay asleep";
        cells::a_panicked_attempt_is_shared: "rule 5", "1 of 1 futures stay asleep";
        cells::a_dropped_attempt_is_shared: "rule 5", "1 of 1 futures stay asleep";
        cells::initializers_run_until_one_succeeds: "rule 5", "1 of 2 futures stay asleep";
        cells::threads_share_attempts: "rule 5", "futures stay asleep";
    }
    ReleaseWakesOne {
        liveness::a_failure_wakes_every_claimant: "rule 5", "waiter 1 of 2, with";
        liveness::cancelling_a_woken_waiter_loses_no_wakeup: "rule 5", "other woken ones were cancelled";
        cells::the_first_waiter_that_is_polled_is_next: "rule 5", "was the only one to be polled";
    }
    /// Every other claimant waits until the oldest one has been polled.
    ReleaseReservesClaim {
        liveness::a_wake_reserves_nothing: "rule 5", "claimant 1 of 5 sleeps on in UNINIT";
    }
    ReleaseDropsPassive {
        liveness::passive_waiters_outlast_failures: "rule 5", "after three failures";
    }
    PollIgnoresState {
        liveness::no_waiter_waits_for_a_past_event: "rule 5", "that was created before sleeps";
        optional::wakers_may_settle_the_state_when_cloned: "rule 5", "Claimant` fell asleep though";
    }
    /// The state is read, and the waiter is then registered, in two critical sections.
    PollInTwoSteps {
        liveness::threads_lose_no_wakeup: "rule 5", "on another thread";
    }
    PassivePollInTwoSteps {
        optional::wakers_may_settle_the_state_when_cloned: "rule 5", "Passive` fell asleep though";
    }
    PollNeverPends {
        liveness::waiting_comes_to_rest: "rule 5", "`poll_wait` never returns `Pending`";
    }
    /// A waiter is not registered, and wakes its task to be polled again.
    PollSpins {
        liveness::no_waiter_waits_for_a_past_event: "rule 5", "that was created before sleeps";
        optional::registering_wakes_no_waiter: "`Backend::poll_wait`", "woken when others registered";
    }
    PollFitsSixteen {
        liveness::a_value_wakes_every_waiter: "no room for another waiter", "";
        optional::wakers_may_panic_when_woken: "no room for another waiter", "";
    }
    /// A waiter that was registered before is not registered again.
    PollRegistersOnce {
        liveness::a_waiter_can_wait_again: "rule 5", "after it had waited before";
    }
    SecondPollUnregisters {
        liveness::spurious_polls_are_harmless: "rule 5", "after spurious polls";
    }
    PollKeepsOlderWaker {
        liveness::the_newest_waker_is_woken: "rule 5", "after some were polled by other tasks";
        cells::a_value_is_shared: "rule 5", "1 of 1 futures stay asleep";
    }
    CancelUnlinksBehind {
        liveness::cancelling_loses_no_wakeup: "rule 5", "after others were cancelled";
    }
    /// A list that a cancellation has emptied takes no waiter again.
    CancelClosesEmptyList {
        liveness::cancelling_loses_no_wakeup: "rule 5", "after others were cancelled";
    }
    /// If the cancelled waiter is not registered, the newest one is removed.
    CancelRemovesNewest {
        liveness::cancelling_is_idempotent: "rule 5", "after another one was cancelled twice";
    }

    // One attempt.

    AttemptIsPolledAsWait {
        liveness::the_end_of_an_attempt_is_not_missed: "rule 9", "and 1 have begun since";
        liveness::threads_see_the_end_of_their_attempt: "rule 9", "returned `Pending` though";
        cells::a_shared_call_waits_for_one_attempt: "rule 9", "a call waits for the attempt that follows";
    }
    AttemptEndsAtOnce {
        liveness::an_attempt_in_progress_is_waited_for: "rule 9", "returned `Ready` while";
        liveness::threads_see_the_end_of_their_attempt: "rule 9", "returned `Ready` while";
        cells::a_value_is_shared: "rule 9", "a call returned before the attempt that it waits for had ended";
    }
    AttemptKeepsOlderWaker {
        liveness::an_attempt_in_progress_is_waited_for: "rule 5", "`poll_attempt` had returned `Pending`";
    }

    // Optional properties.

    WakesBeforeState {
        optional::wakers_may_look_at_the_state: "rule 5", "to be (Initializing, false)";
    }
    WakesUnderLock {
        optional::wakers_may_look_at_the_state: "a deadlock", "";
        optional::wakers_may_reenter_when_woken: "a deadlock", "";
    }
    ClonesUnderLock {
        optional::wakers_may_reenter_when_cloned: "a deadlock", "";
    }
    /// Forgets a registered waiter whose newer waker uses the backend when it is cloned.
    ReentryLosesWaiter {
        optional::wakers_may_reenter_when_cloned: "rule 5", "after wakers had used the backend when cloned";
    }
    DropsUnderLock {
        optional::wakers_may_reenter_when_dropped: "a deadlock", "";
    }
    PanicStrandsWaiters {
        optional::wakers_may_panic_when_woken: "rule 5", "when `publish` was called and wakers panicked";
    }
    PanicOfWakeSwallowed {
        optional::wakers_may_panic_when_woken: "rule 6", "the panic did not propagate";
    }
    PanicOfCloneSwallowed {
        optional::wakers_may_panic_when_cloned: "rule 6", "the panic did not propagate";
    }
    PanicOfCloneLosesWaiters {
        optional::wakers_may_panic_when_cloned: "rule 5", "of another one panicked when cloned";
    }
    PanicOfDropSwallowed {
        optional::wakers_may_panic_when_dropped: "rule 6", "the panic did not propagate";
    }
    CancelDoesNothing {
        optional::cancelling_drops_the_waker: "rule 7", "a cancelled waiter of 1 has left its waker behind";
    }
    CancelKeepsWakerForever {
        optional::dropping_the_backend_drops_all_wakers: "rule 7", "a waker has outlived the backend";
    }
    PollRegistersAgain {
        optional::a_waiter_keeps_one_waker: "rule 7", "a waiter that was polled five times keeps 5 wakers";
        optional::moving_to_another_task_drops_the_waker: "rule 7", "the waker of the former task";
    }
    ReadyPollKeepsWaker {
        optional::waking_drops_the_waker: "rule 7", "that has nothing to wait for";
    }
    ReleaseWakesPassive {
        optional::failures_do_not_touch_passive_waiters: "rule 8", "`release` woke a passive waiter";
    }
    WakesNewestFirst {
        optional::each_kind_is_woken_oldest_first: "the order", "were woken in this order";
    }
    ReleaseReversesPassive {
        optional::each_kind_is_woken_oldest_first: "the order", "Passive were woken in this order";
    }
    /// The newest waiter takes the place of the cancelled one.
    CancelMovesNewest {
        optional::a_cancelled_waiter_leaves_the_others_in_order: "the order", "[4, 1, 2, 3]";
    }
    PollWakesOthers {
        optional::registering_wakes_no_waiter: "`Backend::poll_wait`", "woken when others registered";
    }
    CancelWakesOthers {
        optional::cancelling_wakes_no_waiter: "`Backend::poll_wait`", "woken when others were cancelled";
    }
}

#[track_caller]
fn assert_rejects(property: fn(), name: &str, rule: &str, how: &str) {
    let message =
        catch_unwind(property).map_or_else(|payload| message(&*payload), |()| "it passes".to_owned());
    assert!(
        message.starts_with(rule) && message.contains(how),
        "{name} does not report {rule:?} and {how:?}: {message}"
    );
}

macro_rules! names {
    ($($module:ident::$property:ident $(: Sync)?)*) => {
        [$(stringify!($property)),*]
    };
}

#[test]
fn every_property_rejects_a_fault() {
    let properties = oncelot::__oncelot_properties! { (names) };
    let is_unproven = |property: &&str| !REJECTING.contains(property);
    let unproven: Vec<_> = properties.into_iter().filter(is_unproven).collect();
    assert!(
        unproven.is_empty(),
        "properties that reject no fault: {unproven:?}"
    );
}

/// Without a fault, the suite accepts the backend.
mod absent {
    oncelot::conformance_tests!(crate::Broken<{ crate::Fault::Absent as usize }>);
}
