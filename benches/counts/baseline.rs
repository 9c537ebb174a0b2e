//! The committed counts of this crate, and the comparison with the current ones.

use std::fs;
use std::path::PathBuf;

use crate::common::environment;
use crate::common::table::{Unit, number};

/// By how much a count may grow.
const TOLERANCE: f64 = 0.02;

/// A count, by the name of its row.
pub(crate) type Count = (String, f64);

/// The committed counts of one architecture.
pub(crate) struct Baseline {
    compiler: String,
    counts: Vec<(String, f64)>,
}

impl Baseline {
    /// Instructions differ between architectures.
    fn path() -> PathBuf {
        let name = format!("baseline-{}.txt", std::env::consts::ARCH);
        [env!("CARGO_MANIFEST_DIR"), "benches", "counts", &name]
            .iter()
            .collect()
    }

    pub(crate) fn read() -> Result<Self, String> {
        let path = Self::path();
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).ok_or_else(|| format!("{}: not a list of `COUNT NAME`", path.display()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let compiler = lines.next()?.to_owned();
        let counts = lines.map(|line| {
            let (count, name) = line.split_once(' ')?;
            Some((name.to_owned(), count.parse().ok()?))
        });
        Some(Self {
            compiler,
            counts: counts.collect::<Option<_>>()?,
        })
    }

    pub(crate) fn write(counts: &[Count]) -> Result<(), String> {
        let lines = counts
            .iter()
            .map(|(name, count)| format!("{} {name}\n", digits(*count)));
        let text = format!("{}\n{}", environment::compiler(), String::from_iter(lines));
        let path = Self::path();
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Prints which counts have fallen by more than the tolerance, and fails with those that have grown by more.
    ///
    /// Fails for a count that is not in the baseline. If `is_all`, fails for one that is only in the baseline.
    pub(crate) fn check(&self, counts: &[Count], is_all: bool) -> Result<(), String> {
        let mut failures = Vec::new();
        for (name, new) in counts {
            let Some((_, old)) = self.counts.iter().find(|(other, _)| other == name) else {
                failures.push(format!("not in the baseline: {name}"));
                continue;
            };
            let change = format!("{name}: {} -> {}", digits(*old), digits(*new));
            if *new > old * (1.0 + TOLERANCE) {
                failures.push(format!("grown: {change}"));
            } else if *new < old * (1.0 - TOLERANCE) {
                println!("fallen, update the baseline: {change}");
            }
        }
        let is_counted = |name: &str| counts.iter().any(|(other, _)| other == name);
        let uncounted = self.counts.iter().filter(|(name, _)| is_all && !is_counted(name));
        failures.extend(uncounted.map(|(name, _)| format!("only in the baseline: {name}")));

        if failures.is_empty() {
            return Ok(());
        }
        let compiler = environment::compiler();
        if compiler != self.compiler {
            failures.push(format!(
                "the baseline is from {}, this is {compiler}",
                self.compiler
            ));
        }
        failures.push("to rewrite the baseline: cargo bench --bench counts -- --update".to_owned());
        Err(failures.join("\n"))
    }
}

fn digits(count: f64) -> String {
    number(count, Unit::Exact)
}
