//! An initializer that blocks.

use std::{fs, io};

use oncelot::{
    OnceCell,
    runtime::{OnceCellExt, Smol},
};

static MANIFEST: OnceCell<String> = OnceCell::new();

/// Reads the file on a thread of the pool for blocking work.
async fn manifest() -> io::Result<&'static String> {
    MANIFEST
        .get_or_try_init_spawned_blocking(Smol, || fs::read_to_string("Cargo.toml"))
        .await
}

#[test]
fn a_file_is_read_for_a_task() {
    let manifest = smol::block_on(manifest()).unwrap();
    assert_eq!(manifest, include_str!("../../Cargo.toml"));
}
