//! Writes a sample database to serve.

use std::{env, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let (Some(path), None) = (args.next().map(PathBuf::from), args.next()) else {
        eprintln!("Usage: sample DATABASE");
        return ExitCode::from(2);
    };
    match shop::sample::create(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot make '{}': {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
