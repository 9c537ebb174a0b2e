//! Fault injection. Every call into user code panics once, and every task is cancelled after every poll. No task may
//! hang, nothing may leak or be dropped twice, an initializer must hold the claim until it is dropped, the cell must
//! stay usable, and the panic must reach the documented caller.
//!
//! A scenario first runs without a fault, and each call into user code is recorded. Then it runs once for each recorded
//! call, which panics in that run; once for each poll of each actor, which is dropped after that poll; and with pairs
//! of these faults. So the code under test determines the list of faults.
//!
//! | module | |
//! |---|---|
//! | `world` | the recorder of a run, and its planned panics |
//! | `things` | instrumented user types: values, initializers and wakers |
//! | `cast` | the actors, and their executor |
//! | `threads` | actors that are threads and park |
//! | `cells`, `exclusive`, `lazies` | the scenarios |
//! | `plans` | the fault plans of a scenario, and the runs |
//! | `lookout` | the watchdog for runs that do not end |
//! | `verdict` | the checks after a run |
//! | `bed` | the backends under test, with the exceptions that their documentation names |

#[path = "../util/mod.rs"]
mod util;

mod bed;
mod cast;
mod cells;
mod exclusive;
mod lazies;
mod lookout;
mod plans;
mod things;
mod threads;
mod verdict;
mod world;

use oncelot::backend::{AtomicWaker, EventListener, Intrusive, Local};

use crate::{
    bed::Bed,
    cells::CellScenario,
    exclusive::ExclusiveScenario,
    lazies::{BoxScenario, LazyScenario, StaticScenario},
    plans::Tally,
};

/// Every scenario on a backend that threads can share.
fn run_all<B: Bed<Waiter: Send> + Send + Sync>(of_statics: Vec<StaticScenario>) {
    let mut tally = Tally::begin();
    run::<B>(&mut tally, CellScenario::all(), CellScenario::play::<B>);
    for scenario in BoxScenario::all() {
        tally.run::<B, _>(scenario, BoxScenario::play::<B>);
    }
    for scenario in of_statics {
        tally.run::<B, _>(scenario, StaticScenario::play);
    }
    tally.conclude::<B>();
}

fn run<B: Bed>(tally: &mut Tally, of_cells: Vec<CellScenario>, play: fn(CellScenario)) {
    for scenario in of_cells {
        tally.run::<B, _>(scenario, play);
    }
    for scenario in ExclusiveScenario::all() {
        tally.run::<B, _>(scenario, ExclusiveScenario::play::<B>);
    }
    for scenario in LazyScenario::all() {
        tally.run::<B, _>(scenario, LazyScenario::play::<B>);
    }
}

#[test]
fn the_default_backend() {
    run_all::<Intrusive>(StaticScenario::all());
}

#[test]
fn local() {
    let mut tally = Tally::begin();
    run::<Local>(
        &mut tally,
        CellScenario::of_one_thread(),
        CellScenario::play_on::<Local>,
    );
    tally.conclude::<Local>();
}

#[test]
fn event_listener() {
    run_all::<EventListener>(vec![]);
}

#[test]
fn atomic_waker() {
    run_all::<AtomicWaker>(vec![]);
}

/// The case that the other tests skip for this backend, in a process of its own: a waiter whose waker panicked when
/// it was cloned panics in its destructor, too. If this test fails, `breaks_on_clone` is no longer needed.
#[test]
#[cfg(unix)]
fn a_broken_event_aborts_a_program_that_drops_its_waiter_while_it_unwinds() {
    use std::{env, os::unix::process::ExitStatusExt, process::Command};

    const IS_CHILD: &str = "ONCELOT_FAULTS_CHILD";
    if env::var_os(IS_CHILD).is_some() {
        let first_clone = world::Plan {
            in_async: true,
            faults: vec![0],
            ..world::Plan::default()
        };
        world::begin(first_clone, world::Panics::default());
        CellScenario::WAIT.play::<EventListener>();
        return;
    }
    let name = "a_broken_event_aborts_a_program_that_drops_its_waiter_while_it_unwinds";
    let mut child = Command::new(env::current_exe().unwrap());
    let output = child.args(["--exact", name]).env(IS_CHILD, "").output().unwrap();
    assert!(output.status.signal().is_some(), "{output:?}");
}

/// An exception must quote the documentation of its backend.
#[test]
fn each_exception_is_documented() {
    fn check<B: Bed>() {
        let text = B::SOURCE
            .lines()
            .map(|line| line.trim().trim_start_matches("///").trim());
        let text = text.collect::<Vec<_>>().join(" ");
        for exception in B::EXCEPTIONS {
            assert!(
                text.contains(exception.reason),
                "{}: {:?}",
                B::NAME,
                exception.reason
            );
        }
    }
    check::<Intrusive>();
    check::<Local>();
    check::<EventListener>();
    check::<AtomicWaker>();
}
