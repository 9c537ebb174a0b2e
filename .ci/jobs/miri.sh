# Miri, for which a machine may lack the component of nightly.

# The tests under Miri, each with many schedules, and with provenance kept strictly. The tests of compilation run rustc.
stage_miri() {
    export RUSTUP_AUTO_INSTALL=0
    if ! cargo +nightly miri --version >/dev/null 2>&1; then
        printf 'Miri is not installed: rustup component add --toolchain nightly miri\n' >&2
        return 1
    fi
    export MIRIFLAGS="-Zmiri-strict-provenance -Zmiri-disable-isolation -Zmiri-many-seeds=0..16"
    cargo +nightly miri test --locked --lib --test={contract,drains,drops,lazy,box_lazy,static_lazy,rules}
}
