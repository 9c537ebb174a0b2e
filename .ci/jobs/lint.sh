# Formatting, lints and documentation.

ordinary fmt clippy doc

# The format of the code; the workflows run the jobs and the stages that are declared here; and the commands in
# `docs/verification.md` exist.
stage_fmt() {
    debian_packages python3
    .ci/verification --check
    in_workflow ci job "${ordinary_jobs[@]}"
    in_workflow nightly stage "${long_stages[@]}"
    each_package cargo fmt --check
    (cd examples/firmware && cargo fmt --check --package oncelot-firmware-example --package oncelot-firmware-size)
    (cd examples/wasm && cargo fmt --check)
}

# `in_workflow WORKFLOW KEY NAME...`: the matrix of the workflow has these names.
in_workflow() {
    local names
    names=$(printf ', %s' "${@:3}")
    if ! grep -qxF "        $2: [${names:2}]" ".github/workflows/$1.yml"; then
        printf '.github/workflows/%s.yml does not contain: %s: [%s]\n' "$1" "$2" "${names:2}"
        return 1
    fi
}

stage_clippy() {
    each_package cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --all-targets --all-features -- -D warnings
    with_loom cargo clippy --locked --lib --profile test -- -D warnings
    with_loom cargo clippy --locked --lib --profile test --features atomic-waker,event-listener,blocking -- -D warnings
}

# The public documentation with three sets of features, and the documentation of private items, which describes the protocol:
# no link is broken.
stage_doc() {
    export RUSTDOCFLAGS="-D warnings"
    cargo doc --locked --no-deps --no-default-features
    cargo doc --locked --no-deps
    cargo doc --locked --no-deps --all-features
    cargo doc --locked --no-deps --all-features --document-private-items
}

# Runs a cargo command in each package that builds for this machine.
each_package() {
    local manifest
    for manifest in {.,examples/sqlite,examples/service,fuzz}/Cargo.toml; do
        (cd "$(dirname "$manifest")" && "$@")
    done
}

with_loom() { RUSTFLAGS="--cfg oncelot_loom" CARGO_TARGET_DIR=target/loom "$@"; }
