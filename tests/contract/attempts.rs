//! Calls that make or wait for one attempt: `get_or_try_init_shared` and `wait_attempt`.

use std::{
    error::Error,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
};

use futures_lite::future::yield_now;
use oncelot::{OnceCell, SharedInitError, State};

use crate::util::{BoxFuture, CROWDS, Drops, Gate, Log, Op, Task, now, panic_of, poll, poll_with, start};

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
fn a_shared_call_initializes_an_empty_cell() {
    let cell = OnceCell::new();
    assert_eq!(now(shared(&cell, 1)), Ok(&1));
    assert_eq!(now(shared(&cell, 2)), Ok(&1));
}

#[test]
fn a_shared_call_returns_the_error_of_its_own_initializer() {
    let cell = OnceCell::<u32>::new();
    let failed = now(cell.get_or_try_init_shared(async || Err("no route")));
    assert_eq!(failed, Err(SharedInitError::Failed("no route")));
    assert_eq!(cell.set(1), Ok(()));
}

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

#[test]
fn shared_calls_return_the_value_that_they_wait_for() {
    for crowd in CROWDS {
        let cell = OnceCell::new();
        let (gate, mut running) = start(&cell);
        let mut calls: Vec<_> = (0..crowd).map(|_| waiting(&cell, 2)).collect();
        gate.open(Ok(1));
        assert!(poll(&mut running).is_ready());
        assert!(calls.iter_mut().all(|call| poll(call) == Poll::Ready(Ok(&1))));
    }
}

#[test]
fn a_failure_wakes_every_shared_call_oldest_first_and_each_returns() {
    for crowd in CROWDS {
        let cell = OnceCell::new();
        let log = Log::new();
        let (gate, mut running) = start(&cell);
        let mut calls: Vec<_> = (0..crowd).map(|_| shared(&cell, 2)).collect();
        for (i, call) in calls.iter_mut().enumerate() {
            assert!(poll_with(call, &log.waker(i)).is_pending());
        }
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        assert!(log.take().into_iter().eq(0..crowd), "{crowd} calls");
        assert!(
            calls
                .iter_mut()
                .all(|call| poll(call) == Poll::Ready(Err(OTHER_FAILED)))
        );
        assert_eq!(cell.state(), State::Uninit);
    }
}

#[test]
fn a_panic_of_the_initializer_is_a_failure_to_shared_calls() {
    let cell = OnceCell::new();
    let gate = Gate::new();
    let mut running = Box::pin(cell.get_or_init({
        let gate = gate.clone();
        async move || -> u32 { panic!("{}", gate.await) }
    }));
    assert!(poll(&mut running).is_pending());
    let mut call = waiting(&cell, 2);
    gate.open("in the poll");
    assert_eq!(panic_of(|| poll(&mut running).is_ready()), "in the poll");
    assert_eq!(poll(&mut call), Poll::Ready(Err(OTHER_FAILED)));
}

#[test]
fn a_cancellation_of_the_initializer_is_a_failure_to_shared_calls() {
    let cell = OnceCell::new();
    let (_gate, running) = start(&cell);
    let mut call = waiting(&cell, 2);
    drop(running);
    assert_eq!(poll(&mut call), Poll::Ready(Err(OTHER_FAILED)));
}

#[test]
fn a_cancelled_shared_call_that_runs_its_initializer_fails_the_others() {
    let cell = OnceCell::new();
    let mut running = Box::pin(cell.get_or_try_init_shared(Gate::<Result<u32, &str>>::new));
    assert!(poll(&mut running).is_pending());
    let mut call = waiting(&cell, 2);
    drop(running);
    assert_eq!(poll(&mut call), Poll::Ready(Err(OTHER_FAILED)));
    assert_eq!(cell.state(), State::Uninit);
}

#[test]
fn a_shared_call_outlasts_spurious_polls() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let mut call = waiting(&cell, 2);
    let tasks = [Task::new(), Task::new()];
    for i in 0..6 {
        assert!(poll_with(&mut call, &tasks[i / 2 % 2].waker()).is_pending());
    }
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert_eq!(tasks.each_ref().map(|task| task.wakes()), [1, 0]);
    assert_eq!(poll(&mut call), Poll::Ready(Err(OTHER_FAILED)));
}

#[test]
fn a_shared_call_does_not_wait_for_the_next_attempt() {
    let cell = OnceCell::new();
    let (_gate, running) = start(&cell);
    let mut calls = [waiting(&cell, 2), waiting(&cell, 3)];
    drop(running);
    let (gate, mut next) = start(&cell);
    assert_eq!(poll(&mut calls[0]), Poll::Ready(Err(OTHER_FAILED)));
    gate.open(Ok(1));
    assert!(poll(&mut next).is_ready());
    // It was not polled before there was a value.
    assert_eq!(poll(&mut calls[1]), Poll::Ready(Ok(&1)));
}

