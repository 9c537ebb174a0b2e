//! Whatever of the user's code panics, and whoever is cancelled: nobody hangs, nothing is leaked or dropped twice, an
//! initializer has the claim until it is gone, the cell stays usable, and the panic reaches whom it should.
//!
//! A scenario is first run without a fault, and each call into the user's code is written down. Then it is run once for
//! each of these calls, which panics this time; once for each poll of each actor, who is dropped after it; and with two
//! of that. So the list of faults is made by the code that is tested.
//!
//! | module | |
//! |---|---|
//! | `world` | what a run writes down, and where its panics are |
//! | `things` | the user's values, initializers and wakers |
//! | `cast` | the actors, and what drives them |
//! | `threads` | actors that are threads and park |
//! | `cells`, `exclusive`, `lazies` | the scenarios |
//! | `plans` | the faults of a scenario, and the runs |
//! | `lookout` | tells of a run that comes to no end |
//! | `verdict` | what must hold after a run |
//! | `bed` | the backends, with the exceptions that their documentation makes |

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

/// What is not tried with this backend, tried in a process of its own: a waiter whose waker has panicked when cloned
/// panics in its destructor, too. Once this fails, `breaks_on_clone` has no reason any more.
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

/// What the documentation no longer says excuses nothing.
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
