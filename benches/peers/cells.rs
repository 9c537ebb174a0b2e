//! The cells of all crates behind a common trait.

use std::future::Future;

use crate::common::cell::{AsyncCell, Cell};

macro_rules! cell {
    ($marker:ident, $name:literal, $($cell:ident)::+) => {
        pub(crate) struct $marker;

        impl Cell for $marker {
            const NAME: &'static str = $name;

            type Of<T> = $($cell)::+<T>;

            fn new() -> Self::Of<u64> {
                Self::Of::new()
            }

            fn filled(value: u64) -> Self::Of<u64> {
                Self::Of::from(value)
            }

            fn get(cell: &Self::Of<u64>) -> Option<&u64> {
                cell.get()
            }
        }
    };
}

/// `$init => $argument` is how the crate takes its initializer: most want a closure that makes the future, one wants
/// the future.
macro_rules! async_cell {
    ($marker:ident, $name:literal, $($cell:ident)::+, $init:ident => $argument:expr) => {
        cell!($marker, $name, $($cell)::+);

        impl AsyncCell for $marker {
            fn get_or_init<'a, I>(
                cell: &'a Self::Of<u64>,
                $init: I,
            ) -> impl Future<Output = &'a u64>
            where
                I: Future<Output = u64> + 'a,
            {
                cell.get_or_init($argument)
            }

            fn get_or_try_init<'a, I, E>(
                cell: &'a Self::Of<u64>,
                $init: I,
            ) -> impl Future<Output = Result<&'a u64, E>>
            where
                I: Future<Output = Result<u64, E>> + 'a,
            {
                cell.get_or_try_init($argument)
            }
        }
    };
}

async_cell!(Oncelot, "oncelot", oncelot::OnceCell, init => move || init);
async_cell!(Tokio, "tokio", tokio::sync::OnceCell, init => move || init);
async_cell!(AsyncLock, "async-lock", async_lock::OnceCell, init => move || init);
async_cell!(AsyncOnceCell, "async-once-cell", async_once_cell::OnceCell, init => init);
async_cell!(Asyncband, "asyncband", asyncband::once::OnceCell, init => move || init);
cell!(Std, "std OnceLock", std::sync::OnceLock);

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
        $crate::cells::samples!(
            $cell => $sample; Oncelot, Tokio, AsyncLock, AsyncOnceCell, Asyncband, Std
        )
    };
}

/// The same for the asynchronous ones.
macro_rules! async_cells {
    ($cell:ident => $sample:expr) => {
        $crate::cells::samples!(
            $cell => $sample; Oncelot, Tokio, AsyncLock, AsyncOnceCell, Asyncband
        )
    };
}

macro_rules! samples {
    ($cell:ident => $sample:expr; $($marker:ident),+) => {
        vec![$($crate::common::figure::Contender::package(
            <$crate::cells::$marker as $crate::common::cell::Cell>::NAME,
            || {
                type $cell = $crate::cells::$marker;
                $sample
            },
        )),+]
    };
}

pub(crate) use {all_cells, async_cells, samples};
