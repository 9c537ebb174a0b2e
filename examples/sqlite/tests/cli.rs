//! Runs the program as its users do. No test depends on time.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

const EXECUTORS: [&str; 4] = ["tokio", "smol", "async-std", "block_on"];

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
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
    }

    /// Every executor's row of the table, without the time: initializers started, completed,
    /// failed and dropped; tasks dropped initializing and waiting, and with the same connection;
    /// allocations.
    fn assert_scores(&self, expected: [usize; 8]) {
        for executor in EXECUTORS {
            let mut lines = self.stdout.lines().map(str::split_whitespace);
            let row = lines.find_map(|mut words| (words.next() == Some(executor)).then_some(words));
            let row = row.unwrap_or_else(|| panic!("no row for {executor}:\n{}", self.stdout));
            let counts: Vec<usize> = row.map_while(|word| word.parse().ok()).collect();
            assert_eq!(counts, expected, "{executor}");
        }
    }

    fn assert_prints(&self, lines: &[&str]) {
        for line in lines {
            assert!(
                self.stdout.lines().any(|printed| printed == *line),
                "no {line:?}:\n{}",
                self.stdout
            );
        }
    }

    fn assert_complains(&self, message: &str) {
        assert!(self.stderr.contains(message), "no {message:?}:\n{}", self.stderr);
    }
}

/// A path for one test's file, at which there is none yet.
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
    run.assert_code(0);
    run.assert_scores([6, 1, 0, 5, 5, 100, 895, 0]);
    run.assert_prints(&["cities      24", "orders    5000", "products     8"]);
    run.assert_prints(&[" 3  Bologna  Italy        390625     -534"]);

    let path = run.stdout.split('\'').nth(1).expect("the path is quoted");
    assert!(path.ends_with(".sqlite") && !Path::new(path).exists());
}

#[test]
fn progress_goes_to_standard_error() {
    let run = run::<&str>([]);
    for executor in EXECUTORS {
        run.assert_complains(&format!("{executor}: 1000 tasks race to open the database ..."));
    }
    assert!(!run.stdout.contains("..."));
}

