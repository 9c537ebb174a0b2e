# The oldest supported compiler.

ordinary msrv

# The oldest supported compiler builds the crate, and the programs of the test `compilation`. The compiler is unpacked from
# Debian's packages, and not installed.
stage_msrv() {
    local root=$PWD/target/msrv
    if [ ! -x "$root/rustc" ]; then
        mkdir -p "$root"
        apt_get update
        (cd "$root" && apt-get download "rustc-web=1.85.*" "libstd-rust-web-dev=1.85.*" libstd-rust-web-1.85 libllvm19)
        for package in "$root"/*.deb; do dpkg -x "$package" "$root/root"; done
        cat >"$root/rustc" <<'SCRIPT'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root
LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu exec "$root/usr/bin/rustc" "$@"
SCRIPT
        chmod +x "$root/rustc"
    fi
    "$root/rustc" --version
    # Building the test needs a newer compiler. Building its programs does not.
    ONCELOT_TEST_RUSTC=$root/rustc cargo test --locked --test compilation
    export RUSTC=$root/rustc CARGO_TARGET_DIR=$root/build
    cargo build --locked --all-features
    cargo build --locked --no-default-features
}
