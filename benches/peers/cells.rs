//! The cells of all crates behind a common trait.

use crate::common::cell::{Cell, async_cell, cell};

async_cell!(Oncelot, "oncelot", oncelot::OnceCell<T>, new, from, init => move || init);
async_cell!(Tokio, "tokio", tokio::sync::OnceCell<T>, new, from, init => move || init);
async_cell!(AsyncLock, "async-lock", async_lock::OnceCell<T>, new, from, init => move || init);
async_cell!(AsyncOnceCell, "async-once-cell", async_once_cell::OnceCell<T>, new, from, init => init);
async_cell!(Asyncband, "asyncband", asyncband::once::OnceCell<T>, new, from, init => move || init);
cell!(Std, "std OnceLock", std::sync::OnceLock<T>, new, from);

/// All of them, ours first.
pub(crate) const NAMES: [&str; 6] = [
    Oncelot::NAME,
    Tokio::NAME,
    AsyncLock::NAME,
    AsyncOnceCell::NAME,
    Asyncband::NAME,
    Std::NAME,
];

/// Samples a figure for every crate: `all_cells!(C => bytes::<C>())`.
macro_rules! all_cells {
    ($cell:ident => $sample:expr) => {
        $crate::common::figure::contenders!(
            $cell => $sample; $crate::common::cell::Cell;
            $crate::cells::Oncelot, $crate::cells::Tokio, $crate::cells::AsyncLock,
            $crate::cells::AsyncOnceCell, $crate::cells::Asyncband, $crate::cells::Std
        )
    };
}

/// The same for the asynchronous ones.
macro_rules! async_cells {
    ($cell:ident => $sample:expr) => {
        $crate::common::figure::contenders!(
            $cell => $sample; $crate::common::cell::Cell;
            $crate::cells::Oncelot, $crate::cells::Tokio, $crate::cells::AsyncLock,
            $crate::cells::AsyncOnceCell, $crate::cells::Asyncband
        )
    };
}

pub(crate) use {all_cells, async_cells};
