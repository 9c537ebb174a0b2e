//! The backends of this crate: size, time, allocations.
//!
//! `cargo bench --bench backends --features atomic-waker,event-listener` measures every figure for every backend in
//! one process and prints a table for each. A number is the median of its samples; in each round, every backend is
//! sampled once.
//!
//! With `AtomicWaker`, a waiter that registers wakes the one before it. Here no task is polled before there is a
//! value. On an executor, two tasks would keep waking each other until then.

#[path = "../common/mod.rs"]
mod common;

use std::process::ExitCode;

use common::cell::{AsyncCell, Cell, async_cell};
use common::environment;
use common::rounds::{Effort, Sample, sample};
use common::scenarios::*;
use common::table::{Unit, lay_out, number};
use oncelot::OnceCell;
use oncelot::backend::{AtomicWaker, EventListener, Intrusive, Local};

const USAGE: &str = "\
usage: cargo bench --bench backends --features atomic-waker,event-listener -- [--quick | --test]

  --quick  a rough answer in a few seconds
  --test   run everything once, to see that it runs";

macro_rules! on {
    ($marker:ident, $name:literal, $backend:ty) => {
        async_cell!($marker, $name, OnceCell<T, $backend>, with_backend, with_backend_and_value, init => move || init);
    };
}

on!(OnIntrusive, "Intrusive", Intrusive);
on!(OnLocal, "Local", Local);
on!(OnEventListener, "EventListener", EventListener);
on!(OnAtomicWaker, "AtomicWaker", AtomicWaker);

/// Its name, its unit, and how to get it.
type Figure = (&'static str, Unit, Sample);

/// The figures of one backend. All backends have the same order.
fn figures<C: AsyncCell>() -> Vec<Figure> {
    let exact = |name, sample: Sample| (name, Unit::Exact, sample);
    let timed = |name, sample: Sample| (name, Unit::Nanoseconds, sample);
    vec![
        exact("bytes of `OnceCell<u64>`", || bytes_of_cell::<C, u64>()),
        exact("bytes of the init future beyond an 8-byte initializer", || {
            bytes_of_init_future::<C>()
        }),
        exact("allocations, 1 waiter", || allocations_of_waiting::<C>(1)),
        exact("allocations, 100 waiters", || allocations_of_waiting::<C>(100)),
        timed("new + init + drop, uncontended (ns)", || {
            init::<C>(CALLS).nanoseconds_each()
        }),
        timed("wait + wake + return, 100 waiters (ns each)", || {
            wait_and_wake::<C>(Crowd::HUNDRED).nanoseconds_each()
        }),
    ]
}

fn allocations_of_waiting<C: AsyncCell>(waiters: usize) -> f64 {
    wait_and_wake::<C>(Crowd::of_one_cell(waiters)).allocations()
}

/// `None` if there is something that we do not know.
fn parse(arguments: impl IntoIterator<Item = String>) -> Option<Effort> {
    // `cargo bench` passes `--bench`; `cargo test` does not.
    let mut effort = Effort::ONCE;
    for argument in arguments {
        effort = match argument.as_str() {
            "--bench" => Effort::FULL,
            "--quick" => Effort::QUICK,
            "--test" => Effort::ONCE,
            _ => return None,
        };
    }
    Some(effort)
}

fn main() -> ExitCode {
    let Some(effort) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let backends = [
        (OnIntrusive::NAME, figures::<OnIntrusive>()),
        (OnLocal::NAME, figures::<OnLocal>()),
        (OnEventListener::NAME, figures::<OnEventListener>()),
        (OnAtomicWaker::NAME, figures::<OnAtomicWaker>()),
    ];
    let mut tables = backends
        .each_ref()
        .map(|(name, _)| vec![["figure", name].map(str::to_owned).to_vec()]);
    for (index, (name, unit, _)) in backends[0].1.iter().enumerate() {
        eprintln!("measuring: {name}");
        let contenders = backends.each_ref().map(|(_, figures)| figures[index].2);
        let samples = sample(&contenders, unit.effort(effort));
        for (table, samples) in tables.iter_mut().zip(samples) {
            table.push(vec![(*name).to_owned(), number(samples.median(), *unit)]);
        }
    }
    println!("{}\n", environment::describe());
    for table in tables {
        println!("{}", lay_out(&table));
    }
    ExitCode::SUCCESS
}
