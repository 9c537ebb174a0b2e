//! Calls that make or wait for one attempt: `get_or_try_init_shared` and `wait_attempt`.

use std::{
    error::Error,
    io,
    sync::{Arc, Mutex},
    task::Poll,
};

use oncelot::{OnceCell, SharedInitError, State};

use crate::util::{BoxFuture, Drops, Log, Op, Task, panic_of, poll, poll_with, start};

const OTHER_FAILED: SharedInitError<&str> = SharedInitError::OtherFailed;

type Shared<'a> = BoxFuture<'a, Result<&'a u32, SharedInitError<&'static str>>>;

/// A shared call whose initializer would yield `value`.
fn shared(cell: &OnceCell<u32>, value: u32) -> Shared<'_> {
    Box::pin(cell.get_or_try_init_shared(async move || Ok(value)))
}

/// Returns a shared call that was polled once while an initializer is running.
fn waiting(cell: &OnceCell<u32>, value: u32) -> Shared<'_> {
    let mut waiting = shared(cell, value);
    assert!(poll(&mut waiting).is_pending());
    waiting
}

// Shared calls.

#[test]
fn a_shared_call_of_a_ready_cell_drops_its_initializer_uncalled() {
    let cell = OnceCell::from(1);
    let drops = Drops::new();
    let counted = drops.counted();
    let mut call = Box::pin(cell.get_or_try_init_shared(move || {
        let _counted = &counted;
        std::future::ready(Err("called"))
    }));
    assert_eq!(poll(&mut call), Poll::Ready(Ok(&1)));
    assert_eq!(drops.count(), 1);
}

/// The woken call is polled inside the drain, before `release` has returned.
#[test]
fn a_shared_call_returns_from_inside_its_wake() {
    static CELL: OnceCell<u32> = OnceCell::new();
    static CALL: Mutex<Option<Shared<'static>>> = Mutex::new(None);

    let (gate, mut running) = start(&CELL);
    let log = Log::new();
    let task = Task::on(Op::Wake, {
        let log = log.clone();
        move || log.note(CALL.lock().unwrap().as_mut().map(poll))
    });
    let mut call = shared(&CELL, 2);
    assert!(poll_with(&mut call, &task.waker()).is_pending());
    *CALL.lock().unwrap() = Some(call);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert_eq!(log.take(), [Some(Poll::Ready(Err(OTHER_FAILED)))]);
}

/// The newer waker ends the attempt, and begins the next one, while it is cloned.
#[test]
fn a_shared_call_whose_waker_ends_the_attempt_returns() {
    static CELL: OnceCell<u32> = OnceCell::new();

    let guards = Arc::new(Mutex::new(vec![CELL.try_claim().unwrap()]));
    let mut call = waiting(&CELL, 2);
    let task = Task::on(Op::Clone, {
        let guards = Arc::clone(&guards);
        move || {
            guards.lock().unwrap().clear();
            let next = CELL.try_claim().unwrap();
            guards.lock().unwrap().push(next);
        }
    });
    assert_eq!(
        poll_with(&mut call, &task.waker()),
        Poll::Ready(Err(OTHER_FAILED))
    );
    assert_eq!(CELL.state(), State::Initializing);
}

#[test]
fn a_shared_call_whose_waker_panics_when_cloned_waits_again() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let task = Task::panicking_on(Op::Clone, "when cloned");
    for polls_before in [0, 1] {
        let mut call = shared(&cell, 2);
        for _ in 0..polls_before {
            assert!(poll(&mut call).is_pending());
        }
        let panicked = panic_of(|| poll_with(&mut call, &task.waker()).is_ready());
        assert_eq!(panicked, "when cloned");
        assert!(poll(&mut call).is_pending(), "after {polls_before} polls");
    }
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
}

#[test]
fn a_shared_call_whose_newer_waker_panics_when_cloned_does_not_wait_for_the_next_attempt() {
    let cell = OnceCell::new();
    let guard = cell.try_claim();
    let mut call = waiting(&cell, 2);
    let mut wait = Box::pin(cell.wait_attempt());
    assert!(poll(&mut wait).is_pending());
    let task = Task::panicking_on(Op::Clone, "when cloned");
    assert_eq!(
        panic_of(|| poll_with(&mut call, &task.waker()).is_ready()),
        "when cloned"
    );
    assert_eq!(
        panic_of(|| poll_with(&mut wait, &task.waker()).is_ready()),
        "when cloned"
    );
    drop(guard);
    let _next = cell.try_claim();
    assert_eq!(poll(&mut call), Poll::Ready(Err(OTHER_FAILED)));
    assert_eq!(poll(&mut wait), Poll::Ready(None));
}

// The error.

#[test]
fn a_shared_error_has_the_error_of_the_initializer_as_its_source() {
    let failed = SharedInitError::from(io::Error::other("no route"));
    assert_eq!(
        failed.source().map(ToString::to_string),
        Some("no route".to_owned())
    );
    assert_eq!(failed.to_string(), "the initializer failed");
    let other = SharedInitError::<io::Error>::OtherFailed;
    assert!(other.source().is_none());
    assert_eq!(
        other.to_string(),
        "the initializer of another caller ended without a value; call the method again to retry"
    );
}

#[test]
fn the_question_mark_converts_errors_of_the_caller() {
    fn parse(text: &str) -> Result<u32, SharedInitError<std::num::ParseIntError>> {
        Ok(text.parse()?)
    }
    assert_eq!(parse("1"), Ok(1));
    assert!(matches!(parse("one"), Err(SharedInitError::Failed(_))));
}

// `wait_attempt`.

#[test]
fn a_wait_for_an_attempt_whose_waker_panics_when_cloned_waits_again() {
    let cell = OnceCell::<u32>::new();
    let (_gate, _running) = start(&cell);
    let task = Task::panicking_on(Op::Clone, "when cloned");
    let mut waiting = Box::pin(cell.wait_attempt());
    for _ in 0..2 {
        let panicked = panic_of(|| poll_with(&mut waiting, &task.waker()).is_ready());
        assert_eq!(panicked, "when cloned");
        assert!(poll(&mut waiting).is_pending());
    }
}
