//! Programs that the compiler must reject, because they would be unsound, or would expose a state that a panic has
//! broken.
//!
//! Each file in `compile_fail` is a program with one offending line, which `#[cfg(feature = "offending")]` marks.
//! Without that line the program must compile. With it, the compiler must report the error code that the test names.
//! Messages are not compared, as they differ between compilers.

#![cfg(not(miri))]

use std::fs;

#[path = "util/programs.rs"]
mod programs;

use programs::Program;

/// Builds a program without and with its offending line, and returns the compiler's messages about the latter, as JSON.
#[track_caller]
fn refusal(program: &Program) -> String {
    let check = ["check", "--message-format=json"];
    let sound = program.cargo("bin", &check);
    let stderr = String::from_utf8_lossy(&sound.stderr);
    let stdout = String::from_utf8_lossy(&sound.stdout);
    assert!(
        sound.status.success(),
        "without the offending line:\n{stderr}{stdout}"
    );

    let unsound = program.cargo("bin", &[&check[..], &["--features=offending"]].concat());
    let stdout = String::from_utf8_lossy(&unsound.stdout);
    assert!(!unsound.status.success(), "the offending line was accepted");
    stdout.into_owned()
}

#[track_caller]
fn assert_codes(refusal: &str, expected: &[&str]) {
    let codes: Vec<_> = (refusal.split("\"code\":{\"code\":\"").skip(1))
        .filter_map(|rest| rest.split('"').next())
        // Lints have names in the place of codes.
        .filter(|code| code.starts_with('E'))
        .collect();
    assert_eq!(codes, expected, "{refusal}");
}

#[track_caller]
fn assert_refused(name: &str, code: &str) {
    let refusal = refusal(&Program::new(format!("compile_fail/{name}.rs")));
    assert_codes(&refusal, &[code]);
}

/// Asserts that the messages have these codes and texts, and that one points at the line that ends with `// here`, and at
/// no other line with it.
#[track_caller]
fn assert_refused_here(program: &Program, codes: &[&str], texts: &[&str]) {
    let refusal = refusal(program);
    assert_codes(&refusal, codes);
    for text in texts {
        assert!(refusal.contains(text), "does not contain {text}: {refusal}");
    }
    let source = fs::read_to_string(program.source()).unwrap();
    let here = 1 + source.lines().position(|line| line.ends_with("// here")).unwrap();
    let lines = format!("\"line_end\":{here},\"line_start\":{here},");
    let mut spans = refusal.split("\"file_name\":");
    let file = format!("{:?},", program.source());
    assert!(
        spans.any(|span| span.starts_with(&file) && span.contains(&lines)),
        "does not point at line {here}: {refusal}"
    );
}

#[test]
fn drop_check() {
    assert_refused("drop_check", "E0597");
}

#[test]
fn reference_outlives_take() {
    assert_refused("reference_outlives_take", "E0502");
}

#[test]
fn reference_outlives_into_inner() {
    assert_refused("reference_outlives_into_inner", "E0505");
}

#[test]
fn reference_outlives_get_mut() {
    assert_refused("reference_outlives_get_mut", "E0502");
}

#[test]
fn reference_outlives_the_cell() {
    assert_refused("reference_outlives_the_cell", "E0597");
}

#[test]
fn future_outlives_the_cell() {
    assert_refused("future_outlives_the_cell", "E0505");
}

#[test]
fn guard_outlives_take() {
    assert_refused("guard_outlives_take", "E0502");
}

#[test]
fn set_through_a_shorter_lifetime() {
    assert_refused("set_through_a_shorter_lifetime", "E0597");
}

#[test]
fn field_of_a_captured_cell() {
    assert_refused("field_of_a_captured_cell", "E0597");
}

#[test]
fn field_of_an_owner_with_a_lifetime() {
    assert_refused("field_of_an_owner_with_a_lifetime", "E0597");
}

#[test]
fn field_that_outlives_its_owner() {
    assert_refused("field_that_outlives_its_owner", "E0505");
}

#[test]
fn lazy_whose_future_shares_a_cell() {
    assert_refused("lazy_whose_future_shares_a_cell", "E0277");
}

#[test]
fn box_lazy_on_a_local_backend() {
    assert_refused("box_lazy_on_a_local_backend", "E0599");
}

#[test]
fn box_lazy_outlives_what_it_borrows() {
    assert_refused("box_lazy_outlives_what_it_borrows", "E0505");
}

// Statics of `lazy!`. Each program declares another static too, so that a message about the whole macro is not enough.

#[track_caller]
fn assert_static_refused(name: &str, codes: &[&str], texts: &[&str]) {
    assert_refused_here(&Program::new(format!("compile_fail/{name}.rs")), codes, texts);
}

#[test]
fn a_static_whose_block_is_not_send() {
    assert_static_refused(
        "lazy_block_is_not_send",
        &[],
        &["`Rc<u32>`", "`Send`", "await occurs here"],
    );
}

#[test]
fn a_static_whose_call_is_not_send() {
    assert_static_refused(
        "lazy_call_is_not_send",
        &[],
        &["`load`", "`Rc<u32>`", "`Send`", "await occurs here"],
    );
}

#[test]
fn a_static_whose_future_is_not_send() {
    assert_static_refused(
        "lazy_future_is_not_send",
        &["E0277"],
        &["`Rc<u32>`", "`NotSend`", "`Send`"],
    );
}

/// The compiler points at the whole macro, and names the type.
#[test]
fn a_static_whose_value_is_not_sync() {
    let refusal = refusal(&Program::new("compile_fail/lazy_value_is_not_sync.rs"));
    assert_codes(&refusal, &["E0277"]);
    assert!(
        refusal.contains("`Cell<u32>` cannot be shared between threads safely"),
        "{refusal}"
    );
}

#[test]
fn a_static_whose_block_has_another_type() {
    assert_static_refused(
        "lazy_block_has_another_type",
        &["E0308"],
        &["expected `u32`, found `&str`"],
    );
}

#[test]
fn a_static_whose_call_has_another_type() {
    assert_static_refused(
        "lazy_call_has_another_type",
        &["E0271"],
        &["expected `u64`, found `u32`"],
    );
}

#[test]
fn a_static_whose_expression_is_not_a_future() {
    let causes = [
        "`u32` is not a future, and `lazy!` needs one",
        "write `async { expression }`",
    ];
    assert_static_refused("lazy_expression_is_not_a_future", &["E0277"], &causes);
}

#[test]
fn a_static_that_borrows_a_local_variable() {
    assert_static_refused(
        "lazy_borrows_a_local_variable",
        &["E0435"],
        &["non-constant value"],
    );
}

#[test]
fn a_static_that_borrows_from_its_future() {
    assert_static_refused(
        "lazy_borrows_from_its_future",
        &["E0515"],
        &["`text` is borrowed here"],
    );
}

#[test]
fn a_static_whose_call_borrows_a_temporary_value() {
    assert_static_refused("lazy_call_borrows_a_temporary", &["E0716"], &["`'static`"]);
}

#[test]
fn a_static_that_awaits_in_edition_2015() {
    let program = Program {
        edition: "2015",
        ..Program::new("compile_fail/lazy_awaits_in_edition_2015.rs")
    };
    assert_refused_here(&program, &["E0609"], &["switch to Rust 2018 or later"]);
}
