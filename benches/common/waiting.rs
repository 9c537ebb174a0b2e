//! Tasks that wait for one value, and the initializers that they wait for.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use super::cost::Cost;

/// The value that every initializer makes.
pub(crate) const VALUE: u64 = 7;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Failed;

/// Returns an initializer of eight bytes that pends until the flag is set.
pub(crate) fn gate(flag: &AtomicBool) -> impl Future<Output = u64> {
    poll_fn(move |_| poll_flag(flag, VALUE))
}

/// Returns an initializer like [`gate`] that could have failed.
pub(crate) fn fallible_gate(flag: &AtomicBool) -> impl Future<Output = Result<u64, Failed>> {
    poll_fn(move |_| poll_flag(flag, Ok(VALUE)))
}

fn poll_flag<T>(flag: &AtomicBool, value: T) -> Poll<T> {
    if flag.load(Relaxed) {
        Poll::Ready(value)
    } else {
        Poll::Pending
    }
}

/// Returns an initializer that pends once, to be polled again at once, and then fails.
pub(crate) fn pend_then_fail() -> impl Future<Output = Result<u64, Failed>> {
    let mut has_pended = false;
    poll_fn(move |cx| {
        if has_pended {
            return Poll::Ready(Err(Failed));
        }
        has_pended = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
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

/// A task that counts its wakes instead of running.
#[derive(Default)]
pub(crate) struct Task {
    wakes: AtomicUsize,
}

impl Task {
    /// Returns `count` tasks, and a waker for each.
    pub(crate) fn crowd(count: usize) -> Vec<(Arc<Self>, Waker)> {
        let tasks = std::iter::repeat_with(Arc::<Self>::default).take(count);
        tasks.map(|task| (Arc::clone(&task), Waker::from(task))).collect()
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Relaxed);
    }
}

/// Tasks that wait for one value, each with a waker of its own.
pub(crate) struct Crowd<F> {
    tasks: Vec<(Arc<Task>, Waker)>,
    /// Next to each other in memory: a box for each would add to what a poll and a drop cost.
    futures: Pin<Box<[Option<F>]>>,
}

/// What is measured of a crowd.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// The first poll of every waiter.
    Register,
    /// The operation of another task that wakes the waiters.
    Wake,
    /// The last poll of every waiter, and the drop of its future.
    Complete,
    /// The drop of every waiter's future, the oldest first.
    Cancel,
}

// The loops are not inlined. Otherwise they are copied into several callers, and what they poll is not inlined into any
// of the copies.
impl<F: Future<Output: Got>> Crowd<F> {
    pub(crate) fn new(waiters: usize, future: impl Fn() -> F) -> Self {
        let future = || Some(future());
        Self {
            tasks: Task::crowd(waiters),
            futures: Box::into_pin(std::iter::repeat_with(future).take(waiters).collect()),
        }
    }

    #[inline(never)]
    pub(crate) fn poll_first(&mut self) {
        for (slot, (_, waker)) in slots(&mut self.futures).zip(&self.tasks) {
            assert!(poll_slot(slot, waker).is_pending());
        }
    }

    #[inline(never)]
    pub(crate) fn poll_last(&mut self) {
        for (mut slot, (_, waker)) in slots(&mut self.futures).zip(&self.tasks) {
            let value = poll_slot(slot.as_mut(), waker).map(Got::got);
            assert_eq!(value, Poll::Ready(VALUE));
            slot.set(None);
        }
    }

    #[inline(never)]
    pub(crate) fn drop_oldest_first(&mut self) {
        slots(&mut self.futures).for_each(|mut slot| slot.set(None));
    }

    #[inline(never)]
    pub(crate) fn drop_newest_first(&mut self) {
        slots(&mut self.futures).rev().for_each(|mut slot| slot.set(None));
    }

    /// Measures a step. `wake` is the operation of another task that wakes the waiters, each of them `wakes` times.
    pub(crate) fn measure(mut self, step: Step, wakes: usize, wake: impl FnOnce()) -> Cost {
        let waiters = self.tasks.len();
        if !matches!(step, Step::Register) {
            self.poll_first();
        }
        match step {
            Step::Register => Cost::of(waiters, || self.poll_first()),
            Step::Wake => {
                let mut cost = Cost::of(waiters, wake);
                cost.woken = self.wakes().sum::<usize>() as f64;
                cost
            }
            Step::Complete => {
                wake();
                let cost = Cost::of(waiters, || self.poll_last());
                assert!(self.wakes().all(|of_task| of_task == wakes));
                cost
            }
            Step::Cancel => Cost::of(waiters, || self.drop_oldest_first()),
        }
    }

    /// Returns how many times each task has been woken.
    pub(crate) fn wakes(&self) -> impl Iterator<Item = usize> {
        self.tasks.iter().map(|(task, _)| task.wakes.load(Relaxed))
    }
}

fn slots<F>(futures: &mut Pin<Box<[Option<F>]>>) -> impl DoubleEndedIterator<Item = Pin<&mut Option<F>>> {
    // SAFETY: no future is moved out of the slice.
    let futures = unsafe { futures.as_mut().get_unchecked_mut() };
    // SAFETY: the slice is pinned, so its elements are.
    futures.iter_mut().map(|slot| unsafe { Pin::new_unchecked(slot) })
}

#[inline(always)]
pub(crate) fn poll_slot<F: Future>(slot: Pin<&mut Option<F>>, waker: &Waker) -> Poll<F::Output> {
    let future = slot.as_pin_mut().expect("the future was not dropped");
    future.poll(&mut Context::from_waker(waker))
}

/// A task whose initializer pends, and tasks that wait for it.
pub(crate) struct Meeting<F> {
    pub(crate) initializing: Pin<Box<Option<F>>>,
    pub(crate) crowd: Crowd<F>,
}

impl<F: Future<Output: Got>> Meeting<F> {
    /// `future` makes the future of a waiter, which initializes if it is polled first.
    pub(crate) fn new(waiters: usize, future: impl Fn() -> F) -> Self {
        let mut initializing = Box::pin(Some(future()));
        assert!(poll_slot(initializing.as_mut(), Waker::noop()).is_pending());
        Self {
            initializing,
            crowd: Crowd::new(waiters, future),
        }
    }

    /// Measures a step of the crowd. `flag` belongs to the gate of the initializer.
    pub(crate) fn measure(mut self, step: Step, wakes: usize, flag: &AtomicBool) -> Cost {
        self.crowd
            .measure(step, wakes, || publish(&mut self.initializing, flag))
    }
}

/// Opens the gate of an initializer, and polls the future that runs it.
pub(crate) fn publish<F: Future<Output: Got>>(initializing: &mut Pin<Box<Option<F>>>, flag: &AtomicBool) {
    flag.store(true, Relaxed);
    let value = poll_slot(initializing.as_mut(), Waker::noop()).map(Got::got);
    assert_eq!(value, Poll::Ready(VALUE));
}
