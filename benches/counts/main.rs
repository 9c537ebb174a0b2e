//! Counts the instructions, bytes and allocations of each operation, for this crate and its peers.
//!
//! `cargo bench --bench counts` runs this program again under callgrind, and prints a table for the cells and one for the
//! lazies. A count does not depend on the load of the machine. So this crate's counts are compared with
//! `baseline-ARCH.txt`, and the run fails if one has grown by more than 2 %. Another version of the compiler can change
//! them: `-- --update` rewrites the baseline.
//!
//! # How a phase is counted
//!
//! A phase is the work that `Cost::of` runs: a loop over equal operations, such as the first polls of 100 waiters.
//! `Cost::of` calls every phase through `measured_work`, which is never inlined. Callgrind counts instructions only while
//! that function is on the stack, and writes a dump each time it returns. The count is the dump's total divided by the
//! number of operations. It includes the harness's loop, the wakers' `clone`, `wake` and `drop`, and the allocator where a
//! crate calls it. It does not include the preparation of the phase.
//!
//! The column `harness` is the same phase without a cell: the share of the loop in each count. The loops of the lazies
//! are those of the cells.
//!
//! # How to read a phase
//!
//! `cargo bench --bench counts -- ROW` counts only the rows with `ROW` in their names. The dumps are
//! `target/tmp/counts/callgrind.1`, `callgrind.2` and so on: row by row, one for each crate. `callgrind_annotate FILE`
//! lists the functions of a dump. Build with `RUSTFLAGS=-Csymbol-mangling-version=v0` to see their type arguments.

#[path = "../peers/cells.rs"]
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a part of it is used here"
)]
mod cells;
#[path = "../common/mod.rs"]
mod common;
#[path = "../lazy/lazies.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod lazies;
#[path = "../lazy/scenarios.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod lazy_scenarios;

mod baseline;
mod callgrind;
mod harness;
mod init_cell;
mod local;
mod passive_cell;
mod phases;

use std::process::ExitCode;

use baseline::{Baseline, Count};
use cells::async_cells;
use common::environment::{self, Resolved};
use common::figure::Contender;
use common::scenarios::{self, Crowd};
use common::table::{Unit, lay_out, number};
use harness::with_local_and_harness;
use lazies::all_lazies;
use local::with_local;
use passive_cell::passive_cells;
use phases::*;

const USAGE: &str = "\
usage: cargo bench --bench counts -- [--update | --test | ROW]

  --update  write this crate's counts to the baseline
  --test    run every phase once, without callgrind, to see that it runs
  ROW       count only the rows with this in their name";

/// The argument that makes this program run its phases. It is passed under callgrind.
const PHASES: &str = "--phases";

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Instructions: a sample runs a phase, and returns how many operations it has.
    Phase,
    /// Instructions of a phase that calls the allocator for every crate. They depend on the C library, so they are not
    /// compared.
    AllocatorPhase,
    /// Bytes, allocations or wakes: a sample returns them.
    Exact,
}

struct Row {
    name: &'static str,
    kind: Kind,
    crates: Vec<Contender>,
}

impl Row {
    fn is_phase(&self) -> bool {
        self.kind != Kind::Exact
    }
}

