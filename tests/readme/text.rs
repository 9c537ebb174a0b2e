//! What can be seen by reading the README beside the rest of the repository.
//!
//! A package has not all of that: there, these tests look at nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

const README: &str = include_str!("../../README.md");
const MANIFEST: &str = include_str!("../../Cargo.toml");

/// Where there is a clone.
fn repository() -> Option<&'static Path> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(".ci").exists().then_some(root)
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if let Some(found) = line.strip_prefix("```") {
            // Not `rust,ignore`, say.
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

/// What is left of the README without its blocks.
fn prose() -> String {
    README.split("```").step_by(2).collect()
}

/// All programs below a directory, but for what was built there.
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
fn all_code_stands_in_a_program() {
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

/// The names that the manifest declares in a section.
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
        let dependency = dependency.expect("it is this crate that is depended on");
        assert!(dependency.contains(&format!("\"{version}\"")), "{dependency}");
        let named = dependency.split_once("features = [").map_or("", |(_, rest)| rest);
        for name in named.split('"').skip(1).step_by(2) {
            assert!(features.contains(&name), "there is no feature `{name}`");
        }
    }
}

#[test]
fn every_feature_is_told_of() {
    let table = README.split_once("\n## Features\n").unwrap().1;
    let table: String = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').nth(1).unwrap())
        .collect();
    let mut told: Vec<_> = table.split('`').skip(1).step_by(2).collect();
    let mut features = declared("features");
    features.retain(|feature| *feature != "default");
    told.sort_unstable();
    features.sort_unstable();
    assert_eq!(told, features);
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        ' ' | '-' => Some('-'),
        _ if c.is_alphanumeric() || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

#[test]
fn every_link_leads_somewhere() {
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

/// In prose and in commands, by the directories that they begin with.
#[test]
fn every_file_that_is_named_is_there() {
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
