//! Fault injection: a panic in each call into the user's code, and a cancellation after each poll.
//!
//! A scenario is a function that uses a cell, generic over the backend. Each call into user code is a *point*: an initializer
//! is called, polled or dropped, a waker is cloned, woken or dropped, a value is dropped or compared, a task is spawned. A
//! scenario runs once for each point, which then panics; once for each poll of each task, which is then dropped; and with
//! pairs of these faults. After each run, [`check::check`] checks what must hold.
//!
//! | to read | |
//! |---|---|
//! | `main.rs` | which faults a scenario runs with |
//! | `check.rs` | what must hold after a run |
//! | `backends.rs` | what the documentation of a backend excuses |
//! | `cells.rs`, `guards.rs`, `shared.rs`, `spawned.rs`, `threads.rs` | operations on a shared cell, by themselves and with other tasks |
//! | `exclusive.rs`, `lazies.rs` | scenarios of a cell that is borrowed exclusively; of `Lazy`, `BoxLazy` and statics |
//! | `run.rs`, `user.rs`, `tasks.rs` | points, user types made of points, and an executor |

#[path = "../util/mod.rs"]
mod util;

mod backends;
mod cells;
mod check;
mod exclusive;
mod guards;
mod lazies;
mod run;
mod shared;
mod spawned;
mod tasks;
mod threads;
mod user;

use std::{
    collections::BTreeMap,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process,
    sync::{Arc, Mutex, Weak},
    thread,
    time::{Duration, Instant},
};

use oncelot::{
    Backend,
    backend::{AtomicWaker, EventListener, Intrusive, Local},
};

use crate::{
    backends::{ATOMIC_WAKER, EVENT_LISTENER, Exception, INTRUSIVE, LOCAL, Tested},
    run::{Cancel, Plan, Run},
    threads::Watched,
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

/// Runs the scenarios that need a `Sync` cell, and the others.
fn run_on_shared_cells<B: Backend<Waiter: Send> + Send + Sync + 'static>(runner: &mut Runner) {
    run_on_one_thread::<B>(runner);
    cells::run(runner, spawned::operations::<B>());
    cells::run(runner, threads::operations::<Watched<B>>());
    lazies::run_boxes::<B>(runner);
}

fn run_on_one_thread<B: Backend + 'static>(runner: &mut Runner) {
    cells::run_ends::<B>(runner);
    cells::run(runner, cells::operations::<B>());
    cells::run(runner, guards::operations::<B>());
    cells::run(runner, shared::operations::<B>());
    exclusive::run::<B>(runner);
    lazies::run::<B>(runner);
}

/// The case that the other tests skip for this backend, in a process of its own: a waiter whose waker panicked when it
/// was cloned panics in its destructor, too. If this test fails, `Panics::clone_breaks_destructor` is no longer needed.
#[test]
#[cfg(unix)]
fn a_broken_event_aborts_a_program_that_drops_its_waiter_while_it_unwinds() {
    use std::{env, os::unix::process::ExitStatusExt, process::Command};

    const IS_CHILD: &str = "ONCELOT_FAULTS_CHILD";
    if env::var_os(IS_CHILD).is_some() {
        let first_clone = Plan {
            in_async: true,
            panics: vec![0],
            ..Plan::default()
        };
        run::begin(first_clone, INTRUSIVE.panics);
        cells::wait_alone::<EventListener>();
        return;
    }
    let name = "a_broken_event_aborts_a_program_that_drops_its_waiter_while_it_unwinds";
    let mut child = Command::new(env::current_exe().unwrap());
    let output = child.args(["--exact", name]).env(IS_CHILD, "").output().unwrap();
    assert!(output.status.signal().is_some(), "{output:?}");
}

/// If a run that already has a fault has more points than these, only the first, the second and the last point of each kind
/// panic.
const MANY_POINTS: usize = 6;

/// A scenario with more points than these has no runs with two panics.
const LONG_SCENARIO: usize = 40;

/// A scenario with more tasks than these has no runs with a cancellation and a panic.
const MANY_TASKS: usize = 16;

/// The program ends with a message if a run takes longer.
const TOO_LONG: Duration = Duration::from_secs(30);

/// Runs scenarios with faults.
struct Runner {
    backend: Tested,
    scenarios: usize,
    /// The number of runs with and without a cancellation, and with each number of panics.
    runs: BTreeMap<(bool, usize), usize>,
    /// How often each exception was needed.
    excused: BTreeMap<usize, usize>,
    failures: Vec<String>,
    /// What is running, and since when.
    current: Arc<Mutex<(String, Instant)>>,
}

impl Runner {
    fn new(backend: Tested) -> Self {
        let current = Arc::new(Mutex::new((String::new(), Instant::now())));
        let watched = Arc::downgrade(&current);
        thread::spawn(move || watch(&watched));
        Self {
            backend,
            scenarios: 0,
            runs: BTreeMap::new(),
            excused: BTreeMap::new(),
            failures: Vec::new(),
            current,
        }
    }

