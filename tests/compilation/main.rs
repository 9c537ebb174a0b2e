//! Programs that the compiler must accept, and programs that it must reject.
//!
//! The variable `ONCELOT_TEST_RUSTC` selects another compiler than the default one: `.ci/run msrv` sets it.

#![cfg(not(miri))]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A file in `tests`, which cargo builds as a package of its own.
struct Program {
    path: &'static str,
    edition: &'static str,
    /// Whether this crate has its default features.
    default_features: bool,
}

impl Program {
    fn new(path: &'static str, edition: &'static str) -> Self {
        Self {
            path,
            edition,
            default_features: true,
        }
    }

    fn file(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(self.path)
    }

    fn source(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// Checks the program as a library, or runs its tests. Returns whether cargo succeeds, and what it prints to stdout and
    /// stderr.
    ///
    /// Cargo runs without the network: the program needs what this crate needs.
    fn cargo(&self, command: &str, arguments: &[&str]) -> (bool, String, String) {
        let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = self.file();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let programs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
        let project = programs.join(format!("{name}_{}_{command}", self.edition));
        fs::create_dir_all(&project).unwrap();
        let target = if command == "test" { "[[test]]" } else { "[lib]" };
        let source = self.source();
        let features: String = offenses(&source)
            .map(|offense| format!("{} = []\n", offense.feature))
            .collect();
        let manifest = format!(
            "[package]\nname = {name:?}\nedition = {:?}\nautolib = false\n\
             [features]\n{features}\
             [dependencies]\noncelot = {{ path = {manifest_dir:?}, default-features = {} }}\n\
             [workspace]\n\
             {target}\nname = {name:?}\npath = {path:?}\n",
            self.edition, self.default_features,
        );
        fs::write(project.join("Cargo.toml"), manifest).unwrap();
        fs::copy(manifest_dir.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
        // Where cargo-llvm-cov measures the coverage of the tests, it does not measure that of the programs.
        cargo.env_remove("RUSTC_WORKSPACE_WRAPPER");
        if let Some(rustc) = env::var_os("ONCELOT_TEST_RUSTC") {
            cargo.env("RUSTC", rustc);
        }
        let output = cargo
            .args([command, "--offline", "--quiet", "--target-dir"])
            .arg(programs.join("target"))
            .args(arguments)
            .current_dir(&project)
            .output()
            .unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.success(), stdout, stderr)
    }

    /// Asserts that cargo succeeds, and returns what it prints to stdout and stderr.
    #[track_caller]
    fn assert_accepted(&self, command: &str, arguments: &[&str]) -> (String, String) {
        let (is_accepted, stdout, stderr) = self.cargo(command, arguments);
        assert!(is_accepted, "{}: {stdout}{stderr}", self.path);
        (stdout, stderr)
    }
}

/// Code that the compiler must reject.
struct Offense<'a> {
    /// The feature that enables the code.
    feature: &'a str,
    /// The error codes of all errors. Some errors have no code.
    codes: Vec<&'a str>,
    /// What the messages contain.
    texts: Vec<&'a str>,
    /// The line that a message must point at, by a span that begins and ends on it.
    line: usize,
}

/// Returns the offenses in a program.
///
/// Each begins with a line such as ``#[cfg(feature = "name")] // E0277: `Rc<u32>` | `Send` ``, with a code or `no code`, and
/// with the texts if there are any. The next line that ends with `// here` is the one that a message points at.
fn offenses(source: &str) -> impl Iterator<Item = Offense<'_>> {
    source.lines().enumerate().filter_map(|(index, line)| {
        let attribute = line.trim_start().strip_prefix("#[cfg(feature = \"")?;
        let (feature, expected) = attribute.split_once("\")] // ")?;
        let (code, texts) = expected.split_once(": ").unwrap_or((expected, ""));
        let mut following = (1..).zip(source.lines()).skip(index);
        let (line, _) = following
            .find(|(_, line)| line.ends_with("// here"))
            .expect("a line `// here`");
        Some(Offense {
            feature,
            codes: Vec::from_iter((code != "no code").then_some(code)),
            texts: texts.split(" | ").collect(),
            line,
        })
    })
}

