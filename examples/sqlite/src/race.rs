//! The race, the same on every executor.
//!
//! Every task asks the cell for the database. So that the counts are exact in every run, the initializer holds its
//! claim at two gates:
//!
//! ```text
//! claim ──► all have asked ──► open the file on a blocking thread ──► yield ──► some have left ──► Ok
//!                                         │                                            │
//!                        the first few initializers are                      the waiters that are to
//!                        dropped here, each time a                           be dropped are; the last
//!                        waiter takes over                                   of them opens this gate
//! ```
//!
//! A path that cannot be opened fails the initializer. Its task gets the error and asks again; the next claimant,
//! that task or a waiter, opens the next path.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_lite::future::yield_now;
use oncelot::OnceCell;

use crate::countdown::Countdown;
use crate::counting_alloc;
use crate::database::{Database, Identity, OpenError};
use crate::runtimes::Runtime;
use crate::table::Cell;

/// How many tasks race, and how many of them are dropped on the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) tasks: usize,
    cancelled_initializing: usize,
    cancelled_waiting: usize,
}

impl Plan {
    pub(crate) fn new(tasks: usize) -> Self {
        Self {
            tasks,
            cancelled_initializing: tasks / 200,
            cancelled_waiting: tasks / 10,
        }
    }
}

/// What was counted in one race.
#[derive(Debug)]
pub(crate) struct Score {
    runtime: &'static str,
    plan: Plan,
    // Initializers, by their own account.
    started: usize,
    completed: usize,
    failed: usize,
    dropped: usize,
    // Tasks, by theirs.
    cancelled_initializing: usize,
    cancelled_waiting: usize,
    same_connection: usize,
    /// Allocations in the polls of tasks that waited.
    allocations: usize,
    elapsed: Duration,
}

/// How one task's part in the race ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Connected(Identity),
    CancelledInitializing,
    CancelledWaiting,
    NoPathLeft,
}

/// Why an initializer yields an error.
#[derive(Debug)]
enum Failure {
    Open(OpenError),
    NoPathLeft,
}

#[derive(Debug)]
struct Race {
    cell: &'static OnceCell<Database>,
    /// What to open; an initializer takes the first that no other one has failed with.
    paths: Vec<PathBuf>,
    failures: Mutex<Vec<OpenError>>,
    /// Opens when every task has asked for the connection.
    all_asked: Countdown,
    /// Opens when all waiters that are to be dropped have been.
    some_left: Countdown,
    initializers_to_cancel: AtomicUsize,
    waiters_to_cancel: AtomicUsize,
    initializers: Initializers,
    /// Allocations in the polls of tasks that waited.
    allocations: AtomicUsize,
}

#[derive(Debug, Default)]
struct Initializers {
    started: AtomicUsize,
    completed: AtomicUsize,
    failed: AtomicUsize,
    dropped: AtomicUsize,
}

/// Runs one race, and returns with the score the errors of the paths that could not be opened.
/// There is no score if that is all of them.
pub(crate) fn run<R: Runtime>(
    cell: &'static OnceCell<Database>,
    plan: Plan,
    paths: Vec<PathBuf>,
) -> io::Result<(Option<Score>, Vec<OpenError>)> {
    let race = Arc::new(Race {
        cell,
        paths,
        failures: Mutex::default(),
        all_asked: Countdown::new(plan.tasks),
        some_left: Countdown::new(plan.cancelled_waiting),
        initializers_to_cancel: AtomicUsize::new(plan.cancelled_initializing),
        waiters_to_cancel: AtomicUsize::new(plan.cancelled_waiting),
        initializers: Initializers::default(),
        allocations: AtomicUsize::new(0),
    });
    let start = Instant::now();
    let outcomes = R::run_all((0..plan.tasks).map(|_| {
        let race = Arc::clone(&race);
        async move { race.take_part().await }
    }))?;
    let elapsed = start.elapsed();

    let race = Arc::into_inner(race).expect("every task has ended");
    let count = |wanted| outcomes.iter().filter(|&&outcome| outcome == wanted).count();
    let score = cell.get().map(|database| Score {
        runtime: R::NAME,
        plan,
        started: race.initializers.started.into_inner(),
        completed: race.initializers.completed.into_inner(),
        failed: race.initializers.failed.into_inner(),
        dropped: race.initializers.dropped.into_inner(),
        cancelled_initializing: count(Outcome::CancelledInitializing),
        cancelled_waiting: count(Outcome::CancelledWaiting),
        same_connection: count(Outcome::Connected(database.identity())),
        allocations: race.allocations.into_inner(),
        elapsed,
    });
    Ok((score, race.failures.into_inner().unwrap()))
}

impl Race {
    /// Runs one task.
    async fn take_part(&self) -> Outcome {
        let mut has_asked = false;
        loop {
            match self.ask(&mut has_asked).await {
                Ok(outcome) => {
                    // The waiting future was dropped when `ask` returned.
                    if outcome == Outcome::CancelledWaiting {
                        self.some_left.count_down();
                    }
                    return outcome;
                }
                Err(Failure::Open(error)) => self.failures.lock().unwrap().push(error),
                Err(Failure::NoPathLeft) => return Outcome::NoPathLeft,
            }
        }
    }

