//! What is measured, written once for every cell, and its limits: what cannot be left out.

use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use super::cell::{AsyncCell, Cell};
use super::meter::Cost;
use super::tasks::{Boxed, CountedTask, Failed, Gate, PendThenFail, QueuedTask, VALUE};

pub(crate) fn bytes_of_cell<C: Cell, T>() -> f64 {
    size_of::<C::Of<T>>() as f64
}

/// The size of the future that initializes, without its initializer. Fallible initialization is the
/// kinder comparison: to some of the crates, the other kind is a wrapper around it.
pub(crate) fn bytes_of_init_future<C: AsyncCell>() -> f64 {
    let gate = AtomicBool::new(false);
    let init = Gate(&gate);
    let bytes = size_of_val(&C::get_or_try_init(&C::new(), init));
    (bytes - size_of::<Gate<'_>>()) as f64
}

pub(crate) fn get_ready<C: Cell>(calls: usize) -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    Cost::of(calls, || {
        let sum = (0..calls)
            .map(|_| C::get(cell).copied().unwrap_or(0))
            .sum::<u64>();
        black_box(sum);
    })
}

/// Polls a future where it lies: in memory that others might see, as in a task.
#[inline(always)]
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    black_box(future).poll(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn get_or_init_ready<C: AsyncCell>(calls: usize) -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    Cost::of(calls, || {
        for _ in 0..calls {
            let value = pin!(C::get_or_init(cell, ready(0)));
            assert_eq!(poll(value), Poll::Ready(&VALUE));
        }
    })
}

/// The limit of [`get_or_init_ready`]: the poll itself.
pub(crate) fn ready_limit(calls: usize) -> Cost {
    let value = black_box(&VALUE);
    Cost::of(calls, || {
        for _ in 0..calls {
            assert_eq!(poll(pin!(ready(value))), Poll::Ready(&VALUE));
        }
    })
}

/// A new cell, its initialization, and its drop.
pub(crate) fn init<C: AsyncCell>(calls: usize) -> Cost {
    Cost::of(calls, || {
        for _ in 0..calls {
            let cell = C::new();
            let init = pin!(C::get_or_init(black_box(&cell), ready(VALUE)));
            assert_eq!(poll(init), Poll::Ready(&VALUE));
        }
    })
}

pub(crate) fn failed_init<C: AsyncCell>(calls: usize) -> Cost {
    let cell = C::new();
    let cell = black_box(&cell);
    Cost::of(calls, || {
        for _ in 0..calls {
            let init = pin!(C::get_or_try_init(cell, ready(Err(Failed))));
            assert_eq!(poll(init), Poll::Ready(Err(Failed)));
        }
    })
}

/// The limit of [`init`] and [`failed_init`]: to claim, and to publish.
pub(crate) fn init_limit(calls: usize) -> Cost {
    const UNINIT: usize = 0;
    const INITIALIZING: usize = 1;

    let state = AtomicUsize::new(UNINIT);
    let state = black_box(&state);
    let advance = |from, to| state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    Cost::of(calls, || {
        for _ in 0..calls {
            assert!(advance(UNINIT, INITIALIZING).is_ok());
            assert!(advance(INITIALIZING, UNINIT).is_ok());
        }
    })
}

/// How many cells, and how many tasks wait for each. Several cells make a few waiters measurable.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) cells: usize,
    pub(crate) waiters: usize,
}

impl Crowd {
    /// All waiters of all cells.
    pub(crate) fn total(self) -> usize {
        self.cells * self.waiters
    }
}

/// The first polls of the waiters, the initializer's completion, the last polls of the waiters.
pub(crate) fn wait_and_wake<C: AsyncCell>(crowd: Crowd) -> Cost {
    let gate = AtomicBool::new(false);
    let tasks = CountedTask::crowd(crowd.waiters);
    let cells = black_box(cells::<C>(crowd));
    let mut initializers = initializers::<C>(&cells, &gate);
    let mut waiters = waiters::<C>(&cells, crowd, &gate);

    gate.store(true, Ordering::Relaxed);
    let cost = Cost::of(crowd.total(), || {
        for (initializer, waiters) in initializers.iter_mut().zip(waiters.chunks_mut(crowd.waiters)) {
            for (waiter, (_, waker)) in waiters.iter_mut().zip(&tasks) {
                assert!(waiter.poll(waker).is_pending());
            }
            assert_eq!(initializer.poll(Waker::noop()), Poll::Ready(Ok(&VALUE)));
            for (waiter, (_, waker)) in waiters.iter_mut().zip(&tasks) {
                assert_eq!(waiter.poll(waker), Poll::Ready(Ok(&VALUE)));
            }
        }
    });

    assert!(tasks.iter().all(|(task, _)| task.wakes() == crowd.cells));
    cost
}

