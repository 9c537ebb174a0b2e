# Tests with features, and tests of other crates.

ordinary backends peers runtimes
long nightly-dependents

# The conformance suite on each backend, and on broken backends, which it must reject; and all doc tests.
stage_backends() {
    cargo test --locked --features testing,event-listener,atomic-waker \
        --test backends --test broken_backends --example custom_backend
    cargo test --locked --test backends \
        --features testing,event-listener,event-listener-portable-atomic,atomic-waker-portable-atomic
    cargo test --locked --test backends --features testing,event-listener,event-listener-critical-section,atomic-waker
    cargo test --locked --doc --all-features
}

# The tests of other crates' cells, and of std's, with this crate's cells.
stage_peers() {
    debian_packages python3 rust-web-src
    .ci/peers
}

# The tests of published crates, with this crate's cell in place of their cell. Takes long to compile.
stage_nightly-dependents() {
    debian_packages python3
    .ci/dependents
}

# Threads that wait next to tasks, spawned initializers on each runtime, `tracing`, and the tests with all features.
stage_runtimes() {
    cargo test --locked --features blocking,tokio,async-std,smol,tracing \
        --test={blocking,runtimes,spawned,tracing}
    cargo run --locked --features tracing --example tracing
    cargo test --locked --all-features "${core_tests[@]}" \
        --test={blocking,broken_backends,compat,deadlock,no_alloc,runtimes,sizes,spawned,tracing}
}
