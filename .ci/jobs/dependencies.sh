# The dependencies of the crate and of the packages beside it.

ordinary supply

# Licences, duplicates and sources of every package's dependencies; and the oldest dependencies that Cargo.toml allows.
stage_supply() {
    cargo_tool cargo-deny
    local manifest
    for manifest in {.,examples/*,fuzz}/Cargo.toml; do
        printf '%s\n' "$manifest"
        # What is skipped for one package is not met in all.
        cargo deny --locked --manifest-path "$manifest" --config deny.toml check --allow unmatched-skip \
            licenses bans sources
    done
    minimal_versions
}

# What the crate names is taken in the oldest version, what those need in the newest. A copy, as it has a lock file of its
# own; without the tests' dependencies, as they can demand newer ones than the crate says.
minimal_versions() {
    local copy=target/minimal-versions
    export CARGO_TARGET_DIR=$PWD/$copy/build
    rm -rf "$copy/package"
    mkdir -p "$copy/package"
    cp -r src "$copy/package"
    cd "$copy/package"
    awk '/^\[/ { tests = /dev-dependencies|^\[\[(bench|example|test)\]\]/ } !tests' ../../../Cargo.toml >Cargo.toml
    RUSTC_BOOTSTRAP=1 cargo update -Zdirect-minimal-versions
    cargo check --locked --all-features --lib
}
