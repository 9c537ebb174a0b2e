//! Replays the programs of `corpus`.

use std::{fs, path::Path};

fn replay(target: fn(&[u8]), name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "nothing to replay");
    for path in paths {
        println!("{}", path.display());
        target(&fs::read(path).unwrap());
    }
}

#[test]
fn cell() {
    replay(oncelot_fuzz::cell, "cell");
}

#[test]
fn lazy() {
    replay(oncelot_fuzz::lazy, "lazy");
}
