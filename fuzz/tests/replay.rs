//! Replays the programs of `corpus` and `regressions`.

use std::path::Path;

fn replay_folders(name: &str, target: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["corpus", "regressions"] {
        let files = oncelot_fuzz::replay(target, &root.join(folder).join(name));
        assert!(files > 0, "nothing to replay");
    }
}

#[test]
fn list() {
    replay_folders("list", oncelot_fuzz::list::list);
}

#[test]
fn schedule() {
    replay_folders("schedule", oncelot_fuzz::schedule);
}

#[test]
fn lazy() {
    replay_folders("lazy", oncelot_fuzz::lazy);
}
