//! Futures with a waker of their own, which any waiter may poll: those of a `BoxLazy` and of a `lazy!` static.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    thread,
};

use futures_lite::future::{block_on, yield_now};

use crate::{
    kinds::{AnyLazy, self_waking_kinds},
    util::{BoxFuture, Op, Task, leaked, now, panic_of, poll, poll_with},
};

/// With a `Lazy`, the other waiter would never get the value: the waiter that is held would keep the claim.
#[test]
fn a_waiter_that_is_held_without_being_polled_blocks_no_other() {
    let calls: &[fn(&dyn AnyLazy<u32>) -> u32] = &[
        |lazy| *block_on(lazy.get()),
        #[cfg(feature = "blocking")]
        |lazy| *lazy.get_blocking(),
    ];
    for (kind, call) in self_waking_kinds().flat_map(|kind| calls.iter().map(move |call| (kind, call))) {
        let (event, lazy) = kind.after_event();
        let mut held = lazy.get();
        assert!(poll(&mut held).is_pending());
        thread::scope(|scope| {
            let other = scope.spawn(|| call(&*lazy));
            event.set_and_wake();
            assert_eq!(other.join().unwrap(), 1);
        });
        assert_eq!(event.polls(), 2);
        drop(held);
    }
}

#[test]
fn the_futures_own_waker_wakes_a_hundred_waiters() {
    for kind in self_waking_kinds() {
        let (event, lazy) = kind.after_event();
        let tasks: Vec<_> = (0..100).map(|_| Task::new()).collect();
        let mut gets: Vec<_> = tasks.iter().map(|_| lazy.get()).collect();
        for (get, task) in gets.iter_mut().zip(&tasks) {
            assert!(poll_with(get, &task.waker()).is_pending());
        }
        assert_eq!(event.polls(), 1);
        event.set_and_wake();
        assert!(tasks.iter().all(|task| task.wakes() == 1));
        // The waiter that is polled first polls the future, even if another waiter that was woken is cancelled.
        drop(gets.remove(0));
        assert_eq!(poll(&mut gets[50]), Poll::Ready(&1));
        assert_eq!(event.polls(), 2);
        drop(gets.remove(50));
        assert!(gets.iter_mut().all(|get| poll(get).is_ready()));
        assert!(tasks.iter().all(|task| task.wakers() == 0), "a waker is left");
    }
}

#[test]
fn a_spurious_poll_does_not_poll_the_future() {
    for kind in self_waking_kinds() {
        let (event, lazy) = kind.after_event();
        let mut get = lazy.get();
        for _ in 0..3 {
            assert!(poll(&mut get).is_pending());
        }
        event.set();
        assert!(poll(&mut lazy.get()).is_pending());
        assert_eq!(event.polls(), 1);
        event.waker().wake();
        assert!(poll(&mut get).is_ready());
        assert_eq!(event.polls(), 2);
    }
}

#[test]
fn a_future_that_wakes_itself_lets_other_waiters_poll_it() {
    for kind in self_waking_kinds() {
        let steps = leaked(AtomicUsize::new(0));
        let lazy = kind.lazy(async {
            for _ in 0..3 {
                steps.fetch_add(1, SeqCst);
                yield_now().await;
            }
            steps.load(SeqCst)
        });
        let tasks = [Task::new(), Task::new()];
        let [mut first, mut second] = [lazy.get(), lazy.get()];
        assert!(poll_with(&mut first, &tasks[0].waker()).is_pending());
        assert_eq!((steps.load(SeqCst), tasks[0].wakes()), (1, 1));
        assert!(poll_with(&mut second, &tasks[1].waker()).is_pending());
        assert_eq!((steps.load(SeqCst), tasks[1].wakes()), (2, 1));
        drop(second);
        assert_eq!(block_on(first), &3);
    }
}

