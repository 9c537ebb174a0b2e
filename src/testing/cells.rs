//! The contract of [`OnceCell`] on top of a backend. No backend is excepted from these.

use std::{
    boxed::Box,
    cell::Cell,
    future::{pending, poll_fn},
    iter,
    mem::forget,
    pin::Pin,
    ptr, slice,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
    vec::Vec,
};

use super::{
    parts::{Job, panics, run, yield_now},
    rule::require,
    threads::{ROUNDS, race},
};
use crate::{SetError, SharedInitError, State, backend::Backend, once_cell::OnceCell};

type AnyFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The number of futures that wait for a cell, without the one that initializes it.
const WAITERS: [usize; 3] = [1, 2, 17];

/// A method that waits for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    GetOrInit,
    GetOrTryInit,
    Insert,
    GetOrClaim,
    Wait,
    GetOrTryInitShared,
    WaitAttempt,
}
use Method::*;

/// The methods that return when there is a value, and initialize a cell that is empty again.
const RETRYING: &[Method] = &[GetOrInit, GetOrTryInit, Insert, GetOrClaim];

/// The methods that return when the attempt ends.
const OF_ONE_ATTEMPT: &[Method] = &[GetOrTryInitShared, WaitAttempt];

const ALL: &[Method] = &[
    GetOrInit,
    GetOrTryInit,
    Insert,
    GetOrClaim,
    Wait,
    GetOrTryInitShared,
    WaitAttempt,
];

type Call<'a> = Job<AnyFuture<'a, Option<&'a u32>>>;

impl Method {
    /// Calls the method and polls its future once. If the call initializes the cell, it does so with 2, and increments `calls`.
    ///
    /// The output is the value of the cell, or `None` if the call waited for an attempt that ended without a value.
    fn call<'a, B: Backend>(self, cell: &'a OnceCell<u32, B>, calls: &'a Cell<usize>) -> Call<'a> {
        let init = async move || {
            calls.set(calls.get() + 1);
            yield_now().await;
            2
        };
        let try_init = async move || Ok::<_, ()>(init().await);
        Job::started(match self {
            GetOrInit => Box::pin(async move { Some(cell.get_or_init(init).await) }),
            GetOrTryInit => Box::pin(async move { cell.get_or_try_init(try_init).await.ok() }),
            Insert => Box::pin(async move {
                let inserted = cell.insert(2).await;
                calls.set(calls.get() + usize::from(inserted.is_ok()));
                Some(inserted.unwrap_or_else(|(present, _)| present))
            }),
            GetOrClaim => Box::pin(async move {
                Some(match cell.get_or_claim().await {
                    Ok(value) => value,
                    Err(guard) => guard.set(init().await),
                })
            }),
            Wait => Box::pin(async move { Some(cell.wait().await) }),
            GetOrTryInitShared => Box::pin(async move { cell.get_or_try_init_shared(try_init).await.ok() }),
            WaitAttempt => Box::pin(cell.wait_attempt()),
        })
    }
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Value,
    Error,
    Panic,
    Drop,
}

/// Returns an attempt by each kind of call that makes one: its initializer runs until `ending` is set. The value is 1.
fn attempts<'a, B: Backend>(
    cell: &'a OnceCell<u32, B>,
    ending: &'a Cell<Option<Ending>>,
) -> Vec<AnyFuture<'a, Result<u32, &'static str>>> {
    let init = move || {
        poll_fn(move |_| match ending.get() {
            None => Poll::Pending,
            Some(Ending::Value) => Poll::Ready(Ok(1)),
            Some(Ending::Panic) => panic!("this panic is part of the test"),
            Some(Ending::Error | Ending::Drop) => Poll::Ready(Err("failed")),
        })
    };
    let attempts: [AnyFuture<'a, _>; 3] = [
        Box::pin(async move { cell.get_or_try_init(init).await.copied() }),
        Box::pin(async move {
            let shared = cell.get_or_try_init_shared(init).await;
            shared.copied().map_err(|error| match error {
                SharedInitError::Failed(error) => error,
                SharedInitError::OtherFailed => "the attempt of another call failed",
            })
        }),
        Box::pin(async move {
            let guard = cell.try_claim().map_err(|_| "an empty cell cannot be claimed")?;
            Ok(*guard.set(init().await?))
        }),
    ];
    Vec::from(attempts)
}

