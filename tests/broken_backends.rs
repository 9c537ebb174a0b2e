//! The conformance suite finds what is wrong with a backend: each of these makes one mistake.

mod outsider;

use std::{
    any::Any,
    marker::PhantomData,
    panic::catch_unwind,
    pin::Pin,
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
    task::{Context, Poll, Waker},
};

use oncelot::{
    backend::{Backend, Interest, State},
    testing::{cells, liveness, optional, soundness},
};
use outsider::{Locked, Ticket, wake_all};

/// The backend of an outsider, except for what `M` does in its own way.
struct Broken<M> {
    inner: Locked,
    /// For the one mistake that needs a place of its own.
    cancelled: AtomicPtr<Ticket>,
    mistake: PhantomData<M>,
}

/// Without changes it does what [`Locked`] does.
///
/// # Safety
///
/// None is kept: this is what the suite is to find out.
trait Mistake: Sized {
    const READY: State = State::Ready;

    fn state(backend: &Broken<Self>) -> State {
        backend.inner.state()
    }

    fn try_claim(backend: &Broken<Self>) -> Result<(), State> {
        backend.inner.try_claim()
    }

    fn publish(backend: &Broken<Self>) {
        // SAFETY: the caller has the claim.
        unsafe { backend.inner.publish() };
    }

    fn release(backend: &Broken<Self>) {
        // SAFETY: the caller has the claim.
        unsafe { backend.inner.release() };
    }

    fn poll_wait(backend: &Broken<Self>, ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the caller keeps the contract.
        unsafe { backend.inner.poll_wait(ticket, cx) }
    }

    fn cancel(backend: &Broken<Self>, ticket: Pin<&mut Ticket>) {
        // SAFETY: the caller keeps the contract.
        unsafe { backend.inner.cancel(ticket) };
    }
}

impl<M: Mistake> Broken<M> {
    const fn starting_as(state: State) -> Self {
        Self {
            inner: Locked::starting_as(state),
            cancelled: AtomicPtr::new(ptr::null_mut()),
            mistake: PhantomData,
        }
    }
}

// SAFETY: for `NoMistake`, it is `Locked`. The others are there to be found out.
unsafe impl<M: Mistake> Backend for Broken<M> {
    const UNINIT: Self = Self::starting_as(State::Uninit);
    const READY: Self = Self::starting_as(M::READY);

    type Waiter = Ticket;

    fn waiter(interest: Interest) -> Ticket {
        Locked::waiter(interest)
    }

    fn state(&self) -> State {
        M::state(self)
    }

    fn try_claim(&self) -> Result<(), State> {
        M::try_claim(self)
    }

    unsafe fn publish(&self) {
        M::publish(self);
    }

    unsafe fn release(&self) {
        M::release(self);
    }

    unsafe fn poll_wait(&self, ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
        M::poll_wait(self, ticket, cx)
    }

    unsafe fn cancel(&self, ticket: Pin<&mut Ticket>) {
        M::cancel(self, ticket);
    }
}

/// Settles the state and wakes as `wake` does it, all but those whom the outcome does not concern.
fn settle<M>(backend: &Broken<M>, outcome: State, wake: impl FnOnce(Vec<Waker>)) {
    let mut inner = backend.inner.lock();
    inner.state = outcome;
    let woken = inner.remove(|entry| entry.interest.is_settled_by(outcome));
    drop(inner);
    wake(woken);
}

/// Runs a property that must fail, and say that it was because of this rule.
#[track_caller]
fn assert_caught(property: fn(), rule: &str) {
    let message = match catch_unwind(property) {
        Ok(()) => panic!("the mistake was not found"),
        Err(payload) => message(&*payload),
    };
    assert!(message.starts_with(rule), "not {rule}: {message}");
}

fn message(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a payload that is no text".to_owned(),
    }
}

/// What the mistakes below are made in passes.
mod no_mistake {
    struct NoMistake;

    impl super::Mistake for NoMistake {}

    oncelot::conformance_tests!(crate::Broken<NoMistake>);
}

#[test]
fn a_claim_that_is_given_twice() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn try_claim(backend: &Broken<Self>) -> Result<(), State> {
            match backend.inner.try_claim() {
                Err(State::Initializing) => Ok(()),
                claimed => claimed,
            }
        }
    }
    assert_caught(soundness::a_claim_excludes_others::<Broken<Mistaken>>, "rule 1");
    assert_caught(cells::one_initializer_runs::<Broken<Mistaken>>, "rule 1");
}

