//! A thousand tasks on each of four executors race to open one SQLite database.
//!
//! Every executor has a `static` [`OnceCell`] of its own. Its tasks all ask that cell for the connection; some tasks
//! are dropped while they open it, some while they wait for it. The program prints and checks what it counted, and then
//! reads the database through a cell: which tables does it have, and how many rows are in them?
//!
//! ```text
//! cargo run --release --manifest-path examples/sqlite/Cargo.toml -- --help
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `race.rs` | **the race: which tasks initialize, wait and are dropped, and the counts** |
//! | `executors.rs` | the four executors |
//! | `database.rs` | the connection in the cell |

mod database;
mod executors;
mod race;

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use clap::Parser;
use oncelot::OnceCell;

use crate::database::Database;
use crate::executors::RunAll;
use crate::race::{Outcome, Plan};

static TOKIO: OnceCell<Database> = OnceCell::new();
static SMOL: OnceCell<Database> = OnceCell::new();
static ASYNC_STD: OnceCell<Database> = OnceCell::new();
static THREADS: OnceCell<Database> = OnceCell::new();

const RACES: [(&str, &OnceCell<Database>, RunAll<Outcome>); 4] = [
    ("tokio", &TOKIO, executors::tokio),
    ("smol", &SMOL, executors::smol),
    ("async-std", &ASYNC_STD, executors::async_std),
    ("threads", &THREADS, executors::threads),
];

/// Races tasks on tokio, smol, async-std and plain threads to open one SQLite database behind a static OnceCell,
/// reports what happened, and lists the tables of the database.
#[derive(Parser)]
struct Args {
    /// SQLite databases, which are only read. If one cannot be opened, the next one is opened through the same
    /// cells. Without a path, the program creates a database and removes it
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The number of tasks on each executor
    #[arg(long, default_value = "1000")]
    tasks: NonZero<usize>,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(Args { mut paths, tasks }: Args) -> anyhow::Result<()> {
    // The file is removed when this goes out of scope.
    let sample;
    if paths.is_empty() {
        sample = database::create_sample()?;
        paths.push(sample.to_path_buf());
    }

    let plan = Plan::new(tasks.get());
    let mut scores = Vec::new();
    for (executor, cell, run_all) in RACES {
        scores.push(race::run(executor, cell, run_all, plan, &paths)?);
    }

    let database = TOKIO.get().expect("the race on tokio has opened it");
    let path = database.path.display();
    println!("{tasks} tasks on each executor raced to open '{path}'\n");
    print_row("", RACES.map(|(executor, ..)| executor.to_owned()));
    for (row, count) in scores[0].counts.iter().enumerate() {
        print_row(
            count.what,
            scores.iter().map(|score| score.counts[row].actual.to_string()),
        );
    }
    let milliseconds = |score: &race::Score| format!("{:.1}", score.elapsed.as_secs_f64() * 1e3);
    print_row("milliseconds", scores.iter().map(milliseconds));
    println!("\nThe tables of the database and their rows, read through the cell:\n");
    database.print_tables()?;

    for ((executor, ..), score) in RACES.iter().zip(scores) {
        for race::Count {
            what,
            actual,
            expected,
        } in score.counts
        {
            ensure!(
                actual == expected,
                "{executor}: {what}: {actual} and not {expected}"
            );
        }
    }
    Ok(())
}

fn print_row(label: &str, columns: impl IntoIterator<Item = String>) {
    print!("{label:36}");
    for column in columns {
        print!("{column:>11}");
    }
    println!();
}
