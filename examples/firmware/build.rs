//! Links the program that formats with `defmt` by the script that places its strings.

fn main() {
    if std::env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo::rustc-link-arg-bin=formatted=-Tdefmt.x");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
