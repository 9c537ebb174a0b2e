# Fuzzing.

ordinary fuzz
long soak-fuzz

# The programs that are kept, and 20 seconds of new ones for each target.
stage_fuzz() {
    (cd fuzz && cargo test --locked)
    fuzz 20
}

# New programs for each target, which are put into `target/fuzz`: `fuzz SECONDS`.
fuzz() {
    cargo_tool cargo-fuzz
    local target
    for target in list schedule lazy; do
        mkdir -p "target/fuzz/$target"
        cargo_fuzz run "$target" "target/fuzz/$target" "fuzz/corpus/$target" -- \
            -max_total_time="$1" -max_len=256 -timeout=20 -print_final_stats=1
    done
}

stage_soak-fuzz() { fuzz 1800; }

# With what nightly has installed, address sanitizer among it; or with the compiler at hand and no sanitizer.
cargo_fuzz() {
    if has_nightly; then
        RUSTUP_AUTO_INSTALL=0 cargo +nightly fuzz "$@"
    else
        RUSTC_BOOTSTRAP=1 cargo fuzz "$1" --sanitizer none "${@:2}"
    fi
}
