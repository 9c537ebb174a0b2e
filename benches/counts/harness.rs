//! The overhead of the harness: the phases without a cell.
//!
//! Each task polls an initializer of its own and registers nowhere. What remains is the loop, the poll of that
//! initializer, the comparison of its output and, where a row says so, the task's box or the `async` block.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use crate::common::cell::Cell;
use crate::common::scenarios::Got;
use crate::common::tasks::{Gate, VALUE};
use crate::init_cell::InitCell;
use crate::passive_cell::PassiveCell;

/// An initializer whose output is replaced. The `map` of `FutureExt` keeps a state beside it, which would be counted.
struct Map<F, M> {
    init: F,
    replace: M,
}

impl<F: Future, M: Fn(F::Output) -> T, T> Future for Map<F, M> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // SAFETY: `init` is pinned below, and `replace` never is.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: `init` is pinned with the whole, and is not moved.
        let init = unsafe { Pin::new_unchecked(&mut this.init) };
        init.poll(cx).map(&this.replace)
    }
}

pub(crate) struct Harness;

impl Cell for Harness {
    const NAME: &'static str = "harness";

    type Of<T> = T;

    fn new() -> u64 {
        VALUE
    }

    fn filled(value: u64) -> u64 {
        value
    }

    fn get(value: &u64) -> Option<&u64> {
        Some(value)
    }
}

impl InitCell for Harness {
    const WAKES: usize = 0;

    fn get_or_init<'a, I, F>(value: &'a u64, init: I) -> impl Future<Output = &'a u64>
    where
        I: FnOnce() -> F + 'a,
        F: Future<Output = u64> + 'a,
    {
        Map {
            init: init(),
            replace: move |_| value,
        }
    }

    fn get_or_try_init<'a, I, F, E>(value: &'a u64, init: I) -> impl Future<Output = Result<&'a u64, E>>
    where
        I: FnOnce() -> F + 'a,
        F: Future<Output = Result<u64, E>> + 'a,
        E: 'a,
    {
        Map {
            init: init(),
            replace: move |made: Result<u64, E>| made.map(|_| value),
        }
    }
}

impl PassiveCell for Harness {
    const NAME: &'static str = <Self as Cell>::NAME;

    const WAKES: usize = 0;

    type Cell = AtomicBool;

    fn new() -> AtomicBool {
        AtomicBool::new(false)
    }

    fn wait(gate: &AtomicBool) -> impl Future<Output: Got> {
        Gate(gate)
    }

    fn set(gate: &AtomicBool, _: u64) {
        gate.store(true, Ordering::Relaxed);
    }
}

/// Samples a figure for the cell of one thread and for the harness as well:
/// `with_local_and_harness!(async_cells!(C => register::<C>()))`.
macro_rules! with_local_and_harness {
    ($crates:ident!($cell:ident => $sample:expr)) => {{
        let mut crates = $crate::local::with_local!($crates!($cell => $sample));
        crates.push($crate::common::figure::Contender::package("harness", || {
            type $cell = $crate::harness::Harness;
            $sample
        }));
        crates
    }};
}

pub(crate) use with_local_and_harness;
