# Firmware.

ordinary embedded

# The firmware for each target, run in QEMU.
stage_embedded() {
    cross_compiler
    refuses_unsupported_targets
    examples/firmware/run
}

# The crate does not build for a target without compare-and-swap, or one without atomic loads and stores, if no feature replaces
# them.
refuses_unsupported_targets() {
    refuses thumbv6m-none-eabi '' 'no compare-and-swap; .*`critical-section`.*`portable-atomic`'
    refuses thumbv6m-none-eabi portable-atomic 'no compare-and-swap, .*`critical-section`.*`unsafe-assume-single-core`'
    refuses thumbv4t-none-eabi '' 'no compare-and-swap; .*`critical-section`.*`portable-atomic`'
    refuses thumbv4t-none-eabi critical-section 'no atomic loads and stores, .*`portable-atomic`'
    refuses thumbv4t-none-eabi portable-atomic 'no atomic loads and stores, .*`critical-section`.*`unsafe-assume-single-core`'
    refuses thumbv4t-none-eabi critical-section,portable-atomic 'no atomic loads and stores, .*`unsafe-assume-single-core`'
}

# `refuses TARGET FEATURES PATTERN`: the build fails with one message, which names the features to enable.
refuses() {
    local refusal
    refusal=$(RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target/refusal /usr/bin/cargo check --locked \
        --no-default-features --features "$2" -Zbuild-std=core --target "$1" 2>&1) && return 1
    grep "^error.*: oncelot: this target has $3" <<<"$refusal"
    [ "$(grep -c '^error' <<<"$refusal")" = 2 ] # The second error is that of cargo.
}
