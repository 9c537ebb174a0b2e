//! The contract of [`OnceCell`] on top of a backend. No backend is excepted from these.

use std::{
    boxed::Box,
    cell::{Cell, OnceCell as StdOnceCell},
    future::{pending, poll_fn},
    mem::forget,
    pin::Pin,
    ptr, slice,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
    vec::Vec,
};

use super::{
    parts::{Job, panics, run, yield_now},
    rule::{Rule, broken, require},
    threads::{ROUNDS, race},
};
use crate::{
    SetError, SharedInitError, State,
    backend::{Backend, WaiterKind},
    once_cell::OnceCell,
};

type AnyFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

type AnyJob<'a, T> = Job<AnyFuture<'a, T>>;

/// The number of futures that wait for a cell, without the one that initializes it.
const WAITERS: [usize; 3] = [1, 2, 17];

/// `set`, `try_insert`, `get`, `take` and `into_inner` work on a cell without waiters.
pub fn a_cell_is_set_once<B: Backend>() {
    let mut cell = OnceCell::<u32, B>::with_backend();
    require!(cell.get().is_none(), StateMachine, "a new cell has a value");
    for value in [1, 2] {
        require!(
            cell.set(value) == Ok(()),
            StateMachine,
            "`set` fails on an empty cell"
        );
        require!(
            cell.get() == Some(&value),
            Publication,
            "`get` does not return what was set"
        );
        require!(
            cell.try_insert(3) == Err(SetError::AlreadyInitializedError(3)),
            Publication,
            "`try_insert` does not report that there is a value"
        );
        require!(
            cell.take() == Some(value),
            Publication,
            "`take` does not return what was set"
        );
        require!(
            cell.get().is_none(),
            StateMachine,
            "a cell has its value after `take`"
        );
    }
    let cell = OnceCell::<u32, B>::with_backend_and_value(4);
    require!(
        cell.get() == Some(&4) && cell.into_inner() == Some(4),
        Publication,
        "a cell that was made with a value does not have it"
    );
}

/// Of many callers, one runs its initializer, and all get the value.
pub fn one_initializer_runs<B: Backend>() {
    for count in WAITERS {
        let cell = OnceCell::<u32, B>::with_backend();
        let calls = Cell::new(0);
        let mut jobs: Vec<_> = (0..=count)
            .map(|_| {
                Job::started(cell.get_or_init(|| {
                    calls.set(calls.get() + 1);
                    async {
                        yield_now().await;
                        1
                    }
                }))
            })
            .collect();
        require!(
            cell.set(2) == Err(SetError::InitializingError(2)),
            Exclusion,
            "`set` does not report that an initializer is running"
        );
        run(&mut jobs);
        require!(
            calls.get() == 1,
            Exclusion,
            "{} initializers were called, and none has failed",
            calls.get()
        );
        require_all_done(&jobs);
        let value = cell.get();
        require!(
            (jobs.iter()).all(|job| job.output().zip(value).is_some_and(|(a, b)| ptr::eq(*a, b))),
            Publication,
            "a caller did not get the value of the cell"
        );
    }
}

/// How an initializer ends without a value.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Error,
    Panic,
    Drop,
}

/// After an initializer has failed, the other callers run theirs, until one succeeds.
pub fn an_error_passes_the_turn_on<B: Backend>() {
    the_turn_is_passed_on::<B>(Failure::Error);
}

/// After an initializer has panicked, the other callers run theirs, until one succeeds: the cell is not poisoned.
pub fn a_panic_passes_the_turn_on<B: Backend>() {
    the_turn_is_passed_on::<B>(Failure::Panic);
}

/// After a future that ran its initializer was dropped, the other callers run theirs, until one succeeds.
pub fn a_dropped_initializer_passes_the_turn_on<B: Backend>() {
    the_turn_is_passed_on::<B>(Failure::Drop);
}

