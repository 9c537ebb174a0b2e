//! Tests of the documented behavior of `BoxLazy` and `LocalBoxLazy`.

#![cfg(feature = "alloc")]

#[path = "util/counting.rs"]
mod counting;
#[path = "../examples/custom_backend/locked.rs"]
mod outsider;
mod util;

use std::{
    cell::Cell,
    future::{pending, poll_fn, ready},
    hint::black_box,
    mem,
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc, Barrier, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
};

use counting::ALLOCATIONS;
use futures_lite::future::{block_on, yield_now};
use oncelot::{BoxLazy, LocalBoxLazy};
use outsider::Locked;
use util::{Counted, Drops, Event, OnDrop, Op, Task, With, is_same, now, panic_of, poll, poll_with};

const POISONED: &str = "lazy value is poisoned";

/// A lazy with the value 1, when the event has come.
fn after(event: &Event) -> BoxLazy<'_, u32> {
    BoxLazy::boxed(async {
        event.wait().await;
        1
    })
}

type Static = OnceLock<BoxLazy<'static, u32>>;

/// A lazy that its own future can name.
fn of(lazy: &'static Static) -> &'static BoxLazy<'static, u32> {
    lazy.get().unwrap()
}

/// Registers a waiter with this waker, and leaks it.
fn wait_for(lazy: &'static Static, waker: &Waker) {
    let mut get = Box::pin(of(lazy).get());
    assert!(poll_with(&mut get, waker).is_pending());
    util::leak(get);
}

// Its type.

/// A field whose future has an unnameable type, together with others in one list.
struct Entry<'a> {
    value: BoxLazy<'a, usize>,
}

#[test]
fn futures_of_several_types_are_values_of_one_type() {
    let event = Event::new();
    let entries = [
        Entry {
            value: BoxLazy::boxed(async { 1 }),
        },
        Entry {
            value: BoxLazy::boxed(ready(2)),
        },
        Entry {
            value: BoxLazy::boxed(async {
                event.wait().await;
                3
            }),
        },
        Entry {
            value: BoxLazy::with_value(4),
        },
    ];
    let third = &entries[2].value;
    assert!(poll(&mut Box::pin(third.get())).is_pending());
    event.set_and_wake();
    assert_eq!(now(async { *third.await }), 3);
    let values: Vec<usize> = entries.iter().map(|entry| *now(entry.value.get())).collect();
    assert_eq!(values, [1, 2, 3, 4]);
    let [first, ..] = entries;
    assert_eq!(first.value.into_inner(), Some(1));
}

#[test]
fn the_value_is_computed_once_and_shared() {
    let calls = AtomicUsize::new(0);
    let lazy = BoxLazy::boxed(async { calls.fetch_add(1, Ordering::SeqCst) });
    assert_eq!((lazy.try_get(), calls.load(Ordering::SeqCst)), (None, 0));
    let values = [now(lazy.get()), now(lazy.get_unpin())];
    assert!(is_same(values[0], values[1]));
    assert!(is_same(values[0], lazy.try_get().unwrap()));
    assert_eq!((values, calls.load(Ordering::SeqCst)), ([&0, &0], 1));
}

#[test]
fn the_future_may_borrow() {
    let (mut text, event) = (String::from("a"), Event::new());
    {
        let lazy = BoxLazy::boxed(async {
            event.wait().await;
            text.push('b');
            &*text
        });
        assert!(poll(&mut Box::pin(lazy.get())).is_pending());
        event.set_and_wake();
        assert_eq!(*now(lazy.get()), "ab");
    }
    assert_eq!(text, "ab");
}

#[test]
fn a_future_that_stays_on_its_thread_can_be_boxed() {
    let shared = Rc::new(1);
    let lazy = LocalBoxLazy::boxed_local(async { *shared });
    assert_eq!(now(lazy.get()), &1);
    assert_eq!(now(async { *(&lazy).await }), 1);
}

/// The value stays on its thread, and the future's waker leaves it.
#[test]
fn another_thread_wakes_a_future_that_stays_on_its_thread() {
    let (event, shared) = (Event::new(), Rc::new(Cell::new(0)));
    let lazy = LocalBoxLazy::boxed_local(async {
        event.wait().await;
        shared.set(7);
        Rc::clone(&shared)
    });
    let task = Task::new();
    let mut get = Box::pin(lazy.get());
    assert!(poll_with(&mut get, &task.waker()).is_pending());
    thread::scope(|scope| {
        scope.spawn(|| event.set_and_wake());
    });
    assert_eq!(task.wakes(), 1);
    assert_eq!(now(get).get(), 7);
}

