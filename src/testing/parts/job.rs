//! Futures with one task each, which are polled as by an executor: after each wake.

use core::{pin::Pin, task::Poll};
use std::{boxed::Box, sync::Arc};

use super::{leak, poll_with, task::Task};

/// The number of polls after which `run` gives up, because the jobs may wake each other forever.
const PATIENCE: usize = 10_000;

/// A future and its task.
pub(crate) struct Job<F: Future> {
    future: Option<Pin<Box<F>>>,
    task: Arc<Task>,
    /// The number of wakes of the task before it polled the future last, or `None` if it has not polled it.
    wakes_before: Option<usize>,
    output: Option<F::Output>,
}

impl<F: Future> Job<F> {
    pub(crate) fn new(future: F) -> Self {
        Self::with_task(future, Task::new())
    }

    pub(crate) fn with_task(future: F, task: Arc<Task>) -> Self {
        Self {
            future: Some(Box::pin(future)),
            task,
            wakes_before: None,
            output: None,
        }
    }

    /// Creates a job that has been polled once.
    pub(crate) fn started(future: F) -> Self {
        let mut job = Self::new(future);
        job.poll();
        job
    }

    pub(crate) fn is_done(&self) -> bool {
        self.output.is_some()
    }

    pub(crate) fn output(&self) -> Option<&F::Output> {
        self.output.as_ref()
    }

    pub(crate) fn task(&self) -> &Arc<Task> {
        &self.task
    }

    /// Lets another task poll the future from now on.
    pub(crate) fn move_to_another_task(&mut self) {
        self.move_to(Task::new());
    }

    /// Lets `task` poll the future from now on.
    pub(crate) fn move_to(&mut self, task: Arc<Task>) {
        self.task = task;
        self.wakes_before = None;
    }

    /// Polls the future, unless it has completed.
    pub(crate) fn poll(&mut self) {
        let Some(future) = &mut self.future else { return };
        let waker = self.task.executor_waker();
        self.wakes_before = Some(self.task.wakes());
        if let Poll::Ready(output) = poll_with(future, &waker) {
            self.future = None;
            self.output = Some(output);
        }
    }

    /// Drops the future.
    pub(crate) fn abort(&mut self) {
        self.future = None;
    }

    /// Leaks the future.
    pub(crate) fn leak(mut self) {
        if let Some(future) = self.future.take() {
            leak(future);
        }
    }

    /// Returns `true` if an executor would poll the job: it is new, or was woken since the last poll.
    pub(crate) fn is_queued(&self) -> bool {
        self.future.is_some() && self.wakes_before.is_none_or(|before| self.task.wakes() > before)
    }
}

/// Polls the jobs that are queued, until no job is queued.
pub(crate) fn run<F: Future>(jobs: &mut [Job<F>]) {
    let mut patience = PATIENCE;
    while patience > 0 && jobs.iter().any(Job::is_queued) {
        for job in jobs.iter_mut().filter(|job| job.is_queued()) {
            job.poll();
            patience = patience.saturating_sub(1);
        }
    }
}
