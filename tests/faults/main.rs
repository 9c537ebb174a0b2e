//! Fault injection: a panic in each call into the user's code, and a cancellation after each poll.
//!
//! A scenario is a function that uses a cell, generic over the backend. Each call into user code is a *point*: an initializer
//! is called, polled or dropped, a waker is cloned, woken or dropped, a value is dropped or compared, a task is spawned. A
//! scenario runs once for each point, and that point panics; once for each poll of each task, and the task is dropped then;
//! and with pairs of these faults. After each run, [`check::check`] states what must hold.
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
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use oncelot::{
    Backend,
    backend::{AtomicWaker, EventListener, Intrusive, Local},
};

use crate::{
    backends::{ATOMIC_WAKER, EVENT_LISTENER, INTRUSIVE, LOCAL, Tested},
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

/// The scenarios that need a `Sync` cell, and the others.
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
    one_panic: usize,
    two_panics: usize,
    one_cancellation: usize,
    cancellation_and_panic: usize,
    /// How often each exception was needed.
    excused: BTreeMap<usize, usize>,
    failed: usize,
    failures: Vec<String>,
    /// What is running, and since when.
    current: Arc<Mutex<(String, Instant)>>,
    _watchdog: mpsc::Sender<()>,
}

impl Runner {
    fn new(backend: Tested) -> Self {
        let current = Arc::new(Mutex::new((String::new(), Instant::now())));
        Self {
            backend,
            scenarios: 0,
            one_panic: 0,
            two_panics: 0,
            one_cancellation: 0,
            cancellation_and_panic: 0,
            excused: BTreeMap::new(),
            failed: 0,
            failures: Vec::new(),
            _watchdog: watch(Arc::clone(&current)),
            current,
        }
    }

    /// Runs a scenario without a fault, with each panic, with each cancellation, and with pairs of them. Does nothing if an
    /// earlier scenario has failed.
    fn scenario(&mut self, name: &str, scenario: impl Fn()) {
        if self.failed > 0 {
            return;
        }
        self.scenarios += 1;
        for in_async in [false, true] {
            let plan = Plan {
                in_async,
                ..Plan::default()
            };
            let without_fault = self.run(name, &scenario, plan.clone());
            for point in 0.. {
                let run = self.run(name, &scenario, plan.panicking_at(point));
                let Some(reached) = run.points.get(point) else {
                    break;
                };
                if reached.aborts {
                    continue;
                }
                self.one_panic += 1;
                if without_fault.points.len() > LONG_SCENARIO {
                    continue;
                }
                for second in some_points(&run, point + 1) {
                    let plan = plan.panicking_at(point).panicking_at(second);
                    self.run(name, &scenario, plan);
                    self.two_panics += 1;
                }
            }
            for cancel in cancellations(&without_fault) {
                let cancel = Some(cancel);
                let plan = Plan {
                    cancel,
                    ..plan.clone()
                };
                let run = self.run(name, &scenario, plan.clone());
                self.one_cancellation += 1;
                if without_fault.tasks.len() > MANY_TASKS {
                    continue;
                }
                for point in some_points(&run, run.points_before_cancel) {
                    self.run(name, &scenario, plan.panicking_at(point));
                    self.cancellation_and_panic += 1;
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
        let (wrong, excused_by) = check::check(&run, self.backend.exceptions);
        for exception in excused_by {
            *self.excused.entry(exception).or_default() += 1;
        }
        if !wrong.is_empty() {
            self.failed += 1;
            if self.failures.len() < 5 {
                let points: Vec<_> = run.panicked().collect();
                let caught = &run.caught;
                self.failures.push(format!(
                    "{what}, that is {points:?}:\n  {wrong:?}\n  panics: {caught:?}"
                ));
            }
        }
        run
    }

    /// Prints how many runs there were. Panics if one went wrong, or an exception was not needed.
    fn finish(self) {
        let backend = self.backend;
        println!(
            "faults: {}: {} scenarios; {} runs with one panic, {} with two; {} with a cancellation, {} with a cancellation \
             and a panic; excused: {:?}",
            backend.name,
            self.scenarios,
            self.one_panic,
            self.two_panics,
            self.one_cancellation,
            self.cancellation_and_panic,
            self.excused
        );
        let (failed, failures) = (self.failed, self.failures.join("\n"));
        assert!(
            failed == 0,
            "{failed} runs went wrong, and these among them:\n{failures}"
        );
        for (number, exception) in backend.exceptions.iter().enumerate() {
            let (name, reason) = (backend.name, exception.reason);
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
            for when_woken in [true, false] {
                if polls > 0 || when_woken {
                    cancellations.push(Cancel {
                        task,
                        polls,
                        when_woken,
                    });
                }
            }
        }
    }
    cancellations
}

/// Ends the program if a run does not end, for example because it blocks its thread. Stops when the sender is dropped.
fn watch(current: Arc<Mutex<(String, Instant)>>) -> mpsc::Sender<()> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        while receiver.recv_timeout(Duration::from_secs(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
            let (what, since) = &*current.lock().unwrap();
            if since.elapsed() > TOO_LONG {
                eprintln!("after {TOO_LONG:?}, this has not ended: {what}");
                process::abort();
            }
        }
    });
    sender
}
