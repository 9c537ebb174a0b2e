# Coverage.

long coverage

# The ordinary tests run at least 98.5 % of the lines of `src`. The lines that no test runs are printed. They are
# - constants, such as `UNINIT`, and the constructors that they call: the compiler evaluates them;
# - implementations of `Clone` for types that are `Copy`: copies do not call them;
# - unreachable branches, each with a message or a comment that gives the reason;
# - branches that only certain interleavings of threads reach: the loom models reach them.
stage_coverage() {
    debian_packages llvm-22
    cargo_tool cargo-llvm-cov
    export LLVM_COV=llvm-cov-22 LLVM_PROFDATA=llvm-profdata-22
    cargo llvm-cov clean
    # With critical sections and all other features; then with the lock bit; then without `std`.
    cargo llvm-cov --locked --no-report --lib --tests --all-features
    cargo llvm-cov --locked --no-report --lib --tests
    cargo llvm-cov --locked --no-report --lib --tests --no-default-features
    cargo llvm-cov report --ignore-filename-regex testing/parts --show-missing-lines --fail-under-lines 98.5
}