/// The limit of [`wait_and_wake`]: a waker is cloned, and woken.
pub(crate) fn wake_limit(crowd: Crowd) -> Cost {
    clone_wakers(crowd, Waker::wake)
}

/// Which of a cell's waiters gives up first.
#[derive(Clone, Copy)]
pub(crate) enum First {
    Oldest,
    Newest,
}

/// The first polls of the waiters, and their drops.
pub(crate) fn wait_and_cancel<C: AsyncCell>(crowd: Crowd, first: First) -> Cost {
    let gate = AtomicBool::new(false);
    let tasks = CountedTask::crowd(crowd.waiters);
    let cells = black_box(cells::<C>(crowd));
    let _initializers = initializers::<C>(&cells, &gate);
    let mut waiters = waiters::<C>(&cells, crowd, &gate);

    Cost::of(crowd.total(), || {
        for waiters in waiters.chunks_mut(crowd.waiters) {
            for (waiter, (_, waker)) in waiters.iter_mut().zip(&tasks) {
                assert!(waiter.poll(waker).is_pending());
            }
            match first {
                First::Oldest => waiters.iter_mut().for_each(Boxed::drop_future),
                First::Newest => waiters.iter_mut().rev().for_each(Boxed::drop_future),
            }
        }
    })
}

/// The limit of [`wait_and_cancel`]: a waker is cloned, and dropped.
pub(crate) fn cancel_limit(crowd: Crowd) -> Cost {
    clone_wakers(crowd, drop)
}

fn cells<C: AsyncCell>(crowd: Crowd) -> Vec<C::Of<u64>> {
    std::iter::repeat_with(C::new).take(crowd.cells).collect()
}

/// For each cell an initializer that has claimed it, and pends.
fn initializers<'a, C: AsyncCell>(
    cells: &'a [C::Of<u64>],
    gate: &'a AtomicBool,
) -> Vec<Boxed<impl Future<Output = Result<&'a u64, Failed>>>> {
    let one_each = Crowd {
        cells: cells.len(),
        waiters: 1,
    };
    let mut initializers = waiters::<C>(cells, one_each, gate);
    for initializer in &mut initializers {
        assert!(initializer.poll(Waker::noop()).is_pending());
    }
    initializers
}

/// The futures of every cell's waiters, not yet polled, one cell after the other.
fn waiters<'a, C: AsyncCell>(
    cells: &'a [C::Of<u64>],
    crowd: Crowd,
    gate: &'a AtomicBool,
) -> Vec<Boxed<impl Future<Output = Result<&'a u64, Failed>>>> {
    let each = |cell| (0..crowd.waiters).map(move |_| Boxed::new(C::get_or_try_init(cell, Gate(gate))));
    cells.iter().flat_map(each).collect()
}

/// Keeps a clone of every waker, and ends each in its turn.
fn clone_wakers(crowd: Crowd, end: fn(Waker)) -> Cost {
    let tasks = CountedTask::crowd(crowd.waiters);
    let mut clones = Vec::from_iter(std::iter::repeat_n(None, crowd.waiters));
    Cost::of(crowd.total(), || {
        for _ in 0..crowd.cells {
            for (clone, (_, waker)) in clones.iter_mut().zip(&tasks) {
                *clone = Some(waker.clone());
            }
            black_box(&mut clones)
                .iter_mut()
                .filter_map(Option::take)
                .for_each(end);
        }
    })
}

/// Tasks on one thread, all wanting the same cell, all with an initializer that pends and fails.
pub(crate) fn failing_tasks<C: AsyncCell>(count: usize) -> Cost {
    let tasks = QueuedTask::crowd(count);
    let cell = C::new();
    let cell = black_box(&cell);
    let future = || Boxed::new(C::get_or_try_init(cell, PendThenFail::default()));
    let mut futures: Vec<_> = std::iter::repeat_with(future).take(count).collect();

    let mut failures = 0;
    let cost = Cost::of(count, || {
        QueuedTask::run(&tasks, &mut futures, |output| {
            failures += usize::from(output.is_err())
        });
    });

    assert_eq!(failures, count);
    cost
}
