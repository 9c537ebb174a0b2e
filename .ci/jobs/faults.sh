# Fault injection.

ordinary faults
long soak-faults

# A panic in each call into the user's code and a cancellation after each poll, of every operation on every backend.
stage_faults() {
    local cargo=(cargo)
    faults
}

faults() {
    "${cargo[@]}" test --locked --features atomic-waker,event-listener,blocking --test faults -- --nocapture
}

# What a panic leaves behind, for memory that is used too late or never freed.
stage_soak-faults() {
    export RUST_BACKTRACE=0
    with_address_sanitizer faults
}