#[test]
fn a_future_that_is_boxed_already_is_not_boxed_again() {
    let future: util::BoxFuture<'_, u32> = Box::pin(ready(1));
    let lazy = BoxLazy::new(future);
    assert_eq!(now(lazy.get()), &1);
}

#[test]
fn try_get_mut_changes_the_value() {
    let mut lazy = BoxLazy::boxed(async { 1 });
    assert_eq!(lazy.try_get_mut(), None);
    now(lazy.get());
    *lazy.try_get_mut().unwrap() += 1;
    assert_eq!(lazy.try_get(), Some(&2));
}

#[test]
fn debug_shows_the_value_or_the_state() {
    let event = Event::new();
    let lazy = after(&event);
    assert_eq!(format!("{lazy:?}"), "BoxLazy(<uninit>)");
    let get = lazy.get();
    assert_eq!(format!("{get:?}"), "GetBoxLazy { .. }");
    assert!(poll(&mut Box::pin(get)).is_pending());
    assert_eq!(format!("{lazy:?}"), "BoxLazy(<initializing>)");
    event.set_and_wake();
    assert_eq!(format!("{lazy:?}"), "BoxLazy(<uninit>)");
    now(lazy.get());
    assert_eq!(format!("{lazy:?}"), "BoxLazy(1)");
    let local = LocalBoxLazy::<u32>::with_value(2);
    assert_eq!(format!("{local:?}"), "LocalBoxLazy(2)");
}

#[test]
fn it_works_with_a_backend_from_outside() {
    let event = Event::new();
    let future: util::BoxFuture<'_, u32> = Box::pin(async {
        event.wait().await;
        1
    });
    let lazy = BoxLazy::<_, Locked>::with_backend(future);
    let task = Task::new();
    let [mut held, mut other] = [Box::pin(lazy.get()), Box::pin(lazy.get())];
    assert!(poll(&mut held).is_pending());
    assert!(poll_with(&mut other, &task.waker()).is_pending());
    event.set_and_wake();
    assert_eq!((task.wakes(), poll(&mut other)), (1, Poll::Ready(&1)));
    drop(held);
    let lazy = BoxLazy::<_, Locked>::with_backend_and_value(1);
    assert_eq!(lazy.try_get(), Some(&1));
}

// Who polls the future.

/// A `Lazy` never completes in this program.
#[test]
fn a_waiter_that_is_held_without_being_polled_blocks_no_other() {
    let event = Event::new();
    let lazy = after(&event);
    let mut held = Box::pin(lazy.get());
    assert!(poll(&mut held).is_pending());
    thread::scope(|scope| {
        let other = scope.spawn(|| block_on(lazy.get()));
        event.set_and_wake();
        assert_eq!(other.join().unwrap(), &1);
    });
    assert_eq!(event.polls(), 2);
    drop(held);
}

#[test]
fn the_futures_own_waker_wakes_a_hundred_waiters() {
    let event = Event::new();
    let lazy = after(&event);
    let tasks: Vec<_> = (0..100).map(|_| Task::new()).collect();
    let mut gets: Vec<_> = tasks.iter().map(|_| Box::pin(lazy.get())).collect();
    for (get, task) in gets.iter_mut().zip(&tasks) {
        assert!(poll_with(get, &task.waker()).is_pending());
    }
    assert_eq!(event.polls(), 1);
    event.set_and_wake();
    assert!(tasks.iter().all(|task| task.wakes() == 1));
    // The waiter that is polled first polls the future.
    assert_eq!(poll(&mut gets[50]), Poll::Ready(&1));
    assert_eq!(event.polls(), 2);
    drop(gets.remove(50));
    assert!(gets.iter_mut().all(|get| poll(get).is_ready()));
    assert!(tasks.iter().all(|task| task.wakers() == 0), "a waker is left");
}

#[test]
fn a_spurious_poll_does_not_poll_the_future() {
    let event = Event::new();
    let lazy = after(&event);
    let mut get = Box::pin(lazy.get());
    for _ in 0..3 {
        assert!(poll(&mut get).is_pending());
    }
    event.set();
    assert!(poll(&mut Box::pin(lazy.get())).is_pending());
    assert_eq!(event.polls(), 1);
    event.waker().wake();
    assert!(poll(&mut get).is_ready());
    assert_eq!(event.polls(), 2);
}

