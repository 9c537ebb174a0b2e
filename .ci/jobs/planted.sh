# Planted faults.

ordinary planted
long nightly-planted

# Five of the faults in `tests/planted`; the commit selects which. The commands of each fault must fail.
stage_planted() {
    debian_packages python3
    .ci/planted --sample 5
}

stage_nightly-planted() {
    debian_packages python3
    .ci/planted
}
