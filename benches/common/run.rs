//! Runs a bench that compares crates, from its command line to its exit code.

use std::fs;
use std::process::ExitCode;

use super::environment::{self, Resolved};
use super::figure::{Figure, Measured};
use super::options::{Options, USAGE};
use super::report::Report;

/// Measures what the command line wants of `figures`, with a column for each of `crates`, of which ours is the first.
/// Fails if a count is over its target.
pub(crate) fn run(crates: &[&'static str], figures: Vec<Figure>) -> ExitCode {
    let Some(options) = Options::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };

    let version = |name| Resolved::from_name(name).map(|package| package.version);
    let wanted = figures
        .into_iter()
        .filter(|figure| figure.name.contains(&options.filter));
    let report = Report {
        environment: environment::describe(),
        crates: crates.iter().map(|name| (*name, version(name))).collect(),
        figures: wanted.map(|figure| figure.measure(options.effort)).collect(),
    };
    println!("{}\n\n{}", report.environment, report.markdown());

    if let Some(path) = &options.json {
        if let Err(error) = fs::write(path, report.json()) {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    // A debug build may carry more than it promises, for its assertions.
    let is_release = !cfg!(debug_assertions);
    ExitCode::from(u8::from(
        is_release && report.figures.iter().any(Measured::is_certainly_missed),
    ))
}