#[test]
fn a_wake_without_a_waiter_is_not_lost() {
    let event = Event::new();
    let lazy = after(&event);
    assert!(poll(&mut Box::pin(lazy.get())).is_pending());
    event.set_and_wake();
    assert_eq!(now(lazy.get()), &1);
}

#[test]
fn a_future_that_wakes_itself_lets_other_waiters_poll_it() {
    let steps = AtomicUsize::new(0);
    let lazy = BoxLazy::boxed(async {
        for _ in 0..3 {
            steps.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
        }
        steps.load(Ordering::SeqCst)
    });
    let tasks = [Task::new(), Task::new()];
    let [mut first, mut second] = [Box::pin(lazy.get()), Box::pin(lazy.get())];
    assert!(poll_with(&mut first, &tasks[0].waker()).is_pending());
    assert_eq!((steps.load(Ordering::SeqCst), tasks[0].wakes()), (1, 1));
    assert!(poll_with(&mut second, &tasks[1].waker()).is_pending());
    assert_eq!((steps.load(Ordering::SeqCst), tasks[1].wakes()), (2, 1));
    drop(second);
    assert_eq!(block_on(first), &3);
}

#[test]
fn another_waiter_resumes_when_the_last_poller_is_cancelled() {
    let event = Event::new();
    let lazy = after(&event);
    let task = Task::new();
    let [mut first, mut second] = [Box::pin(lazy.get()), Box::pin(lazy.get())];
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

#[test]
fn another_waiter_resumes_when_a_woken_one_is_cancelled() {
    let event = Event::new();
    let lazy = after(&event);
    let tasks = [Task::new(), Task::new()];
    let mut gets = tasks.each_ref().map(|_| Box::pin(lazy.get()));
    for (get, task) in gets.iter_mut().zip(&tasks) {
        assert!(poll_with(get, &task.waker()).is_pending());
    }
    event.set_and_wake();
    let [first, mut second] = gets;
    drop(first);
    assert_eq!((tasks[1].wakes(), poll(&mut second)), (1, Poll::Ready(&1)));
}

#[test]
fn a_waiter_that_migrates_is_woken_in_its_new_task() {
    let event = Event::new();
    let lazy = after(&event);
    let tasks = [Task::new(), Task::new()];
    let mut get = Box::pin(lazy.get());
    for task in &tasks {
        assert!(poll_with(&mut get, &task.waker()).is_pending());
    }
    assert_eq!(tasks[0].wakers(), 0, "the newest waker replaces the older");
    event.set_and_wake();
    assert_eq!(tasks.each_ref().map(|task| task.wakes()), [0, 1]);
    let moved = thread::scope(|scope| scope.spawn(|| poll(&mut get)).join().unwrap());
    assert_eq!(moved, Poll::Ready(&1));
}

#[test]
fn the_futures_waker_can_be_cloned_and_woken_repeatedly() {
    let event = Event::new();
    let lazy = after(&event);
    assert!(poll(&mut Box::pin(lazy.get())).is_pending());
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

/// A waiter that is polled by its wake, inside the wake of the future.
#[test]
fn a_waiter_may_poll_the_future_while_the_futures_waker_is_woken() {
    type Get = Pin<Box<dyn Future<Output = u32> + Send>>;
    static GET: Mutex<Option<Get>> = Mutex::new(None);
    static OUTPUT: Mutex<Option<u32>> = Mutex::new(None);
    static EVENT: Event = Event::new();
    static LAZY: Static = Static::new();
    assert!(LAZY.set(after(&EVENT)).is_ok());
    let lazy = of(&LAZY);
    let inline = Task::on(Op::Wake, || {
        if let Some(mut get) = GET.lock().unwrap().take() {
            if let Poll::Ready(value) = poll(&mut get) {
                *OUTPUT.lock().unwrap() = Some(value);
            }
        }
    });
    let mut get: Get = Box::pin(async { *lazy.get().await });
    assert!(poll_with(&mut get, &inline.waker()).is_pending());
    *GET.lock().unwrap() = Some(get);
    EVENT.set_and_wake();
    assert_eq!(*OUTPUT.lock().unwrap(), Some(1));
    assert_eq!(lazy.try_get(), Some(&1));
}

#[test]
fn other_threads_may_wake() {
    const NEEDED: usize = if cfg!(miri) { 5 } else { 500 };
    let ticks = AtomicUsize::new(0);
    let lazy = BoxLazy::boxed(poll_fn(|cx| {
        let ticks = ticks.fetch_add(1, Ordering::SeqCst);
        if ticks == NEEDED {
            return Poll::Ready(ticks);
        }
        let waker = cx.waker().clone();
        thread::spawn(move || waker.wake());
        Poll::Pending
    }));
    thread::scope(|scope| {
        let others = [(); 2].map(|()| scope.spawn(|| block_on(lazy.get())));
        assert_eq!(block_on(lazy.get()), &NEEDED);
        for other in others {
            assert_eq!(other.join().unwrap(), &NEEDED);
        }
    });
}

#[test]
fn many_threads_compute_it_once() {
    for _ in 0..if cfg!(miri) { 3 } else { 100 } {
        let steps = AtomicUsize::new(0);
        let lazy = BoxLazy::boxed(async {
            for _ in 0..10 {
                steps.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
            Box::new(7)
        });
        let barrier = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    let _ = poll(&mut Box::pin(lazy.get()));
                    assert_eq!(**block_on(lazy.get()), 7);
                });
            }
        });
        assert_eq!(steps.load(Ordering::SeqCst), 10);
    }
}

