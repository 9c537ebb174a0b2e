# Coverage.

long coverage

# The ordinary tests run at least 97.5 % of the lines of `src`. The other lines, which `cargo llvm-cov report --html` shows, are
# - constants, such as `UNINIT`, and the constructors that they call: the compiler evaluates them;
# - implementations of `Clone` for types that are `Copy`: copies do not call them;
# - implementations of `defmt::Format`: firmware runs them in QEMU;
# - unreachable branches, each with a message or a comment that gives the reason;
# - branches that only certain interleavings of threads reach: the loom models reach them;
# - branches of `src/testing` that report a violation.
stage_coverage() {
    debian_packages llvm-22
    cargo_tool cargo-llvm-cov
    export LLVM_COV=llvm-cov-22 LLVM_PROFDATA=llvm-profdata-22
    cargo llvm-cov clean
    # With critical sections and all other features; then with the lock bit; then without `std`.
    cargo llvm-cov --locked --no-report --lib --tests --all-features
    cargo llvm-cov --locked --no-report --lib --tests
    cargo llvm-cov --locked --no-report --lib --tests --no-default-features
    cargo llvm-cov report --ignore-filename-regex testing/parts --fail-under-lines 97.5
}
