//! Mistakes in how wakers are stored, woken and dropped.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use oncelot::{
    backend::{Backend, State},
    testing::optional,
};

use super::{
    Broken, Mistake, assert_caught, assert_panics,
    outsider::{Ticket, wake_all},
    settle,
};

#[test]
fn wakers_that_are_woken_before_the_state_is_settled() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn publish(backend: &Broken<Self>) {
            let woken = backend.inner.lock().remove(|_| true);
            wake_all(woken);
            settle(backend, State::Ready, wake_all);
        }
    }
    assert_caught(
        optional::wakers_may_look_at_the_state::<Broken<Mistaken>>,
        "rule 5",
        "found `state` and `is_ready` to be (Initializing, false)",
    );
}

#[test]
fn wakers_that_are_woken_under_the_lock() {
    struct Mistaken;
    impl Mistake for Mistaken {
        /// Says what would happen in the place of doing it.
        fn state(backend: &Broken<Self>) -> State {
            backend.inner.0.try_lock().expect("a deadlock").state
        }

        fn publish(backend: &Broken<Self>) {
            let mut inner = backend.inner.lock();
            inner.state = State::Ready;
            let woken = inner.remove(|_| true);
            wake_all(woken);
        }
    }
    assert_panics(
        optional::wakers_may_look_at_the_state::<Broken<Mistaken>>,
        "a deadlock",
    );
    assert_panics(
        optional::wakers_may_reenter_when_woken::<Broken<Mistaken>>,
        "a deadlock",
    );
}

#[test]
fn a_panic_that_keeps_the_others_asleep() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn publish(backend: &Broken<Self>) {
            settle(backend, State::Ready, |woken| {
                woken.into_iter().for_each(Waker::wake)
            });
        }
    }
    assert_caught(
        optional::wakers_may_panic_when_woken::<Broken<Mistaken>>,
        "rule 5",
        "when `publish` was called and wakers panicked",
    );
}

#[test]
fn a_panic_that_goes_no_further() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn publish(backend: &Broken<Self>) {
            settle(backend, State::Ready, |woken| {
                for waker in woken {
                    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
                }
            });
        }
    }
    assert_caught(
        optional::wakers_may_panic_when_woken::<Broken<Mistaken>>,
        "rule 6",
        "wakers panicked when `publish` was called, and the panic did not propagate",
    );
}

#[test]
fn a_cancellation_that_leaves_the_waker() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn cancel(_: &Broken<Self>, _: Pin<&mut Ticket>) {}
    }
    assert_caught(
        optional::cancelling_drops_the_waker::<Broken<Mistaken>>,
        "rule 7",
        "a cancelled waiter of 1 has left its waker behind",
    );
}

#[test]
fn a_registration_that_is_made_at_each_poll() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_wait(backend: &Broken<Self>, mut ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
            ticket.id = None;
            // SAFETY: the caller keeps the contract.
            unsafe { backend.inner.poll_wait(ticket, cx) }
        }
    }
    assert_caught(
        optional::a_waiter_keeps_one_waker::<Broken<Mistaken>>,
        "rule 7",
        "a waiter that was polled five times keeps 5 wakers",
    );
    assert_caught(
        optional::moving_to_another_task_drops_the_waker::<Broken<Mistaken>>,
        "rule 7",
        "the waker of the former task of a waiter that had moved was not dropped",
    );
}

#[test]
fn a_release_that_wakes_passive_waiters() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn release(backend: &Broken<Self>) {
            let mut inner = backend.inner.lock();
            inner.state = State::Uninit;
            let woken = inner.remove(|_| true);
            drop(inner);
            wake_all(woken);
        }
    }
    assert_caught(
        optional::failures_do_not_touch_passive_waiters::<Broken<Mistaken>>,
        "rule 8",
        "`release` woke a passive waiter",
    );
}

#[test]
fn waiters_that_are_woken_newest_first() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn publish(backend: &Broken<Self>) {
            settle(backend, State::Ready, |woken| {
                wake_all(woken.into_iter().rev().collect())
            });
        }
    }
    assert_caught(
        optional::each_kind_is_woken_oldest_first::<Broken<Mistaken>>,
        "the order",
        "were woken in this order",
    );
}

#[test]
fn a_release_that_reverses_the_passive_waiters() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn release(backend: &Broken<Self>) {
            settle(backend, State::Uninit, |woken| {
                backend.inner.lock().waiters.reverse();
                wake_all(woken);
            });
        }
    }
    assert_caught(
        optional::each_kind_is_woken_oldest_first::<Broken<Mistaken>>,
        "the order",
        "those of the kind Passive were woken in this order, as `publish` was called: [1, 0]",
    );
}

#[test]
fn a_cancelled_waiter_whose_place_the_newest_one_takes() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn cancel(backend: &Broken<Self>, ticket: Pin<&mut Ticket>) {
            let place = backend.inner.lock().place_of(&ticket);
            let gone = place.map(|place| backend.inner.lock().waiters.swap_remove(place));
            drop(gone);
        }
    }
    assert_caught(
        optional::a_cancelled_waiter_leaves_the_others_in_order::<Broken<Mistaken>>,
        "the order",
        "were woken in this order, as `publish` was called: [4, 1, 2, 3]",
    );
}

#[test]
fn waiters_that_wake_each_other() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_wait(backend: &Broken<Self>, ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
            let woken = backend.inner.lock().remove(|_| true);
            wake_all(woken);
            // SAFETY: the caller keeps the contract.
            unsafe { backend.inner.poll_wait(ticket, cx) }
        }
    }
    assert_caught(
        optional::registering_wakes_no_waiter::<Broken<Mistaken>>,
        "`Backend::poll_wait`",
        "of 5 waiters these were woken when others registered",
    );
}
