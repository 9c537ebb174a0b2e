//! The overhead of the harness: the phases without a cell.
//!
//! Each task polls an initializer of its own and registers nowhere. What remains is the loop, the poll of that
//! initializer, the comparison of its output and, where a row says so, the task's box or the `async` block.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use crate::common::cells::{Cell, InitCell, PassiveCell};
use crate::common::report::Named;
use crate::common::waiting::{Got, VALUE, gate};

pin_project_lite::pin_project! {
    /// An initializer whose output is replaced. The `map` of `FutureExt` keeps a state next to it, which would be counted.
    struct Map<F, M> {
        #[pin]
        init: F,
        replace: M,
    }
}

impl<F: Future, M: Fn(F::Output) -> T, T> Future for Map<F, M> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.project();
        this.init.poll(cx).map(&*this.replace)
    }
}

/// A value, and whether passive waiters get it.
pub(crate) struct Plain {
    value: u64,
    is_set: AtomicBool,
}

pub(crate) struct Harness;

impl Named for Harness {
    const NAME: &'static str = "harness";
}

impl Cell for Harness {
    const WAKES: usize = 0;

    type Of = Plain;

    fn new() -> Plain {
        Self::filled(VALUE)
    }

    fn filled(value: u64) -> Plain {
        let is_set = AtomicBool::new(false);
        Plain { value, is_set }
    }

    fn get(cell: &Plain) -> Option<&u64> {
        Some(&cell.value)
    }
}

impl InitCell for Harness {
    fn get_or_init<F: Future<Output = u64>>(
        cell: &Plain,
        init: impl FnOnce() -> F,
    ) -> impl Future<Output = &u64> {
        let replace = |_| &cell.value;
        Map {
            init: init(),
            replace,
        }
    }

    fn get_or_try_init<F: Future<Output = Result<u64, E>>, E>(
        cell: &Plain,
        init: impl FnOnce() -> F,
    ) -> impl Future<Output = Result<&u64, E>> {
        let replace = |made: Result<u64, E>| made.map(|_| &cell.value);
        Map {
            init: init(),
            replace,
        }
    }
}

impl PassiveCell for Harness {
    fn wait(cell: &Plain) -> impl Future<Output: Got> {
        gate(&cell.is_set)
    }

    fn set(cell: &Plain, _: u64) {
        cell.is_set.store(true, Ordering::Relaxed);
    }
}
