# The version, for which a tag is needed.

# Whether the version says what changed since the last tag. Compiles for long; passes if there is no tag.
stage_semver() {
    local tag
    tag=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null) || { printf 'No tag to compare with.\n' && return; }
    cargo_tool cargo-semver-checks
    cargo semver-checks --baseline-rev "$tag" --all-features
}