/// Lets an attempt of each kind end, while calls of one of the methods wait for it, and while calls of all of them do.
fn an_attempt_ends<B: Backend>(ending: Ending, methods: &[Method]) {
    for methods in methods.chunks(1).chain([methods]) {
        for (kind, count) in (0..3).flat_map(|kind| WAITERS.map(|count| (kind, count))) {
            let cell = OnceCell::<u32, B>::with_backend();
            let (end, calls) = (Cell::new(None), Cell::new(0));
            let mut attempt = Job::started(attempts(&cell, &end).swap_remove(kind));
            let methods: Vec<_> = iter::repeat_n(methods, count).flatten().collect();
            let mut jobs: Vec<_> = methods.iter().map(|method| method.call(&cell, &calls)).collect();
            let mut passive = [(); 2].map(|()| Wait.call(&cell, &calls));
            require_initializing(&cell);
            jobs.iter_mut().for_each(Job::poll);
            jobs.iter_mut().step_by(2).for_each(Job::move_to_another_task);
            jobs.iter_mut().for_each(Job::poll);
            require!(
                !attempt.is_done() && !jobs.iter().chain(&passive).any(Job::is_done),
                OneAttempt,
                "a call returned before the attempt that it waits for had ended"
            );
            end.set(Some(ending));
            if ending == Ending::Drop {
                attempt.abort();
            } else if ending == Ending::Panic {
                require!(
                    panics(|| attempt.poll()),
                    StateMachine,
                    "the panic of an initializer did not go to its caller"
                );
            } else {
                attempt.poll();
                let expected = if ending == Ending::Value {
                    Ok(1)
                } else {
                    Err("failed")
                };
                require!(
                    attempt.output() == Some(&expected),
                    StateMachine,
                    "the call that made an attempt returned {:?} and not {expected:?}",
                    attempt.output()
                );
            }
            run_to_the_end(&mut jobs);
            let (expected, expected_calls) = match (ending, methods[0]) {
                (Ending::Value, _) => (Some(&1), 0),
                (_, GetOrTryInitShared | WaitAttempt) => (None, 0),
                _ => (Some(&2), 1),
            };
            for (job, method) in jobs.iter().zip(&methods) {
                require!(
                    job.output() == Some(&expected),
                    OneAttempt,
                    "{method:?} returned {:?} and not {expected:?} after an attempt that ended with {ending:?}",
                    job.output()
                );
            }
            require!(
                calls.get() == expected_calls,
                Exclusion,
                "{count} calls waited for an attempt that ended with {ending:?}, and {} initializers were called",
                calls.get()
            );
            require!(
                cell.set(2).is_ok() == expected.is_none(),
                StateMachine,
                "the state is {:?} after an attempt that ended with {ending:?}",
                cell.state()
            );
            run_to_the_end(&mut passive);
        }
    }
}

/// Checks that no call can give the cell a value.
#[track_caller]
fn require_initializing<B: Backend>(cell: &OnceCell<u32, B>) {
    require!(
        cell.set(2) == Err(SetError::InitializingError(2))
            && cell.try_insert(2) == Err(SetError::InitializingError(2))
            && cell.try_get_or_init(|| 2).is_err()
            && cell.try_claim().err() == Some(State::Initializing)
            && cell.get().is_none(),
        Exclusion,
        "a cell was given a value, or claimed, during an attempt"
    );
}

/// A value ends the wait of every call.
pub fn a_value_is_shared<B: Backend>() {
    an_attempt_ends::<B>(Ending::Value, ALL);
}

/// After an initializer has failed, another caller runs its own.
pub fn an_error_passes_the_turn_on<B: Backend>() {
    an_attempt_ends::<B>(Ending::Error, RETRYING);
}

/// After an initializer has panicked, another caller runs its own: the cell is not poisoned.
pub fn a_panic_passes_the_turn_on<B: Backend>() {
    an_attempt_ends::<B>(Ending::Panic, RETRYING);
}

/// After a future that ran its initializer, or a guard, was dropped, another caller runs its initializer.
pub fn a_dropped_initializer_passes_the_turn_on<B: Backend>() {
    an_attempt_ends::<B>(Ending::Drop, RETRYING);
}

