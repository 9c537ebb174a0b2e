# The sanitizers, and the stress program.

ordinary sanitize
long soak-stress

# The tests that use threads, memory or destructors in earnest, and the stress program, for data races; and the same for
# memory that is used too late or never freed.
stage_sanitize() {
    # Without backtraces: their symbols are looked up by code that is sanitized too, which takes minutes.
    export RUST_BACKTRACE=0
    with_thread_sanitizer sanitized_tests --test runtimes
    with_thread_sanitizer stress --seconds 10
    # Without `runtimes`, whose threads still have their wakers when the process ends.
    with_address_sanitizer sanitized_tests
    with_address_sanitizer stress --seconds 10
}

# Left out: `compile_fail`, `compile_pass`, `lazy_bodies`, `auto_traits` and `sizes`, which show what compiles; `no_alloc`, which counts on one thread what the
# others show to be sound; `interface`, `tracing` and `subscriber`, which share their ways with the others; the suite for the other backends.
sanitized_tests() {
    local tests=(contract drains drops rules threads lazy box_lazy static_lazy blocking)
    # What is skipped: a panic that ends in a backtrace which nothing turns off, and one whose payload is leaked on purpose.
    "${cargo[@]}" test --locked --features blocking,tokio,async-std,smol,atomic-waker,event-listener \
        --lib "${tests[@]/#/--test=}" "$@" -- --skip a_panic_in_the_destructor --skip panic_payloads_that_panic_when_dropped
}

# 64 threads of several runtimes on the same cells.
stress() { "${cargo[@]}" run --locked --manifest-path stress/Cargo.toml -- "$@"; }

stage_soak-stress() {
    export RUST_BACKTRACE=0
    cargo run --locked --release --manifest-path stress/Cargo.toml -- --seconds 600
    with_thread_sanitizer stress --seconds 600
    with_address_sanitizer stress --seconds 600
}