fn the_turn_is_passed_on<B: Backend>(failure: Failure) {
    for count in WAITERS {
        let cell = OnceCell::<u32, B>::with_backend();
        let must_end = Cell::new(false);
        let mut first = Job::started(cell.get_or_try_init(|| {
            poll_fn(|_| match (must_end.get(), failure) {
                (false, _) => Poll::Pending,
                (true, Failure::Panic) => panic!("this panic is part of the test"),
                (true, _) => Poll::Ready(Err("failed")),
            })
        }));
        let successes = Cell::new(0);
        let turns = Cell::new(0);
        let mut jobs: Vec<_> = (0..count)
            .map(|index| {
                let (successes, turns) = (&successes, &turns);
                Job::started(cell.get_or_try_init(async move || {
                    turns.set(turns.get() + 1);
                    yield_now().await;
                    if index + 1 < count && turns.get() + 1 < count {
                        return Err("failed again");
                    }
                    successes.set(successes.get() + 1);
                    Ok(1)
                }))
            })
            .collect();
        let mut passive = [(); 2].map(|()| Job::started(cell.wait()));
        must_end.set(true);
        match failure {
            Failure::Error => {
                first.poll();
                require!(
                    first.output() == Some(&Err("failed")),
                    StateMachine,
                    "the error of the initializer did not go to its caller"
                );
            }
            Failure::Panic => {
                let panicked = panics(|| first.poll());
                require!(
                    panicked,
                    StateMachine,
                    "the panic of the initializer did not go to its caller"
                );
            }
            Failure::Drop => first.abort(),
        }
        run(&mut jobs);
        require_all_done(&jobs);
        run(&mut passive);
        require_all_done(&passive);
        require!(
            successes.get() == 1,
            Exclusion,
            "{} initializers have succeeded",
            successes.get()
        );
        require!(
            (jobs.iter()).all(|job| matches!(job.output(), Some(&Ok(&1) | &Err("failed again")))),
            StateMachine,
            "a caller got neither the value nor the error of its own initializer"
        );
    }
}

