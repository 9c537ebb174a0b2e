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

#[path = "../common/mod.rs"]
mod common;

mod baseline;
mod callgrind;
mod harness;
mod phases;

use std::process::ExitCode;

use common::cells::{AsyncLock, AsyncOnceCell, Asyncband, Oncelot, OncelotLocal, Tokio, TokioSetOnce};
use common::lazies::lazies;
use common::report::{Arguments, Contender, Named, columns, contenders, environment, print_table, title};
use common::scenarios::{failed_init, lazy_get_ready, lazy_init};
use common::waiting::Step::{self, Cancel, Complete, Register, Wake};
use harness::Harness;
use phases::*;

const USAGE: &str = "\
usage: cargo bench --bench counts -- [--update | --test | ROW]

  --update  write this crate's counts to the baseline
  --test    run every phase once, without callgrind, to see that it runs
  ROW       count only the rows with this in their name";

/// The argument that makes this program run its phases. It is passed under callgrind.
const PHASES: &str = "--phases";

struct Row {
    name: String,
    /// Whether instructions are counted: a sample runs a phase, and returns how many operations it has. Otherwise a sample
    /// returns bytes, allocations or wakes.
    is_phase: bool,
    crates: Vec<Contender>,
    /// In the order of the crates.
    counts: Vec<f64>,
}

fn phase(name: &str, crates: Vec<Contender>) -> Row {
    Row {
        name: name.to_owned(),
        is_phase: true,
        crates,
        counts: Vec::new(),
    }
}

/// Returns a row of exact figures, without the harness, which has no cell.
fn exact(name: &str, mut crates: Vec<Contender>) -> Row {
    crates.retain(|contender| contender.name != Harness::NAME);
    Row {
        is_phase: false,
        ..phase(name, crates)
    }
}

/// Returns a row for each step of a kind of waiter.
fn steps(waiter: &str, crates: impl Fn(Step) -> Vec<Contender>) -> [Row; 4] {
    [
        phase(&format!("register {waiter}: first poll"), crates(Register)),
        phase(&format!("wake {waiter}"), crates(Wake)),
        phase(
            &format!("complete {waiter}: last poll and drop"),
            crates(Complete),
        ),
        phase(&format!("cancel {waiter}: drop"), crates(Cancel)),
    ]
}

/// Samples a figure for every cell that can be initialized: `cells!(C => init_by_closure::<C>(1).allocations)`.
macro_rules! cells {
    ($cell:ident => $sample:expr) => {
        contenders!($cell => $sample; Oncelot, OncelotLocal, Tokio, AsyncLock, AsyncOnceCell, Asyncband, Harness)
    };
}

/// Samples a figure for every cell that has passive waiters.
macro_rules! passive_cells {
    ($cell:ident => $sample:expr) => {
        contenders!($cell => $sample; Oncelot, OncelotLocal, TokioSetOnce, AsyncLock, Harness)
    };
}

fn cells() -> Vec<Row> {
    let mut rows = Vec::from(steps(
        "a claimant",
        |step| cells!(C => claimants::<C>(step).parts),
    ));
    rows.push(phase(
        "failed init while claimants wait, per claimant",
        cells!(C => fail::<C>().parts),
    ));
    rows.extend(steps(
        "a passive waiter",
        |step| passive_cells!(C => passive_waiters::<C>(step).parts),
    ));
    rows.extend([
        phase(
            "new + init + drop",
            cells!(C => init_by_closure::<C>(CALLS).parts),
        ),
        phase("failed init", cells!(C => failed_init::<C>(CALLS).parts)),
        phase("`get_or_init`, ready", cells!(C => ready_bare::<C>().parts)),
        phase(
            "`get_or_init`, ready, in an `async` block",
            cells!(C => ready_in_block::<C>().parts),
        ),
        phase(
            "`get_or_init`, ready, in a generic `async fn`",
            cells!(C => ready_in_generic::<C>().parts),
        ),
        phase(
            "`get_or_init`, ready, in a boxed `async` block",
            cells!(C => ready_in_box::<C>().parts),
        ),
        phase(
            "`get`, ready, in an `async` block",
            cells!(C => get_in_block::<C>().parts),
        ),
        exact(
            "bytes of `OnceCell<u64>` beyond the value",
            cells!(C => bytes_beyond_value::<C>()),
        ),
        exact(
            "bytes of the init future beyond an 8-byte initializer",
            cells!(C => bytes_of_init_future::<C>()),
        ),
        exact(
            "bytes of the future of `wait`",
            passive_cells!(C => bytes_of_wait::<C>()),
        ),
        exact(
            "allocations, init without waiters",
            cells!(C => init_by_closure::<C>(1).allocations),
        ),
        exact(
            "allocations, 100 claimants",
            cells!(C => allocations(claimants::<C>)),
        ),
        exact(
            "claimants that a value wakes at once, of 100",
            cells!(C => claimants::<C>(Wake).woken),
        ),
        exact(
            "claimants that a failure wakes at once, of 100",
            cells!(C => fail::<C>().woken),
        ),
    ]);
    rows
}