/// One initializer fails, and every shared call that waited for it returns without running its own.
pub fn a_failed_attempt_is_shared<B: Backend>() {
    an_attempt_ends::<B>(Ending::Error, OF_ONE_ATTEMPT);
}

/// One initializer panics, and every shared call that waited for it returns without running its own.
pub fn a_panicked_attempt_is_shared<B: Backend>() {
    an_attempt_ends::<B>(Ending::Panic, OF_ONE_ATTEMPT);
}

/// The future that runs the initializer, or the guard, is dropped, and every shared call that waited for it returns without
/// running its own.
pub fn a_dropped_attempt_is_shared<B: Backend>() {
    an_attempt_ends::<B>(Ending::Drop, OF_ONE_ATTEMPT);
}

/// `set`, `try_insert`, `get`, `take` and `into_inner` work on a cell without waiters.
pub fn a_cell_is_set_once<B: Backend>() {
    let mut cell = OnceCell::<u32, B>::with_backend();
    for value in [1, 2] {
        require!(cell.get().is_none(), StateMachine, "an empty cell has a value");
        require!(
            cell.set(value) == Ok(()),
            StateMachine,
            "`set` fails on an empty cell"
        );
        require!(
            cell.get() == Some(&value)
                && cell.try_insert(3) == Err(SetError::AlreadyInitializedError(3))
                && cell.try_claim().err() == Some(State::Ready)
                && cell.take() == Some(value),
            Publication,
            "`get`, `try_insert`, `try_claim` or `take` does not find the value that was set"
        );
    }
    let cell = OnceCell::<u32, B>::with_backend_and_value(4);
    require!(
        cell.get() == Some(&4) && cell.into_inner() == Some(4),
        Publication,
        "a cell that was created with a value does not have it"
    );
}

/// Of many callers, one runs its initializer, and all get the value.
pub fn one_initializer_runs<B: Backend>() {
    let methods = RETRYING.iter().chain([&GetOrTryInitShared]);
    for (&method, count) in methods.flat_map(|method| WAITERS.map(|count| (method, count))) {
        let cell = OnceCell::<u32, B>::with_backend();
        let calls = Cell::new(0);
        let mut jobs: Vec<_> = (0..=count).map(|_| method.call(&cell, &calls)).collect();
        if method != Insert {
            require_initializing(&cell);
        }
        run_to_the_end(&mut jobs);
        require!(
            calls.get() == 1,
            Exclusion,
            "{} initializers were called, and none has failed",
            calls.get()
        );
        let is_value = |output: Option<&u32>| output.zip(cell.get()).is_some_and(|(a, b)| ptr::eq(a, b));
        require!(
            jobs.iter()
                .all(|job| job.output().is_some_and(|output| is_value(*output))),
            Publication,
            "a caller did not get the value of the cell"
        );
    }
}

/// Initializers that fail run one after the other, until one succeeds.
pub fn initializers_run_until_one_succeeds<B: Backend>() {
    for count in WAITERS {
        let cell = OnceCell::<u32, B>::with_backend();
        let calls = Cell::new(0);
        let mut jobs: Vec<_> = (0..=count)
            .map(|_| {
                Job::started(cell.get_or_try_init(async || {
                    calls.set(calls.get() + 1);
                    let call = calls.get();
                    yield_now().await;
                    if call > count { Ok(call as u32) } else { Err(call) }
                }))
            })
            .collect();
        run_to_the_end(&mut jobs);
        let failures = jobs
            .iter()
            .filter(|job| job.output().is_some_and(Result::is_err))
            .count();
        require!(
            calls.get() == count + 1 && failures == count,
            StateMachine,
            "{} of {} initializers have failed, and not {count}",
            failures,
            calls.get()
        );
    }
}

