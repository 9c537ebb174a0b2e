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
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_lite::future::{self, Boxed};
use oncelot::OnceCell;

use crate::database::Database;
use crate::executors::RunAll;

/// How many tasks race, and how many of them are dropped on the way.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    tasks: usize,
    dropped_initializing: usize,
    dropped_waiting: usize,
}

impl Plan {
    pub(crate) fn new(tasks: usize) -> Self {
        Self {
            tasks,
            dropped_initializing: tasks / 200,
            dropped_waiting: tasks / 10,
        }
    }
}

/// What was counted in one race.
pub(crate) struct Score {
    pub(crate) counts: [Count; 7],
    pub(crate) elapsed: Duration,
}

/// A number, and what it must be if the cell keeps its promises.
pub(crate) struct Count {
    pub(crate) what: &'static str,
    pub(crate) actual: usize,
    pub(crate) expected: usize,
}

/// How one task's part in the race ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With the connection of that opening.
    Connected(usize),
    DroppedInitializing,
    DroppedWaiting,
    NoPathLeft,
}

struct Race {
    executor: &'static str,
    cell: &'static OnceCell<Database>,
    /// An initializer opens the first path that no initializer has failed with.
    paths: Vec<PathBuf>,
    /// Opens when every task has asked for the connection.
    all_asked: Gate,
    /// Opens when all waiters that are to be dropped have been.
    some_left: Gate,
    initializers_to_drop: AtomicUsize,
    waiters_to_drop: AtomicUsize,
    initializers: Initializers,
}

#[derive(Default)]
struct Initializers {
    started: AtomicUsize,
    completed: AtomicUsize,
    failed: AtomicUsize,
    dropped: AtomicUsize,
}

/// Runs one race. It is an error if none of the paths can be opened.
pub(crate) fn run(
    executor: &'static str,
    cell: &'static OnceCell<Database>,
    run_all: RunAll<Outcome>,
    plan: Plan,
    paths: &[PathBuf],
) -> anyhow::Result<Score> {
    let race = Arc::new(Race {
        executor,
        cell,
        paths: paths.to_vec(),
        all_asked: Gate::new(plan.tasks),
        some_left: Gate::new(plan.dropped_waiting),
        initializers_to_drop: AtomicUsize::new(plan.dropped_initializing),
        waiters_to_drop: AtomicUsize::new(plan.dropped_waiting),
        initializers: Initializers::default(),
    });
    let start = Instant::now();
    let task = |_| -> Boxed<Outcome> {
        let race = Arc::clone(&race);
        Box::pin(async move { race.take_part().await })
    };
    let outcomes = run_all((0..plan.tasks).map(task).collect())
        .with_context(|| format!("{executor} cannot run {} tasks", plan.tasks))?;
    let elapsed = start.elapsed();

    let database = cell
        .get()
        .with_context(|| format!("no database could be opened on {executor}"))?;
    let failures = paths.iter().position(|path| *path == database.path);
    let started = race.initializers.started.load(Relaxed);
    let completed = race.initializers.completed.load(Relaxed);
    let failed = race.initializers.failed.load(Relaxed);
    let dropped = race.initializers.dropped.load(Relaxed);
    let outcome = |wanted| outcomes.iter().filter(|&&outcome| outcome == wanted).count();
    let counts = [
        ("initializers started", started, completed + failed + dropped),
        ("initializers completed", completed, 1),
        (
            "initializers failed",
            failed,
            failures.expect("a path was opened"),
        ),
        ("initializers dropped", dropped, plan.dropped_initializing),
        (
            "tasks dropped while they initialized",
            outcome(Outcome::DroppedInitializing),
            plan.dropped_initializing,
        ),
        (
            "tasks dropped while they waited",
            outcome(Outcome::DroppedWaiting),
            plan.dropped_waiting,
        ),
        (
            "tasks with the same connection",
            outcome(Outcome::Connected(database.opening)),
            plan.tasks - plan.dropped_initializing - plan.dropped_waiting,
        ),
    ];
    Ok(Score {
        counts: counts.map(|(what, actual, expected)| Count {
            what,
            actual,
            expected,
        }),
        elapsed,
    })
}

impl Race {
    /// Runs one task: it asks the cell for the connection until it gets it or has to leave.
    async fn take_part(&self) -> Outcome {
        let mut has_asked = false;
        loop {
            let is_initializing = AtomicBool::new(false);
            let ask = self.cell.get_or_try_init(|| {
                is_initializing.store(true, Relaxed);
                self.initialize()
            });
            let connect = async { ask.await.map(|database| Outcome::Connected(database.opening)) };
            let leave = async {
                // `or` polls `connect` first, so this task has asked the cell.
                if !mem::replace(&mut has_asked, true) {
                    self.all_asked.count_down();
                }
                self.all_asked.wait().await;
                // Every poll decides again, because a waiter can become the initializer.
                poll_fn(|_| {
                    let (left, outcome) = if is_initializing.load(Relaxed) {
                        (&self.initializers_to_drop, Outcome::DroppedInitializing)
                    } else {
                        (&self.waiters_to_drop, Outcome::DroppedWaiting)
                    };
                    let decrement = |left: usize| left.checked_sub(1);
                    match left.fetch_update(Relaxed, Relaxed, decrement) {
                        Ok(_) => Poll::Ready(Ok(outcome)),
                        Err(_) => Poll::Pending,
                    }
                })
                .await
            };
            // The cell's future is dropped at the end of this statement.
            let ended = future::or(connect, leave).await;
            match ended {
                Ok(outcome) => {
                    if outcome == Outcome::DroppedWaiting {
                        self.some_left.count_down();
                    }
                    return outcome;
                }
                Err(Some(error)) => eprintln!("{}: {error:#}", self.executor),
                Err(None) => return Outcome::NoPathLeft,
            }
        }
    }

    /// The initializer. Its error is `None` if no path is left to open.
    async fn initialize(&self) -> Result<Database, Option<anyhow::Error>> {
        let mut attempt = Attempt::start(&self.initializers);
        self.all_asked.wait().await;
        // The next initializer sees that this one failed, because it claims the cell after it.
        let path = self.paths.get(self.initializers.failed.load(Relaxed));
        let path = path.ok_or(None)?.clone();
        let opened = blocking::unblock(|| Database::open(path)).await;
        // Even if the file was open in no time, an initializer that is to be dropped waits here.
        future::yield_now().await;
        if opened.is_ok() {
            self.some_left.wait().await;
            attempt.end = &self.initializers.completed;
        } else {
            attempt.end = &self.initializers.failed;
        }
        Ok(opened?)
    }
}

/// Counts an initializer when it starts, and by how it ends when it ends.
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

/// A gate that opens when a number of tasks have arrived.
struct Gate {
    missing: AtomicUsize,
    open: OnceCell<()>,
}

impl Gate {
    fn new(count: usize) -> Self {
        Self {
            missing: AtomicUsize::new(count),
            open: OnceCell::new_with((count == 0).then_some(())),
        }
    }

    /// Counts one task. The last one opens the gate.
    fn count_down(&self) {
        // ORDERING: what each task did before it was counted happens before the gate opens: the Release of every
        // decrement pairs with the Acquire of the last.
        if self.missing.fetch_sub(1, AcqRel) == 1 {
            self.open.set(()).expect("only the last task opens the gate");
        }
    }

    async fn wait(&self) {
        self.open.wait().await;
    }
}
