//! Drop counters for everything that a generation creates.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Value,
    Error,
    /// An initializer, whether it is a future or a closure.
    Initializer,
}

/// How many there were and are of each kind.
#[derive(Default)]
pub(crate) struct Census {
    born: [AtomicU64; 3],
    gone: [AtomicU64; 3],
}

impl Census {
    pub(crate) fn count(self: &Arc<Self>, kind: Kind) -> Counted {
        self.born[kind as usize].fetch_add(1, Relaxed);
        Counted {
            census: self.clone(),
            kind,
        }
    }

    /// Returns whether all that were born are gone; fails if more are gone.
    pub(crate) fn is_over(&self) -> bool {
        [Kind::Value, Kind::Error, Kind::Initializer]
            .into_iter()
            .all(|kind| {
                let gone = self.gone[kind as usize].load(Relaxed);
                let born = self.born[kind as usize].load(Relaxed);
                assert!(gone <= born, "{kind:?}: {born} were created, {gone} were dropped");
                gone == born
            })
    }
}

impl fmt::Debug for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [Kind::Value, Kind::Error, Kind::Initializer];
        let counts = kinds.map(|kind| (kind, &self.born[kind as usize], &self.gone[kind as usize]));
        f.debug_list().entries(counts).finish()
    }
}

/// What is counted.
#[derive(Debug)]
pub(crate) struct Counted {
    census: Arc<Census>,
    kind: Kind,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.census.gone[self.kind as usize].fetch_add(1, Relaxed);
    }
}
