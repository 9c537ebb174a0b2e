//! What only this bench measures, and the floors: the operations that no implementation can avoid.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, ready};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use oncelot::OnceCell;
use oncelot::backend::Backend;

use crate::common::cells::{Cell, InitCell};
use crate::common::cost::Cost;
use crate::common::lazies::Lazy;
use crate::common::scenarios::{init, poll_ready};
use crate::common::waiting::*;

/// Calls in one sample: some ten microseconds of the shortest.
pub(crate) const CALLS: usize = 20_000;

pub(crate) fn get_ready<C: Cell>() -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    Cost::of(CALLS, || {
        let values = (0..CALLS).map(|_| C::get(cell).copied().unwrap_or(0));
        black_box(values.sum::<u64>());
    })
}

pub(crate) fn get_or_init_ready<C: InitCell>() -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    poll_ready(CALLS, || C::get_or_init(cell, capturing(ready(0))))
}

pub(crate) fn init_uncontended<C: InitCell>() -> Cost {
    init::<C, _, _>(CALLS, || capturing(ready(VALUE)))
}

/// Returns a closure that captures what it returns. Its type is the same in both scenarios, so that each crate's `poll` has
/// two callers: whether it is inlined into a single one doubles or halves the time of some of the crates.
fn capturing<F>(future: F) -> impl FnOnce() -> F {
    move || future
}

/// The floor of [`get_or_init_ready`]: the poll itself.
pub(crate) fn ready_floor() -> Cost {
    let value = black_box(&VALUE);
    poll_ready(CALLS, || ready(value))
}

/// The floor of an initialization: to claim, and to publish.
pub(crate) fn init_floor() -> Cost {
    const UNINIT: usize = 0;
    const INITIALIZING: usize = 1;

    let state = AtomicUsize::new(UNINIT);
    let state = black_box(&state);
    let advance = |from, to| state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    Cost::of(CALLS, || {
        for _ in 0..CALLS {
            assert!(advance(UNINIT, INITIALIZING).is_ok());
            assert!(advance(INITIALIZING, UNINIT).is_ok());
        }
    })
}

/// What the tasks that wait for a cell do.
#[derive(Clone, Copy)]
pub(crate) enum Scenario {
    /// Their first polls, the end of the initialization, and their last polls.
    Wake,
    /// Their first polls, and their drops.
    CancelOldestFirst,
    CancelNewestFirst,
}

impl Scenario {
    /// Measures cells for each of which `waiters` tasks wait.
    pub(crate) fn of_cells<C: InitCell>(self, waiters: usize) -> Cost {
        let flag = AtomicBool::new(false);
        let get = |cell| C::get_or_try_init(cell, || fallible_gate(&flag));
        self.measure(&several(waiters, C::new), waiters, &flag, get)
    }

    pub(crate) fn of_lazies<L: Lazy>(self, waiters: usize) -> Cost {
        let flag = AtomicBool::new(false);
        let lazies = several(waiters, || Box::pin(L::new(|| gate(&flag))));
        self.measure(&lazies, waiters, &flag, |lazy| L::get(lazy.as_ref()))
    }

    /// `get` makes the future of a task that gets the value of a cell. `flag` belongs to the gates of the
    /// initializers.
    fn measure<'a, T, F: Future<Output: Got>>(
        self,
        cells: &'a [T],
        waiters: usize,
        flag: &AtomicBool,
        get: impl Fn(&'a T) -> F,
    ) -> Cost {
        let meetings = cells.iter().map(|cell| Meeting::new(waiters, || get(cell)));
        let mut meetings: Vec<_> = meetings.collect();
        let cost = Cost::of(cells.len() * waiters, || {
            for Meeting { initializing, crowd } in &mut meetings {
                // Some peers have every waiter look at it.
                flag.store(false, Ordering::Relaxed);
                crowd.poll_first();
                match self {
                    Self::Wake => {
                        publish(initializing, flag);
                        crowd.poll_last();
                    }
                    Self::CancelOldestFirst => crowd.drop_oldest_first(),
                    Self::CancelNewestFirst => crowd.drop_newest_first(),
                }
            }
        });
        let expected = usize::from(matches!(self, Self::Wake));
        let mut wakes = meetings.iter().flat_map(|meeting| meeting.crowd.wakes());
        assert!(wakes.all(|wakes| wakes == expected));
        cost
    }

    /// Measures the floor: a waker is cloned, and then woken or dropped.
    pub(crate) fn floor(self, waiters: usize) -> Cost {
        let tasks = several(waiters, || Task::crowd(waiters)).concat();
        let mut clones = Vec::from_iter(std::iter::repeat_n(None, tasks.len()));
        let end = match self {
            Self::Wake => Waker::wake,
            Self::CancelOldestFirst | Self::CancelNewestFirst => drop,
        };
        Cost::of(tasks.len(), || {
            for (clone, (_, waker)) in clones.iter_mut().zip(&tasks) {
                *clone = Some(waker.clone());
            }
            let clones = black_box(&mut clones).iter_mut();
            clones.filter_map(Option::take).for_each(end);
        })
    }
}

/// Returns enough cells that all of their waiters together take a measurable time.
fn several<T>(waiters: usize, new: impl FnMut() -> T) -> Vec<T> {
    let cells = 256_usize.div_ceil(waiters);
    black_box(std::iter::repeat_with(new).take(cells).collect())
}

thread_local! {
    /// The tasks to poll next, by their index.
    static RUN_QUEUE: RefCell<VecDeque<usize>> = const { RefCell::new(VecDeque::new()) };
}

/// A task of a plain executor for one thread: a wake queues it, unless it is queued already. The executors of crates take
/// longer for a poll than some of the cells.
struct QueuedTask {
    index: usize,
    is_queued: AtomicBool,
}

impl Wake for QueuedTask {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            RUN_QUEUE.with_borrow_mut(|queue| queue.push_back(self.index));
        }
    }
}

/// Runs tasks on one thread that all initialize one cell, with initializers that pend once and then fail.
pub(crate) fn failing_tasks<C: InitCell>() -> Cost {
    let cell = C::new();
    let cell = black_box(&cell);
    run_failing_tasks(|| C::get_or_try_init(cell, pend_then_fail))
}

/// Runs [`failing_tasks`] by `get_or_try_init_shared`, which no peer has.
pub(crate) fn failing_shared_tasks<B: Backend>(cell: &OnceCell<u64, B>) -> Cost {
    let cell = black_box(cell);
    run_failing_tasks(|| cell.get_or_try_init_shared(pend_then_fail))
}

fn run_failing_tasks<F: Future<Output = Result<T, E>>, T, E>(get: impl Fn() -> F) -> Cost {
    const TASKS: usize = 1_000;
    let task = |index| {
        let is_queued = AtomicBool::new(false);
        let task = Arc::new(QueuedTask { index, is_queued });
        (Arc::clone(&task), Waker::from(task), Box::pin(Some(get())))
    };
    let mut tasks = Vec::from_iter((0..TASKS).map(task));
    let mut failed = 0;
    let cost = Cost::of(TASKS, || {
        tasks.iter().for_each(|(_, waker, _)| waker.wake_by_ref());
        while let Some(index) = RUN_QUEUE.with_borrow_mut(VecDeque::pop_front) {
            let (task, waker, future) = &mut tasks[index];
            task.is_queued.store(false, Ordering::Relaxed);
            if let Poll::Ready(output) = poll_slot(future.as_mut(), waker) {
                future.set(None);
                failed += usize::from(output.is_err());
            }
        }
    });
    assert_eq!(failed, TASKS);
    cost
}
