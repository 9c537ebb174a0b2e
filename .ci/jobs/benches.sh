# The benches and the charts.

ordinary benches

# The benches build, each figure can be measured, and the figures that do not depend on time meet their targets. The charts and
# the tables of the guide show the recorded figures.
stage_benches() {
    cargo bench --locked --bench peers -- --test
    cargo bench --locked --bench lazy -- --test
    cargo bench --locked --bench backends --features atomic-waker,event-listener -- --test
    debian_packages python3
    benches/charts --check src/guide/times.md
}
