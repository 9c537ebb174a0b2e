//! The measured scenarios, written once for every contender, and their limits: the operations that no implementation
//! can avoid.

use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use super::cell::{AsyncCell, Cell};
use super::meter::Cost;
use super::tasks::{Boxed, CountedTask, Failed, Fallible, Gate, PendThenFail, QueuedTask, VALUE};

/// Calls in one sample: some ten microseconds of the shortest.
pub(crate) const CALLS: usize = 20_000;

pub(crate) fn bytes_of_cell<C: Cell, T>() -> f64 {
    size_of::<C::Of<T>>() as f64
}

/// The size of the future that initializes, without its initializer. Fallible initialization is the
/// kinder comparison: to some of the crates, the other kind is a wrapper around it.
pub(crate) fn bytes_of_init_future<C: AsyncCell>() -> f64 {
    let gate = AtomicBool::new(false);
    let init = Fallible(Gate(&gate));
    let bytes = size_of_val(&C::get_or_try_init(&C::new(), init));
    (bytes - size_of::<Gate<'_>>()) as f64
}

pub(crate) fn get_ready<C: Cell>(calls: usize) -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    look(calls, || C::get(cell))
}

/// Looks at a value that is there.
pub(crate) fn look<'a>(calls: usize, get: impl Fn() -> Option<&'a u64>) -> Cost {
    Cost::of(calls, || {
        let sum = (0..calls).map(|_| get().copied().unwrap_or(0)).sum::<u64>();
        black_box(sum);
    })
}

/// Polls a future where it lies: in memory that others might see, as in a task.
#[inline(always)]
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    black_box(future).poll(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn get_or_init_ready<C: AsyncCell>(calls: usize) -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    poll_ready(calls, || C::get_or_init(cell, ready(0)))
}

/// Makes a future, polls it once, as its value is there, and drops it.
pub(crate) fn poll_ready<F: Future<Output: Got>>(calls: usize, get: impl Fn() -> F) -> Cost {
    Cost::of(calls, || {
        for _ in 0..calls {
            let value = pin!(get());
            assert_eq!(poll(value).map(Got::got), Poll::Ready(VALUE));
        }
    })
}

/// The floor of [`get_or_init_ready`]: the poll itself.
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

/// The floor of [`init`] and [`failed_init`]: to claim, and to publish.
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
    pub(crate) const EIGHT: Self = Self {
        cells: 32,
        waiters: 8,
    };
    pub(crate) const HUNDRED: Self = Self {
        cells: 3,
        waiters: 100,
    };
    pub(crate) const TEN_THOUSAND: Self = Self {
        cells: 1,
        waiters: 10_000,
    };

    /// Returns the numbers for a count: one cell with `waiters` waiters.
    pub(crate) const fn of_one_cell(waiters: usize) -> Self {
        Self { cells: 1, waiters }
    }

    /// All waiters of all cells.
    pub(crate) fn total(self) -> usize {
        self.cells * self.waiters
    }
}

/// What the future of a waiter yields.
pub(crate) trait Got {
    fn got(self) -> u64;
}

impl Got for u64 {
    fn got(self) -> u64 {
        self
    }
}

impl Got for &u64 {
    fn got(self) -> u64 {
        *self
    }
}

impl Got for Pin<&u64> {
    fn got(self) -> u64 {
        *self
    }
}

impl<G: Got> Got for Result<G, Failed> {
    fn got(self) -> u64 {
        self.map_or(0, G::got)
    }
}

/// For each cell, a driver whose initializer is pending, and waiters that have not been polled.
pub(crate) struct Meeting<F> {
    crowd: Crowd,
    tasks: Vec<(Arc<CountedTask>, Waker)>,
    drivers: Vec<Boxed<F>>,
    /// One cell's after the other's.
    waiters: Vec<Boxed<F>>,
}

impl<F: Future<Output: Got>> Meeting<F> {
    /// `get` makes the future of a waiter, which drives if it is the first.
    pub(crate) fn new<'a, C>(cells: &'a [C], waiters: usize, get: impl Fn(&'a C) -> F) -> Self {
        let mut drivers: Vec<_> = cells.iter().map(|cell| Boxed::new(get(cell))).collect();
        for driver in &mut drivers {
            assert!(driver.poll(Waker::noop()).is_pending());
        }
        let each = |cell| (0..waiters).map(move |_| cell);
        Self {
            crowd: Crowd {
                cells: cells.len(),
                waiters,
            },
            tasks: CountedTask::crowd(waiters),
            drivers,
            waiters: cells
                .iter()
                .flat_map(each)
                .map(|cell| Boxed::new(get(cell)))
                .collect(),
        }
    }

