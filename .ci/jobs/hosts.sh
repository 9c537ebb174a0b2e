# The ordinary tests on other processors.

long hosts

# A 32-bit processor, and in QEMU a big-endian processor and 64-bit Arm. QEMU does not reproduce weak memory orderings.
stage_hosts() {
    # Not `gcc-multilib`, which excludes the compilers for other processors.
    debian_packages rustc-web cargo-web rust-web-src libc6-dev-i386 lib32gcc-12-dev \
        gcc-s390x-linux-gnu libc6-dev-s390x-cross gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target/hosts
    export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER=s390x-linux-gnu-gcc
    export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER="qemu-s390x -L /usr/s390x-linux-gnu"
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
    tests_on i686-unknown-linux-gnu
    tests_on s390x-unknown-linux-gnu
    tests_on aarch64-unknown-linux-gnu
}

tests_on() { /usr/bin/cargo -Zbuild-std test --locked --target "$1" "${core_tests[@]}"; }
