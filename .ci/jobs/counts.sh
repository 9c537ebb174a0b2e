# What an operation costs, whatever the machine does.

ordinary counts

# The instructions, bytes and allocations of each operation; fails if one of ours has grown by more than 2 %.
stage_counts() {
    debian_packages valgrind
    cargo bench --locked --bench counts
}
