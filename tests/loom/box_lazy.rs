//! Boxed futures with wakers of their own. The lazy shares its state with the wakers in an `Arc`, which loom watches.

use std::task::Waker;

use loom::thread;

use super::{
    lazy::{LazyHarness, Plan, Sleeper, panicking_at_the_second_poll, with_lazy_harness, with_plan},
    support::{Harness, both, bounded, exhaustive},
};
use crate::BoxLazy;

type Sleeping = BoxLazy<'static, u32>;

/// A lazy whose future sleeps until the events of the plan have come.
fn sleeping(plan: &'static Plan) -> Sleeping {
    let lazy = BoxLazy::boxed(Sleeper { plan });
    // Makes loom create its atomic before the threads begin.
    assert_eq!(lazy.try_get(), None);
    lazy
}

fn with_boxed(harness: &'static Harness, plan: Plan, model: impl FnOnce(&'static LazyHarness<Sleeping>)) {
    with_plan(plan, |plan| {
        let lazy = sleeping(plan);
        with_lazy_harness(LazyHarness { harness, lazy, plan }, model);
    });
}

/// A wake of a boxed future that meets a poll is not lost, and the task that polls next sees the event.
///
/// Risk: the poll has not seen the event, and the waker finds no future asleep; or the next poll does not see it
/// either, as the waker has written nothing that the poll reads.
#[test]
fn a_wake_meets_a_poll() {
    bounded(3, |harness| {
        with_boxed(harness, Plan::new(1), LazyHarness::model_a_wake_against_a_poll)
    });
}

/// A waiter that has polled the boxed future, and is held without being polled, blocks no other waiter.
#[test]
fn a_waiter_that_is_held_blocks_no_other() {
    bounded(3, |harness| {
        with_boxed(harness, Plan::new(1), LazyHarness::model_a_waiter_that_is_held)
    });
}

/// Two wakers of a boxed future that are woken together release the claim once, and the poll sees both events.
#[test]
fn two_wakers_meet_one_waiter() {
    bounded(1, |harness| {
        with_boxed(harness, Plan::new(2), LazyHarness::model_two_wakers)
    });
}

/// A waiter that the waker of a boxed future polls, on the thread of the event, resumes the future while another waiter
/// polls it.
#[test]
fn a_wake_that_polls_meets_another_waiter() {
    bounded(1, |harness| {
        with_boxed(harness, Plan::new(2), LazyHarness::model_a_wake_that_polls)
    });
}

/// When a boxed future panics, the other waiters panic too, and wakes have no effect.
#[test]
fn when_the_future_panics_the_other_waiter_panics() {
    bounded(2, |harness| {
        with_boxed(
            harness,
            panicking_at_the_second_poll(),
            LazyHarness::model_a_panic,
        )
    });
}

/// Plays with a lazy whose waiter has polled the future and was dropped, and with the only waker of the future.
fn with_a_waker(harness: &'static Harness, model: impl FnOnce(Sleeping, Waker, &'static Plan)) {
    with_plan(Plan::new(1), |plan| {
        let lazy = sleeping(plan);
        harness.waiting(lazy.get()).cancel();
        model(lazy, plan.take_waker(), plan);
    });
}

/// A waker that outlives the lazy can be woken while the lazy is dropped, and the last of the two frees what they share.
///
/// Risk: the waker releases a claim in memory that was freed; or the thread that frees the memory does not see the last
/// access of the other one.
#[test]
fn a_waker_outlives_the_lazy() {
    exhaustive(|harness| {
        with_a_waker(harness, |lazy, waker, _| {
            // A wake by value drops the waker.
            both(|| drop(lazy), || waker.wake());
        });
    });
}

/// Wakers on two threads outlive the lazy: one is woken and one is cloned and dropped, after the lazy was.
#[test]
fn two_wakers_outlive_the_lazy() {
    exhaustive(|harness| {
        with_a_waker(harness, |lazy, waker, _| {
            let other = waker.clone();
            let drop_lazy_and_waker = || {
                drop(lazy);
                drop(other.clone());
                drop(other);
            };
            both(drop_lazy_and_waker, move || waker.wake_by_ref());
        });
    });
}

/// A lazy that is taken apart while its waker is woken keeps the future, whose next lazy has a waker of its own.
#[test]
fn a_wake_meets_into_parts() {
    exhaustive(|harness| {
        with_a_waker(harness, |lazy, waker, plan| {
            let waking = thread::spawn(|| waker.wake());
            let next = BoxLazy::new(lazy.into_parts().expect_err("the future is pending"));
            let task = harness.waiting(next.get());
            waking.join().unwrap();
            assert_eq!(task.wakes(), 0);
            plan.announce(0);
            assert_eq!(*task.run(), 7);
            // The waker of the last poll refers to the second lazy.
            drop(plan.take_waker());
        });
    });
}