/// Nothing is reserved for the oldest waiter: the first waiter to be polled after a failure initializes, even if no other waiter
/// is ever polled again.
pub fn the_first_waiter_that_is_polled_is_next<B: Backend>() {
    for next in 0..5 {
        let cell = OnceCell::<u32, B>::with_backend();
        let calls = Cell::new(0);
        let mut first = Job::started(cell.get_or_try_init(pending::<Result<u32, ()>>));
        let mut jobs = [(); 5].map(|()| GetOrInit.call(&cell, &calls));
        let mut passive = Wait.call(&cell, &calls);
        first.abort();
        // A new caller, which fails, is served before the waiters that were woken.
        let failed = Job::started(cell.get_or_try_init(async || Err(())));
        require!(
            failed.output() == Some(&Err(())),
            NoLostWakeup,
            "a new caller did not initialize though the claim was free"
        );
        run(&mut jobs[next..=next]);
        require!(
            jobs[next].is_done(),
            NoLostWakeup,
            "waiter {next} of 5 was the only one to be polled after a failure, and did not initialize"
        );
        run(slice::from_mut(&mut passive));
        require!(
            passive.is_done(),
            NoLostWakeup,
            "a passive waiter depends on waiters that are not polled"
        );
    }
}

/// `wait` and `wait_attempt` never initialize the cell. `wait` returns the value of `set`, even after failures, and `wait_attempt`
/// returns immediately if no initializer is running.
pub fn waiting_gets_the_value_and_never_makes_it<B: Backend>() {
    let cell = OnceCell::<u32, B>::with_backend();
    let calls = Cell::new(0);
    let mut waiting: Vec<_> = (0..17).map(|_| Wait.call(&cell, &calls)).collect();
    for _ in 0..3 {
        require!(
            WaitAttempt.call(&cell, &calls).output() == Some(&None),
            OneAttempt,
            "`wait_attempt` waits although no initializer is running"
        );
        Job::started(cell.get_or_try_init(async || Err(()))).abort();
        Job::started(cell.get_or_try_init(pending::<Result<u32, ()>>)).abort();
        // Whether they were woken or not.
        waiting.iter_mut().for_each(Job::poll);
        require!(
            !waiting.iter().any(Job::is_done),
            Publication,
            "`wait` ended before there was a value"
        );
    }
    require!(
        cell.set(1) == Ok(()),
        StateMachine,
        "`set` fails on a cell that is only waited for"
    );
    run_to_the_end(&mut waiting);
    require!(
        waiting.iter().all(|job| job.output() == Some(&Some(&1))),
        Publication,
        "`wait` returned something else than the value of `set`"
    );
}

/// A call that is polled only after the next attempt has begun, or has ended with a value, does not wait for the next attempt.
pub fn a_shared_call_waits_for_one_attempt<B: Backend>() {
    for (count, has_ended) in WAITERS
        .into_iter()
        .flat_map(|count| [(count, false), (count, true)])
    {
        let cell = OnceCell::<u32, B>::with_backend();
        let calls = Cell::new(0);
        let guard = cell.try_claim();
        let mut jobs: Vec<_> = iter::repeat_n(OF_ONE_ATTEMPT, count)
            .flatten()
            .map(|method| method.call(&cell, &calls))
            .collect();
        drop(guard);
        let _next = cell.try_claim().ok().and_then(|guard| {
            if !has_ended {
                return Some(guard);
            }
            guard.set(1);
            None
        });
        jobs.iter_mut().for_each(Job::poll);
        let expected = has_ended.then_some(&1);
        require!(
            jobs.iter().all(|job| job.output() == Some(&expected)) && calls.get() == 0,
            OneAttempt,
            "a call waits for the attempt that follows the one that it has waited for"
        );
    }
}

/// The futures of a ready cell complete in their first poll, and leave no waker in the cell.
pub fn a_ready_cell_registers_no_waiter<B: Backend>() {
    let cell = OnceCell::<u32, B>::with_backend_and_value(1);
    let calls = Cell::new(0);
    for method in ALL {
        let job = method.call(&cell, &calls);
        require!(
            job.output() == Some(&Some(&1)) && calls.get() == 0,
            Publication,
            "a future of a ready cell is pending, or returned another value"
        );
        require!(
            job.task().wakers() == 0,
            NothingLeftBehind,
            "a waker was left in a ready cell"
        );
    }
}

