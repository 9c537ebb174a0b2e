//! Runs the phases of this program under callgrind.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs this program with `arguments` under callgrind, and returns what it printed and the instructions of each phase in
/// the order in which they ran.
pub(crate) fn run(arguments: &[&str]) -> Result<(String, Vec<u64>), String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("counts");
    let describe = |error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(describe)?;
    }
    fs::create_dir_all(&folder).map_err(describe)?;
    let file = folder.join("callgrind");

    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .args([
            "--toggle-collect=*::measured_work",
            "--dump-after=*::measured_work",
        ])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                "valgrind is not installed: `apt-get install valgrind`, or the package of that name elsewhere"
                    .to_owned()
            }
            _ => format!("valgrind: {error}"),
        })?;
    if !output.status.success() {
        return Err(format!("valgrind: {}", output.status));
    }

    // Each phase is dumped to a file of its own; what comes after the last phase goes to the file without a number.
    let files = (1..).map(|number| folder.join(format!("callgrind.{number}")));
    let phases = files.take_while(|file| file.exists()).map(|file| {
        let dump = fs::read_to_string(&file).map_err(describe)?;
        total(&dump).ok_or_else(|| format!("{}: no line `totals: COUNT`", file.display()))
    });
    let phases = phases.collect::<Result<_, _>>()?;
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), phases))
}

/// The instructions of a dump, whatever executed them.
fn total(dump: &str) -> Option<u64> {
    let total = dump.lines().find_map(|line| line.strip_prefix("totals: "))?;
    total.trim().parse().ok()
}