/// The rows of each table.
fn tables(filter: &str) -> [Vec<Row>; 2] {
    let row = |kind, name, crates| Row { name, kind, crates };
    let phase = |name, crates| row(Kind::Phase, name, crates);
    let exact = |name, crates| row(Kind::Exact, name, crates);
    let cells = vec![
        phase(
            "register a claimant: first poll",
            with_local_and_harness!(async_cells!(C => register::<C>().parts())),
        ),
        phase(
            "wake a claimant",
            with_local_and_harness!(async_cells!(C => wake::<C>().cost.parts())),
        ),
        phase(
            "complete a claimant: last poll and drop",
            with_local_and_harness!(async_cells!(C => complete::<C>().parts())),
        ),
        phase(
            "cancel a claimant: drop",
            with_local_and_harness!(async_cells!(C => cancel::<C>().parts())),
        ),
        row(
            Kind::AllocatorPhase,
            "cancel a claimant: drop, and `free` of its box",
            with_local_and_harness!(async_cells!(C => cancel_and_free::<C>().parts())),
        ),
        phase(
            "failed init while claimants wait, per claimant",
            with_local_and_harness!(async_cells!(C => fail::<C>().cost.parts())),
        ),
        phase(
            "register a passive waiter: first poll",
            with_local_and_harness!(passive_cells!(C => register_passive::<C>().parts())),
        ),
        phase(
            "wake a passive waiter",
            with_local_and_harness!(passive_cells!(C => wake_passive::<C>().cost.parts())),
        ),
        phase(
            "complete a passive waiter: last poll and drop",
            with_local_and_harness!(passive_cells!(C => complete_passive::<C>().parts())),
        ),
        phase(
            "cancel a passive waiter: drop",
            with_local_and_harness!(passive_cells!(C => cancel_passive::<C>().parts())),
        ),
        phase(
            "new + init + drop",
            with_local_and_harness!(async_cells!(C => init::<C>().parts())),
        ),
        phase(
            "failed init",
            with_local_and_harness!(async_cells!(C => failed_init::<C>().parts())),
        ),
        phase(
            "`get_or_init`, ready",
            with_local_and_harness!(async_cells!(C => ready_bare::<C>().parts())),
        ),
        phase(
            "`get_or_init`, ready, in an `async` block",
            with_local_and_harness!(async_cells!(C => ready_in_block::<C>().parts())),
        ),
        phase(
            "`get_or_init`, ready, in a generic `async fn`",
            with_local_and_harness!(async_cells!(C => ready_in_generic::<C>().parts())),
        ),
        phase(
            "`get_or_init`, ready, in a boxed `async` block",
            with_local_and_harness!(async_cells!(C => ready_in_box::<C>().parts())),
        ),
        phase(
            "`get`, ready, in an `async` block",
            with_local_and_harness!(async_cells!(C => get_in_block::<C>().parts())),
        ),
        exact(
            "bytes of `OnceCell<u64>` beyond the value",
            with_local!(async_cells!(C => scenarios::bytes_of_cell::<C, u64>() - size_of::<u64>() as f64)),
        ),
        exact(
            "bytes of the init future beyond an 8-byte initializer",
            with_local!(async_cells!(C => scenarios::bytes_of_init_future::<C>())),
        ),
        exact(
            "bytes of the future of `wait`",
            with_local!(passive_cells!(C => bytes_of_wait::<C>())),
        ),
        exact(
            "allocations, 100 claimants",
            with_local!(
                async_cells!(C => scenarios::wait_and_wake::<C>(Crowd::of_one_cell(WAITERS)).allocations())
            ),
        ),
        exact(
            "claimants that a value wakes at once, of 100",
            with_local!(async_cells!(C => wake::<C>().woken as f64)),
        ),
        exact(
            "claimants that a failure wakes at once, of 100",
            with_local!(async_cells!(C => fail::<C>().woken as f64)),
        ),
    ];
    let lazies = vec![
        phase(
            "lazy: register a waiter: first poll",
            all_lazies!(L => lazy_register::<L>().parts()),
        ),
        phase(
            "lazy: wake a waiter",
            all_lazies!(L => lazy_wake::<L>().cost.parts()),
        ),
        phase(
            "lazy: complete a waiter: last poll and drop",
            all_lazies!(L => lazy_complete::<L>().parts()),
        ),
        phase(
            "lazy: cancel a waiter: drop",
            all_lazies!(L => lazy_cancel::<L>().parts()),
        ),
        phase(
            "lazy: new + compute + drop",
            all_lazies!(L => lazy_scenarios::init::<L>(CALLS).parts()),
        ),
        phase(
            "lazy: `get`, ready",
            all_lazies!(L => lazy_scenarios::get_ready::<L>(CALLS).parts()),
        ),
        phase(
            "lazy: `get`, ready, in an `async` block",
            all_lazies!(L => lazy_ready_in_block::<L>().parts()),
        ),
        exact(
            "lazy: bytes of the future of `get`",
            all_lazies!(L => lazy_scenarios::bytes_of_get::<L>()),
        ),
        exact(
            "lazy: allocations, 100 waiters",
            all_lazies!(L => lazy_scenarios::wait_and_wake::<L>(Crowd::of_one_cell(WAITERS)).allocations()),
        ),
    ];
    [cells, lazies].map(|rows| rows.into_iter().filter(|row| row.name.contains(filter)).collect())
}

/// Runs every phase, and prints how many operations each has.
fn run_phases(filter: &str) {
    let rows = tables(filter).into_iter().flatten().filter(Row::is_phase);
    for contender in rows.flat_map(|row| row.crates) {
        println!("{}", (contender.sample)());
    }
}

/// Takes every sample, to see that it can be taken.
fn run_all(filter: &str) {
    for row in tables(filter).into_iter().flatten() {
        eprintln!("running: {}", row.name);
        for contender in row.crates {
            (contender.sample)();
        }
    }
}

/// The counts of a row, in the order of its crates.
struct Counted {
    row: Row,
    counts: Vec<f64>,
}