    /// The first polls of the waiters, the driver's completion, the last polls of the waiters.
    pub(crate) fn wait_and_wake(mut self, gate: &AtomicBool) -> Cost {
        let cost = Cost::of(self.crowd.total(), || {
            let waiters = self.waiters.chunks_mut(self.crowd.waiters);
            for (driver, waiters) in self.drivers.iter_mut().zip(waiters) {
                // Some peers have every waiter look at it.
                gate.store(false, Ordering::Relaxed);
                for (waiter, (_, waker)) in waiters.iter_mut().zip(&self.tasks) {
                    assert!(waiter.poll(waker).is_pending());
                }
                gate.store(true, Ordering::Relaxed);
                assert_eq!(driver.poll(Waker::noop()).map(Got::got), Poll::Ready(VALUE));
                for (waiter, (_, waker)) in waiters.iter_mut().zip(&self.tasks) {
                    assert_eq!(waiter.poll(waker).map(Got::got), Poll::Ready(VALUE));
                }
            }
        });
        assert!(
            self.tasks
                .iter()
                .all(|(task, _)| task.wakes() == self.crowd.cells)
        );
        cost
    }

    /// The first polls of the waiters, and their drops.
    pub(crate) fn wait_and_cancel(mut self, first: First) -> Cost {
        Cost::of(self.crowd.total(), || {
            for waiters in self.waiters.chunks_mut(self.crowd.waiters) {
                for (waiter, (_, waker)) in waiters.iter_mut().zip(&self.tasks) {
                    assert!(waiter.poll(waker).is_pending());
                }
                match first {
                    First::Oldest => waiters.iter_mut().for_each(Boxed::drop_future),
                    First::Newest => waiters.iter_mut().rev().for_each(Boxed::drop_future),
                }
            }
        })
    }

    /// Returns the bytes of one waiter: its future, and its share of the allocations for all.
    pub(crate) fn bytes_each(mut self) -> f64 {
        let total = self.crowd.total();
        let cost = Cost::of(total, || {
            for waiters in self.waiters.chunks_mut(self.crowd.waiters) {
                for (waiter, (_, waker)) in waiters.iter_mut().zip(&self.tasks) {
                    assert!(waiter.poll(waker).is_pending());
                }
            }
        });
        size_of::<F>() as f64 + cost.bytes_kept() / total as f64
    }
}

fn meet<'a, C: AsyncCell>(
    cells: &'a [C::Of<u64>],
    waiters: usize,
    gate: &'a AtomicBool,
) -> Meeting<impl Future<Output: Got>> {
    Meeting::new(cells, waiters, move |cell| {
        C::get_or_try_init(cell, Fallible(Gate(gate)))
    })
}

pub(crate) fn wait_and_wake<C: AsyncCell>(crowd: Crowd) -> Cost {
    let gate = AtomicBool::new(false);
    let cells = black_box(cells::<C>(crowd));
    meet::<C>(&cells, crowd.waiters, &gate).wait_and_wake(&gate)
}

/// The floor of [`wait_and_wake`]: a waker is cloned, and woken.
pub(crate) fn wake_limit(crowd: Crowd) -> Cost {
    clone_wakers(crowd, Waker::wake)
}

/// Which of a cell's waiters gives up first.
#[derive(Clone, Copy)]
pub(crate) enum First {
    Oldest,
    Newest,
}

pub(crate) fn wait_and_cancel<C: AsyncCell>(crowd: Crowd, first: First) -> Cost {
    let gate = AtomicBool::new(false);
    let cells = black_box(cells::<C>(crowd));
    meet::<C>(&cells, crowd.waiters, &gate).wait_and_cancel(first)
}

/// The floor of [`wait_and_cancel`]: a waker is cloned, and dropped.
pub(crate) fn cancel_limit(crowd: Crowd) -> Cost {
    clone_wakers(crowd, drop)
}

fn cells<C: AsyncCell>(crowd: Crowd) -> Vec<C::Of<u64>> {
    std::iter::repeat_with(C::new).take(crowd.cells).collect()
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
    let cell = C::new();
    let cell = black_box(&cell);
    run_failing_tasks(count, || C::get_or_try_init(cell, PendThenFail::default()))
}

/// As [`failing_tasks`], where `get` returns the future of a task.
pub(crate) fn run_failing_tasks<F, T, E>(count: usize, get: impl Fn() -> F) -> Cost
where
    F: Future<Output = Result<T, E>>,
{
    let tasks = QueuedTask::crowd(count);
    let future = || Boxed::new(get());
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
