# Functions that several jobs use.

debian_packages() {
    if ! dpkg -s "$@" >/dev/null 2>&1; then
        apt_get update
        apt_get install -y --no-install-recommends "$@"
    fi
}

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"; }

# Installs a tool, if it is not installed. Without optimizations, which would take longer than they save.
cargo_tool() { command -v "$1" >/dev/null || cargo install --locked --debug "$1"; }

has_nightly() { rustup toolchain list 2>/dev/null | grep -q '^nightly'; }

# Installs Debian's compiler with its library sources, for targets whose libraries the current toolchain lacks.
cross_compiler() {
    debian_packages rustc-web cargo-web rust-web-src lld qemu-system-arm qemu-system-misc binutils-arm-none-eabi
}

# Runs a command with thread sanitizer, and `cargo` set to the cargo to use. Thread sanitizer needs a standard library that is
# built with it: otherwise it reports the locks of the library as races. So Debian's compiler builds the library from its
# sources, and the sanitizer's runtime is that of the current toolchain. No race is suppressed. Leaked threads are not
# reported: a runtime joins the ended threads of its pool when the pool ends, and a global pool never ends.
with_thread_sanitizer() (
    debian_packages rustc-web cargo-web rust-web-src
    toolchain=$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 TSAN_OPTIONS=report_thread_leaks=0
    export CARGO_BUILD_TARGET=x86_64-unknown-linux-gnu CARGO_TARGET_DIR=$PWD/target/sanitize/thread
    export RUSTFLAGS="-Zsanitizer=thread -Zexternal-clangrt -Clink-arg=-B$toolchain/bin/gcc-ld -Clink-arg=-fuse-ld=lld \
        -Clink-arg=-Wl,--whole-archive,$toolchain/lib/librustc-stable_rt.tsan.a,--no-whole-archive \
        -Clink-arg=-lrt -Clink-arg=-lm -Clink-arg=-lc"
    cargo=(/usr/bin/cargo -Zbuild-std)
    "$@"
)

# Runs a command with address sanitizer, which also reports leaks, and `cargo` set to the cargo to use: nightly, if installed.
with_address_sanitizer() (
    export RUSTFLAGS=-Zsanitizer=address RUSTUP_AUTO_INSTALL=0
    export CARGO_BUILD_TARGET=x86_64-unknown-linux-gnu CARGO_TARGET_DIR=$PWD/target/sanitize/address
    cargo=(cargo)
    if has_nightly; then cargo+=(+nightly); else export RUSTC_BOOTSTRAP=1; fi
    "$@"
)

# The tests that stages repeat on other targets and with other features. They test what cells and lazies do, and need no feature.
core_tests=(--lib --test={contract,drains,drops,interface,lazies,threads,regressions})
