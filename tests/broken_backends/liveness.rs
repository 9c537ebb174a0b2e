//! Mistakes that leave tasks asleep, or that poll them without end.

use std::{
    pin::Pin,
    sync::atomic::Ordering::SeqCst,
    task::{Context, Poll},
};

use oncelot::{
    backend::{Backend, State, WaiterKind},
    testing::{cells, liveness, optional},
};

use super::{
    Broken, Mistake, assert_caught, assert_panics,
    outsider::{Entry, Ticket, wake_all},
};

#[test]
fn a_publish_that_forgets_passive_waiters() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn publish(backend: &Broken<Self>) {
            let mut inner = backend.inner.lock();
            inner.state = State::Ready;
            let claimants = inner.remove(|entry| entry.kind == WaiterKind::Claimant);
            drop(inner);
            wake_all(claimants);
        }
    }
    assert_caught(
        liveness::a_value_wakes_every_waiter::<Broken<Mistaken>>,
        "rule 5",
        "with `WaiterKind::Passive`, was not woken when `publish` was called",
    );
    assert_caught(
        cells::waiting_gets_the_value_and_never_makes_it::<Broken<Mistaken>>,
        "rule 5",
        "17 of 17 futures stay asleep",
    );
}

#[test]
fn a_release_that_wakes_no_waiter() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn release(backend: &Broken<Self>) {
            backend.inner.lock().state = State::Uninit;
        }
    }
    assert_caught(
        liveness::a_failure_wakes_every_claimant::<Broken<Mistaken>>,
        "rule 5",
        "waiter 0 of 1, with `WaiterKind::Claimant`, was not woken when `release` was called",
    );
    assert_caught(
        cells::inserting_waits_its_turn::<Broken<Mistaken>>,
        "rule 5",
        "`insert` ended with None, and not with Ok(2)",
    );
}

#[test]
fn a_release_that_wakes_one_claimant() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn release(backend: &Broken<Self>) {
            let mut inner = backend.inner.lock();
            inner.state = State::Uninit;
            let is_claimant = |entry: &Entry| entry.kind == WaiterKind::Claimant;
            let oldest = inner.waiters.iter().position(is_claimant);
            let oldest = oldest.map(|index| inner.waiters.remove(index).waker);
            drop(inner);
            wake_all(Vec::from_iter(oldest));
        }
    }
    assert_caught(
        liveness::a_failure_wakes_every_claimant::<Broken<Mistaken>>,
        "rule 5",
        "waiter 1 of 2, with `WaiterKind::Claimant`, was not woken when `release` was called",
    );
    assert_caught(
        liveness::cancelling_a_woken_waiter_loses_no_wakeup::<Broken<Mistaken>>,
        "rule 5",
        "after other woken ones were cancelled",
    );
    assert_caught(
        cells::the_first_waiter_that_is_polled_is_next::<Broken<Mistaken>>,
        "rule 5",
        "was the only one to be polled after a failure, and did not initialize",
    );
}

#[test]
fn a_registration_that_does_not_look_at_the_state() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_wait(backend: &Broken<Self>, mut ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
            let waker = cx.waker().clone();
            let older = backend.inner.lock().put(&mut ticket, waker);
            drop(older);
            Poll::Pending
        }
    }
    assert_caught(
        liveness::no_waiter_waits_for_a_past_event::<Broken<Mistaken>>,
        "rule 5",
        "that was made before sleeps though `publish` was called",
    );
    assert_caught(
        optional::wakers_may_settle_the_state_when_cloned::<Broken<Mistaken>>,
        "rule 5",
        "a waiter with `WaiterKind::Claimant` fell asleep though `publish` was called while its waker was being cloned",
    );
}

#[test]
fn a_passive_registration_that_does_not_look_at_the_state_after_the_clone() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_wait(backend: &Broken<Self>, mut ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
            if ticket.kind == WaiterKind::Passive && backend.inner.state() != State::Ready {
                let waker = cx.waker().clone();
                let older = backend.inner.lock().put(&mut ticket, waker);
                drop(older);
                return Poll::Pending;
            }
            // SAFETY: the caller keeps the contract.
            unsafe { backend.inner.poll_wait(ticket, cx) }
        }
    }
    assert_caught(
        optional::wakers_may_settle_the_state_when_cloned::<Broken<Mistaken>>,
        "rule 5",
        "a waiter with `WaiterKind::Passive` fell asleep though `publish` was called while its waker was being cloned",
    );
}

/// A list that was emptied by a cancellation takes no waiter again.
#[test]
fn a_cancellation_of_the_only_waiter_that_keeps_newcomers_asleep() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_wait(backend: &Broken<Self>, ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
            // SAFETY: the caller keeps the contract.
            let polled = unsafe { backend.inner.poll_wait(ticket, cx) };
            if backend.attempts.load(SeqCst) > 0 {
                drop(backend.inner.lock().remove(|_| true));
            }
            polled
        }

        fn cancel(backend: &Broken<Self>, ticket: Pin<&mut Ticket>) {
            // SAFETY: the caller keeps the contract.
            unsafe { backend.inner.cancel(ticket) };
            if backend.inner.lock().waiters.is_empty() {
                backend.attempts.store(1, SeqCst);
            }
        }
    }
    assert_caught(
        liveness::cancelling_loses_no_wakeup::<Broken<Mistaken>>,
        "rule 5",
        "was not woken when `publish` was called after others were cancelled",
    );
}

