//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use lexopt::{
    Arg::{Long, Short, Value},
    ValueExt,
};
use tracing_subscriber::filter::Targets;

pub(crate) const USAGE: &str = "\
Usage: serve-tokio [OPTIONS] DATABASE
       serve-smol [OPTIONS] DATABASE

Serves a shop's figures from an SQLite database over HTTP. The database is opened when it is
first asked for, and need not be there before. `sample DATABASE` makes one.

Arguments:
  DATABASE         an SQLite database, which is only read

Options:
  --config PATH    the configuration, in JSON [default: built in]
  --eager          open everything before serving; end if that fails
  --listen ADDR    where to listen; port 0 takes a free one [default: 127.0.0.1:8080]
  --log FILTER     what to log to standard error, such as `off` or `info,oncelot=trace`
                   [default: info,oncelot=debug]
  -h, --help       print this help
";

#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Serve(Options),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) files: Files,
    pub(crate) is_eager: bool,
    pub(crate) listen: SocketAddr,
    pub(crate) log: Targets,
}

/// What there is to open.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) config: Option<PathBuf>,
    pub(crate) database: PathBuf,
}

pub(crate) fn parse() -> Result<Command, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut database = None;
    let mut config = None;
    let mut is_eager = false;
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 8080));
    let mut log = "info,oncelot=debug".parse().expect("the default is valid");
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("config") => config = Some(PathBuf::from(parser.value()?)),
            Long("eager") => is_eager = true,
            Long("listen") => listen = parser.value()?.parse()?,
            Long("log") => log = parser.value()?.parse()?,
            Value(value) if database.is_none() => database = Some(PathBuf::from(value)),
            _ => return Err(arg.unexpected()),
        }
    }
    let database = database.ok_or("missing argument DATABASE")?;
    Ok(Command::Serve(Options {
        files: Files { config, database },
        is_eager,
        listen,
        log,
    }))
}