fn lazies() -> Vec<Row> {
    let mut get_ready = lazies!(L => lazy_get_ready::<L>(CALLS).parts);
    get_ready.push(Contender {
        name: "oncelot `lazy!`",
        sample: Box::new(|| static_get_ready().parts),
    });
    let mut rows = Vec::from(steps(
        "a waiter",
        |step| lazies!(L => lazy_waiters::<L>(step).parts),
    ));
    rows.extend([
        phase("new + compute + drop", lazies!(L => lazy_init::<L>(CALLS).parts)),
        phase("`get`, ready", get_ready),
        phase(
            "`get`, ready, in an `async` block",
            lazies!(L => lazy_ready_in_block::<L>().parts),
        ),
        exact(
            "bytes of the future of `get`",
            lazies!(L => bytes_of_lazy_get::<L>()),
        ),
        exact(
            "allocations, computation without waiters",
            lazies!(L => lazy_init::<L>(1).allocations),
        ),
        exact(
            "allocations, 100 waiters",
            lazies!(L => allocations(lazy_waiters::<L>)),
        ),
    ]);
    for row in &mut rows {
        row.name.insert_str(0, "lazy: ");
    }
    rows
}

/// Takes the samples of these rows, and prints them.
fn run<'a>(rows: impl Iterator<Item = &'a Row>) {
    for row in rows {
        eprintln!("running: {}", row.name);
        for contender in &row.crates {
            println!("{}", (contender.sample)());
        }
    }
}

/// Takes the counts of the rows of these tables.
fn count(tables: &mut [Vec<Row>], filter: &str) {
    let (printed, instructions) = callgrind::run(&[PHASES, filter]);
    let operations: Result<Vec<f64>, _> = printed.lines().map(str::parse).collect();
    let operations = operations.expect("each phase prints its operations");
    let phases = tables.iter().flatten().filter(|row| row.is_phase);
    let expected = phases.map(|row| row.crates.len()).sum::<usize>();
    assert_eq!(operations.len(), expected, "each phase runs");
    assert_eq!(instructions.len(), expected, "callgrind dumps each phase");

    let mut phases = operations.iter().zip(instructions);
    for row in tables.iter_mut().flatten() {
        let counts = row.crates.iter().map(|contender| {
            if !row.is_phase {
                return (contender.sample)();
            }
            let (operations, instructions) = phases.next().expect("each phase was counted");
            instructions / operations
        });
        row.counts = counts.collect();
    }
}

/// Returns the table of these rows, with a column for each crate.
fn table(rows: &[Row]) -> Vec<Vec<String>> {
    let names = columns(rows.iter().flat_map(|row| &row.crates));
    let mut header = vec!["count".to_owned()];
    header.extend(names.iter().map(|name| title(name)));
    let lines = rows.iter().map(|row| {
        let count = |name: &&str| {
            let index = row.crates.iter().position(|contender| contender.name == *name);
            index.map_or(String::new(), |index| baseline::digits(row.counts[index]))
        };
        let mut line = vec![row.name.clone()];
        line.extend(names.iter().map(count));
        line
    });
    [header].into_iter().chain(lines).collect()
}

/// Returns this crate's counts. If a count is not of the default backend, the name of its column precedes that of its row.
fn ours(row: &Row) -> impl Iterator<Item = baseline::Count> {
    let counts = row.crates.iter().zip(&row.counts);
    let ours = counts.filter(|(contender, _)| contender.is_ours());
    ours.map(|(contender, count)| match contender.name {
        env!("CARGO_PKG_NAME") => (row.name.clone(), *count),
        name => (format!("{name}: {}", row.name), *count),
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse(&["--update", "--test", PHASES], USAGE);
    let mut tables = [cells(), lazies()];
    for rows in &mut tables {
        rows.retain(|row| row.name.contains(&arguments.filter));
    }
    let runs_phases = arguments.has(PHASES);
    if runs_phases || arguments.is_test() {
        run(tables.iter().flatten().filter(|row| row.is_phase || !runs_phases));
        return ExitCode::SUCCESS;
    }

    count(&mut tables, &arguments.filter);
    println!("{}\n", environment());
    for rows in tables.iter().filter(|rows| !rows.is_empty()) {
        print_table(&table(rows));
    }
    let ours: Vec<_> = tables.iter().flatten().flat_map(ours).collect();
    assert!(!ours.is_empty(), "no row has `{}` in its name", arguments.filter);
    let is_all = arguments.filter.is_empty();
    if arguments.has("--update") {
        assert!(is_all, "the baseline has all rows");
        baseline::write(&ours);
        return ExitCode::SUCCESS;
    }
    let failures = baseline::compare(&ours, is_all);
    eprintln!("{}", failures.join("\n"));
    ExitCode::from(u8::from(!failures.is_empty()))
}