// What is dropped, and when.

#[test]
fn the_future_is_dropped_before_the_waiters_are_woken() {
    static LAZY: Static = Static::new();
    let drops = Drops::new();
    let seen = Arc::new(Mutex::new(None));
    let task = Task::on(Op::Wake, {
        let (seen, drops) = (Arc::clone(&seen), drops.clone());
        move || *seen.lock().unwrap() = Some(drops.count())
    });
    let waker = task.waker();
    // A waiter registers while the future is polled for the last time.
    let future = Box::pin(async move {
        wait_for(&LAZY, &waker);
        1
    });
    assert!(
        LAZY.set(BoxLazy::boxed(With::new(future, drops.counted())))
            .is_ok()
    );
    assert_eq!(now(of(&LAZY).get()), &1);
    assert_eq!(*seen.lock().unwrap(), Some(1));
}

#[test]
fn an_unfinished_future_is_dropped_with_the_lazy_though_a_reactor_has_its_waker() {
    let (event, drops) = (Event::new(), Drops::new());
    let counted = drops.counted();
    let lazy = BoxLazy::boxed(async {
        event.wait().await;
        counted
    });
    assert!(poll(&mut Box::pin(lazy.get())).is_pending());
    let waker = event.waker();
    drop(lazy);
    assert_eq!(drops.count(), 1);
    drop(waker);
    assert_eq!(drops.count(), 1);
}

#[test]
fn the_value_is_dropped_with_the_lazy_though_a_reactor_has_the_waker() {
    let (event, drops) = (Event::new(), Drops::new());
    let counted = drops.counted();
    let lazy = BoxLazy::boxed(async {
        event.wait().await;
        counted
    });
    assert!(poll(&mut Box::pin(lazy.get())).is_pending());
    event.set_and_wake();
    assert_eq!(now(lazy.get()).look(), 7);
    drop(lazy);
    assert_eq!(drops.count(), 1);
    event.waker().wake();
}

#[test]
fn a_waker_that_outlives_the_lazy_has_no_effect() {
    let waker = {
        let event = Event::new();
        let lazy = after(&event);
        assert!(poll(&mut Box::pin(lazy.get())).is_pending());
        event.waker()
    };
    let clone = waker.clone();
    waker.wake_by_ref();
    waker.wake();
    thread::spawn(move || clone.wake()).join().unwrap();
}

/// The waiter was leaked, so that the lazy can be dropped before it. Its task is woken, and finds nothing to do.
#[test]
fn a_waker_that_outlives_the_lazy_finds_waiters_that_were_leaked() {
    let task = Task::new();
    let waker = {
        let event = Event::new();
        let lazy = after(&event);
        let mut get = Box::pin(lazy.get());
        assert!(poll_with(&mut get, &task.waker()).is_pending());
        let get: Pin<Box<dyn Future<Output = &u32>>> = get;
        // SAFETY: the future is never used again, and its memory stays.
        let get = unsafe {
            mem::transmute::<
                Pin<Box<dyn Future<Output = &u32> + '_>>,
                Pin<Box<dyn Future<Output = &'static u32>>>,
            >(get)
        };
        util::leak_box(Box::new(get));
        event.waker()
    };
    waker.wake();
    assert_eq!(task.wakes(), 1);
}

