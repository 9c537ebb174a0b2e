//! Models of the backend `AtomicWaker`.
//!
//! loom does not instrument the crate `atomic-waker`: each call is a single step, except that other threads may run
//! while a registration clones its waker. The models cover how the backend uses these calls, the state, and the
//! exclusion of the tasks that enter the slot. They do not cover the orderings inside that crate.
//!
//! Two tasks that wait would wake each other forever. If a model has two, it polls each of them a few times while the
//! other threads run, and once more after those have stopped: by then the task must have been woken.

use loom::thread;

use super::{
    shadowed::Shadowed,
    support::{self, Failed, Task, both, bounded_on, exhaustive_on},
};
use crate::{State, backend::AtomicWaker};

type Harness = support::Harness<Shadowed<AtomicWaker, true>>;

fn exhaustive(model: impl Fn(&'static Harness) + Send + Sync + 'static) {
    exhaustive_on(model);
}

fn bounded(preemptions: usize, model: impl Fn(&'static Harness) + Send + Sync + 'static) {
    bounded_on(preemptions, model);
}

/// Concurrent claimants get the same value, and one initializer runs.
///
/// Risk: B finds INITIALIZING; A publishes and finds the slot empty; B enters it and sleeps.
#[test]
fn two_claimants_get_the_value_of_one() {
    exhaustive(|harness| {
        let (mine, other) = both(
            || harness.run(harness.get_or_init(2)),
            || harness.run(harness.get_or_init(1)),
        );
        assert_eq!((mine, harness.runs()), (other, 1));
    });
}

/// When an initializer fails, another claimant takes over.
#[test]
fn after_a_failure_the_other_claimant_takes_over() {
    exhaustive(|harness| harness.model_a_claimant_beside_a_failing_one());
}

/// Initializers that fail one after the other do not race, although only the cell orders them.
///
/// Risk: A rolls back to UNINIT, and B claims without having acquired what A's initializer did.
#[test]
fn failed_initializers_do_not_race() {
    exhaustive(|harness| harness.model_two_failing_claimants());
}

/// Of two `set`s one wins, and a task that sees READY sees its value.
#[test]
fn of_two_sets_one_wins() {
    bounded(4, |harness| {
        let others = [1, 2].map(|value| thread::spawn(move || harness.cell.set(value).is_ok()));
        let seen = harness.cell.get().copied();
        let [first, second] = others.map(|other| other.join().unwrap());
        assert_ne!(first, second);
        let winner = if first { 1 } else { 2 };
        assert!(seen.is_none_or(|seen| seen == winner));
        assert_eq!(harness.cell.get(), Some(&winner));
    });
}

/// A claim that is refused because there is a value sees the value.
///
/// Risk: A publishes READY; B's compare-and-swap fails without having acquired what A wrote.
#[test]
fn a_refused_claim_sees_the_value() {
    exhaustive(|harness| {
        let set = thread::spawn(|| harness.cell.set(1).is_ok());
        let found = harness.cell.try_claim().err();
        if found == Some(State::Ready) {
            // SAFETY: the cell holds a value.
            assert_eq!(*unsafe { harness.cell.get_unchecked() }, 1);
        }
        assert!(set.join().unwrap() || found.is_none());
    });
}

/// A claimant that registers while the value is being published gets it.
///
/// Risk: A finds INITIALIZING; B publishes and finds the slot empty; A enters it and sleeps.
#[test]
fn a_claimant_registers_against_a_publication() {
    exhaustive(|harness| assert_eq!(harness.newcomer_against(Ok(1), harness.get_or_init(2)), 1));
}

/// A claimant that registers while the initializer is failing takes over.
#[test]
fn a_claimant_registers_against_a_failure() {
    exhaustive(|harness| {
        assert_eq!(harness.newcomer_against(Err(Failed), harness.get_or_init(1)), 1);
        assert_eq!(harness.runs(), 2);
    });
}

/// A passive waiter that a failure woke keeps waiting for the value.
///
/// Risk: A is on its way back into the slot when B publishes.
#[test]
fn a_passive_waiter_outlasts_a_failure() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let waiter = thread::spawn(|| *harness.run(harness.cell.wait()));
        claim.end(Err(Failed));
        assert_eq!(harness.cell.set(1), Ok(()));
        assert_eq!(waiter.join().unwrap(), 1);
    });
}

/// `wait` gets the value of a `set`, although no initializer was running when it registered.
///
/// Risk: A enters the slot while the cell is empty, and B claims and publishes past it.
#[test]
fn wait_gets_what_is_set() {
    exhaustive(|harness| {
        let (set, value) = both(|| harness.cell.set(1), || *harness.run(harness.cell.wait()));
        assert_eq!((set, value), (Ok(()), 1));
    });
}

/// A waiter that has moved to another task is woken there, or finds the value.
#[test]
fn the_newest_waker_is_woken() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let moving = harness.waiting(harness.get_or_init(2));
        assert_eq!(claim.end_beside(Ok(1), || moving.migrate().run()), 1);
    });
}

