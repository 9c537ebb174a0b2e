//! Fault injection: a panic in each call into the user's code, and a cancellation before and after each poll.
//!
//! A scenario is a function that uses a cell, generic over the backend. Each call into user code is a *point*: an initializer
//! is called, polled or dropped, a waker is cloned, woken or dropped, a value is dropped or cloned, a task is spawned. So is
//! each step of the executor at which a task can be cancelled. A scenario runs once for each point, at which it panics or is
//! cancelled, and with pairs of these faults. After each run, [`check::check`] checks what must hold.
//!
//! | to read | |
//! |---|---|
//! | `main.rs` | which faults a scenario runs with |
//! | `check.rs` | what must hold in a run |
//! | `backends.rs` | what the documentation of a backend excuses |
//! | `cells.rs`, `lazies.rs` | scenarios of cells; of `Lazy`, `BoxLazy` and statics |
//! | `run.rs`, `user.rs` | points, and the executor; user types made of points |

#[path = "../util/mod.rs"]
mod util;

mod backends;
mod cells;
mod check;
mod lazies;
mod run;
mod user;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    process,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use oncelot::{
    Backend,
    backend::{AtomicWaker, EventListener, Intrusive, Local},
};

use crate::{
    backends::{ATOMIC_WAKER, EVENT_LISTENER, INTRUSIVE, LOCAL, Tested},
    run::{Kind, Plan, Run},
};

#[test]
fn the_default_backend() {
    let mut runner = Runner::new(INTRUSIVE);
    run_on_shared_cells::<Intrusive>(&mut runner);
    lazies::run_statics(&mut runner);
    runner.finish();
}

#[test]
fn local() {
    let mut runner = Runner::new(LOCAL);
    run_on_one_thread::<Local>(&mut runner);
    runner.finish();
}

#[test]
fn event_listener() {
    let mut runner = Runner::new(EVENT_LISTENER);
    run_on_shared_cells::<EventListener>(&mut runner);
    runner.finish();
}

#[test]
fn atomic_waker() {
    let mut runner = Runner::new(ATOMIC_WAKER);
    run_on_shared_cells::<AtomicWaker>(&mut runner);
    runner.finish();
}

/// Runs all scenarios, including those that need a backend that is `Sync`.
fn run_on_shared_cells<B: Backend<Waiter: Send> + Send + Sync + 'static>(runner: &mut Runner) {
    run_on_one_thread::<B>(runner);
    cells::run_spawned::<B>(runner);
    lazies::run_boxes::<B>(runner);
}

/// Runs the scenarios that every backend supports.
fn run_on_one_thread<B: Backend + 'static>(runner: &mut Runner) {
    cells::run::<B>(runner);
    lazies::run_lazies::<B>(runner);
}

/// A scenario with more points than these has no runs with two faults.
const LONG_SCENARIO: usize = 80;

/// The program aborts with a message if a scenario takes longer.
const TOO_LONG: Duration = Duration::from_secs(30);

/// Runs scenarios with faults.
struct Runner {
    backend: Tested,
    scenarios: usize,
    /// The number of runs with no fault, with one, and with two.
    runs: [usize; 3],
    /// The exceptions that were needed.
    excused: BTreeSet<usize>,
}

impl Runner {
    fn new(backend: Tested) -> Self {
        Self {
            backend,
            scenarios: 0,
            runs: [0; 3],
            excused: BTreeSet::new(),
        }
    }

    /// Runs a scenario without a fault, with each fault, and with pairs of them.
    fn scenario(&mut self, name: &str, scenario: impl Fn()) {
        self.scenarios += 1;
        let name = format!("{name}, on {}", self.backend.name);
        let _watched_until_here = watch(name.clone());
        for in_async in [false, true] {
            let mut run = |faults| self.run(&name, &scenario, Plan { in_async, faults });
            let points = run(Vec::new()).points.len();
            for first in 0..points {
                let with_first = run(vec![first]);
                if with_first.points[first].aborts || points > LONG_SCENARIO {
                    continue;
                }
                for second in panics_after(&with_first, first) {
                    run(vec![first, second]);
                }
            }
        }
    }

    fn run(&mut self, name: &str, scenario: impl Fn(), plan: Plan) -> Run {
        let run = run::run_scenario(scenario, plan, self.backend.waker_panics);
        let (wrong, excused_by) = check::check(&run, self.backend.exceptions);
        let faults: Vec<_> = run.faults().collect();
        assert!(
            wrong.is_empty(),
            "one of the runs went wrong: {name}, with {:?}, that is {faults:?}:\n  {wrong:?}\n  panics: {:?}",
            run.plan,
            run.caught
        );
        self.excused.extend(excused_by);
        // A run is not counted if one of its points does not panic, because that would abort the program.
        self.runs[faults.len()] += usize::from(faults.len() == run.plan.faults.len());
        run
    }

    /// Prints how many runs there were. Panics if an exception was not needed.
    fn finish(self) {
        let (name, scenarios) = (self.backend.name, self.scenarios);
        let [_, one, two] = self.runs;
        println!("faults: {name}: {scenarios} scenarios; {one} runs with one fault, {two} with two");
        for (number, (reason, _)) in self.backend.exceptions.iter().enumerate() {
            assert!(
                self.excused.contains(&number),
                "{name} no longer needs the exception {reason:?}"
            );
        }
    }
}

/// Returns the points after `first` that can panic: of each kind, the first, the second and the last one.
fn panics_after(run: &Run, first: usize) -> Vec<usize> {
    let mut of_kinds = BTreeMap::<_, Vec<usize>>::new();
    for (number, point) in run.points.iter().enumerate().skip(first + 1) {
        if !point.aborts && point.kind != Kind::Step {
            let kind = (point.kind, point.context.is_dropping);
            of_kinds.entry(kind).or_default().push(number);
        }
    }
    let chosen = of_kinds.into_values().flat_map(|mut points| {
        let last = points.split_off(points.len().min(2)).pop();
        points.into_iter().chain(last)
    });
    chosen.collect()
}

/// Aborts the program if the result still exists after [`TOO_LONG`], for example because a scenario blocks its thread.
fn watch(scenario: String) -> mpsc::Sender<()> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        if receiver.recv_timeout(TOO_LONG) == Err(RecvTimeoutError::Timeout) {
            // Not by `eprintln!`, which the test harness captures, and loses when the program aborts.
            let message = format!("a run has not ended after {TOO_LONG:?}: {scenario}\n");
            let _ = io::stderr().write_all(message.as_bytes());
            process::abort();
        }
    });
    sender
}
