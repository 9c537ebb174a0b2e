//! The cells that have passive waiters, behind one interface.

use std::future::Future;

use crate::common::cell::Cell;
use crate::common::scenarios::Got;
use crate::local::OncelotLocal;

/// A cell that a task can wait for without being ready to initialize it.
pub(crate) trait PassiveCell {
    /// The name of its package.
    const NAME: &'static str;

    /// How many times a waiter has been woken when it gets the value.
    const WAKES: usize = 1;

    type Cell;

    fn new() -> Self::Cell;

    /// Returns the cell's own future.
    fn wait(cell: &Self::Cell) -> impl Future<Output: Got>;

    fn set(cell: &Self::Cell, value: u64);
}

macro_rules! passive_cell {
    ($marker:ident, $name:expr, $cell:ty, $new:ident, $set:ident) => {
        impl PassiveCell for $marker {
            const NAME: &'static str = $name;

            type Cell = $cell;

            fn new() -> Self::Cell {
                Self::Cell::$new()
            }

            fn wait(cell: &Self::Cell) -> impl Future<Output: Got> {
                cell.wait()
            }

            fn set(cell: &Self::Cell, value: u64) {
                assert!(cell.$set(value).is_ok());
            }
        }
    };
}

pub(crate) struct Oncelot;
pub(crate) struct Tokio;
pub(crate) struct AsyncLock;

passive_cell!(Oncelot, "oncelot", oncelot::OnceCell<u64>, new, set);
passive_cell!(
    OncelotLocal,
    <OncelotLocal as Cell>::NAME,
    oncelot::LocalOnceCell<u64>,
    with_backend,
    set
);
// Its `OnceCell` has no passive waiters.
passive_cell!(Tokio, "tokio", tokio::sync::SetOnce<u64>, new, set);
passive_cell!(
    AsyncLock,
    "async-lock",
    async_lock::OnceCell<u64>,
    new,
    set_blocking
);

/// Samples a figure for every crate: `passive_cells!(C => bytes_of_wait::<C>())`.
macro_rules! passive_cells {
    ($cell:ident => $sample:expr) => {
        $crate::common::figure::contenders!(
            $cell => $sample; $crate::passive_cell::PassiveCell;
            $crate::passive_cell::Oncelot, $crate::passive_cell::Tokio, $crate::passive_cell::AsyncLock
        )
    };
}

pub(crate) use passive_cells;
