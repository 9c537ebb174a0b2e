//! Builds programs with cargo for the compilation tests, each as a package of its own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A file below `tests`, and how it is built.
pub(crate) struct Program {
    pub(crate) path: String,
    pub(crate) edition: &'static str,
    /// Whether this crate has its default features.
    pub(crate) default_features: bool,
}

impl Program {
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            edition: "2024",
            default_features: true,
        }
    }

    pub(crate) fn source(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(&self.path)
    }

    /// Builds the program with cargo as a target of the given kind: `lib`, `bin` or `test`.
    ///
    /// Cargo runs without the network: the program needs what this crate needs. The variable `ONCELOT_TEST_RUSTC` names
    /// another compiler than the default one.
    pub(crate) fn cargo(&self, kind: &str, arguments: &[&str]) -> Output {
        let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = self.source();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let programs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
        let project = programs.join(format!("{name}_{}", self.edition));
        fs::create_dir_all(&project).unwrap();
        let target = match kind {
            "lib" => "[lib]",
            "bin" => "[[bin]]",
            "test" => "[[test]]",
            _ => panic!("no such target: {kind}"),
        };
        let manifest = format!(
            "[package]\nname = {name:?}\nedition = {:?}\nautobins = false\nautolib = false\n\
             [features]\noffending = []\n\
             [dependencies]\noncelot = {{ path = {manifest_dir:?}, default-features = {} }}\n\
             [workspace]\n\
             {target}\nname = {name:?}\npath = {path:?}\n",
            self.edition, self.default_features,
        );
        fs::write(project.join("Cargo.toml"), manifest).unwrap();
        fs::copy(manifest_dir.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
        // The programs are not measured where the tests are.
        cargo.env_remove("RUSTC_WORKSPACE_WRAPPER");
        if let Some(rustc) = env::var_os("ONCELOT_TEST_RUSTC") {
            cargo.env("RUSTC", rustc);
        }
        let (command, arguments) = arguments.split_first().unwrap();
        cargo
            .args([command, "--offline", "--quiet", "--target-dir"])
            .arg(programs.join("target"))
            .args(arguments)
            .current_dir(&project)
            .output()
            .unwrap()
    }
}
