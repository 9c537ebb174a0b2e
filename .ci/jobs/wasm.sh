# WebAssembly.

ordinary wasm

# The module for WebAssembly, run in Node.
stage_wasm() {
    debian_packages nodejs
    cross_compiler
    examples/wasm/run
}