/// Two waiters that displace each other both get the value.
///
/// Risk: A and B are on their way into the slot at once; or A has taken B's waker out of it, and has not yet woken
/// it, when C publishes.
#[test]
fn two_waiters_displace_each_other_against_a_publication() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let claimant = thread::spawn(|| harness.task(harness.get_or_init(2)).run_for(2));
        let passive = thread::spawn(|| harness.task(harness.cell.wait()).run_for(2));
        claim.end(Ok(1));
        let (claimant, passive) = (claimant.join().unwrap(), passive.join().unwrap());
        assert_eq!(claimant.unwrap_or_else(Task::end), 1);
        assert_eq!(*passive.unwrap_or_else(Task::end), 1);
    });
}

/// Two claimants that displace each other are both woken by a failure: neither depends on the other.
#[test]
fn two_claimants_displace_each_other_against_a_failure() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let waiters = [1, 2].map(|value| {
            let task = harness.task(harness.get_or_init(value));
            thread::spawn(|| task.run_for(2))
        });
        claim.end(Err(Failed));
        let [first, second] = waiters.map(|waiter| waiter.join().unwrap());
        let first = first.unwrap_or_else(Task::end);
        assert_eq!(second.unwrap_or_else(Task::end), first);
        assert_eq!(harness.runs(), 2);
    });
}

/// A waiter that displaces a sleeping one leaves it woken.
///
/// Risk: A is woken for having been displaced, is polled, and B publishes before it is in the slot.
#[test]
fn a_sleeping_waiter_is_displaced_against_a_publication() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let sleeping = harness.waiting(harness.cell.wait());
        let displacing = claim.end_beside(Ok(1), || harness.task(harness.get_or_init(2)).run_for(2));
        assert_eq!(*sleeping.end(), 1);
        assert_eq!(displacing.unwrap_or_else(Task::end), 1);
    });
}

/// A waiter that is dropped during a publication leaves nothing behind, and the other one is woken.
///
/// Risk: A empties the slot, in which B's waker is, and has not yet woken it when C publishes.
#[test]
fn cancel_against_publication() {
    bounded(4, |harness| {
        let claim = harness.claim();
        let [gone, left] = harness.two_claimants();
        let cancel = thread::spawn(|| gone.cancel());
        let left = thread::spawn(|| left.run_for(2));
        claim.end(Ok(1));
        cancel.join().unwrap();
        assert_eq!(left.join().unwrap().unwrap_or_else(Task::end), 1);
    });
}

/// A waiter that is dropped during a failure leaves no other claimant asleep.
#[test]
fn cancel_against_failure() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let [left, gone] = harness.two_claimants();
        claim.end_beside(Err(Failed), || gone.cancel());
        assert_eq!(left.end(), 2);
    });
}

/// A task that registers while another waiter is dropped is woken.
///
/// Risk: A empties the slot that B has just entered.
#[test]
fn cancel_against_registration() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let gone = harness.waiting(harness.get_or_init(2));
        let register = || harness.waiting(harness.get_or_init(3));
        let (registered, ()) = both(register, || gone.cancel());
        claim.end(Ok(1));
        assert_eq!(registered.end(), 1);
    });
}

/// A shared call returns after the attempt that it waits for, although the next one has begun.
#[test]
fn a_shared_call_does_not_wait_for_the_next_attempt() {
    exhaustive(|harness| harness.model_a_shared_call_beside_the_next_attempt());
}

/// A shared call that waits for the next attempt is not ended by the wake of the one before.
///
/// Risk: A has released the claim and not yet emptied the slot; B claims and C enters the slot; A wakes C.
#[test]
fn a_late_wake_does_not_end_the_next_attempt() {
    exhaustive(|harness| harness.model_the_end_of_an_attempt_against_the_next(harness.claim()));
}

/// A shared call that waits for a value gets it, also if it is polled spuriously.
#[test]
fn a_shared_call_waits_for_a_publication() {
    exhaustive(|harness| {
        assert_eq!(
            harness.waiter_against(Ok(1), harness.get_or_init_shared(2)),
            Ok(1)
        )
    });
}

/// A thread gets the value that a task makes.
///
/// Risk: the value is published when the thread is on its way into the slot, or about to park.
#[cfg(feature = "blocking")]
#[test]
fn a_thread_gets_the_value_of_a_task() {
    exhaustive(|harness| harness.model_the_value_of_a_task());
}

/// When an initializer fails, a thread that waits takes over.
#[cfg(feature = "blocking")]
#[test]
fn a_thread_takes_over() {
    exhaustive(|harness| harness.model_a_takeover());
}

/// A thread whose time runs out leaves the slot to the task that it has displaced.
///
/// Risk: A empties the slot, in which B's waker is, and has not yet woken it when C publishes.
#[cfg(feature = "blocking")]
#[test]
fn a_thread_whose_time_runs_out_against_a_publication() {
    exhaustive(|harness| harness.model_a_time_out_beside_a_task());
}