/// Nothing is reserved for the oldest waiter: the first waiter to be polled after a failure initializes, even if no other waiter
/// is ever polled again.
pub fn the_first_waiter_that_is_polled_is_next<B: Backend>() {
    for next in 0..5 {
        let cell = OnceCell::<u32, B>::with_backend();
        let mut first = Job::started(cell.get_or_try_init(pending::<Result<u32, ()>>));
        let mut jobs: Vec<_> = (0..5)
            .map(|index: u32| Job::started(cell.get_or_try_init(async move || Ok::<_, ()>(index))))
            .collect();
        let mut passive = Job::started(cell.wait());
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
            jobs[next].output() == Some(&Ok(&(next as u32))),
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

/// A future that waits is woken by the task that has polled it last, and returns the value.
pub fn every_future_wakes_its_newest_task<B: Backend>() {
    let cell = OnceCell::<u32, B>::with_backend();
    let guard = cell.try_claim().ok();
    let mut jobs = every_future(&cell).map(Job::started);
    jobs.iter_mut().for_each(Job::move_to_another_task);
    jobs.iter_mut().for_each(Job::poll);
    require!(
        !jobs.iter().any(Job::is_done),
        Exclusion,
        "a future did not wait for the initializer"
    );
    guard.map(|guard| guard.set(1));
    run(&mut jobs);
    require_all_done(&jobs);
    require!(
        jobs.iter().all(|job| job.output() == Some(&1)),
        Publication,
        "a future did not return the value that it has waited for"
    );
}

/// One future of each method that waits. The output is the value of the cell, even of `insert`, which finds it.
fn every_future<B: Backend>(cell: &OnceCell<u32, B>) -> [AnyFuture<'_, u32>; 6] {
    [
        Box::pin(async { *cell.get_or_init(async || 2).await }),
        Box::pin(async { cell.insert(2).await.map_or_else(|(present, _)| *present, |_| 2) }),
        Box::pin(async { *cell.wait().await }),
        Box::pin(async {
            cell.get_or_try_init_shared(async || Err(()))
                .await
                .map_or(0, |value| *value)
        }),
        Box::pin(async { cell.wait_attempt().await.map_or(0, |value| *value) }),
        Box::pin(async { cell.get_or_claim().await.map_or(0, |value| *value) }),
    ]
}

/// `insert` waits for a running initializer to end, and stores its value if the initializer fails.
pub fn inserting_waits_its_turn<B: Backend>() {
    for succeeds in [false, true] {
        let cell = OnceCell::<u32, B>::with_backend();
        let result = StdOnceCell::new();
        let mut first =
            Job::started(cell.get_or_try_init(|| {
                poll_fn(|_| result.get().map_or(Poll::Pending, |end| Poll::Ready(*end)))
            }));
        let mut inserting = [Job::started(cell.insert(2))];
        require!(
            !inserting[0].is_done(),
            Exclusion,
            "`insert` did not wait for the initializer"
        );
        let _ = result.set(if succeeds { Ok(1) } else { Err(()) });
        first.poll();
        run(&mut inserting);
        let expected = if succeeds { Err((&1, 2)) } else { Ok(&2) };
        require!(
            inserting[0].output() == Some(&expected),
            NoLostWakeup,
            "`insert` ended with {:?}, and not with {expected:?}",
            inserting[0].output()
        );
    }
}

/// `wait` never initializes the cell. It returns the value of `set`, even after failures.
pub fn waiting_gets_the_value_and_never_makes_it<B: Backend>() {
    let cell = OnceCell::<u32, B>::with_backend();
    let mut waiting: Vec<_> = (0..17).map(|_| Job::started(cell.wait())).collect();
    for _ in 0..3 {
        Job::started(cell.get_or_try_init(async || Err(()))).abort();
        Job::started(cell.get_or_try_init(pending::<Result<u32, ()>>)).abort();
        // Woken or not.
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
    run(&mut waiting);
    require_all_done(&waiting);
}

/// A guard excludes others, and its value goes to every waiter.
pub fn a_guard_fills_the_cell<B: Backend>() {
    for count in WAITERS {
        let cell = OnceCell::<u32, B>::with_backend();
        let Ok(guard) = cell.try_claim() else {
            broken(
                Rule::StateMachine,
                format_args!("`try_claim` fails on an empty cell"),
            )
        };
        require!(
            cell.try_claim().err() == Some(State::Initializing),
            Exclusion,
            "two guards of one cell exist"
        );
        require!(
            cell.set(2) == Err(SetError::InitializingError(2))
                && cell.try_insert(2) == Err(SetError::InitializingError(2))
                && cell.try_get_or_init(|| 2).is_err()
                && cell.get().is_none(),
            Exclusion,
            "a cell was given a value while another caller held its guard"
        );
        let mut jobs: Vec<AnyJob<'_, u32>> = Vec::new();
        for _ in 0..count {
            jobs.push(AnyJob::started(Box::pin(async {
                *cell.get_or_init(async || 2).await
            })));
            jobs.push(AnyJob::started(Box::pin(async { *cell.wait().await })));
            jobs.push(AnyJob::started(Box::pin(async {
                *cell.get_or_claim().await.expect("a value")
            })));
        }
        let value = guard.set(1);
        require!(
            cell.get()
                .is_some_and(|found| ptr::eq(found, value) && *found == 1)
                && cell.try_claim().err() == Some(State::Ready),
            Publication,
            "the value of a guard is not in the cell"
        );
        run(&mut jobs);
        require_all_done(&jobs);
        require!(
            jobs.iter().all(|job| job.output() == Some(&1)),
            Publication,
            "a waiter did not get the value of the guard"
        );
    }
}

/// A guard that is dropped leaves the cell empty, and the waiters initialize it.
pub fn a_dropped_guard_wakes_every_claimant<B: Backend>() {
    for count in WAITERS {
        let cell = OnceCell::<u32, B>::with_backend();
        let guard = cell.try_claim();
        let calls = Cell::new(0);
        let init = || {
            calls.set(calls.get() + 1);
            async { 1 }
        };
        let mut jobs: Vec<_> = (0..count).map(|_| Job::started(cell.get_or_init(init))).collect();
        drop(guard);
        run(&mut jobs);
        require_all_done(&jobs);
        require!(
            calls.get() == 1,
            Exclusion,
            "{} initializers were called after a guard was dropped, and none has failed",
            calls.get()
        );
    }
}

/// `get_or_claim` claims an empty cell. It waits for a running initializer, and returns its value or the claim.
pub fn claiming_waits_for_the_initializer<B: Backend>() {
    for succeeds in [false, true] {
        let cell = OnceCell::<u32, B>::with_backend();
        require!(
            (Job::started(cell.get_or_claim()).output()).is_some_and(Result::is_err),
            StateMachine,
            "`get_or_claim` did not claim an empty cell"
        );
        let guard = cell.try_claim().ok();
        let mut claiming = [Job::started(cell.get_or_claim())];
        require!(
            !claiming[0].is_done(),
            Exclusion,
            "`get_or_claim` did not wait for the initializer"
        );
        if let Some(guard) = guard.filter(|_| succeeds) {
            guard.set(1);
        }
        run(&mut claiming);
        require_all_done(&claiming);
        require!(
            claiming[0]
                .output()
                .is_some_and(|output| output.is_ok() == succeeds),
            Publication,
            "`get_or_claim` returned the claim of a cell that has a value, or no claim of an empty cell"
        );
        drop(claiming);
        require!(
            cell.state() == if succeeds { State::Ready } else { State::Uninit },
            StateMachine,
            "the state is {:?} after the guard was dropped",
            cell.state()
        );
    }
}

/// One initializer fails, and every other shared call returns without running its own.
pub fn a_failed_attempt_is_shared<B: Backend>() {
    one_attempt_is_shared::<B>(Failure::Error);
}

/// One initializer panics, and every other shared call returns without running its own.
pub fn a_panicked_attempt_is_shared<B: Backend>() {
    one_attempt_is_shared::<B>(Failure::Panic);
}

/// The future that runs the initializer is dropped, and every other shared call returns without running its own.
pub fn a_dropped_attempt_is_shared<B: Backend>() {
    one_attempt_is_shared::<B>(Failure::Drop);
}

fn one_attempt_is_shared<B: Backend>(failure: Failure) {
    for count in WAITERS {
        let cell = OnceCell::<u32, B>::with_backend();
        let must_end = Cell::new(false);
        let calls = Cell::new(0);
        let init = || {
            calls.set(calls.get() + 1);
            poll_fn(|_| match (must_end.get(), failure) {
                (false, _) => Poll::Pending,
                (true, Failure::Panic) => panic!("this panic is part of the test"),
                (true, _) => Poll::Ready(Err("failed")),
            })
        };
        let mut first = Job::started(cell.get_or_try_init_shared(init));
        let mut jobs: Vec<_> = (0..count)
            .map(|_| Job::started(cell.get_or_try_init_shared(init)))
            .collect();
        let mut waiting = [(); 2].map(|()| Job::started(cell.wait_attempt()));
        for _ in 0..2 {
            jobs.iter_mut().for_each(Job::poll);
            waiting.iter_mut().for_each(Job::poll);
        }
        must_end.set(true);
        match failure {
            Failure::Error => {
                first.poll();
                require!(
                    first.output() == Some(&Err(SharedInitError::Failed("failed"))),
                    StateMachine,
                    "the error of the initializer did not go to its caller"
                );
            }
            Failure::Panic => require!(
                panics(|| first.poll()),
                StateMachine,
                "the panic of the initializer did not go to its caller"
            ),
            Failure::Drop => first.abort(),
        }
        run(&mut jobs);
        run(&mut waiting);
        require_all_done(&jobs);
        require_all_done(&waiting);
        require!(
            (jobs.iter()).all(|job| job.output() == Some(&Err(SharedInitError::OtherFailed)))
                && waiting.iter().all(|job| job.output() == Some(&None)),
            OneAttempt,
            "a call that waited for a failed attempt returned another result"
        );
        require!(
            calls.get() == 1,
            OneAttempt,
            "{count} calls waited for a failed attempt, and {} initializers were called",
            calls.get()
        );
        require!(
            cell.state() == State::Uninit,
            StateMachine,
            "the state is {:?} after a failed attempt",
            cell.state()
        );
    }
}

/// One initializer succeeds, and every shared call returns its value.
pub fn a_value_is_shared<B: Backend>() {
    for count in WAITERS {
        let cell = OnceCell::<u32, B>::with_backend();
        let calls = Cell::new(0);
        let mut jobs: Vec<_> = (0..=count)
            .map(|_| {
                Job::started(cell.get_or_try_init_shared(|| {
                    calls.set(calls.get() + 1);
                    async {
                        yield_now().await;
                        Ok::<_, ()>(1)
                    }
                }))
            })
            .collect();
        let mut waiting = [(); 2].map(|()| Job::started(cell.wait_attempt()));
        run(&mut jobs);
        run(&mut waiting);
        require_all_done(&jobs);
        require_all_done(&waiting);
        require!(
            jobs.iter().all(|job| job.output() == Some(&Ok(&1)))
                && waiting.iter().all(|job| job.output() == Some(&Some(&1))),
            OneAttempt,
            "a call that waited for a successful attempt did not return its value"
        );
        require!(
            calls.get() == 1,
            Exclusion,
            "{} initializers were called, and none has failed",
            calls.get()
        );
    }
}

/// A shared call that is polled only after the next attempt has begun does not wait for the next attempt.
pub fn a_shared_call_waits_for_one_attempt<B: Backend>() {
    for count in WAITERS {
        let cell = OnceCell::<u32, B>::with_backend();
        let guard = cell.try_claim();
        let mut jobs: Vec<_> = (0..count)
            .map(|_| Job::started(cell.get_or_try_init_shared(async || Ok::<_, ()>(1))))
            .collect();
        let mut waiting: Vec<_> = (0..count).map(|_| Job::started(cell.wait_attempt())).collect();
        drop(guard);
        let _next = cell.try_claim();
        run(&mut jobs);
        run(&mut waiting);
        require!(
            (jobs.iter()).all(|job| job.output() == Some(&Err(SharedInitError::OtherFailed)))
                && waiting.iter().all(|job| job.output() == Some(&None)),
            OneAttempt,
            "a call waits for the attempt that follows the one that it has waited for"
        );
    }
    // The next attempt has ended with a value before the call is polled.
    let cell = OnceCell::<u32, B>::with_backend();
    let guard = cell.try_claim();
    let mut late = Job::started(cell.get_or_try_init_shared(async || Ok::<_, ()>(2)));
    drop(guard);
    run(&mut [Job::started(cell.insert(1))]);
    late.poll();
    require!(
        late.output() == Some(&Ok(&1)),
        OneAttempt,
        "a shared call did not return the value that it found"
    );
}

/// `wait_attempt` returns immediately if no initializer is running, and otherwise when the initializer ends, even after spurious
/// polls.
pub fn waiting_for_an_attempt_ends_with_it<B: Backend>() {
    let cell = OnceCell::<u32, B>::with_backend();
    for succeeds in [false, true] {
        require!(
            Job::started(cell.wait_attempt()).output() == Some(&None),
            OneAttempt,
            "`wait_attempt` waits although no initializer is running"
        );
        let guard = cell.try_claim().ok();
        let mut waiting: Vec<_> = (0..17).map(|_| Job::started(cell.wait_attempt())).collect();
        for _ in 0..3 {
            waiting.iter_mut().for_each(Job::poll);
        }
        require!(
            !waiting.iter().any(Job::is_done),
            OneAttempt,
            "`wait_attempt` returned before the initializer had ended"
        );
        if let Some(guard) = guard.filter(|_| succeeds) {
            guard.set(1);
        }
        run(&mut waiting);
        require_all_done(&waiting);
        let expected = succeeds.then_some(&1);
        require!(
            waiting.iter().all(|job| job.output() == Some(&expected)),
            OneAttempt,
            "`wait_attempt` did not return {expected:?}"
        );
    }
}

/// The futures of a ready cell complete in their first poll, and leave no waker in the cell.
pub fn a_ready_cell_registers_no_waiter<B: Backend>() {
    let cell = OnceCell::<u32, B>::with_backend_and_value(1);
    for future in every_future(&cell) {
        let job = Job::started(future);
        require!(
            job.output() == Some(&1),
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

/// After `take` a cell works as a new one, even if futures that waited for it or initialized it were leaked.
pub fn a_cell_starts_afresh_after_take<B: Backend>() {
    for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
        let mut cell = OnceCell::<u32, B>::with_backend();
        let future: AnyFuture<'_, &u32> = Box::pin(cell.get_or_init(pending));
        Job::started(future).leak();
        let future: AnyFuture<'_, &u32> = match kind {
            WaiterKind::Claimant => Box::pin(cell.get_or_init(async || 2)),
            WaiterKind::Passive => Box::pin(cell.wait()),
        };
        let leaked = Job::started(future);
        let task = leaked.task().clone();
        leaked.leak();
        let wakes = task.wakes();
        require!(
            cell.take().is_none(),
            Publication,
            "`take` returned a value although no initializer has completed"
        );
        let mut jobs: Vec<_> = (0..3)
            .map(|_| {
                Job::started(cell.get_or_init(async || {
                    yield_now().await;
                    3
                }))
            })
            .collect();
        run(&mut jobs);
        require_all_done(&jobs);
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
    let cells: Vec<_> = (0..ROUNDS)
        .map(|_| (OnceCell::<usize, B>::with_backend(), AtomicUsize::new(0)))
        .collect();
    let jobs = race(ROUNDS, |round, thread| {
        let (cell, calls) = &cells[round];
        run_for_a_while(|| {
            Job::started(cell.get_or_init(async move || {
                calls.fetch_add(1, Ordering::Relaxed);
                for _ in 0..round % 3 {
                    yield_now().await;
                }
                thread
            }))
        })
    });
    for (jobs, (_, calls)) in jobs.into_iter().zip(&cells) {
        let mut jobs: Vec<_> = jobs.into_iter().flatten().collect();
        run(&mut jobs);
        require_all_done(&jobs);
        require!(
            calls.load(Ordering::Relaxed) == 1,
            Exclusion,
            "several threads have run an initializer, and none has failed"
        );
    }
}

/// Tasks on several threads, whose initializers fail, initialize one after the other until each has failed.
pub fn threads_take_their_turns<B: Backend<Waiter: Send> + Sync>() {
    let cells: Vec<_> = (0..ROUNDS)
        .map(|_| (OnceCell::<usize, B>::with_backend(), AtomicUsize::new(0)))
        .collect();
    let jobs = race(ROUNDS, |round, _| {
        let (cell, running) = &cells[round];
        run_for_a_while(|| {
            Job::started(cell.get_or_try_init(async move || {
                let others = running.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
                running.fetch_sub(1, Ordering::Relaxed);
                Err::<usize, _>(others)
            }))
        })
    });
    for jobs in jobs {
        let mut jobs: Vec<_> = jobs.into_iter().flatten().collect();
        run(&mut jobs);
        require_all_done(&jobs);
        require!(
            jobs.iter().all(|job| job.output() == Some(&Err(0))),
            Exclusion,
            "two initializers ran at the same time"
        );
    }
}

/// Tasks on several threads whose initializers fail: each call returns after one attempt, its own or another's.
pub fn threads_share_attempts<B: Backend<Waiter: Send> + Sync>() {
    let cells: Vec<_> = (0..ROUNDS)
        .map(|_| (OnceCell::<usize, B>::with_backend(), AtomicUsize::new(0)))
        .collect();
    let jobs = race(ROUNDS, |round, _| {
        let (cell, calls) = &cells[round];
        run_for_a_while(|| {
            Job::started(cell.get_or_try_init_shared(async move || {
                calls.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
                Err::<usize, _>(())
            }))
        })
    });
    for (jobs, (_, calls)) in jobs.into_iter().zip(&cells) {
        let mut jobs: Vec<_> = jobs.into_iter().flatten().collect();
        run(&mut jobs);
        require_all_done(&jobs);
        let failed = jobs
            .iter()
            .filter(|job| job.output() == Some(&Err(SharedInitError::Failed(()))));
        require!(
            failed.count() == calls.load(Ordering::Relaxed),
            OneAttempt,
            "a shared call ran its initializer, and does not return the error of it"
        );
    }
}

/// Starts some jobs, and polls those that are woken a few times, not until they complete.
fn run_for_a_while<F: Future>(start: impl Fn() -> Job<F>) -> Vec<Job<F>> {
    let mut jobs: Vec<_> = (0..3).map(|_| start()).collect();
    for _ in 0..10 {
        jobs.iter_mut().filter(|job| job.is_queued()).for_each(Job::poll);
    }
    jobs
}

#[track_caller]
fn require_all_done<F: Future>(jobs: &[Job<F>]) {
    let asleep = jobs.iter().filter(|job| !job.is_done()).count();
    require!(
        asleep == 0,
        NoLostWakeup,
        "{asleep} of {} futures stay asleep, and no initializer is running",
        jobs.len()
    );
}
