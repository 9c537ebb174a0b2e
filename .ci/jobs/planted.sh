# Planted faults.

long planted soak-planted

# Some of the faults that are kept as patches, others for each commit: a command must see each of them.
stage_planted() {
    debian_packages python3
    .ci/planted --sample 5
}

stage_soak-planted() {
    debian_packages python3
    .ci/planted
}
