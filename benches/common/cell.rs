//! A common trait for the cells of all crates, without overhead.
//!
//! Every method returns the cell's own future, unwrapped: its size and its polls are the cell's.

use std::future::Future;

/// A once-cell, as far as synchronous users see it.
pub(crate) trait Cell {
    /// The name of its package, if it has one, or another unique name.
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

/// Declares a type for the cell `$of`, which has a parameter `T`. `$new` and `$filled` are its constructors.
#[allow(unused_macros, reason = "not every bench has cells")]
macro_rules! cell {
    ($marker:ident, $name:literal, $of:ty, $new:ident, $filled:ident) => {
        pub(crate) struct $marker;

        impl $crate::common::cell::Cell for $marker {
            const NAME: &'static str = $name;

            type Of<T> = $of;

            fn new() -> Self::Of<u64> {
                Self::Of::$new()
            }

            fn filled(value: u64) -> Self::Of<u64> {
                Self::Of::$filled(value)
            }

            fn get(cell: &Self::Of<u64>) -> Option<&u64> {
                cell.get()
            }
        }
    };
}

/// Declares a type for an asynchronous cell. `$init => $argument` is how the crate takes its initializer: most want a closure
/// that makes the future, one wants the future.
#[allow(unused_macros, reason = "not every bench has cells")]
macro_rules! async_cell {
    ($marker:ident, $name:literal, $of:ty, $new:ident, $filled:ident, $init:ident => $argument:expr) => {
        $crate::common::cell::cell!($marker, $name, $of, $new, $filled);

        impl $crate::common::cell::AsyncCell for $marker {
            fn get_or_init<'a, I>(
                cell: &'a Self::Of<u64>,
                $init: I,
            ) -> impl ::std::future::Future<Output = &'a u64>
            where
                I: ::std::future::Future<Output = u64> + 'a,
            {
                cell.get_or_init($argument)
            }

            fn get_or_try_init<'a, I, E>(
                cell: &'a Self::Of<u64>,
                $init: I,
            ) -> impl ::std::future::Future<Output = Result<&'a u64, E>>
            where
                I: ::std::future::Future<Output = Result<u64, E>> + 'a,
            {
                cell.get_or_try_init($argument)
            }
        }
    };
}

#[allow(unused_imports, reason = "not every bench has cells")]
pub(crate) use {async_cell, cell};
