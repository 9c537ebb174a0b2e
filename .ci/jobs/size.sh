# The size of the code.

ordinary size

# How much code a cell adds to firmware, for this crate and for others. Fails if a cell of this crate has grown by more than 5 %.
stage_size() {
    cross_compiler
    .ci/size
}
