# The programs in `examples` that run on this machine.

ordinary example service

# The program `custom_backend`, and the package `examples/sqlite` with its tests.
stage_example() {
    cargo run --locked --example custom_backend
    cargo run --locked --release --manifest-path examples/sqlite/Cargo.toml
    cargo test --locked --release --manifest-path examples/sqlite/Cargo.toml
}

# The service on tokio and on smol: its responses, and its throughput. Its library depends on no runtime.
stage_service() {
    cd examples/service
    local needed
    needed=$(cargo tree --locked --no-default-features --edges normal --prefix none)
    if grep -E '^(tokio|smol|async-std) ' <<<"$needed"; then
        return 1
    fi
    cargo check --locked --no-default-features --lib
    cargo test --locked
    debian_packages apache2-utils
    ./load 3 200
}
