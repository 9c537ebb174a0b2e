//! Fuzz targets: programs made of bytes run on the cells and lazies of the crate, and a model checks what happens.
//!
//! | target | runs each program on |
//! |---|---|
//! | [`cell`] | `OnceCell`, on each backend |
//! | [`lazy`] | `Lazy` and `BoxLazy`, on each backend that they accept, and `StaticLazy` |
//!
//! A [`program`] is a sequence of operations. It [`run`]s on a [`subject`]. [`user`] code, which the subject calls, runs further
//! operations, or panics, as the program says. The [`model`] checks the calls of user code and the results of operations.
//!
//! The programs in `corpus` change their meaning when the operations change. Then `.ci/run nightly-fuzz` finds others, in
//! `target/fuzz`, and `cargo fuzz cmin` reduces them to those that replace the corpus.

use arbitrary::{Arbitrary, Unstructured};

use self::{program::Program, subject::Type};

mod model;
#[path = "../../src/testing/parts/mod.rs"]
mod parts;
mod program;
mod run;
mod subject;
mod user;

/// Runs the program that `data` encodes on a `OnceCell`, on each backend.
///
/// # Panics
///
/// Panics if a check of the model fails.
pub fn cell(data: &[u8]) {
    run_on(data, &subject::CELLS);
}

/// Runs the program that `data` encodes on each kind of lazy, on each backend.
///
/// # Panics
///
/// Panics if a check of the model fails.
pub fn lazy(data: &[u8]) {
    run_on(data, &subject::LAZIES);
}

fn run_on(data: &[u8], subjects: &[Type]) {
    if let Ok(program) = Program::arbitrary(&mut Unstructured::new(data)) {
        for subject in subjects {
            run::run(&program, *subject);
        }
    }
}
