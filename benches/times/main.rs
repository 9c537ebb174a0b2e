//! Compares the times of this crate and of its peers.
//!
//! `cargo bench --bench times` measures every figure for every crate in one process, and prints a table for the cells and
//! one for the lazies. A crate's number is the median of its samples. A ratio is the median of the rounds' ratios; in each
//! round, every crate is sampled once. Nanoseconds differ from processor to processor and from run to run; ratios should
//! not. No time fails the run.
//!
//! The floor is the cost, in the same rounds, of what no implementation can avoid.

#[path = "../common/mod.rs"]
mod common;

mod rounds;
mod scenarios;

use std::path::Path;

use Scenario::{CancelNewestFirst, CancelOldestFirst, Wake};
use common::cells::{AsyncLock, AsyncOnceCell, Asyncband, Oncelot, OncelotLocal, Std, Tokio};
use common::cost::Cost;
use common::lazies::lazies;
use common::report::{Arguments, Contender, Named, columns, contenders, environment, print_table, title};
use common::scenarios::{failed_init, lazy_get_ready, lazy_init};
use oncelot::{LocalOnceCell, OnceCell};
use rounds::{Effort, FULL, ONCE, QUICK, sample};
use scenarios::*;

const USAGE: &str = "\
usage: cargo bench --bench times -- [--quick | --test] [--record] [FIGURE]

  --quick   a rough answer in a few seconds
  --test    run everything once, to see that it runs
  --record  write the figures to docs/charts/times.json, for benches/charts
  FIGURE    measure only the figures with this in their name";

/// Stands for the peer with the lowest median, where the target names a crate.
const BEST_PEER: &str = "best peer";
const FLOOR: &str = "floor";

