//! The value of a lazy: one future computes it, and every caller gets it.

use std::{
    fmt::Debug,
    future::{poll_fn, ready},
    pin::pin,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    thread,
};

use futures_lite::future::block_on;
use oncelot::Lazy;

use crate::{
    kinds::{kinds, owned_kinds},
    util::{Task, is_same, leaked, now, panic_of, poll, poll_with},
};

#[test]
fn the_value_is_computed_once_and_not_before_the_first_poll() {
    for kind in kinds() {
        let calls = leaked(AtomicUsize::new(0));
        let lazy = kind.lazy(async { calls.fetch_add(1, SeqCst) });
        drop(lazy.get());
        assert_eq!((lazy.try_get(), calls.load(SeqCst)), (None, 0));
        let values = [now(lazy.get()), now(lazy.get())];
        assert!(is_same(values[0], values[1]));
        assert!(is_same(values[0], lazy.try_get().unwrap()));
        assert_eq!((values, calls.load(SeqCst)), ([&0, &0], 1));
    }
}

#[test]
fn many_threads_compute_it_once_while_others_wake_the_future() {
    const THREADS: usize = 8;
    const POLLS: usize = 8;
    for kind in kinds() {
        for _ in 0..if cfg!(miri) { 1 } else { 80 } {
            // Not atomic, so that the sanitizers report two concurrent polls.
            let mut polls = 0;
            let lazy = kind.lazy(poll_fn(move |cx| {
                polls += 1;
                if polls >= POLLS {
                    return Poll::Ready(Box::new(polls));
                }
                let waker = cx.waker().clone();
                thread::spawn(move || waker.wake());
                Poll::Pending
            }));
            let barrier = Barrier::new(THREADS);
            thread::scope(|scope| {
                for thread in 0..THREADS {
                    let (lazy, barrier) = (&lazy, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        if thread % 2 == 0 {
                            // Drops the first waiter, so that any thread may be the next to poll the future.
                            let _ = poll(&mut lazy.get());
                        }
                        assert_eq!(**block_on(lazy.get()), POLLS);
                    });
                }
            });
        }
    }
}

#[test]
fn a_future_resumes_after_its_only_poller_was_dropped() {
    for kind in kinds() {
        let (event, lazy) = kind.after_event();
        assert!(poll(&mut lazy.get()).is_pending());
        event.set_and_wake();
        assert_eq!((now(lazy.get()), event.polls()), (&1, 2));
    }
}

#[test]
fn a_lazy_with_a_value_needs_no_future() {
    for kind in owned_kinds() {
        let lazy = kind.with_value(1);
        assert_eq!((lazy.try_get(), now(lazy.get())), (Some(&1), &1));
        assert_eq!(format!("{lazy:?}"), format!("{}(1)", kind.name()));
        assert_eq!(lazy.into_parts().ok(), Some(1));
    }
}

#[test]
fn try_get_mut_changes_the_value() {
    for kind in owned_kinds() {
        let mut lazy = kind.lazy(async { 1 });
        assert_eq!(lazy.try_get_mut(), None);
        now(lazy.get());
        *lazy.try_get_mut().unwrap() += 1;
        assert_eq!(lazy.try_get(), Some(&2));
    }
}

#[test]
fn debug_shows_the_value_or_the_state() {
    for kind in kinds() {
        let (event, lazy) = kind.after_event();
        let shown = |state| assert_eq!(format!("{lazy:?}"), format!("{}({state})", kind.name()));
        shown("<uninit>");
        let mut get = lazy.get();
        assert!(poll(&mut get).is_pending());
        shown("<initializing>");
        if kind.is_self_waking() {
            event.waker().wake();
        }
        drop(get);
        shown("<uninit>");
        event.set();
        now(lazy.get());
        shown("1");
    }
}

#[test]
fn a_reference_is_awaited_by_a_future_that_shows_its_name() {
    async fn get<'a, F>(lazy: impl IntoFuture<Output = &'a u32, IntoFuture = F>) -> (String, u32)
    where
        F: Future<Output = &'a u32> + Debug,
    {
        let get = lazy.into_future();
        (format!("{get:?}"), *get.await)
    }

    oncelot::lazy! {
        static STATIC: u32 = async { 1 };
    }
    assert_eq!(now(get(&STATIC)), ("GetStatic { .. }".into(), 1));
    let lazy = pin!(Lazy::new(async { 2 }));
    assert_eq!(now(get(lazy.as_ref())), ("GetLazy { .. }".into(), 2));
    assert_eq!(now(get(&Lazy::new(ready(3)))), ("GetLazy { .. }".into(), 3));
    #[cfg(feature = "alloc")]
    {
        let lazy = oncelot::BoxLazy::with_value(4);
        assert_eq!(now(get(&lazy)), ("GetBoxLazy { .. }".into(), 4));
        let lazy = oncelot::LocalBoxLazy::with_value(5);
        assert_eq!(now(get(&lazy)), ("GetBoxLazy { .. }".into(), 5));
    }
}

#[test]
fn a_poll_after_completion_panics() {
    for kind in kinds() {
        let (event, lazy) = kind.after_event();
        let mut gets = [lazy.get(), lazy.get(), lazy.get()];
        let [computed, waited, found] = &mut gets;
        assert!(poll(computed).is_pending());
        assert!(poll(waited).is_pending());
        event.set_and_wake();
        assert!(poll(computed).is_ready());
        assert!(poll(waited).is_ready());
        assert!(poll(found).is_ready());
        for get in &mut gets {
            assert!(panic_of(|| poll(get).is_ready()).contains("polled after completion"));
        }
    }
}

#[test]
fn a_future_that_awaits_its_own_lazy_is_reported() {
    for kind in kinds() {
        let lazy = kind.naming_itself(|own| async move { *own.lazy().get().await });
        let (mut get, waker) = (lazy.get(), Task::new().waker());
        if cfg!(all(
            feature = "std",
            any(debug_assertions, feature = "deadlock-detection")
        )) {
            let message = panic_of(|| poll_with(&mut get, &waker).is_ready());
            assert!(message.contains("deadlock"), "{message}");
            assert!(panic_of(|| now(lazy.get())).contains("is poisoned"));
        } else {
            assert_eq!(poll_with(&mut get, &waker), Poll::Pending);
        }
    }
}
