//! Fuzz targets: a program decoded from bytes runs on the shipped code and on a model of it.
//!
//! | target | what ships | model |
//! |---|---|---|
//! | [`list`] | the lists of waiters, of `Intrusive` and of `Local` | a `VecDeque` |
//! | [`schedule`] | `OnceCell`, on each backend | [`model`] |
//! | [`lazy`] | `Lazy`, on each backend, and `StaticLazy` | [`model`] |
//!
//! A [`program`] is a sequence of operations. It [`run`]s on a [`subject`] of the crate, and on one of the model, which
//! has the same interface. The record of each run contains every call of [`user`] code and every result, and both
//! records must be equal. User code may run further operations, or panic, as the program says.
//!
//! The programs in `corpus` and `regressions` change their meaning when the decoding changes. Each program in
//! `regressions` is named after the fault that it detected.

use std::{
    panic::{catch_unwind, resume_unwind},
    path::Path,
};

use self::program::{Backend, Program, SubjectKind};

pub mod list;
mod model;
mod program;
mod run;
mod subject;
mod user;

/// The shipped sources that are private to their crate, under the paths by which they know each other.
#[path = "../../src/backend/intrusive/list.rs"]
#[allow(dead_code, reason = "the crate uses more of it")]
mod shipped_list;
mod backend {
    pub(crate) use oncelot::backend::{State, WaiterKind};

    /// Only the unit tests of the lists count their steps.
    #[cfg(test)]
    pub(crate) mod list_tests {
        pub(crate) fn count_step() {}
    }
}
#[path = "../../src/backend/local/list.rs"]
#[allow(dead_code, reason = "the crate uses more of it")]
mod shipped_local_list;
#[path = "../../src/sync.rs"]
#[allow(dead_code, unused_imports, reason = "the crate uses more of it")]
mod sync;

/// Runs the program that `data` encodes on a `OnceCell`.
///
/// # Panics
///
/// Panics if the cell differs from its model.
pub fn schedule(data: &[u8]) {
    compare(
        data,
        &[
            (SubjectKind::Cell, Backend::Intrusive),
            (SubjectKind::Cell, Backend::AtomicWaker),
            (SubjectKind::Cell, Backend::EventListener),
        ],
    );
}

/// Runs the program that `data` encodes on a `Lazy` or a `StaticLazy`.
///
/// # Panics
///
/// Panics if the lazy differs from its model.
pub fn lazy(data: &[u8]) {
    compare(
        data,
        &[
            (SubjectKind::Lazy, Backend::Intrusive),
            (SubjectKind::StaticLazy, Backend::Intrusive),
            (SubjectKind::Lazy, Backend::AtomicWaker),
            (SubjectKind::Lazy, Backend::EventListener),
        ],
    );
}

fn compare(data: &[u8], subjects: &[(SubjectKind, Backend)]) {
    let mut program = Program::decode(data, subjects);
    run::compare(&program);
    if program.backend == Backend::Intrusive && program.subject != SubjectKind::StaticLazy {
        program.backend = Backend::Local;
        run::compare(&program);
    }
}

/// Runs one target on files, or on all files of folders, and returns the number of files.
///
/// # Panics
///
/// Panics if the target does, or if a file cannot be read.
pub fn replay(target: fn(&[u8]), path: &Path) -> usize {
    if path.is_dir() {
        let mut entries: Vec<_> = path
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        entries.iter().map(|entry| replay(target, entry)).sum()
    } else {
        let data = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if let Err(payload) = catch_unwind(|| target(&data)) {
            eprintln!("this was {}", path.display());
            resume_unwind(payload);
        }
        1
    }
}

/// Replays the paths in the arguments, if a target is not built for fuzzing.
pub fn replay_arguments(target: fn(&[u8])) {
    for path in std::env::args_os().skip(1) {
        let files = replay(target, path.as_ref());
        println!("{}: {files} passed", path.display());
    }
}
