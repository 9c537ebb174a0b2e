# Fuzzing.

ordinary fuzz
long nightly-fuzz

# Replays the corpus, and fuzzes each target for 20 seconds.
stage_fuzz() {
    (cd fuzz && cargo test --locked)
    fuzz 20
}

# `fuzz SECONDS`: fuzzes each target for that time. New inputs are stored in `target/fuzz`.
fuzz() {
    cargo_tool cargo-fuzz
    local target
    for target in cell lazy; do
        mkdir -p "target/fuzz/$target"
        cargo_fuzz run "$target" "target/fuzz/$target" "fuzz/corpus/$target" -- \
            -max_total_time="$1" -max_len=512 -len_control=0 -timeout=20 -print_final_stats=1
    done
}

stage_nightly-fuzz() { fuzz 1800; }

# Runs cargo-fuzz with nightly and address sanitizer if nightly is installed, or with the current toolchain and no sanitizer.
cargo_fuzz() {
    if has_nightly; then
        RUSTUP_AUTO_INSTALL=0 cargo +nightly fuzz "$@"
    else
        RUSTC_BOOTSTRAP=1 cargo fuzz "$1" --sanitizer none "${@:2}"
    fi
}
