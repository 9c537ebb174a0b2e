# What several jobs use.

debian_packages() {
    if ! dpkg -s "$@" >/dev/null 2>&1; then
        apt_get update
        apt_get install -y --no-install-recommends "$@"
    fi
}

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"; }

# Without optimizations, which would take longer than they save.
cargo_tool() { command -v "$1" >/dev/null || cargo install --locked --debug "$1"; }

has_nightly() { rustup toolchain list 2>/dev/null | grep -q '^nightly'; }

# Debian's compiler with its library sources, for targets that the one at hand has no libraries for.
cross_compiler() {
    debian_packages rustc-web cargo-web rust-web-src lld qemu-system-arm qemu-system-misc binutils-arm-none-eabi
}

# Thread sanitizer needs a standard library that is built with it, or it takes the library's own locks for races:
# Debian's compiler and its sources, with the sanitizer's runtime of the compiler at hand. No race is suppressed; what is
# not reported are threads of a runtime's pool that have ended and are joined when the pool is, which is never.
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

# Address sanitizer, which looks for leaks too, by nightly if that is installed.
with_address_sanitizer() (
    export RUSTFLAGS=-Zsanitizer=address RUSTUP_AUTO_INSTALL=0
    export CARGO_BUILD_TARGET=x86_64-unknown-linux-gnu CARGO_TARGET_DIR=$PWD/target/sanitize/address
    cargo=(cargo)
    if has_nightly; then cargo+=(+nightly); else export RUSTC_BOOTSTRAP=1; fi
    "$@"
)

# The tests of the crate, for stages that repeat them in another way. Left out: those that run rustc, pin sizes of 64-bit
# targets, need a feature, or read the texts of the repository.
core_tests=(--lib --test={contract,drains,drops,interface,lazy,box_lazy,static_lazy,threads,rules})
