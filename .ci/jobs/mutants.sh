# Mutation testing.

long mutants nightly-mutants

# One fortieth of the mutants of the core; the commit selects which. `nightly-mutants` tests all mutants of `src`.
stage_mutants() {
    cargo_tool cargo-mutants
    local parts=40 commit
    commit=${GITHUB_SHA:-$(git rev-parse HEAD 2>/dev/null || date +%s)}
    .ci/mutants --shard "$((16#${commit:0:8} % parts))/$parts" --sharding round-robin \
        --file=src/{raw,raw/wait,raw/initialize,raw/phases,once_cell,once_cell/futures,error}.rs \
        --file=src/{lazy,lazy/boxed,lazy/computation,static_lazy}.rs \
        --file=src/backend/{intrusive,local,local/list}.rs \
        --file=src/backend/intrusive/{word,list,wake_batch,lock_bit}.rs
}

stage_nightly-mutants() {
    cargo_tool cargo-mutants
    .ci/mutants
}
