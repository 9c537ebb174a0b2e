//! A once-cell behind one interface that adds nothing to what it does.
//!
//! Every method returns the cell's own future, unwrapped: its size and its polls are the cell's.

use std::future::Future;

/// A once-cell, as far as synchronous users see it.
pub(crate) trait Cell {
    /// The name of its package, if it has one, or what else tells it from the others.
    const NAME: &'static str;

    type Of<T>;

    fn new() -> Self::Of<u64>;
    fn filled(value: u64) -> Self::Of<u64>;
    fn get(cell: &Self::Of<u64>) -> Option<&u64>;
}

/// A once-cell that a future can fill.
pub(crate) trait AsyncCell: Cell {
    fn get_or_init<'a, I>(cell: &'a Self::Of<u64>, init: I) -> impl Future<Output = &'a u64>
    where
        I: Future<Output = u64> + 'a;

    fn get_or_try_init<'a, I, E>(
        cell: &'a Self::Of<u64>,
        init: I,
    ) -> impl Future<Output = Result<&'a u64, E>>
    where
        I: Future<Output = Result<u64, E>> + 'a;
}
