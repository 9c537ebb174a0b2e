//! Stress test: more threads than cores, on several runtimes, contend for the same cells.
//!
//! ```text
//! cargo run --release -- --seconds 60 --seed 1
//! ```
//!
//! | part | what it is |
//! |---|---|
//! | [`generation`] | some cells with one backend, a `Lazy`, perhaps a `StaticLazy`, and their clients |
//! | [`client`], [`blocking`] | a task, or a thread, that performs random operations on a cell |
//! | [`initializer`] | an initializer that returns a value, fails, panics, or is cancelled |
//! | [`crews`] | 64 threads, of five executors and two pools |
//! | [`clock`] | a thread that wakes tasks after a while, in any order, and spuriously |
//! | [`site`] | the invariants of one cell |
//! | [`census`] | the drop counters: everything that was created is dropped once |
//!
//! Three directors, one for each backend, run one generation after another until the time is up. The seed determines
//! what each task does; the machine determines when. A failure ends the process: by a message, by a generation that
//! does not end, or by the report of a sanitizer. So that a sanitizer can see a race, only the cell orders an
//! initializer before the users of its value: all counters are Relaxed.

mod args;
mod blocking;
mod census;
mod client;
mod clock;
mod crews;
mod generation;
mod initializer;
mod polls;
mod random;
mod site;
mod statics;
mod totals;

use std::{
    process::{ExitCode, abort},
    thread,
    time::Instant,
};

use oncelot::backend::{AtomicWaker, EventListener, Intrusive};

use args::Args;
use crews::Crews;
use generation::direct;
use random::Random;
use totals::TOTALS;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    println!("{} s, seed {}", args.seconds.as_secs(), args.seed);
    abort_on_unplanned_panics();
    // SAFETY: this is the only thread.
    unsafe { crews::size_global_executors() };
    let crews = Crews::start();
    let until = Instant::now() + args.seconds;
    let mut random = Random::new(args.seed);
    thread::scope(|scope| {
        let seeds = [(); 3].map(|()| random.next());
        // Tasks that wait for an `AtomicWaker` wake each other all the time: fewer of them.
        scope.spawn(move || direct::<Intrusive>(crews, seeds[0], 96, until));
        scope.spawn(move || direct::<EventListener>(crews, seeds[1], 96, until));
        scope.spawn(move || direct::<AtomicWaker>(crews, seeds[2], 24, until));
    });
    println!("{TOTALS}");
    // The threads of the crews have nothing to do any more, and end with the process.
    ExitCode::SUCCESS
}

/// Planned panics do not reach the hook, except those of poisoned lazies.
fn abort_on_unplanned_panics() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !(info.payload_as_str()).is_some_and(|message| message.contains(initializer::POISONED)) {
            hook(info);
            eprintln!("{TOTALS}");
            abort();
        }
    }));
}
