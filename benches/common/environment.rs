//! The environment of a run: the processor, the compiler, the packages and their dependencies.

use std::collections::HashSet;
use std::fs;
use std::process::Command;

/// Processor and compiler, on one line.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let arch = std::env::consts::ARCH;
    let processor = processor().unwrap_or_else(|| "unknown processor".to_owned());
    format!("{processor}, {cores} cores, {arch}, {}", compiler())
}

/// The compiler's version.
pub(crate) fn compiler() -> String {
    let compiler = output_of("rustc", &["--version"]);
    compiler.map_or("unknown compiler".to_owned(), |version| version.trim().to_owned())
}

/// The processor's name, if the system has it in a file.
fn processor() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// A package and its dependencies, as this build has resolved them: features that this build does not enable do not
/// count.
pub(crate) struct Resolved {
    pub(crate) version: String,
    /// The crates to compile, the package's own among them.
    pub(crate) crates: usize,
}

impl Resolved {
    /// Asks cargo; `None` if it does not answer.
    pub(crate) fn from_name(package: &str) -> Option<Self> {
        // The peers hang on dev-dependencies. This crate's own must not count.
        let edges = if package == env!("CARGO_PKG_NAME") {
            "normal"
        } else {
            "normal,dev"
        };
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let arguments = ["tree", "--offline", "--manifest-path", manifest, "--edges", edges];
        let format = ["--prefix", "none", "--format", "{p}", "--package", package];
        let tree = output_of(env!("CARGO"), &[&arguments[..], &format[..]].concat())?;

        // A line is `name vX.Y.Z`, and perhaps a path or a mark that the crate came before.
        let name_and_version = |line: &str| {
            let mut words = line.split_whitespace().map(str::to_owned);
            Some((words.next()?, words.next()?))
        };
        let (_, version) = tree.lines().find_map(name_and_version)?;
        let crates: HashSet<_> = tree.lines().filter_map(name_and_version).collect();
        Some(Self {
            version: version.trim_start_matches('v').to_owned(),
            crates: crates.len(),
        })
    }
}

fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
