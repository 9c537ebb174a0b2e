# Coverage.

long coverage

# Every line of `src` is run by a test, or has a reason.
stage_coverage() {
    debian_packages llvm-22
    .ci/coverage
}
