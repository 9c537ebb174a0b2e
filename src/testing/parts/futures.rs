//! Futures that the test completes, futures that yield or panic, and a future with a companion.

use core::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

/// A future that is ready once the test opens it. It wakes no task.
#[derive(Debug)]
pub(crate) struct Gate<T>(Arc<Mutex<Option<T>>>);

impl<T> Clone for Gate<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Gate<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    pub(crate) fn open(&self, output: T) {
        *self.0.lock().unwrap() = Some(output);
    }
}

impl<T> Future for Gate<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<T> {
        match self.0.lock().unwrap().take() {
            Some(output) => Poll::Ready(output),
            None => Poll::Pending,
        }
    }
}

/// An event that one future waits for. Counts the polls of the future, and keeps the waker of the last one.
#[derive(Default)]
pub(crate) struct Event {
    inner: Mutex<(bool, Option<Waker>)>,
    polls: AtomicUsize,
}

impl Event {
    pub(crate) const fn new() -> Self {
        Self {
            inner: Mutex::new((false, None)),
            polls: AtomicUsize::new(0),
        }
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.polls.fetch_add(1, SeqCst);
        // The waker is cloned and the older one dropped without the lock: either may panic.
        let newer = cx.waker().clone();
        let mut inner = self.inner.lock().unwrap();
        let _older = inner.1.replace(newer);
        let is_set = inner.0;
        drop(inner);
        if is_set { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(crate) async fn wait(&self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    pub(crate) fn polls(&self) -> usize {
        self.polls.load(SeqCst)
    }

    /// Returns a clone of the future's waker.
    pub(crate) fn waker(&self) -> Waker {
        self.inner.lock().unwrap().1.clone().unwrap()
    }

    /// Takes the future's waker, or returns `None` if there is none.
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        self.inner.lock().unwrap().1.take()
    }

    /// Lets the future finish when it is polled next.
    pub(crate) fn set(&self) {
        self.inner.lock().unwrap().0 = true;
    }

    /// Lets the future finish, and wakes it.
    pub(crate) fn set_and_wake(&self) {
        self.set();
        self.waker().wake();
    }
}

/// Wakes its task and returns `Pending`, once.
pub(crate) async fn yield_now() {
    let mut has_pended = false;
    poll_fn(|cx| {
        if has_pended {
            return Poll::Ready(());
        }
        has_pended = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A future that panics when it is polled.
#[derive(Debug)]
pub(crate) struct Panicking(pub(crate) &'static str);

impl Future for Panicking {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u32> {
        panic!("{}", self.0)
    }
}

/// A future with a companion, which is dropped with the future and not when the future completes.
pub(crate) struct With<F, D> {
    future: F,
    _companion: D,
}

impl<F: Future + Unpin, D> With<F, D> {
    pub(crate) fn new(future: F, companion: D) -> Self {
        Self {
            future,
            _companion: companion,
        }
    }
}

impl<F: Future + Unpin, D: Unpin> Future for With<F, D> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        Pin::new(&mut self.future).poll(cx)
    }
}
