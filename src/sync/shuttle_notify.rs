//! Sleep for the threads of shuttle's models.

use core::{
    future::poll_fn,
    mem,
    task::{Poll, Waker},
};
use std::sync::{Mutex, MutexGuard};

use shuttle::future::block_on;

/// Lets one thread sleep until another thread wakes it. Waking is not a scheduling point, because the waking thread may hold a
/// lock that shuttle does not instrument.
#[derive(Default)]
pub(crate) struct Notify(Mutex<Sleep>);

#[derive(Default)]
struct Sleep {
    is_notified: bool,
    waker: Option<Waker>,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Sleeps until it is notified, or has been since it last slept.
    pub(crate) fn wait(&self) {
        block_on(poll_fn(|cx| {
            let mut sleep = self.sleep();
            if mem::take(&mut sleep.is_notified) {
                return Poll::Ready(());
            }
            sleep.waker = Some(cx.waker().clone());
            Poll::Pending
        }));
    }

    pub(crate) fn notify(&self) {
        let mut sleep = self.sleep();
        sleep.is_notified = true;
        if let Some(waker) = sleep.waker.take() {
            waker.wake();
        }
    }

    fn sleep(&self) -> MutexGuard<'_, Sleep> {
        self.0.lock().expect("no thread panics while it holds the lock")
    }
}
