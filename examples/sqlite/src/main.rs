//! A thousand tasks on each of four executors race to open one SQLite database.
//!
//! Every executor has a `static` [`OnceCell`] of its own. Its tasks all ask that cell for the connection; some are
//! dropped while they open it, some while they wait for it. The program counts what happened, checks the cell's
//! guarantees against the counts, and then answers a query through the cell: which tables does the database have, and
//! what is in them?
//!
//! ```text
//! cargo run --release --manifest-path examples/sqlite/Cargo.toml -- --help
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `args.rs` | the command line |
//! | `race.rs` | the race: which tasks claim, wait and are dropped, and the counts |
//! | `countdown.rs` | the gates that the tasks of the race wait for |
//! | `runtimes.rs`, `block_on.rs` | the four executors behind one trait |
//! | `counting_alloc.rs` | how many allocations a poll makes |
//! | `database.rs` | the connection in the cell |
//! | `sample.rs` | a sample database, unless a path is given |
//! | `contents.rs` | the query |
//! | `table.rs`, `progress.rs` | the output |

mod args;
mod block_on;
mod contents;
mod countdown;
mod counting_alloc;
mod database;
mod progress;
mod race;
mod runtimes;
mod sample;
mod table;

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use oncelot::OnceCell;

use crate::args::{Command, Options};
use crate::database::Database;
use crate::progress::Progress;
use crate::race::{Plan, Score};
use crate::runtimes::{AsyncStd, Runtime, Smol, Threads, Tokio};

static TOKIO: OnceCell<Database> = OnceCell::new();
static SMOL: OnceCell<Database> = OnceCell::new();
static ASYNC_STD: OnceCell<Database> = OnceCell::new();
static THREADS: OnceCell<Database> = OnceCell::new();

fn main() -> ExitCode {
    match args::parse() {
        Ok(Command::Help) => {
            print!("{}", args::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Command::Race(options)) => match run(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprint!("error: {error}\n\n{}", args::USAGE);
            ExitCode::from(2)
        }
    }
}

fn run(Options { mut paths, tasks }: Options) -> Result<(), Box<dyn Error>> {
    let progress = Progress::new();
    // The file is removed when this goes out of scope.
    let sample;
    if paths.is_empty() {
        progress.step("filling a database of our own");
        sample = sample::create()?;
        paths.push(sample.to_path_buf());
    }

    let plan = Plan::new(tasks);
    let scores = [
        race::<Tokio>(&TOKIO, plan, &paths, &progress)?,
        race::<Smol>(&SMOL, plan, &paths, &progress)?,
        race::<AsyncStd>(&ASYNC_STD, plan, &paths, &progress)?,
        race::<Threads>(&THREADS, plan, &paths, &progress)?,
    ];
    progress.clear();

    let database = TOKIO.get().expect("the race on tokio has opened it");
    let mut out = io::stdout().lock();
    write_scores(&mut out, database.path(), plan, &scores)?;
    contents::write(&mut out, database)?;

    let broken: Vec<String> = scores.iter().flat_map(Score::broken_promises).collect();
    if broken.is_empty() {
        Ok(())
    } else {
        Err(broken.join("\nerror: ").into())
    }
}

fn race<R: Runtime>(
    cell: &'static OnceCell<Database>,
    plan: Plan,
    paths: &[PathBuf],
    progress: &Progress,
) -> Result<Score, Box<dyn Error>> {
    let (name, tasks) = (R::NAME, plan.tasks);
    progress.step(&format!("{name}: {tasks} tasks race to open the database"));
    let (score, failures) = race::run::<R>(cell, plan, paths.to_vec())
        .map_err(|error| format!("{name} cannot run {tasks} tasks: {error}"))?;
    for failure in failures {
        progress.note(&format!("{name}: {failure}"));
    }
    score.ok_or_else(|| format!("no database could be opened on {name}").into())
}

fn write_scores(out: &mut impl Write, path: &Path, plan: Plan, scores: &[Score]) -> io::Result<()> {
    writeln!(
        out,
        "{} tasks on each executor raced to open '{}' with SQLite {}\n",
        plan.tasks,
        path.display(),
        rusqlite::version(),
    )?;
    let rows: Vec<_> = scores.iter().map(Score::row).collect();
    table::write(out, &Score::header(), &rows)
}
