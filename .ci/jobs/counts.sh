# Instruction counts.

ordinary counts

# The instructions, bytes and allocations of each operation. Fails if a count of this crate has grown by more than 2 %.
stage_counts() {
    debian_packages valgrind
    cargo bench --locked --bench counts
}