#[test]
fn the_destructor_of_the_future_may_wake_its_waker() {
    let event = Event::new();
    let wakes = AtomicUsize::new(0);
    let lazy = BoxLazy::boxed(async {
        let _wakes = OnDrop(|| {
            event.waker().wake();
            wakes.fetch_add(1, Ordering::SeqCst);
        });
        event.wait().await;
        1
    });
    assert!(poll(&mut Box::pin(lazy.get())).is_pending());
    drop(lazy);
    assert_eq!(wakes.load(Ordering::SeqCst), 1);
}

#[test]
fn an_unfinished_future_is_returned_in_its_box_and_resumes_in_another_lazy() {
    let event = Event::new();
    let lazy = after(&event);
    assert!(poll(&mut Box::pin(lazy.get())).is_pending());
    let waker = event.waker();
    let other = BoxLazy::new(lazy.into_parts().expect_err("it has not finished"));
    assert!(poll(&mut Box::pin(other.get())).is_pending());
    assert!(!waker.will_wake(&event.waker()));
    waker.wake();
    event.set();
    assert!(
        poll(&mut Box::pin(other.get())).is_pending(),
        "the other lazy's waker"
    );
    event.set_and_wake();
    assert_eq!(now(other.get()), &1);
    assert_eq!(other.into_parts().ok(), Some(1));
}

#[test]
fn into_inner_drops_an_unfinished_future_or_returns_the_value() {
    let drops = Drops::new();
    let counted = drops.counted();
    let lazy = BoxLazy::<Counted>::boxed(async {
        pending::<()>().await;
        counted
    });
    assert!(poll(&mut Box::pin(lazy.get())).is_pending());
    assert!(lazy.into_inner().is_none());
    assert_eq!(drops.count(), 1);
    let lazy = BoxLazy::boxed(ready(drops.counted()));
    now(lazy.get());
    let value = lazy.into_inner().unwrap();
    assert_eq!((value.look(), drops.count()), (7, 1));
}

// Panics.

#[test]
fn a_panic_in_a_poll_poisons() {
    let (event, drops) = (Event::new(), Drops::new());
    let counted = drops.counted();
    let lazy = BoxLazy::<u32>::boxed(async {
        let counted = counted;
        event.wait().await;
        panic!("in the poll of {counted:?}")
    });
    let task = Task::new();
    let [mut get, mut other] = [Box::pin(lazy.get()), Box::pin(lazy.get())];
    assert!(poll(&mut get).is_pending());
    assert!(poll_with(&mut other, &task.waker()).is_pending());
    event.set_and_wake();
    assert_eq!(task.wakes(), 1);
    assert_eq!(panic_of(|| poll(&mut get).is_ready()), "in the poll of Counted");
    assert_eq!(drops.count(), 1, "the future is dropped at once");
    assert!(panic_of(|| poll(&mut other).is_ready()).contains(POISONED));
    assert!(panic_of(|| now(lazy.get())).contains(POISONED));
    assert_eq!(lazy.try_get(), None);
    assert_eq!(format!("{lazy:?}"), "BoxLazy(<uninit>)");
    assert!(panic_of(|| poll(&mut get).is_ready()).contains("polled after"));
    event.waker().wake();
    assert!(panic_of(|| now(lazy.get())).contains(POISONED));
    drop((get, other));
    assert!(panic_of(|| lazy.into_parts().is_ok()).contains(POISONED));
}

#[test]
fn the_waiters_of_a_future_that_panics_are_woken() {
    static LAZY: Static = Static::new();
    let task = Task::new();
    let waker = task.waker();
    let set = LAZY.set(BoxLazy::boxed(async move {
        wait_for(&LAZY, &waker);
        panic!("in the poll")
    }));
    assert!(set.is_ok());
    assert_eq!(panic_of(|| now(of(&LAZY).get())), "in the poll");
    assert_eq!(task.wakes(), 1);
}

#[test]
fn a_panic_in_the_destructor_of_the_future_poisons() {
    struct ExplosiveDrop<'a>(&'a AtomicUsize);

    impl Future for ExplosiveDrop<'_> {
        type Output = u32;

        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u32> {
            Poll::Ready(1)
        }
    }

    impl Drop for ExplosiveDrop<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
            panic!("in the destructor");
        }
    }

    let drops = AtomicUsize::new(0);
    let lazy = BoxLazy::boxed(ExplosiveDrop(&drops));
    assert_eq!(panic_of(|| now(lazy.get())), "in the destructor");
    assert!(panic_of(|| now(lazy.get())).contains(POISONED));
    assert_eq!((lazy.try_get(), drops.load(Ordering::SeqCst)), (None, 1));
}

