//! The cells of all crates behind common traits, without overhead.
//!
//! Each method returns the cell's own future, unwrapped: its size and its polls are the cell's.

use std::future::Future;

use oncelot::backend;

use super::report::Named;
use super::waiting::Got;

/// A once-cell, as far as synchronous users see it.
pub(crate) trait Cell: Named {
    /// How many times a waiter has been woken when it gets the value.
    const WAKES: usize = 1;

    type Of;

    fn new() -> Self::Of;
    fn filled(value: u64) -> Self::Of;
    fn get(cell: &Self::Of) -> Option<&u64>;
}

/// A once-cell that the future of a closure can fill.
pub(crate) trait InitCell: Cell {
    fn get_or_init<F: Future<Output = u64>>(
        cell: &Self::Of,
        init: impl FnOnce() -> F,
    ) -> impl Future<Output = &u64>;

    fn get_or_try_init<F: Future<Output = Result<u64, E>>, E>(
        cell: &Self::Of,
        init: impl FnOnce() -> F,
    ) -> impl Future<Output = Result<&u64, E>>;
}

/// A once-cell that a task can wait for without being ready to initialize it.
pub(crate) trait PassiveCell: Cell {
    fn wait(cell: &Self::Of) -> impl Future<Output: Got>;
    fn set(cell: &Self::Of, value: u64);
}

/// Declares a type for the cell `$cell`. `$new` and `$filled` are its constructors.
macro_rules! cell {
    ($subject:ident, $name:literal, $cell:ty, $new:ident, $filled:ident) => {
        pub(crate) struct $subject;

        impl Named for $subject {
            const NAME: &'static str = $name;
        }

        impl Cell for $subject {
            type Of = $cell;

            fn new() -> Self::Of {
                <$cell>::$new()
            }

            fn filled(value: u64) -> Self::Of {
                <$cell>::$filled(value)
            }

            fn get(cell: &Self::Of) -> Option<&u64> {
                cell.get()
            }
        }
    };
}

/// `$init => $argument` is how the crate takes a closure.
macro_rules! init_cells {
    ($($subject:ident),+: $init:ident => $argument:expr) => {$(
        #[allow(clippy::redundant_closure, reason = "a closure implements `AsyncFnOnce`, a type parameter does not")]
        impl InitCell for $subject {
            fn get_or_init<F: Future<Output = u64>>(
                cell: &Self::Of,
                $init: impl FnOnce() -> F,
            ) -> impl Future<Output = &u64> {
                cell.get_or_init($argument)
            }

            fn get_or_try_init<F: Future<Output = Result<u64, E>>, E>(
                cell: &Self::Of,
                $init: impl FnOnce() -> F,
            ) -> impl Future<Output = Result<&u64, E>> {
                cell.get_or_try_init($argument)
            }
        }
    )+};
}

macro_rules! passive_cells {
    ($($subject:ident),+: $set:ident) => {$(
        impl PassiveCell for $subject {
            fn wait(cell: &Self::Of) -> impl Future<Output: Got> {
                cell.wait()
            }

            fn set(cell: &Self::Of, value: u64) {
                assert!(cell.$set(value).is_ok());
            }
        }
    )+};
}

type With<B> = oncelot::OnceCell<u64, B>;

cell!(Oncelot, "oncelot", oncelot::OnceCell<u64>, new, from);
cell!(
    OncelotLocal,
    "oncelot `Local`",
    With<backend::Local>,
    with_backend,
    with_backend_and_value
);
cell!(Tokio, "tokio", tokio::sync::OnceCell<u64>, new, from);
// tokio's `OnceCell` has no passive waiters.
cell!(TokioSetOnce, "tokio", tokio::sync::SetOnce<u64>, new, from);
cell!(AsyncLock, "async-lock", async_lock::OnceCell<u64>, new, from);
cell!(
    AsyncOnceCell,
    "async-once-cell",
    async_once_cell::OnceCell<u64>,
    new,
    from
);
cell!(Asyncband, "asyncband", asyncband::once::OnceCell<u64>, new, from);
cell!(Std, "std OnceLock", std::sync::OnceLock<u64>, new, from);

init_cells!(Oncelot, OncelotLocal, Tokio, AsyncLock: init => init);
// It takes an `AsyncFnOnce`.
init_cells!(Asyncband: init => move || init());
// It takes the future.
init_cells!(AsyncOnceCell: init => init());

passive_cells!(Oncelot, OncelotLocal, TokioSetOnce: set);
passive_cells!(AsyncLock: set_blocking);
