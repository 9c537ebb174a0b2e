# The sanitizers, and the long form of the test `threads`.

ordinary sanitizers
long nightly-stress

# The tests of threads, memory and destructors: with thread sanitizer for data races, and with address sanitizer for memory that
# is used after it is freed, or leaked.
stage_sanitizers() {
    # Without backtraces: the code that resolves their symbols is sanitized too, and takes minutes.
    export RUST_BACKTRACE=0 STRESS_SECONDS=10
    with_thread_sanitizer sanitized_tests --test runtimes
    # Without `runtimes`, whose threads still have their wakers when the process ends.
    with_address_sanitizer sanitized_tests
}

with_all_executors=(--locked --features blocking,tokio,async-std,smol,atomic-waker,event-listener)

# Left out are tests of what compiles (`compilation`, `lazy_bodies`, `auto_traits`, `sizes`); tests that mostly run the code of
# the other tests (`interface`, `compat`, `spawned`, `no_alloc`, `stack`, `tracing`, `deadlock`); `priorities` and `readme`;
# fault injection, which `nightly-faults` runs; and the suite on the other backends and on broken ones.
sanitized_tests() {
    local tests=(contract drains drops regressions threads lazies blocking)
    # Skipped: a panic that always prints a backtrace.
    "${cargo[@]}" test "${with_all_executors[@]}" --lib "${tests[@]/#/--test=}" "$@" \
        -- --skip a_panic_in_the_destructor_of_a_future_that_has_panicked
}

# All backends at once.
stress() { "${cargo[@]}" test "${with_all_executors[@]}" --test threads "$@" -- --test-threads 3; }

stage_nightly-stress() {
    export RUST_BACKTRACE=0 STRESS_SECONDS=600
    cargo=(cargo)
    stress --release
    with_thread_sanitizer stress
    with_address_sanitizer stress
}