#[test]
fn a_waker_that_panics_when_the_future_is_woken_does_so_after_every_waiter_was_woken() {
    let event = Event::new();
    let lazy = after(&event);
    let (explosive, task) = (Task::panicking_on(Op::Wake, "in the waker"), Task::new());
    let mut gets = [(); 2].map(|()| Box::pin(lazy.get()));
    assert!(poll_with(&mut gets[0], &explosive.waker()).is_pending());
    assert!(poll_with(&mut gets[1], &task.waker()).is_pending());
    event.set();
    let waker = event.waker();
    assert_eq!(panic_of(|| waker.wake_by_ref()), "in the waker");
    assert_eq!(task.wakes(), 1);
    assert!(gets.iter_mut().all(|get| poll(get) == Poll::Ready(&1)));
}

#[test]
fn a_waker_that_panics_when_there_is_a_value_does_so_after_every_waiter_was_woken() {
    static LAZY: Static = Static::new();
    let (explosive, task) = (Task::panicking_on(Op::Wake, "in the waker"), Task::new());
    let wakers = [explosive.waker(), task.waker()];
    let set = LAZY.set(BoxLazy::boxed(async move {
        for waker in wakers {
            wait_for(&LAZY, &waker);
        }
        1
    }));
    assert!(set.is_ok());
    let mut get = Box::pin(of(&LAZY).get());
    assert_eq!(panic_of(|| poll(&mut get).is_ready()), "in the waker");
    assert_eq!((of(&LAZY).try_get(), task.wakes()), (Some(&1), 1));
    assert!(panic_of(|| poll(&mut get).is_ready()).contains("polled after"));
}

#[test]
fn a_poll_after_completion_panics() {
    let lazy = BoxLazy::boxed(async { 1 });
    for _ in 0..2 {
        // Computed, and then found.
        let mut get = Box::pin(lazy.get());
        assert!(poll(&mut get).is_ready());
        assert!(panic_of(|| poll(&mut get).is_ready()).contains("polled after completion"));
    }
}

#[test]
#[cfg(all(debug_assertions, feature = "std"))]
fn a_future_that_awaits_its_own_lazy_is_found() {
    static LAZY: Static = Static::new();
    assert!(LAZY.set(BoxLazy::boxed(async { *of(&LAZY).get().await })).is_ok());
    assert!(panic_of(|| now(of(&LAZY).get())).contains("deadlock"));
    assert!(panic_of(|| now(of(&LAZY).get())).contains(POISONED));
}

// Costs.

#[test]
#[cfg(all(target_pointer_width = "64", not(feature = "tracing")))]
fn a_box_lazy_adds_one_or_two_words_to_the_larger_of_value_and_box() {
    assert_eq!(size_of::<BoxLazy<'_, u64>>(), 2 * 8 + 2 * 8);
    // A `bool` has values to spare.
    assert_eq!(size_of::<BoxLazy<'_, ([u64; 3], bool)>>(), 4 * 8 + 8);
    assert_eq!(size_of::<BoxLazy<'_, [u64; 7]>>(), 56 + 2 * 8);
    assert_eq!(size_of_val(&BoxLazy::<u64>::with_value(1).get()), 5 * 8);
}

#[test]
fn a_lazy_allocates_twice_and_its_waiters_nothing() {
    let event = Event::new();
    let task = Task::new();
    let waker = task.waker();
    let cx = &mut Context::from_waker(&waker);

    let before = ALLOCATIONS.get();
    drop(black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1, "the allocator counts");

    let before = ALLOCATIONS.get();
    let lazy = after(&event);
    assert_eq!(ALLOCATIONS.get() - before, 2);
    {
        let [mut first, mut second] = [pin!(lazy.get()), pin!(lazy.get())];
        for _ in 0..2 {
            assert!(first.as_mut().poll(cx).is_pending());
            assert!(second.as_mut().poll(cx).is_pending());
        }
        event.set_and_wake();
        assert!(second.as_mut().poll(cx).is_ready());
        assert!(first.as_mut().poll(cx).is_ready());
    }
    assert_eq!(ALLOCATIONS.get() - before, 2);
}
