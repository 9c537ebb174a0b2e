//! Programs that declare statics by `lazy!`, which the compiler must accept, in every edition and with all its lints.
//!
//! The variable `ONCELOT_TEST_RUSTC` selects another compiler than the default one: `.ci/run msrv` sets it.

#![cfg(not(miri))]

use std::{fs, process::Output};

#[path = "util/programs.rs"]
mod programs;

use programs::Program;

#[track_caller]
fn successful(output: &Output) -> (String, String) {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stdout}{stderr}");
    (stdout, stderr)
}

/// Builds and runs the tests of `lazy_bodies.rs`.
#[track_caller]
fn run_bodies(edition: &'static str) {
    let program = Program {
        edition,
        ..Program::new("lazy_bodies.rs")
    };
    let tests = fs::read_to_string(program.source())
        .unwrap()
        .matches("#[test]")
        .count();
    let (stdout, _) = successful(&program.cargo("test", &["test"]));
    assert!(
        stdout.contains(&format!(" {tests} passed; 0 failed; 0 ignored;")),
        "{stdout}"
    );
}

#[test]
fn ordinary_expressions_in_edition_2018() {
    run_bodies("2018");
}

#[test]
fn ordinary_expressions_in_edition_2021() {
    run_bodies("2021");
}

#[test]
fn ordinary_expressions_in_edition_2024() {
    run_bodies("2024");
}

#[test]
fn expressions_without_await_in_edition_2015() {
    let program = Program {
        edition: "2015",
        ..Program::new("compile_pass/edition_2015.rs")
    };
    successful(&program.cargo("bin", &["run"]));
}

#[test]
fn no_std_and_no_prelude() {
    for edition in ["2018", "2021", "2024"] {
        let program = Program {
            edition,
            default_features: false,
            ..Program::new("compile_pass/no_std.rs")
        };
        successful(&program.cargo("lib", &["check"]));
    }
}

#[test]
fn lints_see_an_expression_once() {
    let program = Program::new("compile_pass/lints.rs");
    let (_, stderr) = successful(&program.cargo("lib", &["check", "--message-format=short"]));
    let source = program.source();
    let mut lines: Vec<usize> = (stderr.lines())
        .filter_map(|message| message.strip_prefix(source.to_str().unwrap())?.strip_prefix(':'))
        .map(|message| message.split(':').next().unwrap().parse().unwrap())
        .collect();
    lines.sort_unstable();
    let expected: Vec<usize> = (fs::read_to_string(&source).unwrap().lines().zip(1..))
        .filter_map(|(line, number)| line.ends_with("// warns").then_some(number))
        .collect();
    assert_eq!(lines, expected, "{stderr}");
}
