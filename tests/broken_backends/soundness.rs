//! Mistakes that make cells unsound, or that make them reject valid operations.

use std::{pin::Pin, sync::atomic::Ordering, thread};

use oncelot::{
    backend::{Backend, State, WaiterKind},
    testing::{cells, soundness},
};

use super::{
    Broken, Mistake, assert_caught,
    outsider::{Locked, Ticket, wake_all},
    settle,
};

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
    assert_caught(
        soundness::a_claim_excludes_others::<Broken<Mistaken>>,
        "rule 1",
        "`try_claim` returned `Ok` in Initializing",
    );
    assert_caught(
        cells::one_initializer_runs::<Broken<Mistaken>>,
        "rule 1",
        "`set` does not report that an initializer is running",
    );
    assert_caught(
        cells::an_error_passes_the_turn_on::<Broken<Mistaken>>,
        "rule 1",
        "2 initializers have succeeded",
    );
}

/// In two steps, between which another thread looks too.
#[test]
fn a_claim_that_is_looked_for_and_then_taken() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn try_claim(backend: &Broken<Self>) -> Result<(), State> {
            match backend.inner.state() {
                State::Uninit => {
                    thread::yield_now();
                    backend.inner.lock().state = State::Initializing;
                    Ok(())
                }
                found => Err(found),
            }
        }
    }
    assert_caught(
        soundness::threads_never_share_a_claim::<Broken<Mistaken>>,
        "rule 1",
        "claim",
    );
    assert_caught(
        soundness::threads_see_what_was_released::<Broken<Mistaken>>,
        "rule 3",
        "holders of the claim have incremented a counter one after the other",
    );
}

/// Like a weak compare-and-swap that is not retried.
#[test]
fn a_claim_that_fails_for_no_reason() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn try_claim(backend: &Broken<Self>) -> Result<(), State> {
            if backend.attempts.fetch_add(1, Ordering::SeqCst) % 2 == 0 {
                return Err(backend.inner.state());
            }
            backend.inner.try_claim()
        }
    }
    assert_caught(
        soundness::uninit_is_uninit::<Broken<Mistaken>>,
        "the state machine",
        "`try_claim` returned `Err(Uninit)` when the claim was free",
    );
    assert_caught(
        cells::a_cell_is_set_once::<Broken<Mistaken>>,
        "the state machine",
        "`set` fails on an empty cell",
    );
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
    assert_caught(
        soundness::a_claim_excludes_others::<Broken<Mistaken>>,
        "rule 1",
        "`state` is Ready and not Initializing",
    );
}

#[test]
fn a_ready_backend_that_reports_uninit() {
    struct Mistaken;
    impl Mistake for Mistaken {
        const READY: State = State::Uninit;
    }
    assert_caught(
        soundness::ready_is_ready::<Broken<Mistaken>>,
        "rule 2",
        "`state` is Uninit and not Ready",
    );
    assert_caught(
        cells::a_cell_is_set_once::<Broken<Mistaken>>,
        "rule 2",
        "a cell that was made with a value does not have it",
    );
}

#[test]
fn a_publish_that_is_a_release() {
    struct Mistaken;
    impl Mistake for Mistaken {
        fn publish(backend: &Broken<Self>) {
            settle(backend, State::Uninit, wake_all);
        }
    }
    assert_caught(
        soundness::publishing_is_final::<Broken<Mistaken>>,
        "rule 2",
        "`state` is Uninit and not Ready after `publish`",
    );
    assert_caught(
        cells::one_initializer_runs::<Broken<Mistaken>>,
        "rule 1",
        "2 initializers were called, and none has failed",
    );
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
        "`state` is Initializing and not Uninit after `release`",
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
                unsafe { cancelled.write(Locked::waiter(WaiterKind::Claimant)) };
            }
        }
    }
    assert_caught(
        soundness::a_cancelled_waiter_is_not_touched::<Broken<Mistaken>>,
        "rule 4",
        "of a waiter was written after `cancel` had returned",
    );
}
