//! Compares the README with the rest of the repository.
//!
//! A package does not contain all of the repository. There, the tests that need it pass without a check.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

const README: &str = include_str!("../../README.md");
const MANIFEST: &str = include_str!("../../Cargo.toml");

/// Returns the root of the repository, or `None` in a package.
fn repository() -> Option<&'static Path> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(".ci").exists().then_some(root)
}

/// Returns the fenced blocks of `language`.
fn blocks(language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if let Some(found) = line.strip_prefix("```") {
            // For example, `rust,ignore` is refused.
            assert!(["rust", "sh", "text", "toml"].contains(&found), "{found}");
            let block = lines.by_ref().take_while(|line| *line != "```");
            let block: String = block.map(|line| format!("{line}\n")).collect();
            if found == language {
                blocks.push(block);
            }
        }
    }
    blocks
}

/// Returns the README without its fenced blocks.
fn prose() -> String {
    README.split("```").step_by(2).collect()
}

/// Finds all Rust files below a directory, except those in a `target` directory.
fn programs(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            programs(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_rust_block_is_part_of_a_program() {
    let Some(root) = repository() else { return };
    let mut found = Vec::new();
    programs(&root.join("examples"), &mut found);
    programs(&root.join("tests"), &mut found);
    let blocks = blocks("rust");
    assert!(!blocks.is_empty());
    for block in blocks {
        assert!(
            found.iter().any(|program| program.contains(&block)),
            "in no program of `examples` or `tests`:\n{block}"
        );
    }
}

/// Returns the names that a section of the manifest declares.
fn declared(section: &str) -> Vec<&'static str> {
    let section = MANIFEST.split_once(&format!("\n[{section}]\n")).unwrap().1;
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .filter(|name| !name.starts_with('#'))
        .collect()
}

#[test]
fn dependencies_are_on_this_version_and_its_features() {
    let version = concat!(
        env!("CARGO_PKG_VERSION_MAJOR"),
        ".",
        env!("CARGO_PKG_VERSION_MINOR")
    );
    let features = declared("features");
    let blocks = blocks("toml");
    assert!(!blocks.is_empty());
    for block in blocks {
        let dependency = block.lines().find_map(|line| line.strip_prefix("oncelot = "));
        let dependency = dependency.expect("the block depends on this crate");
        assert!(dependency.contains(&format!("\"{version}\"")), "{dependency}");
        let named = dependency.split_once("features = [").map_or("", |(_, rest)| rest);
        for name in named.split('"').skip(1).step_by(2) {
            assert!(features.contains(&name), "there is no feature `{name}`");
        }
    }
}

#[test]
fn the_table_of_features_is_complete() {
    let section = README.split_once("\n## Features\n").unwrap().1;
    let table: String = section
        .split("\n## ")
        .next()
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').nth(1).unwrap())
        .collect();
    let mut listed: Vec<_> = table.split('`').skip(1).step_by(2).collect();
    let mut features = declared("features");
    features.retain(|feature| *feature != "default");
    listed.sort_unstable();
    features.sort_unstable();
    assert_eq!(listed, features);
}

/// Returns the anchor of a heading on GitHub.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        ' ' | '-' => Some('-'),
        _ if c.is_alphanumeric() || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

#[test]
fn every_link_has_a_target() {
    let Some(root) = repository() else { return };
    let prose = prose();
    let headings = prose.lines().filter_map(|line| {
        let heading = line.trim_start_matches('#');
        (heading != line).then(|| anchor(heading.trim()))
    });
    let anchors: Vec<_> = headings.collect();
    let targets: Vec<_> = (prose.split("](").skip(1))
        .map(|rest| rest.split_once(')').unwrap().0)
        .collect();
    assert!(!targets.is_empty());
    for target in targets {
        let leads = match target.strip_prefix('#') {
            Some(place) => anchors.iter().any(|anchor| anchor == place),
            None => target.starts_with("https://") || root.join(target).exists(),
        };
        assert!(leads, "there is no {target}");
    }
}

/// Checks prose and commands for words that begin with a directory of the repository.
#[test]
fn every_file_that_is_named_exists() {
    let Some(root) = repository() else { return };
    let is_part = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    let words = README.split(|c| !is_part(c));
    let named: Vec<PathBuf> = words
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| {
            ["examples/", "tests/", "benches/", "docs/", "src/", ".ci/"]
                .iter()
                .any(|directory| word.starts_with(directory))
        })
        .map(|word| root.join(word))
        .collect();
    assert!(!named.is_empty());
    for path in named {
        assert!(path.exists(), "there is no {}", path.display());
    }
}

/// Compares a table whose second column is this crate with the baseline of `cargo bench --bench counts`.
fn assert_counts(root: &Path, document: &str, text: &str) {
    let baseline = fs::read_to_string(root.join("benches/counts/baseline-x86_64.txt")).unwrap();
    let counts: HashMap<&str, &str> = (baseline.lines())
        .filter_map(|line| line.split_once(' '))
        .map(|(count, name)| (name, count))
        .collect();
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let mut compared = 0;
    for cells in rows.map(|row| row.split(" | ").collect::<Vec<_>>()) {
        let name = cells[0].trim_start_matches("| ");
        if let Some(count) = counts.get(name) {
            assert_eq!(cells[1].trim(), *count, "{document}: {name}");
            compared += 1;
        }
    }
    assert!(
        compared >= 8,
        "{document}: only {compared} rows are in the baseline"
    );
}

#[test]
fn counts_are_those_of_the_baseline() {
    let Some(root) = repository() else { return };
    assert_counts(root, "README.md", README);
    let guide = fs::read_to_string(root.join("src/guide/performance.md")).unwrap();
    assert_counts(root, "performance.md", &guide);
}

#[test]
fn no_table_has_more_than_six_columns() {
    for row in README.lines().filter(|line| line.starts_with('|')) {
        assert!(row.matches('|').count() <= 7, "{row}");
    }
}

#[test]
fn the_readme_is_short() {
    let lines = README.lines().count();
    assert!(
        lines <= 160 && README.len() <= 8192,
        "{lines} lines, {} bytes",
        README.len()
    );
}
