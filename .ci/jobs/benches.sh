# The benches run.

ordinary bench-build

# The benches build, each figure can be taken, and those that do not depend on time meet their bars. The charts are those
# of the figures that are kept.
stage_bench-build() {
    cargo bench --locked --bench peers -- --test
    cargo bench --locked --bench lazy -- --test
    cargo bench --locked --bench backends --features atomic-waker,event-listener -- --test
    debian_packages python3
    benches/charts --check src/guide/times.md
}
