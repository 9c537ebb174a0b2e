# The benches and the charts.

ordinary benches

# The bench of the times builds, and each figure can be measured. The charts and the tables of the guide show the recorded
# figures.
stage_benches() {
    cargo bench --locked --bench times -- --test
    debian_packages python3
    benches/charts --check src/guide/times.md
}