    /// Asks the cell for the connection, unless it is this task's lot to be cancelled.
    async fn ask(&self, has_asked: &mut bool) -> Result<Outcome, Failure> {
        let initializing = AtomicBool::new(false);
        let mut connecting = pin!(self.cell.get_or_try_init(|| {
            initializing.store(true, Relaxed);
            counting_alloc::stop();
            self.initialize(Attempt::start(&self.initializers))
        }));
        let mut all_asked = pin!(self.all_asked.wait());

        poll_fn(|context| {
            if self.untried_path().is_none() {
                return Poll::Ready(Err(Failure::NoPathLeft));
            }
            let polled = if initializing.load(Relaxed) {
                connecting.as_mut().poll(context)
            } else {
                let poll = || connecting.as_mut().poll(context);
                let (polled, allocations) = counting_alloc::count_in(poll);
                self.allocations.fetch_add(allocations, Relaxed);
                polled
            };
            if !mem::replace(has_asked, true) {
                self.all_asked.count_down();
            }
            if let Poll::Ready(result) = polled {
                let connected = |database: &Database| Outcome::Connected(database.identity());
                return Poll::Ready(result.map(connected));
            }
            if !self.all_asked.is_open() && all_asked.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let (left, outcome) = if initializing.load(Relaxed) {
                (&self.initializers_to_cancel, Outcome::CancelledInitializing)
            } else {
                (&self.waiters_to_cancel, Outcome::CancelledWaiting)
            };
            // The future is dropped when `ask` returns.
            if take_one(left) {
                Poll::Ready(Ok(outcome))
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// The initializer.
    async fn initialize(&self, mut attempt: Attempt<'_>) -> Result<Database, Failure> {
        self.all_asked.wait().await;
        let Some(path) = self.untried_path().cloned() else {
            return Err(Failure::NoPathLeft);
        };
        let opened = blocking::unblock(|| Database::open(path)).await;
        // Even if the file was open in no time, an initializer that is to be dropped waits here.
        yield_now().await;
        if opened.is_ok() {
            self.some_left.wait().await;
            attempt.end = &self.initializers.completed;
        } else {
            attempt.end = &self.initializers.failed;
        }
        opened.map_err(Failure::Open)
    }

    /// The next initializer sees that this one failed, because it claims the cell after it.
    fn untried_path(&self) -> Option<&PathBuf> {
        self.paths.get(self.initializers.failed.load(Relaxed))
    }
}

/// Counts one initializer by how it ends, when it does.
#[derive(Debug)]
struct Attempt<'a> {
    end: &'a AtomicUsize,
}

impl<'a> Attempt<'a> {
    fn start(initializers: &'a Initializers) -> Self {
        initializers.started.fetch_add(1, Relaxed);
        Self {
            end: &initializers.dropped,
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.end.fetch_add(1, Relaxed);
    }
}

/// Decrements the counter, unless it is zero.
fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
        .is_ok()
}

impl Score {
    /// The lines above the columns of [`Score::row`].
    pub(crate) fn header() -> [Vec<String>; 2] {
        [
            [
                "",
                "initializers",
                "",
                "",
                "",
                "tasks dropped",
                "",
                "same",
                "allocations",
                "",
            ],
            [
                "executor",
                "started",
                "completed",
                "failed",
                "dropped",
                "initializing",
                "waiting",
                "connection",
                "by waiting",
                "ms",
            ],
        ]
        .map(|line| line.map(str::to_owned).to_vec())
    }

    pub(crate) fn row(&self) -> Vec<Cell> {
        vec![
            Cell::text(self.runtime),
            Cell::number(self.started),
            Cell::number(self.completed),
            Cell::number(self.failed),
            Cell::number(self.dropped),
            Cell::number(self.cancelled_initializing),
            Cell::number(self.cancelled_waiting),
            Cell::number(self.same_connection),
            Cell::number(self.allocations),
            Cell::number(format!("{:.1}", self.elapsed.as_secs_f64() * 1e3)),
        ]
    }

    /// Returns the guarantees of the cell, and the steps of the plan, that the counts contradict.
    pub(crate) fn broken_promises(&self) -> impl Iterator<Item = String> {
        let Plan {
            tasks,
            cancelled_initializing,
            cancelled_waiting,
        } = self.plan;
        let ended = self.completed + self.failed + self.dropped;
        let remaining = tasks - cancelled_initializing - cancelled_waiting;
        [
            (self.completed, 1, "initializers completed"),
            (ended, self.started, "initializers ended"),
            (self.dropped, cancelled_initializing, "initializers were dropped"),
            (
                self.cancelled_initializing,
                cancelled_initializing,
                "tasks were dropped initializing",
            ),
            (
                self.cancelled_waiting,
                cancelled_waiting,
                "tasks were dropped waiting",
            ),
            (self.same_connection, remaining, "tasks got the same connection"),
            (self.allocations, 0, "allocations were made by waiting"),
        ]
        .into_iter()
        .filter(|(actual, expected, _)| actual != expected)
        .map(|(actual, expected, what)| format!("{}: {actual} {what}, not {expected}", self.runtime))
    }
}
