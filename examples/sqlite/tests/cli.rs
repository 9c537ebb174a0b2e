//! Runs the program as its users do. No test depends on time.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

const EXECUTORS: [&str; 4] = ["tokio", "smol", "async-std", "threads"];

/// The counts of a race of 1,000 tasks, if the first path can be opened; see [`Run::assert_counts`].
const USUAL: [usize; 7] = [6, 1, 0, 5, 5, 100, 895];

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_oncelot-sqlite-example"))
        .args(args)
        .output()
        .expect("the program starts");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("standard output is text"),
        stderr: String::from_utf8(output.stderr).expect("standard error is text"),
    }
}

impl Run {
    fn assert_code(&self, code: i32) {
        let Self { stdout, stderr, .. } = self;
        assert_eq!(self.code, Some(code), "stdout:\n{stdout}\nstderr:\n{stderr}");
    }

    /// Checks that the program succeeds, and the counts of every executor: initializers started, completed, failed
    /// and dropped; tasks dropped while they initialized or waited, and tasks with the same connection.
    fn assert_counts(&self, expected: [usize; 7]) {
        self.assert_code(0);
        let mut lines = self.stdout.lines().skip(2);
        let header = lines.next().expect("the executors are named");
        assert_eq!(header.split_whitespace().collect::<Vec<_>>(), EXECUTORS);
        for count in expected {
            let line = lines.next().expect("every count has a line");
            let columns: Vec<_> = line.split_whitespace().rev().take(4).collect();
            assert_eq!(columns, vec![count.to_string(); 4], "{line}");
        }
    }

    fn assert_prints(&self, lines: &[&str]) {
        for line in lines {
            let mut printed = self.stdout.lines().map(str::trim_start);
            assert!(
                printed.any(|other| other == *line),
                "no {line:?}:\n{}",
                self.stdout
            );
        }
    }

    /// Checks the exit code, and that standard error contains the message.
    fn assert_complains(&self, code: i32, message: &str) {
        self.assert_code(code);
        assert!(self.stderr.contains(message), "no {message:?}:\n{}", self.stderr);
    }
}

/// A path for one test's file, where there is no file yet.
fn fresh(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        fs::remove_file(&path).expect("an earlier run's file can be removed");
    }
    path
}

fn database(name: &str, sql: &str) -> PathBuf {
    let path = fresh(name);
    let connection = Connection::open(&path).expect("a database can be created");
    connection.execute_batch(sql).expect("the test's SQL is valid");
    path
}

fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = fresh(name);
    fs::write(&path, content).expect("a file can be written");
    path
}

#[test]
fn without_a_path_it_makes_fills_and_removes_a_database() {
    let run = run::<&str>([]);
    run.assert_counts(USUAL);
    run.assert_prints(&["24  cities", "5000  orders", "8  products"]);
    let path = run.stdout.split('\'').nth(1).expect("the path is quoted");
    assert!(path.ends_with(".sqlite") && !Path::new(path).exists());
}

