# The suites beside the ordinary tests.

ordinary backends peers runtimes
long soak-dependents

# The conformance suite on every backend, and on broken ones, which it must catch.
stage_backends() {
    cargo test --locked --features testing,event-listener,atomic-waker --test backends --test broken_backends --example custom_backend
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

# Published crates with this crate's cell in the place of another one's. Compiles for long.
stage_soak-dependents() {
    debian_packages python3
    .ci/dependents
}

# Threads beside tasks, the suite of every runtime, and what `tracing` hears. The tests of the cell with all features.
stage_runtimes() {
    cargo test --locked --features blocking,tokio,async-std,smol,tracing \
        --test={blocking,runtimes,spawned,subscriber,tracing}
    cargo run --locked --features tracing --example tracing
    cargo run --locked --example futurelock
    cargo test --locked --all-features --lib --tests
}
