//! The cells of `benches/peers`, with the initializers that programs write: closures.
//!
//! `AsyncCell` takes the initializer's future, which the closure then has to capture. A closure that captures nothing is
//! cheaper to store.
//!
//! Each of the two benches has a trait of its own: with a single one, asyncband's ready path in `peers` takes twice as long, and
//! async-lock's three quarters of the time.

use std::future::Future;

use crate::cells::{AsyncLock, AsyncOnceCell, Asyncband, Oncelot, Tokio};
use crate::common::cell::Cell;
use crate::local::OncelotLocal;

/// A once-cell that the future of a closure can fill. Each method returns the cell's own future.
pub(crate) trait InitCell: Cell {
    /// How many times a claimant has been woken when it gets the value.
    const WAKES: usize = 1;

    fn get_or_init<'a, I, F>(cell: &'a Self::Of<u64>, init: I) -> impl Future<Output = &'a u64>
    where
        I: FnOnce() -> F + 'a,
        F: Future<Output = u64> + 'a;

    fn get_or_try_init<'a, I, F, E>(
        cell: &'a Self::Of<u64>,
        init: I,
    ) -> impl Future<Output = Result<&'a u64, E>>
    where
        I: FnOnce() -> F + 'a,
        F: Future<Output = Result<u64, E>> + 'a,
        E: 'a;
}

/// `$init => $argument` is how the crate takes a closure.
macro_rules! init_cells {
    ($($marker:ident),+: $init:ident => $argument:expr) => {$(
        #[allow(clippy::redundant_closure, reason = "a closure implements `AsyncFnOnce`, a type parameter does not")]
        impl InitCell for $marker {
            fn get_or_init<'a, I, F>(
                cell: &'a Self::Of<u64>,
                $init: I,
            ) -> impl Future<Output = &'a u64>
            where
                I: FnOnce() -> F + 'a,
                F: Future<Output = u64> + 'a,
            {
                cell.get_or_init($argument)
            }

            fn get_or_try_init<'a, I, F, E>(
                cell: &'a Self::Of<u64>,
                $init: I,
            ) -> impl Future<Output = Result<&'a u64, E>>
            where
                I: FnOnce() -> F + 'a,
                F: Future<Output = Result<u64, E>> + 'a,
                E: 'a,
            {
                cell.get_or_try_init($argument)
            }
        }
    )+};
}

init_cells!(Oncelot, OncelotLocal, Tokio, AsyncLock: init => init);
// It takes an `AsyncFnOnce`.
init_cells!(Asyncband: init => move || init());
// It takes the future.
init_cells!(AsyncOnceCell: init => init());