#[test]
fn a_wait_that_never_comes_to_rest() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_wait(_: &Broken<Self>, _: Pin<&mut Ticket>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    assert_caught(
        liveness::waiting_comes_to_rest::<Broken<Mistaken>>,
        "rule 5",
        "`poll_wait` never returns `Pending`",
    );
}

/// Asks to be polled again in the place of standing in a list.
#[test]
fn a_wait_that_spins() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_wait(_: &Broken<Self>, _: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
    assert_caught(
        liveness::no_waiter_waits_for_a_past_event::<Broken<Mistaken>>,
        "rule 5",
        "that was made before sleeps though `publish` was called",
    );
    assert_caught(
        optional::registering_wakes_no_waiter::<Broken<Mistaken>>,
        "`Backend::poll_wait`",
        "of 5 waiters these were woken when others registered",
    );
}

#[test]
fn a_list_that_has_no_room_for_more() {
    const ROOM: usize = 16;

    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_wait(backend: &Broken<Self>, ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
            let inner = backend.inner.lock();
            let fits = inner.waiters.len() < ROOM || inner.place_of(&ticket).is_some();
            drop(inner);
            assert!(fits, "no room for another waiter");
            // SAFETY: the caller keeps the contract.
            unsafe { backend.inner.poll_wait(ticket, cx) }
        }
    }
    let panic = "no room for another waiter";
    assert_panics(liveness::a_value_wakes_every_waiter::<Broken<Mistaken>>, panic);
    assert_panics(optional::wakers_may_panic_when_woken::<Broken<Mistaken>>, panic);
}

#[test]
fn a_waiter_that_keeps_its_older_waker() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_wait(backend: &Broken<Self>, mut ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
            let older = backend.inner.lock().put(&mut ticket, cx.waker().clone());
            let waker = older.as_ref().unwrap_or(cx.waker());
            // SAFETY: the caller keeps the contract.
            unsafe { backend.inner.poll_wait(ticket, &mut Context::from_waker(waker)) }
        }
    }
    assert_caught(
        liveness::the_newest_waker_is_woken::<Broken<Mistaken>>,
        "rule 5",
        "when `publish` was called after one was polled by other tasks",
    );
    assert_caught(
        cells::every_future_wakes_its_newest_task::<Broken<Mistaken>>,
        "rule 5",
        "futures stay asleep",
    );
}

#[test]
fn a_cancellation_that_unlinks_the_waiters_behind_it() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn cancel(backend: &Broken<Self>, ticket: Pin<&mut Ticket>) {
            let place = backend.inner.lock().place_of(&ticket);
            let gone = place.map(|place| backend.inner.lock().waiters.split_off(place));
            drop(gone);
        }
    }
    assert_caught(
        liveness::cancelling_loses_no_wakeup::<Broken<Mistaken>>,
        "rule 5",
        "when `publish` was called after others were cancelled",
    );
}

#[test]
fn a_poll_of_an_attempt_that_waits_for_the_next_one() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_attempt(backend: &Broken<Self>, ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
            Self::poll_wait(backend, ticket, cx)
        }
    }
    assert_caught(
        liveness::the_end_of_an_attempt_is_not_missed::<Broken<Mistaken>>,
        "rule 9",
        "returned `Pending` though the attempt has ended, and 1 have begun since",
    );
    assert_caught(
        cells::a_shared_call_waits_for_one_attempt::<Broken<Mistaken>>,
        "rule 9",
        "a call waits for the attempt that follows the one that it has waited for",
    );
    assert_caught(
        liveness::threads_see_the_end_of_their_attempt::<Broken<Mistaken>>,
        "rule 9",
        "`poll_attempt` returned `Pending` though the attempt has ended",
    );
}

#[test]
fn a_poll_of_an_attempt_that_any_poll_ends() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_attempt(_: &Broken<Self>, _: Pin<&mut Ticket>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    assert_caught(
        liveness::an_attempt_in_progress_is_waited_for::<Broken<Mistaken>>,
        "rule 9",
        "`poll_attempt` returned `Ready` while the attempt was in progress",
    );
    assert_caught(
        cells::waiting_for_an_attempt_ends_with_it::<Broken<Mistaken>>,
        "rule 9",
        "`wait_attempt` returned before the initializer had ended",
    );
    assert_caught(
        liveness::threads_see_the_end_of_their_attempt::<Broken<Mistaken>>,
        "rule 9",
        "`poll_attempt` returned `Ready` while the attempt was in progress",
    );
}

#[test]
fn a_poll_of_an_attempt_that_keeps_the_older_waker() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn poll_attempt(backend: &Broken<Self>, ticket: Pin<&mut Ticket>, _: &mut Context<'_>) -> Poll<()> {
            if backend.inner.lock().place_of(&ticket).is_some() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        }
    }
    assert_caught(
        liveness::an_attempt_in_progress_is_waited_for::<Broken<Mistaken>>,
        "rule 5",
        "after `poll_attempt` had returned `Pending`",
    );
}