fn count(filter: &str) -> Result<Vec<Vec<Counted>>, String> {
    let tables = tables(filter);
    let phases = tables.iter().flatten().filter(|row| row.is_phase());
    let expected = phases.map(|row| row.crates.len()).sum::<usize>();
    if tables.iter().all(Vec::is_empty) {
        return Err(format!("no row has `{filter}` in its name"));
    }
    let (printed, instructions) = callgrind::run(&[PHASES, filter])?;
    let operations = printed.lines().map(str::parse::<f64>);
    let operations: Vec<_> = operations
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    if (operations.len(), instructions.len()) != (expected, expected) {
        let (ran, dumped) = (operations.len(), instructions.len());
        return Err(format!(
            "of {expected} phases, {ran} ran and callgrind dumped {dumped}"
        ));
    }

    let mut phases = operations.iter().zip(instructions);
    let mut count = |row: Row| {
        let counts = row.crates.iter().map(|contender| match row.kind {
            Kind::Exact => (contender.sample)(),
            Kind::Phase | Kind::AllocatorPhase => {
                let (operations, instructions) = phases.next().expect("each phase was counted");
                instructions as f64 / operations
            }
        });
        Counted {
            counts: counts.collect(),
            row,
        }
    };
    Ok(tables
        .map(|rows| rows.into_iter().map(&mut count).collect())
        .into())
}

/// A table in GitHub's markdown, a column for each crate.
fn table(rows: &[Counted]) -> String {
    let mut names = Vec::new();
    for contender in rows.iter().flat_map(|counted| &counted.row.crates) {
        if !names.contains(&contender.name) {
            names.push(contender.name);
        }
    }
    let title = |name: &&str| match Resolved::from_name(name) {
        Some(package) => format!("{name} {}", package.version),
        None => (*name).to_owned(),
    };
    let header = [String::new()]
        .into_iter()
        .chain(names.iter().map(title))
        .collect();
    let lines = rows.iter().map(|Counted { row, counts }| {
        let count = |name: &&str| {
            let index = row.crates.iter().position(|contender| contender.name == *name);
            index.map_or(String::new(), |index| number(counts[index], Unit::Exact))
        };
        [row.name.to_owned()]
            .into_iter()
            .chain(names.iter().map(count))
            .collect()
    });
    lay_out(&Vec::from_iter([header].into_iter().chain(lines)))
}

/// This crate's counts, as far as they are compared. What is not its default has its name before that of the row.
fn ours(tables: &[Vec<Counted>]) -> Vec<Count> {
    let counted = tables
        .iter()
        .flatten()
        .filter(|counted| counted.row.kind != Kind::AllocatorPhase);
    counted
        .flat_map(|Counted { row, counts }| {
            let counts = row.crates.iter().zip(counts);
            let ours = counts.filter(|(contender, _)| !contender.is_peer);
            ours.map(|(contender, count)| match contender.name {
                env!("CARGO_PKG_NAME") => (row.name.to_owned(), *count),
                name => (format!("{name}: {}", row.name), *count),
            })
        })
        .collect()
}

enum Mode {
    Compare,
    Update,
    Test,
    Phases,
}

/// Returns the mode and the filter, or `None` if the arguments do not match the usage.
fn parse(arguments: impl IntoIterator<Item = String>) -> Option<(Mode, String)> {
    let mut is_bench = false;
    let mut mode = None;
    let mut filter = String::new();
    for argument in arguments {
        match argument.as_str() {
            "--bench" => is_bench = true,
            "--update" => mode = Some(Mode::Update),
            "--test" => mode = Some(Mode::Test),
            PHASES => mode = Some(Mode::Phases),
            unknown if unknown.starts_with('-') => return None,
            row => filter = row.to_owned(),
        }
    }
    // `cargo bench` passes `--bench`; `cargo test` does not.
    let mode = mode.unwrap_or(if is_bench { Mode::Compare } else { Mode::Test });
    let is_partial_update = matches!(mode, Mode::Update) && !filter.is_empty();
    (!is_partial_update).then_some((mode, filter))
}

fn count_and_compare(mode: &Mode, filter: &str) -> Result<(), String> {
    let tables = count(filter)?;
    println!("{}\n", environment::describe());
    for rows in tables.iter().filter(|rows| !rows.is_empty()) {
        println!("{}", table(rows));
    }
    let ours = ours(&tables);
    if matches!(mode, Mode::Update) {
        return Baseline::write(&ours);
    }
    Baseline::read()?.check(&ours, filter.is_empty())
}

fn main() -> ExitCode {
    let Some((mode, filter)) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let result = match mode {
        Mode::Compare | Mode::Update => count_and_compare(&mode, &filter),
        Mode::Test => {
            run_all(&filter);
            Ok(())
        }
        Mode::Phases => {
            run_phases(&filter);
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