#[test]
fn another_waiter_resumes_when_the_last_poller_is_cancelled() {
    for kind in self_waking_kinds() {
        let (event, lazy) = kind.after_event();
        let task = Task::new();
        let [mut first, mut second] = [lazy.get(), lazy.get()];
        assert!(poll(&mut second).is_pending());
        assert!(poll_with(&mut first, &task.waker()).is_pending());
        event.waker().wake();
        assert!(poll(&mut second).is_pending());
        assert!(poll_with(&mut first, &task.waker()).is_pending());
        assert_eq!(event.polls(), 2);
        let wakes = task.wakes();
        drop(second);
        assert_eq!(task.wakes(), wakes, "the future's waker holds the claim");
        event.set_and_wake();
        assert_eq!(task.wakes(), wakes + 1);
        assert_eq!(poll(&mut first), Poll::Ready(&1));
    }
}

#[test]
fn a_waiter_that_migrates_is_woken_in_its_new_task() {
    for kind in self_waking_kinds() {
        let (event, lazy) = kind.after_event();
        let tasks = [Task::new(), Task::new()];
        let mut get = lazy.get();
        for task in &tasks {
            assert!(poll_with(&mut get, &task.waker()).is_pending());
        }
        assert_eq!(tasks[0].wakers(), 0, "the newest waker replaces the older");
        event.set_and_wake();
        assert_eq!(tasks.each_ref().map(|task| task.wakes()), [0, 1]);
        let moved = thread::scope(|scope| scope.spawn(|| poll(&mut get)).join().unwrap());
        assert_eq!(moved, Poll::Ready(&1));
    }
}

#[test]
fn the_futures_waker_can_be_cloned_and_woken_repeatedly() {
    for kind in self_waking_kinds() {
        let (event, lazy) = kind.after_event();
        assert!(poll(&mut lazy.get()).is_pending());
        let wakers = [event.waker(), event.waker().clone()];
        assert!(wakers[0].will_wake(&wakers[1]));
        for waker in &wakers {
            waker.wake_by_ref();
        }
        event.set_and_wake();
        assert_eq!(now(lazy.get()), &1);
        for waker in wakers {
            let clone = waker.clone();
            waker.wake_by_ref();
            waker.wake();
            clone.wake_by_ref();
        }
        assert_eq!((now(lazy.get()), event.polls()), (&1, 2));
    }
}

#[test]
fn a_waiter_may_poll_the_future_while_the_futures_waker_is_woken() {
    for kind in self_waking_kinds() {
        let (event, lazy) = kind.after_event();
        let (lazy, waiting) = (leaked(lazy), leaked(Mutex::new(None::<BoxFuture<'_, &u32>>)));
        let task = Task::on(Op::Wake, || {
            let taken = waiting.lock().unwrap().take();
            assert_eq!(taken.map(|mut get| poll(&mut get)), Some(Poll::Ready(&1)));
        });
        let mut get = lazy.get();
        assert!(poll_with(&mut get, &task.waker()).is_pending());
        *waiting.lock().unwrap() = Some(get);
        event.set_and_wake();
        assert_eq!((task.runs(), lazy.try_get()), (1, Some(&1)));
    }
}

#[test]
fn a_waker_that_panics_when_the_future_is_woken_does_so_after_every_waiter_was_woken() {
    for kind in self_waking_kinds() {
        let (event, lazy) = kind.after_event();
        let (explosive, task) = (Task::panicking_on(Op::Wake, "in the waker"), Task::new());
        let mut gets = [lazy.get(), lazy.get()];
        assert!(poll_with(&mut gets[0], &explosive.waker()).is_pending());
        assert!(poll_with(&mut gets[1], &task.waker()).is_pending());
        event.set();
        let waker = event.waker();
        assert_eq!(panic_of(|| waker.wake_by_ref()), "in the waker");
        assert_eq!(task.wakes(), 1);
        assert!(gets.iter_mut().all(|get| poll(get) == Poll::Ready(&1)));
    }
}
