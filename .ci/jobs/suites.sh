# The suites beside the ordinary tests.

ordinary backends peers runtimes

# The conformance suite on every backend, and on broken ones, which it must catch.
stage_backends() {
    cargo test --locked --features testing,event-listener,atomic-waker --test backends --test broken_backends
    cargo test --locked --test backends \
        --features testing,event-listener,event-listener-portable-atomic,atomic-waker-portable-atomic
    cargo test --locked --test backends --features testing,event-listener,event-listener-critical-section,atomic-waker
    cargo test --locked --doc --all-features
}

# tokio's own tests of its cells.
stage_peers() {
    debian_packages python3
    .ci/peers
}

# Threads beside tasks, the suite of every runtime, and what `tracing` hears. The tests of the cell with all features.
stage_runtimes() {
    cargo test --locked --features blocking --test blocking
    cargo test --locked --features blocking,tokio,async-std,smol --test runtimes
    cargo test --locked --features blocking,smol,tracing --test tracing
    cargo test --locked --features blocking,tracing --test subscriber
    cargo run --locked --features tracing --example tracing
    cargo run --locked --example futurelock
    cargo test --locked --all-features --lib --tests
}
