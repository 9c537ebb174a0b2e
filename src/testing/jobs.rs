//! Futures with one task each, which are polled as by an executor: after each wake.

use core::{
    pin::Pin,
    task::{Context, Poll},
};
use std::{
    boxed::Box,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use super::{leak::leak, task::Task};

/// The number of polls after which a run counts as one that never ends.
const PATIENCE: usize = 10_000;

/// A future and its task.
pub(super) struct Job<F: Future> {
    future: Option<Pin<Box<F>>>,
    task: Arc<Task>,
    /// The wakes of the task when it polled last; `None` before the first poll.
    wakes_before: Option<usize>,
    output: Option<F::Output>,
}

impl<F: Future> Job<F> {
    pub(super) fn new(future: F) -> Self {
        Self {
            future: Some(Box::pin(future)),
            task: Task::new(),
            wakes_before: None,
            output: None,
        }
    }

    /// Creates a job that has been polled once.
    pub(super) fn started(future: F) -> Self {
        let mut job = Self::new(future);
        job.poll();
        job
    }

    pub(super) fn is_done(&self) -> bool {
        self.output.is_some()
    }

    pub(super) fn output(&self) -> Option<&F::Output> {
        self.output.as_ref()
    }

    pub(super) fn task(&self) -> &Task {
        &self.task
    }

    /// Polls the future, unless it has completed.
    pub(super) fn poll(&mut self) {
        let Some(future) = &mut self.future else { return };
        let waker = self.task.waker();
        self.wakes_before = Some(self.task.wakes());
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.future = None;
            self.output = Some(output);
        }
    }

    /// Drops the future.
    pub(super) fn abort(&mut self) {
        self.future = None;
    }

    /// Leaks the future.
    pub(super) fn leak(mut self) {
        if let Some(future) = self.future.take() {
            leak(future);
        }
    }

    /// Returns `true` if an executor would poll the job: it is new, or was woken since the last poll.
    pub(super) fn is_queued(&self) -> bool {
        self.future.is_some() && self.wakes_before.is_none_or(|before| self.task.wakes() > before)
    }
}

/// Polls every job that was woken, until no job is woken.
pub(super) fn run<F: Future>(jobs: &mut [Job<F>]) {
    let mut patience = PATIENCE;
    while patience > 0 && jobs.iter().any(Job::is_queued) {
        for job in jobs.iter_mut().filter(|job| job.is_queued()) {
            job.poll();
            patience = patience.saturating_sub(1);
        }
    }
}

/// Returns `Pending` once.
pub(super) async fn yield_now() {
    let mut has_pended = false;
    core::future::poll_fn(|cx| {
        if has_pended {
            return Poll::Ready(());
        }
        has_pended = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Returns `true` if `call` panics.
pub(super) fn panics<R>(call: impl FnOnce() -> R) -> bool {
    panic::catch_unwind(AssertUnwindSafe(call)).is_err()
}
