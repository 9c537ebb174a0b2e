//! Tests of the README: its programs, versions, features, files and counts are those of the repository.

use std::{collections::BTreeSet, path::Path};

const README: &str = include_str!("../README.md");
const MANIFEST: &str = include_str!("../Cargo.toml");
const BASELINE: &str = include_str!("../benches/counts/baseline-x86_64.txt");

/// What has the programs of the README: doc tests, which also have the hidden lines that a program needs, and firmware.
const SOURCES: [&str; 3] = [
    include_str!("../src/lib.rs"),
    include_str!("../src/guide/choosing.md"),
    include_str!("../examples/firmware/src/bin/radio.rs"),
];

#[test]
fn every_rust_block_is_part_of_a_program() {
    let sources = SOURCES.map(|source| {
        let lines = source.lines().map(|line| line.trim_start_matches("//! "));
        let lines = lines.map(|line| if line == "//!" { "" } else { line });
        let shown = lines.filter(|line| *line != "#" && !line.starts_with("# "));
        shown.map(|line| format!("{line}\n")).collect::<String>()
    });
    let mut programs = 0;
    for block in README.split("```").skip(1).step_by(2) {
        let (language, code) = block.split_once('\n').unwrap();
        match language {
            "rust" => {
                assert!(
                    sources.iter().any(|source| source.contains(code)),
                    "not in a program:\n{code}"
                );
                programs += 1;
            }
            // In particular, `rust,ignore` is refused.
            _ => assert!(["sh", "toml"].contains(&language), "{language}"),
        }
    }
    assert!(programs >= SOURCES.len(), "only {programs} blocks are programs");
}

#[test]
fn the_version_is_this_one() {
    let version = env!("CARGO_PKG_VERSION").rsplit_once('.').unwrap().0;
    let dependency = README.lines().find(|line| line.starts_with("oncelot = "));
    assert!(
        dependency.unwrap().contains(&format!("\"{version}\"")),
        "{version}"
    );
}

#[test]
fn the_table_of_features_is_complete() {
    let section = README.split("\n## ").find(|text| text.starts_with("Features\n"));
    let rows = section.unwrap().lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let listed: BTreeSet<_> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();

    let section = MANIFEST
        .split("\n[")
        .find_map(|text| text.strip_prefix("features]\n"));
    let declared = section.unwrap().lines().filter_map(|line| line.split_once(" = "));
    let names = declared
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with('#') && *name != "default");
    assert_eq!(listed, names.collect());
}

#[test]
fn every_link_and_every_file_that_is_named_exists() {
    let links = README
        .split("](")
        .skip(1)
        .map(|text| text.split(')').next().unwrap());
    let words = README.split(|c: char| !c.is_alphanumeric() && !"/._-".contains(c));
    let directories = ["examples/", "tests/", "benches/", "docs/", "src/", ".ci/"];
    let files = words.filter(|word| directories.iter().any(|directory| word.starts_with(directory)));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for target in links
        .chain(files)
        .filter(|target| !target.starts_with("https://"))
    {
        assert!(
            root.join(target.trim_end_matches('.')).exists(),
            "there is no {target}"
        );
    }
}

#[test]
fn counts_are_those_of_the_baseline() {
    for document in [README, include_str!("../src/guide/performance.md")] {
        let rows = document.lines().filter(|line| line.starts_with("| "));
        let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim));
        let named = cells.filter_map(|mut cells| Some((cells.next()?, cells.next()?)));
        let mut compared = 0;
        for (name, count) in named {
            let is_of_row = |line: &&str| line.split_once(' ').is_some_and(|(_, counted)| counted == name);
            if let Some(line) = BASELINE.lines().find(is_of_row) {
                assert_eq!(format!("{count} {name}"), line);
                compared += 1;
            }
        }
        assert!(compared >= 8, "only {compared} rows are in the baseline");
    }
}

#[test]
fn the_readme_is_short_and_its_tables_are_narrow() {
    let (lines, bytes) = (README.lines().count(), README.len());
    assert!(lines <= 160 && bytes <= 8192, "{lines} lines, {bytes} bytes");
    for row in README.lines().filter(|line| line.starts_with('|')) {
        assert!(row.matches('|').count() <= 7, "{row}");
    }
}