struct Figure {
    name: String,
    /// The highest ratio of this crate's time to that of the crate with this name.
    target: (f64, &'static str),
    /// Ours is the first.
    contenders: Vec<Contender>,
}

impl Figure {
    fn new(name: &str, target: (f64, &'static str), contenders: Vec<Contender>) -> Self {
        let name = name.to_owned();
        Self {
            name,
            target,
            contenders,
        }
    }

    /// Adds the cost of the operations that no implementation can avoid.
    fn with_floor(mut self, floor: impl Fn() -> Cost + 'static) -> Self {
        self.contenders.push(contender(FLOOR, floor));
        self
    }
}

fn contender(name: &'static str, cost: impl Fn() -> Cost + 'static) -> Contender {
    let sample = Box::new(move || cost().nanoseconds_each());
    Contender { name, sample }
}

/// Samples a time for every cell that can be initialized: `cells!(C => failing_tasks::<C>())`.
macro_rules! cells {
    ($cell:ident => $cost:expr) => {
        contenders!(
            $cell => $cost.nanoseconds_each();
            Oncelot, OncelotLocal, Tokio, AsyncLock, AsyncOnceCell, Asyncband
        )
    };
}

fn cells() -> Vec<Figure> {
    // Without `Local`: the compiler sees that nothing changes such a cell, and removes the loop.
    let get = contenders!(
        C => get_ready::<C>().nanoseconds_each();
        Oncelot, Tokio, AsyncLock, AsyncOnceCell, Asyncband, Std
    );
    let get_or_init = cells!(C => get_or_init_ready::<C>());
    let mut figures = vec![
        Figure::new("`get`, ready (ns)", (1.05, Std::NAME), get),
        Figure::new(
            "`get_or_init`, ready, one poll (ns)",
            (0.45, BEST_PEER),
            get_or_init,
        )
        .with_floor(ready_floor),
        Figure::new(
            "new + init + drop, uncontended (ns)",
            (0.2, BEST_PEER),
            cells!(C => init_uncontended::<C>()),
        )
        .with_floor(init_floor),
        Figure::new(
            "failed init, uncontended (ns)",
            (0.27, BEST_PEER),
            cells!(C => failed_init::<C>(CALLS)),
        )
        .with_floor(init_floor),
    ];
    figures.extend(of_waiters(
        [0.42, 0.48, 0.48],
        |scenario, waiters| cells!(C => scenario.of_cells::<C>(waiters)),
    ));
    let failing = cells!(C => failing_tasks::<C>());
    let mut shared = cells!(C => failing_tasks::<C>());
    shared[0] = contender(Oncelot::NAME, || failing_shared_tasks(&OnceCell::new()));
    shared[1] = contender(OncelotLocal::NAME, || {
        failing_shared_tasks(&LocalOnceCell::with_backend())
    });
    figures.extend([
        Figure::new(
            "1,000 tasks whose initializers pend and fail, ours by `get_or_try_init_shared` (ns a task)",
            (1.0, BEST_PEER),
            shared,
        ),
        Figure::new(
            "1,000 tasks on one thread, every initializer pends once and fails (ns a task)",
            (0.3, AsyncOnceCell::NAME),
            failing,
        ),
    ]);
    figures
}

fn lazies() -> Vec<Figure> {
    let get = lazies!(L => lazy_get_ready::<L>(CALLS).nanoseconds_each());
    let init = lazies!(L => lazy_init::<L>(CALLS).nanoseconds_each());
    let mut figures = vec![
        Figure::new("`get`, ready, one poll (ns)", (1.0, BEST_PEER), get).with_floor(ready_floor),
        Figure::new("new + compute + drop, uncontended (ns)", (1.0, BEST_PEER), init).with_floor(init_floor),
    ];
    figures.extend(of_waiters(
        [1.0; 3],
        |scenario, waiters| lazies!(L => scenario.of_lazies::<L>(waiters).nanoseconds_each()),
    ));
    figures
}

/// Returns the figures of each scenario, which has one of the targets. `contenders` samples a scenario with a number of
/// waiters for each cell.
fn of_waiters(targets: [f64; 3], contenders: impl Fn(Scenario, usize) -> Vec<Contender>) -> Vec<Figure> {
    let scenarios = [
        (Wake, "wait + wake + return", ""),
        (CancelOldestFirst, "wait + cancel", ", oldest first"),
        (CancelNewestFirst, "wait + cancel", ", newest first"),
    ];
    let mut figures = Vec::new();
    for ((scenario, operations, order), at_most) in scenarios.into_iter().zip(targets) {
        for (waiters, number) in [(8, "8"), (100, "100"), (10_000, "10,000")] {
            let name = format!("{operations}, {number} waiters{order} (ns each)");
            let figure = Figure::new(&name, (at_most, BEST_PEER), contenders(scenario, waiters));
            figures.push(figure.with_floor(move || scenario.floor(waiters)));
        }
    }
    figures
}

/// Returns the row of the table, and the quartiles of each of its columns.
fn measure(figure: &Figure, columns: &[&str], effort: Effort) -> (Vec<String>, Vec<Vec<f64>>) {
    eprintln!("measuring: {}", figure.name);
    let samples = sample(&figure.contenders, effort);
    let measured = || figure.contenders.iter().zip(&samples);
    let of = |name: &str| measured().find(|(contender, _)| contender.name == name);
    let peers = measured().filter(|(contender, _)| !contender.is_ours() && contender.name != FLOOR);
    let best = peers.min_by(|(_, a), (_, b)| a.median().total_cmp(&b.median()));
    let best = best.expect("a figure has peers");

    let (at_most, name) = figure.target;
    let ratio_to = |(_, samples_of_peer)| samples[0].ratio_to(samples_of_peer);
    let ratio = ratio_to(of(name).unwrap_or(best));
    let verdict = if ratio <= at_most { "met" } else { "**missed**" };
    let mut row = vec![figure.name.clone()];
    let mut quartiles = Vec::new();
    for name in columns {
        let of_column = of(name).map_or(Vec::new(), |(_, samples)| samples.quartiles());
        row.push(of_column.get(1).map_or(String::new(), |median| digits(*median)));
        quartiles.push(of_column);
    }
    row.push(format!("{:.2} ({})", ratio_to(best), best.0.name));
    row.push(format!("<= {at_most} x {name}: {ratio:.2}, {verdict}"));
    (row, quartiles)
}

/// Three significant digits.
fn digits(nanoseconds: f64) -> String {
    match nanoseconds {
        ..10.0 => format!("{nanoseconds:.2}"),
        ..100.0 => format!("{nanoseconds:.1}"),
        _ => format!("{nanoseconds:.0}"),
    }
}

/// Measures these figures, prints their table, and returns them as JSON. For such texts and numbers, the `Debug` format is
/// JSON.
fn report(mut figures: Vec<Figure>, effort: Effort, filter: &str) -> String {
    let columns = columns(figures.iter().flat_map(|figure| &figure.contenders));
    let mut header = vec!["figure".to_owned()];
    header.extend(columns.iter().map(|name| title(name)));
    header.extend(["oncelot : best peer", "target"].map(str::to_owned));
    figures.retain(|figure| figure.name.contains(filter));

    let mut table = vec![header];
    let mut lines = Vec::new();
    for figure in &figures {
        let (row, quartiles) = measure(figure, &columns, effort);
        lines.push(format!(r#"{{"row": {row:?}, "quartiles": {quartiles:.3?}}}"#));
        table.push(row);
    }
    print_table(&table);
    let (header, lines) = (&table[0], lines.join(",\n"));
    format!(r#"{{"columns": {columns:?}, "header": {header:?}, "figures": [{lines}]}}"#)
}

fn main() {
    let arguments = Arguments::parse(&["--quick", "--test", "--record"], USAGE);
    let effort = match (arguments.is_test(), arguments.has("--quick")) {
        (true, _) => ONCE,
        (false, true) => QUICK,
        (false, false) => FULL,
    };
    let environment = environment();
    println!("{environment}\n");
    let [cells, lazies] = [cells(), lazies()].map(|figures| report(figures, effort, &arguments.filter));
    if arguments.has("--record") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/charts/times.json");
        let json = format!(r#"{{"environment": {environment:?}, "cells": {cells}, "lazies": {lazies}}}"#);
        std::fs::write(&path, json + "\n").unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
