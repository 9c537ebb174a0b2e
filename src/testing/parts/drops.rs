//! Values that count their drops, or call a function when they are dropped.

use core::fmt;
use std::{
    boxed::Box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

/// A counter of drops, and the source of the values that it counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(SeqCst)
    }

    pub(crate) fn counted(&self) -> Counted {
        Counted {
            drops: self.clone(),
            heap: Box::new(7),
        }
    }
}

/// A value that counts its drop. It owns memory, so that a second drop is also a double free.
pub(crate) struct Counted {
    drops: Drops,
    heap: Box<u32>,
}

impl Counted {
    /// Reads its memory.
    pub(crate) fn look(&self) -> u32 {
        *self.heap
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted")
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.0.fetch_add(1, SeqCst);
    }
}

/// Runs a function when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
