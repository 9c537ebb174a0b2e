//! Futures that poll another one, and that stop or migrate.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use futures_lite::FutureExt;

use crate::{
    crews::{Crews, Job},
    initializer::PlannedPanic,
    random::Random,
    totals::TOTALS,
};

/// Polls so many times at most, called for or not, and drops the future.
pub(crate) async fn poll_times<F: Future>(future: F, times: u64) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = future.as_mut().poll(cx).map(Some);
        if polled.is_pending() {
            cx.waker().wake_by_ref();
        }
        polled
    })
    .await
}

/// The output, or nothing if the initializer panics as it was planned.
pub(crate) async fn catch_planned<F: Future>(future: F) -> Option<F::Output> {
    planned(AssertUnwindSafe(future).catch_unwind().await)
}

/// Catches a planned panic of a closure.
pub(crate) fn catch_planned_here<R>(call: impl FnOnce() -> R) -> Option<R> {
    planned(catch_unwind(AssertUnwindSafe(call)))
}

fn planned<R>(result: Result<R, Box<dyn Any + Send>>) -> Option<R> {
    match result {
        Ok(output) => Some(output),
        Err(payload) if PlannedPanic::is_in(&*payload) => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// A job that migrates from executor to executor while it waits.
pub(crate) struct Nomad {
    job: Option<Job>,
    random: Random,
    /// How often it is polled before it moves.
    stay: u64,
    crews: &'static Crews,
}

impl Nomad {
    pub(crate) fn new(job: Job, mut random: Random, crews: &'static Crews) -> Self {
        let stay = 1 + random.below(6);
        Self {
            job: Some(job),
            random,
            stay,
            crews,
        }
    }
}

impl Future for Nomad {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let job = self.job.as_mut().expect("it has not moved yet");
        if job.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        self.stay -= 1;
        if self.stay > 0 {
            return Poll::Pending;
        }
        // The wakers that it has left here are of no use from now on.
        TOTALS.moves_to_another_executor.add();
        let job = self.job.take().expect("it has not moved yet");
        let mut random = self.random.split();
        let crews = self.crews;
        crews.run_on_an_executor(Box::pin(Self::new(job, random.split(), crews)), &mut random);
        Poll::Ready(())
    }
}
