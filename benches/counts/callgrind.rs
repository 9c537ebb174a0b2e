//! Runs the phases of this program under callgrind.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs this program with `arguments` under callgrind, and returns what it printed and the instructions of each phase in
/// the order in which they ran.
pub(crate) fn run(arguments: &[&str]) -> (String, Vec<f64>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("counts");
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the dumps of the last run can be removed");
    }
    fs::create_dir_all(&folder).expect("there can be a folder for the dumps");
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--toggle-collect=*::measured_work"])
        .arg("--dump-after=*::measured_work")
        .arg(format!("--callgrind-out-file={}/callgrind", folder.display()))
        .arg(std::env::current_exe().expect("a process has a program"))
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .expect("valgrind is installed, as by `apt-get install valgrind`");
    assert!(output.status.success(), "valgrind: {}", output.status);

    // Each phase is dumped to a file of its own; what comes after the last phase goes to the file without a number.
    let files = (1..).map(|number| folder.join(format!("callgrind.{number}")));
    let phases = files.take_while(|file| file.exists()).map(|file| {
        let dump = fs::read_to_string(file).expect("a dump can be read");
        let total = dump.lines().find_map(|line| line.strip_prefix("totals: "));
        let total = total.and_then(|total| total.trim().parse().ok());
        total.expect("a dump has a line `totals: COUNT`")
    });
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        phases.collect(),
    )
}