#[test]
fn a_given_file_is_listed_and_left_as_it_was() {
    let path = database(
        "given.sqlite",
        "CREATE TABLE birds (name); INSERT INTO birds VALUES ('wren'), ('crane'); CREATE TABLE nests (place);",
    );
    let before = fs::read(&path).unwrap();
    let run = run([&path]);
    run.assert_counts(USUAL);
    run.assert_prints(&["2  birds", "0  nests"]);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn names_may_be_anything() {
    let path = database(
        "odd.sqlite",
        r#"CREATE TABLE "select ""x"" -- λ" (x);
           INSERT INTO "select ""x"" -- λ" VALUES (1);
           CREATE TABLE "line
break" (x);
           CREATE TABLE sqliteish (x);
           CREATE VIRTUAL TABLE words USING fts5 (word);
           INSERT INTO words VALUES ('needle');"#,
    );
    let run = run([&path]);
    run.assert_code(0);
    run.assert_prints(&[
        r#"1  select \"x\" -- λ"#,
        r"0  line\nbreak",
        "0  sqliteish",
        "1  words",
    ]);
}

#[test]
fn a_table_that_needs_an_unknown_module_does_not_hide_the_others() {
    let path = database(
        "module.sqlite",
        "CREATE TABLE plain (x);
         PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES
             ('table', 'odd', 'odd', 0, 'CREATE VIRTUAL TABLE odd USING nowhere_to_be_found');",
    );
    let run = run([&path]);
    run.assert_code(0);
    run.assert_prints(&["?  odd: no such module: nowhere_to_be_found", "0  plain"]);
}

#[test]
fn databases_without_tables_are_fine() {
    let bare = database("bare.sqlite", "PRAGMA user_version = 1");
    for path in [bare, file("empty.sqlite", b"")] {
        run([&path]).assert_counts(USUAL);
    }
}

#[test]
fn what_cannot_be_opened_is_an_error() {
    let missing = fresh("missing.sqlite");
    let letter = file("letter.sqlite", &b"This is not a database. ".repeat(200));
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for (path, message) in [
        (&missing, "No such file or directory"),
        (&letter, "file is not a database"),
        (&directory, "not a file"),
    ] {
        let run = run([path]);
        run.assert_complains(1, &format!("tokio: cannot open '{}': {message}", path.display()));
        run.assert_complains(1, "error: no database could be opened on tokio");
        assert_eq!(run.stdout, "");
    }
    assert!(!missing.exists());
}

#[test]
fn a_database_with_a_damaged_table_is_an_error() {
    let path = database(
        "damaged.sqlite",
        "CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(10000));",
    );
    let mut bytes = fs::read(&path).unwrap();
    // The table's root page is the second.
    bytes[4096..8192].fill(0xff);
    fs::write(&path, bytes).unwrap();
    run([&path]).assert_complains(1, "cannot read table 't': database disk image is malformed");
}

#[test]
fn after_a_failure_the_same_cells_open_another_file() {
    let bad = file("bad.sqlite", &[b'?'; 4096]);
    let good = database("good.sqlite", "CREATE TABLE t (x); INSERT INTO t VALUES (7);");
    let run = run([&bad, &good, Path::new("/nowhere")]);
    run.assert_counts([7, 1, 1, 5, 5, 100, 895]);
    run.assert_prints(&["1  t"]);
    for executor in EXECUTORS {
        let bad = bad.display();
        run.assert_complains(
            0,
            &format!("{executor}: cannot open '{bad}': file is not a database"),
        );
    }
    assert!(!run.stderr.contains("/nowhere"));
}

#[test]
fn when_all_files_fail_all_errors_show() {
    let (first, second) = (fresh("neither.sqlite"), file("nor.sqlite", &[b'!'; 4096]));
    let run = run([&first, &second]);
    for path in [first, second] {
        run.assert_complains(1, &format!("cannot open '{}': ", path.display()));
    }
}

#[test]
fn any_number_of_tasks_may_race() {
    for (tasks, expected) in [
        ("1", [1, 1, 0, 0, 0, 0, 1]),
        ("2", [1, 1, 0, 0, 0, 0, 2]),
        ("10", [1, 1, 0, 0, 0, 1, 9]),
        ("200", [2, 1, 0, 1, 1, 20, 179]),
        ("400", [3, 1, 0, 2, 2, 40, 358]),
    ] {
        run(["--tasks", tasks]).assert_counts(expected);
    }
}

#[test]
fn a_single_task_retries_too() {
    let good = database("single.sqlite", "CREATE TABLE t (x);");
    let args = [OsStr::new("--tasks=1"), OsStr::new("/nowhere"), good.as_os_str()];
    run(args).assert_counts([2, 1, 1, 0, 0, 0, 1]);
}

#[test]
fn help_and_wrong_usage_are_explained() {
    let help = run(["--help"]);
    help.assert_code(0);
    assert!(
        help.stdout
            .contains("Usage: oncelot-sqlite-example [OPTIONS] [PATH]...\n")
    );
    for (args, message) in [
        (&["--fast"][..], "unexpected argument '--fast'"),
        (&["--tasks", "0"], "invalid value '0' for '--tasks"),
        (&["--tasks", "many"], "invalid value 'many' for '--tasks"),
        (&["--tasks"], "a value is required for '--tasks"),
    ] {
        let run = run(args);
        run.assert_complains(2, message);
        assert_eq!(run.stdout, "");
    }
}