/// After `take`, a cell works as a new one does, even if futures that waited for it or initialized it were leaked.
pub fn a_cell_starts_afresh_after_take<B: Backend>() {
    for method in [GetOrInit, Wait] {
        let mut cell = OnceCell::<u32, B>::with_backend();
        let calls = Cell::new(0);
        let future: AnyFuture<'_, &u32> = Box::pin(cell.get_or_init(pending));
        Job::started(future).leak();
        let leaked = method.call(&cell, &calls);
        let task = leaked.task().clone();
        leaked.leak();
        let wakes = task.wakes();
        require!(
            cell.take().is_none(),
            Publication,
            "`take` returned a value although no initializer has completed"
        );
        let mut jobs = [(); 3].map(|()| GetOrInit.call(&cell, &calls));
        run_to_the_end(&mut jobs);
        require!(
            task.wakes() == wakes,
            StateMachine,
            "a waiter that was leaked before `take` was woken"
        );
        drop(jobs);
        forget(cell.take().map(|_| cell.try_claim()));
        require!(
            cell.take().is_none() && cell.set(4) == Ok(()),
            StateMachine,
            "`take` did not reset a cell whose guard was forgotten"
        );
    }
}

/// Tasks on several threads get one value from one initializer.
pub fn threads_fill_a_cell_once<B: Backend<Waiter: Send> + Sync>() {
    race_for_a_cell::<B>(GetOrInit);
}

/// Tasks on several threads, whose initializers fail, initialize one after the other until each has failed.
pub fn threads_take_their_turns<B: Backend<Waiter: Send> + Sync>() {
    race_for_a_cell::<B>(GetOrTryInit);
}

/// Tasks on several threads whose initializers fail: each call returns after one attempt, its own or another's.
pub fn threads_share_attempts<B: Backend<Waiter: Send> + Sync>() {
    race_for_a_cell::<B>(GetOrTryInitShared);
}

/// On each thread, makes three calls of each cell, and polls those that are woken a few times. Then runs all of them to their end.
/// The initializers of methods that return errors fail.
fn race_for_a_cell<B: Backend<Waiter: Send> + Sync>(method: Method) {
    let cells: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let cell = OnceCell::<usize, B>::with_backend();
            (cell, AtomicUsize::new(0), AtomicUsize::new(0))
        })
        .collect();
    let jobs = race(ROUNDS, |round, _| {
        let (cell, calls, running) = &cells[round];
        // Returns the number of other initializers that run at the same time.
        let init = async move || {
            calls.fetch_add(1, Ordering::Relaxed);
            let others = running.fetch_add(1, Ordering::Relaxed);
            for _ in 0..=round % 3 {
                yield_now().await;
            }
            running.fetch_sub(1, Ordering::Relaxed);
            others
        };
        let call = move |()| {
            Job::started(async move {
                match method {
                    GetOrTryInit => cell
                        .get_or_try_init(async || Err(init().await))
                        .await
                        .map_err(SharedInitError::Failed),
                    GetOrTryInitShared => cell.get_or_try_init_shared(async || Err(init().await)).await,
                    _ => Ok(cell.get_or_init(init).await),
                }
            })
        };
        let mut jobs = [(); 3].map(call);
        for _ in 0..10 {
            jobs.iter_mut().filter(|job| job.is_queued()).for_each(Job::poll);
        }
        jobs
    });
    for (jobs, (_, calls, _)) in jobs.into_iter().zip(&cells) {
        let mut jobs: Vec<_> = jobs.into_iter().flatten().collect();
        run_to_the_end(&mut jobs);
        require!(
            (jobs.iter().filter_map(Job::output)).all(|output| match output {
                Ok(others) => **others == 0,
                Err(SharedInitError::Failed(others)) => *others == 0,
                Err(SharedInitError::OtherFailed) => true,
            }),
            Exclusion,
            "two initializers ran at the same time"
        );
        let is_error = |job: &&Job<_>| matches!(job.output(), Some(Err(SharedInitError::Failed(_))));
        let (errors, calls) = (
            jobs.iter().filter(is_error).count(),
            calls.load(Ordering::Relaxed),
        );
        require!(
            calls == errors.max(1),
            OneAttempt,
            "{calls} initializers have run, and {errors} calls have returned the error of theirs"
        );
    }
}

/// Polls the jobs that are woken until all of them are done.
#[track_caller]
fn run_to_the_end<F: Future>(jobs: &mut [Job<F>]) {
    run(jobs);
    let pending = jobs.iter().filter(|job| !job.is_done()).count();
    let how = if jobs.iter().any(Job::is_queued) {
        "wake each other without end"
    } else {
        "stay asleep"
    };
    require!(
        pending == 0,
        NoLostWakeup,
        "{pending} of {} futures {how}, and no initializer is running",
        jobs.len()
    );
}
