# The version. Runs only if it is named, because it needs a tag.

# The version has increased as the changes of the interface since the last tag require. Takes long to compile. Passes if there is
# no tag.
stage_semver() {
    local tag
    tag=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null) || { printf 'No tag to compare with.\n' && return; }
    cargo_tool cargo-semver-checks
    cargo semver-checks --baseline-rev "$tag" --all-features
}
