//! The command line.

use std::path::PathBuf;

use super::rounds::Effort;

pub(crate) const USAGE: &str = concat!(
    "usage: cargo bench --bench ",
    env!("CARGO_CRATE_NAME"),
    " -- [--quick | --test] [--json PATH] [FIGURE]

  --quick      a rough answer in a few seconds
  --test       run everything once, to see that it runs
  --json PATH  write the figures to a file, for a program
  FIGURE       measure only the figures with this in their name"
);

pub(crate) struct Options {
    pub(crate) effort: Effort,
    pub(crate) json: Option<PathBuf>,
    pub(crate) filter: String,
}

impl Options {
    /// `None` if there is something that we do not know.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut is_bench = false;
        let mut effort = None;
        let mut json = None;
        let mut filter = String::new();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => is_bench = true,
                "--quick" => effort = Some(Effort::QUICK),
                "--test" => effort = Some(Effort::ONCE),
                "--json" => json = Some(arguments.next()?.into()),
                unknown if unknown.starts_with('-') => return None,
                figure => filter = figure.to_owned(),
            }
        }
        // `cargo bench` passes `--bench`; `cargo test` does not.
        let effort = effort.unwrap_or(if is_bench { Effort::FULL } else { Effort::ONCE });
        Some(Self { effort, json, filter })
    }
}