#[test]
fn a_call_after_a_failure_makes_the_next_attempt() {
    let cell = OnceCell::new();
    let (_gate, running) = start(&cell);
    let mut call = waiting(&cell, 2);
    drop(running);
    assert_eq!(now(shared(&cell, 3)), Ok(&3));
    assert_eq!(poll(&mut call), Poll::Ready(Ok(&3)));
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

#[test]
fn a_completed_shared_call_panics_when_it_is_polled() {
    let cell = OnceCell::new();
    let (_gate, running) = start(&cell);
    let mut call = waiting(&cell, 2);
    drop(running);
    assert!(poll(&mut call).is_ready());
    let message = panic_of(|| poll(&mut call).is_ready());
    assert!(message.contains("polled after completion"), "{message}");
}

#[test]
fn a_cancelled_shared_call_leaves_the_others_their_places() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let mut calls: Vec<_> = (0..40).map(|_| waiting(&cell, 2)).collect();
    calls.retain({
        let mut index = 0;
        move |_| {
            index += 1;
            index % 3 != 0
        }
    });
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert!(
        calls
            .iter_mut()
            .all(|call| poll(call) == Poll::Ready(Err(OTHER_FAILED)))
    );
}

/// Runs 1,000 calls at once, whose initializers all fail, and returns how many initializers have run.
fn attempts_of_1000<'a, F: Future>(runs: &'a AtomicUsize, call: impl Fn(FailingInit<'a>) -> F) -> usize {
    let mut calls: Vec<_> = (0..1000)
        .map(|_| (Task::new(), None, Some(Box::pin(call(FailingInit(runs))))))
        .collect();
    let mut polls = 0;
    while calls.iter().any(|(.., future)| future.is_some()) {
        for (task, wakes_before, slot) in &mut calls {
            let Some(future) = slot else { continue };
            let wakes = Some(task.wakes());
            if *wakes_before == wakes {
                continue;
            }
            *wakes_before = wakes;
            polls += 1;
            if poll_with(future, &task.waker()).is_ready() {
                *slot = None;
            }
        }
        assert!(polls < 10_000_000, "the calls do not come to an end");
    }
    runs.load(SeqCst)
}

/// What the initializers of `attempts_of_1000` do.
struct FailingInit<'a>(&'a AtomicUsize);

impl FailingInit<'_> {
    async fn run(self) -> Result<u32, &'static str> {
        self.0.fetch_add(1, SeqCst);
        yield_now().await;
        Err("failed")
    }
}

#[test]
fn of_1000_shared_calls_one_runs_its_initializer_and_all_return() {
    let (cell, runs) = (OnceCell::new(), AtomicUsize::new(0));
    let attempts = attempts_of_1000(&runs, |init| cell.get_or_try_init_shared(|| init.run()));
    assert_eq!(attempts, 1);
}

/// For comparison with the shared calls.
#[test]
fn of_1000_calls_of_get_or_try_init_each_runs_its_initializer() {
    let (cell, runs) = (OnceCell::new(), AtomicUsize::new(0));
    let attempts = attempts_of_1000(&runs, |init| cell.get_or_try_init(|| init.run()));
    assert_eq!(attempts, 1000);
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
        "the initializer of another caller ended without a value; call again to run this caller's"
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
fn a_wait_for_an_attempt_returns_at_once_if_none_is_in_progress() {
    let cell = OnceCell::<u32>::new();
    assert_eq!(now(cell.wait_attempt()), None);
    assert_eq!(cell.set(1), Ok(()));
    assert_eq!(now(cell.wait_attempt()), Some(&1));
}

#[test]
fn a_wait_for_an_attempt_ends_with_the_attempt() {
    for outcome in [Ok(1), Err("failed")] {
        let cell = OnceCell::new();
        let (gate, mut running) = start(&cell);
        let mut waiting = Box::pin(cell.wait_attempt());
        for _ in 0..3 {
            assert!(poll(&mut waiting).is_pending());
        }
        gate.open(outcome);
        assert!(poll(&mut running).is_ready());
        assert_eq!(poll(&mut waiting), Poll::Ready(outcome.as_ref().ok()));
        let message = panic_of(|| poll(&mut waiting).is_ready());
        assert!(message.contains("polled after completion"), "{message}");
    }
}

#[test]
fn a_wait_for_an_attempt_does_not_wait_for_the_next_one() {
    let cell = OnceCell::<u32>::new();
    let (_gate, running) = start(&cell);
    let mut waiting = Box::pin(cell.wait_attempt());
    assert!(poll(&mut waiting).is_pending());
    drop(running);
    let (_gate, _next) = start(&cell);
    assert_eq!(poll(&mut waiting), Poll::Ready(None));
}

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