/// Asserts that the program is accepted without its offenses, and rejected with each of them, for the right reason.
#[track_caller]
fn assert_each_offense_is_rejected(program: &Program) {
    program.assert_accepted("check", &[]);
    let source = program.source();
    let marked = source.matches("// here").count();
    assert!(
        marked > 0 && offenses(&source).count() == marked,
        "{marked} marked lines"
    );
    for offense in offenses(&source) {
        let name = offense.feature;
        let (is_accepted, messages, _) =
            program.cargo("check", &["--message-format=json", "--features", name]);
        assert!(!is_accepted, "`{name}` is accepted");
        let codes: Vec<_> = (messages.split("\"code\":{\"code\":\"").skip(1))
            .filter_map(|rest| rest.split('"').next())
            // A lint has a name in place of a code.
            .filter(|code| code.starts_with('E'))
            .collect();
        assert_eq!(codes, offense.codes, "{name}: {messages}");
        for text in offense.texts {
            assert!(
                messages.contains(text),
                "`{name}` is not rejected with `{text}`: {messages}"
            );
        }
        let line = offense.line;
        let lines = format!("\"line_end\":{line},\"line_start\":{line},");
        let file = format!("{:?},", program.file());
        let mut spans = messages.split("\"file_name\":");
        assert!(
            spans.any(|span| span.starts_with(&file) && span.contains(&lines)),
            "no message for `{name}` points at line {line}: {messages}"
        );
    }
}

/// The programs would be unsound, or would expose a state that a panic has broken.
#[test]
fn unsound_programs_are_rejected() {
    assert_each_offense_is_rejected(&Program::new("compilation/unsound.rs", "2024"));
}

#[test]
fn wrong_statics_are_rejected_with_a_message_about_the_cause() {
    assert_each_offense_is_rejected(&Program::new("compilation/wrong_statics.rs", "2024"));
    assert_each_offense_is_rejected(&Program::new("compilation/statics_2015.rs", "2015"));
}

/// Builds and runs the tests of `lazy_bodies.rs` in each edition that has `async`.
#[test]
fn statics_with_ordinary_expressions_are_accepted_in_each_edition() {
    for edition in ["2018", "2021", "2024"] {
        let program = Program::new("lazy_bodies.rs", edition);
        let tests = program.source().matches("#[test]").count();
        let (stdout, _) = program.assert_accepted("test", &[]);
        let passed = format!(" {tests} passed; 0 failed; 0 ignored;");
        assert!(stdout.contains(&passed), "{edition}: {stdout}");
    }
}

#[test]
fn statics_without_await_are_accepted_in_edition_2015() {
    Program::new("compilation/statics_2015.rs", "2015").assert_accepted("test", &[]);
}

#[test]
fn statics_need_neither_std_nor_a_prelude() {
    for edition in ["2018", "2021", "2024"] {
        let program = Program {
            default_features: false,
            ..Program::new("compilation/no_std.rs", edition)
        };
        program.assert_accepted("check", &[]);
    }
}

#[test]
fn lints_see_the_expression_of_a_static_once() {
    let program = Program::new("compilation/lints.rs", "2024");
    let (_, stderr) = program.assert_accepted("check", &["--message-format=short"]);
    let file = program.file();
    let mut lines: Vec<usize> = (stderr.lines())
        .filter_map(|message| message.strip_prefix(file.to_str().unwrap())?.strip_prefix(':'))
        .map(|message| message.split(':').next().unwrap().parse().unwrap())
        .collect();
    lines.sort_unstable();
    let expected: Vec<usize> = (program.source().lines().zip(1..))
        .filter_map(|(line, number)| line.ends_with("// warns").then_some(number))
        .collect();
    assert_eq!(lines, expected, "{stderr}");
}
