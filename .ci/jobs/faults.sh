# Fault injection.

ordinary faults
long nightly-faults

# A panic in each call into user code, and a cancellation before and after each poll, for each operation on each backend.
stage_faults() {
    local cargo=(cargo)
    faults
}

faults() {
    "${cargo[@]}" test --locked --features atomic-waker,event-listener,blocking --test faults -- --nocapture
}

# The same with address sanitizer, which reports memory that is used after it is freed, and memory that is leaked.
stage_nightly-faults() {
    export RUST_BACKTRACE=0
    with_address_sanitizer faults
}
