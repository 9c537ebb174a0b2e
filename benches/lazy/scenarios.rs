//! The measured scenarios, written once for every crate.

use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicBool;
use std::task::Poll;

use crate::common::meter::Cost;
use crate::common::scenarios::{Crowd, First, Got, Meeting, look, poll, poll_ready};
use crate::common::tasks::{Gate, VALUE};
use crate::lazies::Lazy;

/// Returns the bytes of a lazy beyond those of its value and of the future that `make` makes.
pub(crate) fn bytes_beyond_parts<L: Lazy, M, F>(make: M) -> f64
where
    M: FnOnce() -> F,
    F: Future<Output = u64>,
{
    let mut lazy = None;
    let cost = Cost::of(1, || lazy = Some(L::new(make)));
    let bytes = size_of::<L::Of<M, F>>() as f64 + cost.bytes_kept();
    bytes - (size_of::<u64>() + size_of::<F>()) as f64
}

pub(crate) fn bytes_of_get<L: Lazy>() -> f64 {
    let lazy = pin!(L::new(|| ready(VALUE)));
    size_of_val(&L::get(lazy.as_ref())) as f64
}

pub(crate) fn try_get_ready<L: Lazy>(calls: usize) -> Cost {
    let lazy = pin!(L::new(|| ready(VALUE)));
    compute::<L, _, _>(lazy.as_ref());
    let lazy = black_box(&*lazy);
    look(calls, || L::try_get(lazy))
}

pub(crate) fn get_ready<L: Lazy>(calls: usize) -> Cost {
    let lazy = pin!(L::new(|| ready(VALUE)));
    compute::<L, _, _>(lazy.as_ref());
    let lazy = black_box(lazy.as_ref());
    poll_ready(calls, || L::get(lazy))
}

/// A new lazy, its computation, and its drop.
pub(crate) fn init<L: Lazy>(calls: usize) -> Cost {
    Cost::of(calls, || {
        for _ in 0..calls {
            let lazy = pin!(L::new(|| ready(VALUE)));
            compute::<L, _, _>(black_box(lazy.as_ref()));
        }
    })
}

/// Asks for a value that is there after one poll.
#[inline(always)]
fn compute<L: Lazy, M, F>(lazy: Pin<&L::Of<M, F>>)
where
    M: FnOnce() -> F,
    F: Future<Output = u64>,
{
    let value = poll(pin!(L::get(lazy)));
    assert_eq!(value.map(Got::got), Poll::Ready(VALUE));
}

pub(crate) fn wait_and_wake<L: Lazy>(crowd: Crowd) -> Cost {
    let gate = AtomicBool::new(false);
    let lazies = black_box(lazies::<L, _, _>(crowd.cells, || Gate(&gate)));
    meet::<L, _, _>(&lazies, crowd.waiters).wait_and_wake(&gate)
}

pub(crate) fn wait_and_cancel<L: Lazy>(crowd: Crowd, first: First) -> Cost {
    let gate = AtomicBool::new(false);
    let lazies = black_box(lazies::<L, _, _>(crowd.cells, || Gate(&gate)));
    meet::<L, _, _>(&lazies, crowd.waiters).wait_and_cancel(first)
}

/// Returns the bytes of a waiter: its future, and its share of the allocations for all.
pub(crate) fn bytes_of_waiter<L: Lazy>(waiters: usize) -> f64 {
    let gate = AtomicBool::new(false);
    let lazies = lazies::<L, _, _>(1, || Gate(&gate));
    meet::<L, _, _>(&lazies, waiters).bytes_each()
}

type Pinned<L, M, F> = Pin<Box<<L as Lazy>::Of<M, F>>>;

fn lazies<L: Lazy, M, F>(count: usize, make: M) -> Vec<Pinned<L, M, F>>
where
    M: FnOnce() -> F + Copy,
    F: Future<Output = u64>,
{
    std::iter::repeat_with(|| Box::pin(L::new(make)))
        .take(count)
        .collect()
}

fn meet<'a, L: Lazy, M, F>(lazies: &'a [Pinned<L, M, F>], waiters: usize) -> Meeting<impl Future<Output: Got>>
where
    M: FnOnce() -> F + 'a,
    F: Future<Output = u64> + 'a,
{
    Meeting::new(lazies, waiters, |lazy| L::get(lazy.as_ref()))
}
