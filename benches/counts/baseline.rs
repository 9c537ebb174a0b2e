//! The committed counts of this crate, and the comparison with the current ones.

use std::fs;
use std::path::PathBuf;

use crate::common::report::compiler;

/// By how much a count may grow.
const TOLERANCE: f64 = 0.02;

/// The name of a row, and this crate's count.
pub(crate) type Count = (String, f64);

/// Instructions differ between architectures.
fn path() -> PathBuf {
    let name = format!("baseline-{}.txt", std::env::consts::ARCH);
    [env!("CARGO_MANIFEST_DIR"), "benches", "counts", &name]
        .iter()
        .collect()
}

/// All digits of a count, and one decimal of a share.
pub(crate) fn digits(count: f64) -> String {
    format!("{}", (count * 10.0).round() / 10.0)
}

/// Writes a line for the compiler, and one for each count.
pub(crate) fn write(counts: &[Count]) {
    let lines = counts
        .iter()
        .map(|(name, count)| format!("{} {name}\n", digits(*count)));
    let text = format!("{}\n{}", compiler(), String::from_iter(lines));
    fs::write(path(), text).expect("the baseline can be written");
}

/// Prints which counts have fallen by more than the tolerance. Returns a line for each one that has grown by more, for each
/// one that is not in the baseline and, if these are all counts, for each one that is only there.
pub(crate) fn compare(counts: &[Count], is_all: bool) -> Vec<String> {
    let text = fs::read_to_string(path()).expect("there is a baseline for this architecture");
    let (compiler_of_baseline, lines) = text.split_once('\n').expect("the first line is the compiler");
    let parse = |line: &str| {
        let (count, name) = line.split_once(' ')?;
        Some((name.to_owned(), count.parse::<f64>().ok()?))
    };
    let baseline: Option<Vec<Count>> = lines.lines().map(parse).collect();
    let mut baseline = baseline.expect("each line is `COUNT NAME`");

    let mut failures = Vec::new();
    for (name, new) in counts {
        let Some(index) = baseline.iter().position(|(other, _)| other == name) else {
            failures.push(format!("not in the baseline: {name}"));
            continue;
        };
        let (_, old) = baseline.remove(index);
        let change = format!("{name}: {} -> {}", digits(old), digits(*new));
        if *new > old * (1.0 + TOLERANCE) {
            failures.push(format!("grown: {change}"));
        } else if *new < old * (1.0 - TOLERANCE) {
            println!("fallen, update the baseline: {change}");
        }
    }
    if is_all {
        failures.extend(
            baseline
                .iter()
                .map(|(name, _)| format!("only in the baseline: {name}")),
        );
    }
    if !failures.is_empty() {
        let compiler = compiler();
        if compiler != compiler_of_baseline {
            failures.push(format!(
                "the baseline is from {compiler_of_baseline}, this is {compiler}"
            ));
        }
        failures.push("to rewrite the baseline: cargo bench --bench counts -- --update".to_owned());
    }
    failures
}
