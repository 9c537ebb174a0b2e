# The dependencies of the crate and of the other packages.

ordinary dependencies

# Licenses, duplicates and sources of the dependencies of each package; and a build with the oldest dependencies that
# Cargo.toml allows.
stage_dependencies() {
    cargo_tool cargo-deny
    local manifest
    for manifest in {.,examples/*,fuzz}/Cargo.toml; do
        printf '%s\n' "$manifest"
        # deny.toml skips duplicates that only some of the packages have.
        cargo deny --locked --manifest-path "$manifest" --config deny.toml check --allow unmatched-skip \
            licenses bans sources
    done
    minimal_versions
}

# Builds a copy of the crate, which has its own lock file: with the oldest versions of the direct dependencies, and the newest
# versions of all others. Without the dev-dependencies, which can require newer versions than Cargo.toml allows.
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
