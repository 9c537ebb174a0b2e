//! The crates that are measured, the environment, and the table.

use std::process::Command;

/// The name of what is measured: that of its package, if it has one.
pub(crate) trait Named {
    const NAME: &'static str;
}

/// A crate, or a kind of cell, and how to measure it.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) sample: Box<dyn Fn() -> f64>,
}

impl Contender {
    pub(crate) fn is_ours(&self) -> bool {
        self.name.starts_with(env!("CARGO_PKG_NAME"))
    }
}

/// Samples a figure for each of several types: `contenders!(C => bytes::<C>(); Oncelot, Tokio)`.
macro_rules! contenders {
    ($of:ident => $sample:expr; $($subject:ty),+) => {
        vec![$($crate::common::report::Contender {
            name: <$subject as $crate::common::report::Named>::NAME,
            sample: Box::new(move || {
                type $of = $subject;
                $sample
            }),
        }),+]
    };
}

pub(crate) use contenders;

/// Returns the names of all contenders, each once. Those of this crate come first.
pub(crate) fn columns<'a>(contenders: impl Iterator<Item = &'a Contender>) -> Vec<&'static str> {
    let (ours, others): (Vec<_>, Vec<_>) = contenders.partition(|contender| contender.is_ours());
    let mut names = Vec::new();
    for contender in [ours, others].concat() {
        if !names.contains(&contender.name) {
            names.push(contender.name);
        }
    }
    names
}

/// Returns the name of a column, with the version if a package has this name.
pub(crate) fn title(name: &str) -> String {
    let lock = include_str!("../../Cargo.lock");
    let package = lock.split_once(&format!("name = \"{name}\"\nversion = \""));
    let version = package.and_then(|(_, package)| package.split('"').next());
    version.map_or(name.to_owned(), |version| format!("{name} {version}"))
}

/// Returns the compiler's version.
pub(crate) fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let version = output.expect("rustc runs").stdout;
    String::from_utf8_lossy(&version).trim().to_owned()
}

/// Returns the processor, if the system has its name in a file, and the compiler.
pub(crate) fn environment() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let processor = model.and_then(|line| line.split_once(": "));
    let processor = processor.map_or("unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (arch, compiler) = (std::env::consts::ARCH, compiler());
    format!("{processor}, {cores} cores, {arch}, {compiler}")
}

/// Prints a table in GitHub's markdown, padded so that it can be read as it is. The first row is the header.
pub(crate) fn print_table(rows: &[Vec<String>]) {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
    let (header, rows) = rows.split_first().expect("a table has a header");
    for row in [header, &rule].into_iter().chain(rows) {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!(" {cell:<width$} |"));
        println!("|{}", String::from_iter(cells));
    }
    println!();
}

/// The command line: options, and a part of the names of the rows that are wanted.
pub(crate) struct Arguments {
    options: Vec<String>,
    pub(crate) filter: String,
}

impl Arguments {
    /// Parses the arguments of the process. Prints `usage` and exits if there is an option that is not in `known`.
    pub(crate) fn parse(known: &[&str], usage: &str) -> Self {
        let arguments = std::env::args().skip(1);
        let (options, filter): (Vec<_>, Vec<_>) = arguments.partition(|argument| argument.starts_with("--"));
        let is_known = |option: &String| option == "--bench" || known.contains(&option.as_str());
        if filter.len() > 1 || !options.iter().all(is_known) {
            eprintln!("{usage}");
            std::process::exit(2);
        }
        let filter = filter.concat();
        Self { options, filter }
    }

    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|given| given == option)
    }

    /// Returns whether each sample is taken only once: `cargo bench` passes `--bench`, and `cargo test` does not.
    pub(crate) fn is_test(&self) -> bool {
        self.has("--test") || !self.has("--bench")
    }
}