#[test]
fn a_state_that_is_ready_too_early() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn state(backend: &Broken<Self>) -> State {
            match backend.inner.state() {
                State::Uninit => State::Uninit,
                _ => State::Ready,
            }
        }
    }
    assert_caught(soundness::a_claim_excludes_others::<Broken<Mistaken>>, "rule 1");
}

#[test]
fn a_ready_backend_that_says_it_is_not() {
    struct Mistaken;
    impl Mistake for Mistaken {
        const READY: State = State::Uninit;
    }
    assert_caught(soundness::ready_is_ready::<Broken<Mistaken>>, "rule 2");
    assert_caught(cells::a_cell_is_set_once::<Broken<Mistaken>>, "rule 2");
}

#[test]
fn a_release_that_keeps_the_claim() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn release(_: &Broken<Self>) {}
    }
    assert_caught(
        soundness::releasing_makes_room_for_the_next_claim::<Broken<Mistaken>>,
        "the state machine",
    );
}

#[test]
fn a_cancelled_waiter_that_is_written_to() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn cancel(backend: &Broken<Self>, ticket: Pin<&mut Ticket>) {
            backend.cancelled.store(ticket.get_mut(), Ordering::SeqCst);
        }

        fn publish(backend: &Broken<Self>) {
            let cancelled = backend.cancelled.load(Ordering::SeqCst);
            if !cancelled.is_null() {
                // SAFETY: the property keeps the memory, to see this.
                unsafe { cancelled.write(Locked::waiter(Interest::Claim)) };
            }
        }
    }
    assert_caught(
        soundness::a_cancelled_waiter_is_not_touched::<Broken<Mistaken>>,
        "rule 4",
    );
}

#[test]
fn a_publish_that_forgets_passive_waiters() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn publish(backend: &Broken<Self>) {
            let mut inner = backend.inner.lock();
            inner.state = State::Ready;
            let claimants = inner.remove(|entry| entry.interest == Interest::Claim);
            drop(inner);
            wake_all(claimants);
        }
    }
    assert_caught(liveness::a_value_wakes_every_waiter::<Broken<Mistaken>>, "rule 5");
    assert_caught(
        cells::waiting_gets_the_value_and_never_makes_it::<Broken<Mistaken>>,
        "rule 5",
    );
}

#[test]
fn a_release_that_wakes_one_claimant() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn release(backend: &Broken<Self>) {
            let mut inner = backend.inner.lock();
            inner.state = State::Uninit;
            let is_claimant = |entry: &outsider::Entry| entry.interest == Interest::Claim;
            let oldest = inner.waiters.iter().position(is_claimant);
            let oldest = oldest.map(|index| inner.waiters.remove(index).waker);
            drop(inner);
            wake_all(Vec::from_iter(oldest));
        }
    }
    assert_caught(
        liveness::a_failure_wakes_every_claimant::<Broken<Mistaken>>,
        "rule 5",
    );
    assert_caught(
        liveness::cancelling_the_woken_loses_nobodys_wakeup::<Broken<Mistaken>>,
        "rule 5",
    );
    assert_caught(
        cells::whoever_is_polled_first_is_next::<Broken<Mistaken>>,
        "rule 5",
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
        liveness::nobody_waits_for_what_has_happened::<Broken<Mistaken>>,
        "rule 5",
    );
    assert_caught(
        optional::wakers_may_settle_the_state_when_cloned::<Broken<Mistaken>>,
        "rule 5",
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
    assert_caught(liveness::waiting_comes_to_rest::<Broken<Mistaken>>, "rule 5");
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
    assert_caught(liveness::the_newest_waker_is_woken::<Broken<Mistaken>>, "rule 5");
}

#[test]
fn a_cancellation_that_takes_those_behind_along() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn cancel(backend: &Broken<Self>, ticket: Pin<&mut Ticket>) {
            let place = backend.inner.lock().place_of(&ticket);
            let gone = place.map(|place| backend.inner.lock().waiters.split_off(place));
            drop(gone);
        }
    }
    assert_caught(
        liveness::cancelling_loses_nobodys_wakeup::<Broken<Mistaken>>,
        "rule 5",
    );
}

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
    assert_caught(
        optional::wakers_may_look_at_the_state::<Broken<Mistaken>>,
        "a deadlock",
    );
    assert_caught(
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
    );
}

#[test]
fn a_cancellation_that_leaves_the_waker() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn cancel(_: &Broken<Self>, _: Pin<&mut Ticket>) {}
    }
    assert_caught(optional::cancelling_drops_the_waker::<Broken<Mistaken>>, "rule 7");
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
        optional::claimants_are_woken_oldest_first::<Broken<Mistaken>>,
        "the order",
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
        optional::registering_wakes_nobody::<Broken<Mistaken>>,
        "`Backend::poll_wait`",
    );
}
