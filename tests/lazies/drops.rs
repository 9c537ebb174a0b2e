//! What is dropped, and when.

use std::{
    future::{pending, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use crate::{
    kinds::{kinds, owned_kinds},
    util::{Drops, Event, Log, OnDrop, Op, Task, With, leak, leaked, now, poll},
};

/// The waiter registers during the last poll of the future, so that only the value can wake it.
#[test]
fn the_future_is_dropped_and_then_the_waiters_are_woken() {
    for kind in kinds() {
        let (drops, log) = (Drops::new(), Log::new());
        let task = Task::on(Op::Wake, {
            let (drops, log) = (drops.clone(), log.clone());
            move || log.note(drops.count())
        });
        let (waker, counted) = (task.waker(), drops.counted());
        let lazy = kind.naming_itself(|own| {
            let future = Box::pin(async move {
                own.wait(&waker);
                1
            });
            With::new(future, counted)
        });
        assert_eq!(now(lazy.get()), &1);
        assert_eq!(log.take(), [1]);
    }
}

#[test]
fn an_unfinished_future_is_dropped_with_the_lazy_and_may_wake_its_waker() {
    for kind in owned_kinds() {
        for is_polled in [false, true] {
            let (event, drops) = (leaked(Event::new()), Arc::new(AtomicUsize::new(0)));
            let contents = OnDrop({
                let drops = drops.clone();
                move || {
                    drops.fetch_add(1, SeqCst);
                    if is_polled {
                        event.waker().wake();
                    }
                }
            });
            let lazy = kind.lazy(async move {
                event.wait().await;
                drop(contents);
            });
            if is_polled {
                assert!(poll(&mut lazy.get()).is_pending());
            }
            assert_eq!(drops.load(SeqCst), 0);
            drop(lazy);
            assert_eq!(drops.load(SeqCst), 1);
        }
    }
}

#[test]
fn the_value_is_dropped_with_the_lazy() {
    for kind in owned_kinds() {
        let (event, drops) = (leaked(Event::new()), Drops::new());
        let counted = drops.counted();
        let lazy = kind.lazy(async move {
            event.wait().await;
            counted
        });
        assert!(poll(&mut lazy.get()).is_pending());
        event.set_and_wake();
        assert_eq!((now(lazy.get()).look(), drops.count()), (7, 0));
        drop(lazy);
        assert_eq!(drops.count(), 1);
        event.waker().wake();

        drop(kind.with_value(drops.counted()));
        assert_eq!(drops.count(), 2);
    }
}

#[test]
fn into_inner_and_into_parts_return_the_value() {
    for kind in owned_kinds() {
        let drops = Drops::new();
        let lazy = kind.lazy(ready(drops.counted()));
        now(lazy.get());
        let value = lazy.into_inner().unwrap();
        assert_eq!((value.look(), drops.count()), (7, 0));

        let lazy = kind.lazy(ready(value));
        now(lazy.get());
        let value = lazy.into_parts().ok().unwrap();
        assert_eq!((value.look(), drops.count()), (7, 0));
        drop(value);
        assert_eq!(drops.count(), 1);
    }
}

#[test]
fn into_parts_returns_an_unfinished_future_which_resumes_in_another_lazy() {
    for kind in owned_kinds() {
        let (event, drops) = (leaked(Event::new()), Drops::new());
        let counted = drops.counted();
        let lazy = kind.lazy(async move {
            event.wait().await;
            counted.look()
        });
        assert!(poll(&mut lazy.get()).is_pending());
        let waker = event.waker();
        let other = kind.lazy(lazy.into_parts().expect_err("it has not finished"));
        let mut get = other.get();
        assert!(poll(&mut get).is_pending());
        assert_eq!((event.polls(), drops.count()), (2, 0));
        if kind.is_self_waking() {
            assert!(!waker.will_wake(&event.waker()));
            waker.wake();
            assert!(poll(&mut get).is_pending());
            assert_eq!(event.polls(), 2, "the waker of the other lazy wakes it");
        }
        event.set_and_wake();
        assert_eq!((poll(&mut get).is_ready(), drops.count()), (true, 1));
        drop(get);
        assert_eq!(other.into_parts().ok(), Some(7));
    }
}

#[test]
fn into_inner_and_into_parts_accept_an_unfinished_future_even_if_its_poller_was_leaked() {
    for kind in owned_kinds() {
        for is_leaked in [false, true] {
            let drops = Drops::new();
            let make = || {
                let lazy = kind.lazy(With::new(pending::<u32>(), drops.counted()));
                let mut get = lazy.get();
                assert!(poll(&mut get).is_pending());
                if is_leaked {
                    leak(get);
                } else {
                    drop(get);
                }
                lazy
            };
            assert_eq!(make().into_inner(), None);
            assert_eq!(drops.count(), 1);
            let future = make().into_parts().err().unwrap();
            assert_eq!(drops.count(), 1);
            drop(future);
            assert_eq!(drops.count(), 2);
        }
    }
}
