# The size of the code.

ordinary size

# How much code a cell adds to firmware, beside other crates; fails if ours has grown.
stage_size() {
    cross_compiler
    .ci/size
}
