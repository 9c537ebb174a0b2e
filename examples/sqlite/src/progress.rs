//! What the program is doing, on standard error: one changing line on a terminal, lines elsewhere.

use std::io::{self, IsTerminal};

/// Moves to the start of the line and erases it.
const ERASE: &str = "\r\x1b[2K";

#[derive(Debug)]
pub(crate) struct Progress {
    in_place: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            in_place: io::stderr().is_terminal(),
        }
    }

    /// Shows what begins now.
    pub(crate) fn step(&self, text: &str) {
        if self.in_place {
            eprint!("{ERASE}{text} ...");
        } else {
            eprintln!("{text} ...");
        }
    }

    /// Says something that stays.
    pub(crate) fn note(&self, text: &str) {
        self.clear();
        eprintln!("{text}");
    }

    /// Erases the last step.
    pub(crate) fn clear(&self) {
        if self.in_place {
            eprint!("{ERASE}");
        }
    }
}

/// Errors leave by `?`; their message must not follow a step on the same line.
impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