#[test]
fn a_given_file_is_listed_and_left_as_it_was() {
    let path = database(
        "given.sqlite",
        "CREATE TABLE birds (name TEXT, grams REAL, eggs INTEGER, song BLOB);
         INSERT INTO birds VALUES ('wren', 9.5, 6, x'0102'), ('crane', 5600, NULL, NULL);
         CREATE TABLE nests (place);",
    );
    let before = fs::read(&path).unwrap();
    let run = run([&path]);
    run.assert_code(0);
    run.assert_scores([6, 1, 0, 5, 5, 100, 895, 0]);
    run.assert_prints(&[
        "birds     2",
        "nests     0",
        "birds, 2 of 2 rows:",
        "name    grams  eggs  song",
        "wren      9.5     6  <2 bytes>",
        "crane  5600.0  NULL  NULL",
    ]);
    assert!(!run.stdout.contains("nests, "));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn names_and_values_may_be_anything() {
    let path = database(
        "odd.sqlite",
        r#"CREATE TABLE "select ""x"" -- 'y'" ("a b" TEXT, "" TEXT);
           INSERT INTO "select ""x"" -- 'y'" VALUES ('two' || char(10) || 'lines', char(955));
           CREATE TABLE "line
break" (x);
           CREATE TABLE sqliteish (x, y AS (x * 2));
           INSERT INTO sqliteish VALUES (1e300);
           CREATE TABLE latin (x);
           INSERT INTO latin VALUES (CAST(x'e9' AS TEXT)), (printf('%.*c', 100, 'z'));
           CREATE VIRTUAL TABLE words USING fts5 (word);
           INSERT INTO words VALUES ('needle');"#,
    );
    let run = run([&path]);
    run.assert_code(0);
    run.assert_prints(&[
        r#"select "x" -- 'y'     1"#,
        r"line\nbreak           0",
        "sqliteish             1",
        "a b",
        r"two\nlines  λ",
        "    x      y",
        "1e300  2e300",
        "\u{fffd}",
        &format!("{}…", "z".repeat(32)),
        "needle",
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
    run.assert_prints(&[
        "odd       ?",
        "plain     0",
        "odd cannot be read: no such module: nowhere_to_be_found",
    ]);
}

#[test]
fn databases_without_tables_are_fine() {
    for path in [
        database("bare.sqlite", "PRAGMA user_version = 1"),
        file("empty.sqlite", b""),
    ] {
        let run = run([&path]);
        run.assert_code(0);
        run.assert_prints(&["The database has no tables."]);
    }
}

#[test]
fn a_missing_file_is_an_error_and_stays_missing() {
    let path = fresh("missing.sqlite");
    let run = run([&path]);
    run.assert_code(1);
    run.assert_complains(&format!(
        "cannot open '{}': No such file or directory",
        path.display()
    ));
    assert_eq!(run.stdout, "");
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_no_database_is_an_error() {
    let path = file(
        "letter.sqlite",
        "Dear reader, this is not a database. ".repeat(100).as_bytes(),
    );
    let run = run([&path]);
    run.assert_code(1);
    run.assert_complains(&format!(
        "cannot open '{}': file is not a database",
        path.display()
    ));
    assert_eq!(run.stdout, "");
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
    let run = run([&path]);
    run.assert_code(1);
    run.assert_complains("cannot read table 't': database disk image is malformed");
}

#[test]
fn a_directory_is_an_error() {
    let run = run([env!("CARGO_TARGET_TMPDIR")]);
    run.assert_code(1);
    run.assert_complains("not a file");
}

#[test]
fn after_a_failure_the_same_cells_open_another_file() {
    let bad = file("bad.sqlite", &[b'?'; 4096]);
    let good = database("good.sqlite", "CREATE TABLE t (x); INSERT INTO t VALUES (7);");
    let run = run([bad.as_os_str(), OsStr::new("--retry-with"), good.as_os_str()]);
    run.assert_code(0);
    run.assert_scores([7, 1, 1, 5, 5, 100, 895, 0]);
    run.assert_prints(&["t         1", "t, 1 of 1 rows:"]);
    for executor in EXECUTORS {
        run.assert_complains(&format!(
            "{executor}: cannot open '{}': file is not",
            bad.display()
        ));
    }
}

#[test]
fn the_other_file_is_left_alone_when_the_first_opens() {
    let good = database("first.sqlite", "CREATE TABLE t (x);");
    let run = run([
        good.as_os_str(),
        OsStr::new("--retry-with"),
        OsStr::new("/nowhere"),
    ]);
    run.assert_code(0);
    run.assert_scores([6, 1, 0, 5, 5, 100, 895, 0]);
}

#[test]
fn when_both_files_fail_both_errors_show() {
    let (first, second) = (fresh("neither.sqlite"), file("nor.sqlite", &[b'!'; 4096]));
    let run = run([first.as_os_str(), OsStr::new("--retry-with"), second.as_os_str()]);
    run.assert_code(1);
    run.assert_complains(&format!("cannot open '{}': ", first.display()));
    run.assert_complains(&format!("cannot open '{}': file is not", second.display()));
}

#[test]
fn any_number_of_tasks_may_race() {
    for (tasks, expected) in [
        ("1", [1, 1, 0, 0, 0, 0, 1, 0]),
        ("2", [1, 1, 0, 0, 0, 0, 2, 0]),
        ("10", [1, 1, 0, 0, 0, 1, 9, 0]),
        ("200", [2, 1, 0, 1, 1, 20, 179, 0]),
        ("400", [3, 1, 0, 2, 2, 40, 358, 0]),
    ] {
        let run = run(["--tasks", tasks]);
        run.assert_code(0);
        run.assert_scores(expected);
    }
}

#[test]
fn a_single_task_retries_too() {
    let missing = fresh("single-missing.sqlite");
    let good = database("single.sqlite", "CREATE TABLE t (x);");
    let args = [
        "--tasks=1".as_ref(),
        missing.as_os_str(),
        "--retry-with".as_ref(),
        good.as_os_str(),
    ];
    let run = run(args);
    run.assert_code(0);
    run.assert_scores([2, 1, 1, 0, 0, 0, 1, 0]);
}

#[test]
fn help_shows_the_usage() {
    for flag in ["-h", "--help"] {
        let run = run([flag]);
        run.assert_code(0);
        assert!(
            run.stdout
                .starts_with("Usage: oncelot-sqlite-example [OPTIONS] [PATH]\n")
        );
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn wrong_usage_is_explained() {
    for (args, message) in [
        (&["--fast"][..], "invalid option '--fast'"),
        (&["a.sqlite", "b.sqlite"], "unexpected argument \"b.sqlite\""),
        (&["--tasks", "0"], "--tasks must be at least 1"),
        (&["--tasks", "many"], "cannot parse argument \"many\""),
        (&["--tasks"], "missing argument for option '--tasks'"),
        (
            &["--retry-with", "b.sqlite"],
            "--retry-with needs a PATH to fall back from",
        ),
    ] {
        let run = run(args);
        run.assert_code(2);
        run.assert_complains(message);
        run.assert_complains("Usage: ");
        assert_eq!(run.stdout, "");
    }
}
