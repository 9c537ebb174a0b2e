//! A thread that wakes tasks after a while.

use std::{
    future::poll_fn,
    mem,
    sync::{Condvar, Mutex},
    task::{Poll, Waker},
    thread,
};

use crate::{random::Random, totals::TOTALS};

/// The wakers that have been handed in.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    wakers: Mutex<Vec<Waker>>,
    rings: Condvar,
}

impl Clock {
    /// Wakes the registered tasks in any order, and some of them again much later.
    pub(crate) fn run(&self) -> ! {
        let mut random = Random::new(0);
        let mut late: Vec<Waker> = Vec::new();
        loop {
            let mut wakers = self.handed_in();
            wakers.append(&mut late);
            while !wakers.is_empty() {
                let waker = wakers.swap_remove(random.below(wakers.len() as u64) as usize);
                waker.wake_by_ref();
                TOTALS.wakes_by_the_clock.add();
                match random.below(8) {
                    0 => late.push(waker),
                    1 => thread::yield_now(),
                    _ => (),
                }
            }
        }
    }

    /// Waits until there are wakers, and takes all of them.
    fn handed_in(&self) -> Vec<Waker> {
        let mut wakers = self
            .wakers
            .lock()
            .expect("no thread panics while it holds the lock");
        while wakers.is_empty() {
            wakers = self
                .rings
                .wait(wakers)
                .expect("no thread panics while it holds the lock");
        }
        mem::take(&mut *wakers)
    }

    /// Sleeps until the clock wakes the task, or another waker does.
    pub(crate) async fn nap(&self) {
        let mut is_asleep = false;
        poll_fn(|cx| {
            if is_asleep {
                return Poll::Ready(());
            }
            is_asleep = true;
            (self
                .wakers
                .lock()
                .expect("no thread panics while it holds the lock"))
            .push(cx.waker().clone());
            self.rings.notify_one();
            Poll::Pending
        })
        .await;
    }
}
