# Miri. Runs only if it is named, because it needs a component of nightly.

# Tests of unsafe code under Miri, each with 16 seeds for the scheduler, and with strict provenance.
stage_miri() {
    export RUSTUP_AUTO_INSTALL=0
    if ! cargo +nightly miri --version >/dev/null 2>&1; then
        printf 'Miri is not installed: rustup component add --toolchain nightly miri\n' >&2
        return 1
    fi
    export MIRIFLAGS="-Zmiri-strict-provenance -Zmiri-disable-isolation -Zmiri-many-seeds=0..16"
    cargo +nightly miri test --locked --lib --test={contract,drains,drops,lazies,regressions}
}
