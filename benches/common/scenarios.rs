//! What both benches measure, written once for every crate.

use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use super::cells::InitCell;
use super::cost::Cost;
use super::lazies::Lazy;
use super::waiting::{Failed, Got, VALUE};

/// Polls a future where it lies: in memory that others might see, as in a task.
#[inline(always)]
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    black_box(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Makes a future whose value is there, polls it once, and drops it, in each call.
pub(crate) fn poll_ready<F: Future<Output: Got>>(calls: usize, get: impl Fn() -> F) -> Cost {
    Cost::of(calls, || {
        for _ in 0..calls {
            let value = pin!(get());
            assert_eq!(poll(value).map(Got::got), Poll::Ready(VALUE));
        }
    })
}

/// A new cell, its initialization by a closure that `closure` makes, and its drop.
pub(crate) fn init<C: InitCell, I, F>(calls: usize, closure: impl Fn() -> I) -> Cost
where
    I: FnOnce() -> F,
    F: Future<Output = u64>,
{
    Cost::of(calls, || {
        for _ in 0..calls {
            let cell = C::new();
            let init = pin!(C::get_or_init(black_box(&cell), closure()));
            assert_eq!(poll(init), Poll::Ready(&VALUE));
        }
    })
}

pub(crate) fn failed_init<C: InitCell>(calls: usize) -> Cost {
    let cell = C::new();
    let cell = black_box(&cell);
    Cost::of(calls, || {
        for _ in 0..calls {
            let init = pin!(C::get_or_try_init(cell, || ready(Err(Failed))));
            assert_eq!(poll(init), Poll::Ready(Err(Failed)));
        }
    })
}

/// A new lazy, its computation, and its drop.
pub(crate) fn lazy_init<L: Lazy>(calls: usize) -> Cost {
    Cost::of(calls, || {
        for _ in 0..calls {
            let lazy = pin!(L::new(|| ready(VALUE)));
            compute::<L, _, _>(black_box(lazy.as_ref()));
        }
    })
}

/// Gets the value of a lazy whose future is ready at its first poll.
#[inline(always)]
pub(crate) fn compute<L: Lazy, M: FnOnce() -> F, F: Future<Output = u64>>(lazy: Pin<&L::Of<M, F>>) {
    let value = poll(pin!(L::get(lazy)));
    assert_eq!(value.map(Got::got), Poll::Ready(VALUE));
}

pub(crate) fn lazy_get_ready<L: Lazy>(calls: usize) -> Cost {
    let lazy = pin!(L::new(|| ready(VALUE)));
    compute::<L, _, _>(lazy.as_ref());
    let lazy = black_box(lazy.as_ref());
    poll_ready(calls, || L::get(lazy))
}
