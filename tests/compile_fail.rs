//! What the borrow checker must refuse, as it would be unsound.
//!
//! Each file in `compile_fail` is a program with one offending line, which `#[cfg(feature = "offending")]`
//! marks. Without that line the program must compile; with it, it must be refused for the reason that the
//! test names. The reason is an error's code, as their wording changes from compiler to compiler.

#![cfg(not(miri))]

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

/// Has cargo check one program. It runs without the network: the program needs what this crate needs.
fn check(name: &str, features: &[&str]) -> Output {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("compile_fail")
        .join(name);
    let program = manifest_dir
        .join("tests/compile_fail")
        .join(name)
        .with_extension("rs");
    fs::create_dir_all(&project).unwrap();
    let manifest = format!(
        "[package]\nname = {name:?}\nedition = \"2024\"\n\
         [[bin]]\nname = {name:?}\npath = {program:?}\n\
         [features]\noffending = []\n\
         [dependencies]\noncelot = {{ path = {manifest_dir:?} }}\n\
         [workspace]\n"
    );
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::copy(manifest_dir.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()))
        .args(["check", "--offline", "--quiet", "--message-format=json"])
        .arg(format!("--features={}", features.join(",")))
        .arg("--target-dir")
        .arg(project.with_file_name("target"))
        .current_dir(&project)
        .output()
        .unwrap()
}

#[track_caller]
fn assert_refused(name: &str, code: &str) {
    let sound = check(name, &[]);
    let stderr = String::from_utf8_lossy(&sound.stderr);
    let stdout = String::from_utf8_lossy(&sound.stdout);
    assert!(
        sound.status.success(),
        "without the offending line:\n{stderr}{stdout}"
    );

    let unsound = check(name, &["offending"]);
    let stdout = String::from_utf8_lossy(&unsound.stdout);
    assert!(!unsound.status.success(), "the offending line was accepted");
    let codes: Vec<_> = (stdout.split("\"code\":{\"code\":\"").skip(1))
        .filter_map(|rest| rest.split('"').next())
        // Lints have names in the place of codes.
        .filter(|code| code.starts_with('E'))
        .collect();
    assert_eq!(codes, [code], "{stdout}");
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
