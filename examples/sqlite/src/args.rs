//! The command line.

use std::path::PathBuf;

use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;

pub(crate) const USAGE: &str = "\
Usage: oncelot-sqlite-example [OPTIONS] [PATH]

Races tasks on tokio, smol, async-std and a hand-written block_on to open one SQLite
database behind a static OnceCell, reports what happened, and lists the database's tables.

Arguments:
  [PATH]             an SQLite database, which is only read; without it, one is made and removed

Options:
  --retry-with PATH  the database to open through the same cells if PATH cannot be opened
  --tasks N          tasks on each executor [default: 1000]
  -h, --help         print this help
";

#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Race(Options),
}

#[derive(Debug)]
pub(crate) struct Options {
    /// What to open, in the order in which to try; empty for a database of our own.
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) tasks: usize,
}

pub(crate) fn parse() -> Result<Command, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut path = None;
    let mut retry_with = None;
    let mut tasks = 1000;
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("retry-with") => retry_with = Some(PathBuf::from(parser.value()?)),
            Long("tasks") => tasks = parser.value()?.parse()?,
            Value(value) if path.is_none() => path = Some(PathBuf::from(value)),
            _ => return Err(arg.unexpected()),
        }
    }
    if tasks == 0 {
        return Err("--tasks must be at least 1".into());
    }
    if retry_with.is_some() && path.is_none() {
        return Err("--retry-with needs a PATH to fall back from".into());
    }
    let paths = path.into_iter().chain(retry_with).collect();
    Ok(Command::Race(Options { paths, tasks }))
}