    /// Runs a scenario without a fault, with each panic, with each cancellation, and with pairs of them. Does nothing if an
    /// earlier scenario has failed.
    fn scenario(&mut self, name: &str, scenario: impl Fn()) {
        if !self.failures.is_empty() {
            return;
        }
        self.scenarios += 1;
        for in_async in [false, true] {
            let mut plan = Plan {
                in_async,
                ..Plan::default()
            };
            let without_fault = self.run(name, &scenario, plan.clone());
            for point in 0.. {
                let run = self.run(name, &scenario, plan.panicking_at(point));
                let Some(reached) = run.points.get(point) else {
                    break;
                };
                if reached.aborts || without_fault.points.len() > LONG_SCENARIO {
                    continue;
                }
                for second in some_points(&run, point + 1) {
                    let plan = plan.panicking_at(point).panicking_at(second);
                    self.run(name, &scenario, plan);
                }
            }
            for cancel in cancellations(&without_fault) {
                plan.cancel = Some(cancel);
                let run = self.run(name, &scenario, plan.clone());
                if without_fault.tasks.len() > MANY_TASKS {
                    continue;
                }
                for point in some_points(&run, run.points_before_cancel) {
                    self.run(name, &scenario, plan.panicking_at(point));
                }
            }
        }
    }

    fn run(&mut self, name: &str, scenario: impl Fn(), plan: Plan) -> Run {
        let what = format!("{name} on {}, with {plan:?}", self.backend.name);
        *self.current.lock().unwrap() = (what.clone(), Instant::now());
        run::begin(plan, self.backend.panics);
        let ended = catch_unwind(AssertUnwindSafe(scenario));
        let run = run::end();
        if let Err(payload) = ended {
            eprintln!("in {what}");
            resume_unwind(payload);
        }
        let panicked: Vec<_> = run.panicked().collect();
        // Not if a point does not panic, since that would abort the program, or the run has ended before it.
        if panicked.len() == run.plan.panics.len() {
            let kind = (run.plan.cancel.is_some(), panicked.len());
            *self.runs.entry(kind).or_default() += 1;
        }
        let (wrong, excused_by) = check::check(&run, self.backend.exceptions);
        for exception in excused_by {
            *self.excused.entry(exception).or_default() += 1;
        }
        if !wrong.is_empty() {
            let caught = &run.caught;
            self.failures.push(format!(
                "{what}, that is {panicked:?}:\n  {wrong:?}\n  panics: {caught:?}"
            ));
        }
        run
    }

    /// Prints how many runs there were. Panics if one went wrong, or an exception was not needed.
    fn finish(self) {
        let name = self.backend.name;
        let runs = |cancelled, panics| self.runs.get(&(cancelled, panics)).unwrap_or(&0);
        println!(
            "faults: {name}: {} scenarios; {} runs with one panic, {} with two; {} with a cancellation, {} with a \
             cancellation and a panic; excused: {:?}",
            self.scenarios,
            runs(false, 1),
            runs(false, 2),
            runs(true, 0),
            runs(true, 1),
            self.excused
        );
        for kind in [(false, 1), (false, 2), (true, 0), (true, 1)] {
            assert!(
                self.runs.contains_key(&kind),
                "{name} has no run of the kind {kind:?}"
            );
        }
        let failures = &self.failures;
        let first = failures[..failures.len().min(5)].join("\n");
        assert!(
            failures.is_empty(),
            "{} runs went wrong, and these among them:\n{first}",
            failures.len()
        );
        for (number, Exception { reason, .. }) in self.backend.exceptions.iter().enumerate() {
            assert!(
                self.excused.contains_key(&number),
                "{name} no longer needs the exception {reason:?}"
            );
        }
    }
}

impl Plan {
    fn panicking_at(&self, point: usize) -> Self {
        let mut plan = self.clone();
        plan.panics.push(point);
        plan
    }
}

/// Returns the points from `first` on, or if they are many, the first, the second and the last one of each kind.
fn some_points(run: &Run, first: usize) -> Vec<usize> {
    let points = first..run.points.len();
    let points: Vec<usize> = points.filter(|point| !run.points[*point].aborts).collect();
    if points.len() <= MANY_POINTS {
        return points;
    }
    let mut of_kinds = BTreeMap::<_, Vec<usize>>::new();
    for number in points {
        let point = run.points[number];
        of_kinds
            .entry((point.kind, point.is_dropping))
            .or_default()
            .push(number);
    }
    let chosen = of_kinds.into_values().flat_map(|mut points| {
        let last = points.split_off(points.len().min(2)).pop();
        points.into_iter().chain(last)
    });
    chosen.collect()
}

/// Each task before its first poll, and after each other poll: at once, and when it would be polled again.
fn cancellations(run: &Run) -> Vec<Cancel> {
    let mut cancellations = Vec::new();
    for (task, record) in run.tasks.iter().enumerate() {
        if record.is_check || record.is_thread {
            continue;
        }
        for polls in 0..record.polls {
            cancellations.push(Cancel::WhenWoken(task, polls));
            if polls > 0 {
                cancellations.push(Cancel::AtOnce(task, polls));
            }
        }
    }
    cancellations
}

/// Ends the program if a run does not end, for example because it blocks its thread.
fn watch(current: &Weak<Mutex<(String, Instant)>>) {
    while let Some(current) = current.upgrade() {
        let (what, since) = current.lock().unwrap().clone();
        if since.elapsed() > TOO_LONG {
            // Not by `eprintln!`, which the test harness captures, and loses when the program aborts.
            let message = format!("a run has not ended after {TOO_LONG:?}: {what}\n");
            let _ = io::stderr().write_all(message.as_bytes());
            process::abort();
        }
        drop(current);
        thread::sleep(Duration::from_secs(1));
    }
}
