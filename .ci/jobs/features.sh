# Combinations of features.

ordinary features
long nightly-features

# Each combination of up to two features builds, here and on other targets. The tests pass without `std`, with critical
# sections and `portable-atomic`, in release mode, and in release mode with `deadlock-detection`. A feature adds to the lock file
# of a user the packages that it needs, and no others.
stage_features() {
    keeps_lock_file default 'oncelot|pin-project-lite'
    keeps_lock_file critical-section 'oncelot|pin-project-lite|critical-section'
    keeps_lock_file blocking 'oncelot|pin-project-lite'
    keeps_lock_file portable-atomic 'oncelot|pin-project-lite|portable-atomic'
    cargo_tool cargo-hack
    RUSTFLAGS="-D warnings" cargo hack check --locked --feature-powerset --depth 2 --exclude-features default \
        --group-features tokio,async-std,smol --group-features atomic-waker-portable-atomic,event-listener-portable-atomic --lib
    pairs_on_other_targets
    cargo test --locked --no-default-features --lib --tests
    cargo test --locked --no-default-features --doc
    cargo test --locked --features critical-section,portable-atomic "${core_tests[@]}"
    cargo test --locked --release "${core_tests[@]}"
    cargo test --locked --release --features blocking,deadlock-detection \
        --test contract --test blocking --test deadlock --test lazies
}

# Each combination of up to two features builds for WebAssembly and for a microcontroller. Left out: the features that do not
# build there, such as `async-std` and `smol`, which need an operating system; and, for WebAssembly, which has compare-and-swap,
# backends for targets without it.
pairs_on_other_targets() (
    debian_packages rustc-web cargo-web rust-web-src
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS="-D warnings" CARGO_TARGET_DIR=target/pairs
    pairs() { /usr/bin/cargo hack check --locked --feature-powerset --depth 2 --lib "$@"; }
    pairs -Zbuild-std=std,panic_abort --target wasm32-unknown-unknown \
        --exclude-features default,alloc,async-std,smol \
        --exclude-features atomic-waker-portable-atomic,event-listener-portable-atomic,event-listener-critical-section \
        --group-features atomic-waker,event-listener
    pairs -Zbuild-std=core,alloc --target thumbv7m-none-eabi \
        --include-features alloc,atomic-waker,critical-section,defmt,event-listener-alloc,portable-atomic
)

# `keeps_lock_file FEATURE 'PACKAGE|PACKAGE'`: adds the crate with the feature to a project that has a lock file. The project
# must still build, and its lock file must keep its packages and gain no others than the named ones.
keeps_lock_file() (
    copy=target/lock_file
    rm -rf "$copy"
    mkdir -p target
    cp -r tests/lock_file "$copy"
    cd "$copy"
    locked_packages >before
    printf 'oncelot = { path = "../..", features = ["%s"] }\n' "$1" >>Cargo.toml
    cargo check --quiet
    locked_packages >after
    changes=$(diff before after | grep '^[<>]' | grep -vE "^> ($2) " || true)
    if [ -n "$changes" ]; then
        printf 'The feature `%s` changes a lock file:\n%s\n' "$1" "$changes"
        return 1
    fi
    printf 'The feature `%s` adds to a lock file: %s\n' "$1" "$(comm -13 before after | paste -sd,)"
)

# Prints the packages in a lock file with their versions, one package per line.
locked_packages() { awk -F '"' '/^name/ { name = $2 } /^version = "/ { print name, $2 }' Cargo.lock | sort; }

# Each combination of features builds.
stage_nightly-features() {
    cargo_tool cargo-hack
    RUSTFLAGS="-D warnings" cargo hack check --locked --feature-powerset --group-features tokio,async-std,smol --lib
}
