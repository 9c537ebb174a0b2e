//! Tasks as an executor holds them: each with a waker and a pinned future; and their initializers.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

/// The value that every initializer makes.
pub(crate) const VALUE: u64 = 7;

/// A boxed future, as in a task. Dropping the future keeps the box, whose cost is the executor's.
pub(crate) struct Boxed<F>(Pin<Box<Option<F>>>);

impl<F: Future> Boxed<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Box::pin(Some(future)))
    }

    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<F::Output> {
        let future = self.0.as_mut().as_pin_mut().expect("polled a dropped future");
        future.poll(&mut Context::from_waker(waker))
    }

    pub(crate) fn drop_future(&mut self) {
        self.0.set(None);
    }
}

/// A task that counts its wakes instead of running.
#[derive(Default)]
pub(crate) struct CountedTask {
    wakes: AtomicUsize,
}

impl CountedTask {
    /// `count` tasks, and a waker for each.
    pub(crate) fn crowd(count: usize) -> Vec<(Arc<Self>, Waker)> {
        let tasks = std::iter::repeat_with(Arc::<Self>::default).take(count);
        tasks.map(|task| (Arc::clone(&task), Waker::from(task))).collect()
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(Relaxed)
    }
}

impl Wake for CountedTask {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Relaxed);
    }
}

/// What an initializer yields.
type Made = Result<u64, Failed>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Failed;

/// An initializer of eight bytes that pends until its flag is set.
pub(crate) struct Gate<'a>(pub(crate) &'a AtomicBool);

impl Future for Gate<'_> {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        if self.0.load(Relaxed) {
            Poll::Ready(VALUE)
        } else {
            Poll::Pending
        }
    }
}

/// An initializer that could have failed.
pub(crate) struct Fallible<'a>(pub(crate) Gate<'a>);

impl Future for Fallible<'_> {
    type Output = Made;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Made> {
        Pin::new(&mut self.0).poll(cx).map(Ok)
    }
}

/// An initializer that pends once, to be polled again at once, and then fails.
#[derive(Default)]
pub(crate) struct PendThenFail {
    has_pended: bool,
}

impl Future for PendThenFail {
    type Output = Made;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Made> {
        if self.has_pended {
            return Poll::Ready(Err(Failed));
        }
        self.has_pended = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

thread_local! {
    /// The tasks that [`QueuedTask`]'s executor has to poll next, by their index.
    static RUN_QUEUE: RefCell<VecDeque<usize>> = const { RefCell::new(VecDeque::new()) };
}

/// A task of a plain executor for one thread: a wake queues it, unless it is queued already.
pub(crate) struct QueuedTask {
    index: usize,
    is_queued: AtomicBool,
}

impl QueuedTask {
    /// `count` tasks, and a waker for each.
    pub(crate) fn crowd(count: usize) -> Vec<(Arc<Self>, Waker)> {
        let tasks = (0..count).map(|index| {
            let is_queued = AtomicBool::new(false);
            Arc::new(Self { index, is_queued })
        });
        tasks.map(|task| (Arc::clone(&task), Waker::from(task))).collect()
    }

    /// Starts a future on each task and polls until none is queued; `on_output` gets every output.
    pub(crate) fn run<F: Future>(
        tasks: &[(Arc<Self>, Waker)],
        futures: &mut [Boxed<F>],
        mut on_output: impl FnMut(F::Output),
    ) {
        tasks.iter().for_each(|(_, waker)| waker.wake_by_ref());
        while let Some(index) = RUN_QUEUE.with_borrow_mut(VecDeque::pop_front) {
            let (task, waker) = &tasks[index];
            task.is_queued.store(false, Relaxed);
            if let Poll::Ready(output) = futures[index].poll(waker) {
                futures[index].drop_future();
                on_output(output);
            }
        }
    }
}

impl Wake for QueuedTask {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Relaxed) {
            RUN_QUEUE.with_borrow_mut(|queue| queue.push_back(self.index));
        }
    }
}
