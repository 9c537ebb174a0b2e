//! Tests of the documented behavior of `Lazy`.

#[path = "util/counting.rs"]
mod counting;
#[path = "../examples/custom_backend/locked.rs"]
mod outsider;
mod util;

use std::{
    future::{Ready, pending, poll_fn, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
};

use counting::ALLOCATIONS;
use futures_lite::future::{block_on, yield_now};
use oncelot::{GetLazy, Lazy};
use outsider::Locked;
use util::{Counted, Drops, Gate, Op, Task, is_same, message, now, panic_of, poll, poll_with};

const POISONED: &str = "lazy value is poisoned";

/// A future that counts its polls, and is ready at the poll of a certain number. Records when it is dropped.
struct Steps<'a> {
    polls: &'a AtomicUsize,
    needed: usize,
    _drop: Counted,
}

impl<'a> Steps<'a> {
    fn new(polls: &'a AtomicUsize, needed: usize, drops: &Drops) -> Self {
        Self {
            polls,
            needed,
            _drop: drops.counted(),
        }
    }
}

impl Future for Steps<'_> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<usize> {
        let polls = self.polls.fetch_add(1, Ordering::SeqCst) + 1;
        if polls < self.needed {
            return Poll::Pending;
        }
        Poll::Ready(polls)
    }
}

/// A future that panics at its second poll, and records when it is dropped.
struct Explosive {
    polls: usize,
    _drop: Counted,
}

impl Explosive {
    fn new(drops: &Drops) -> Self {
        Self {
            polls: 0,
            _drop: drops.counted(),
        }
    }
}

impl Future for Explosive {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u32> {
        self.polls += 1;
        assert!(self.polls < 2, "in the poll");
        Poll::Pending
    }
}

/// A future that is ready at once with something to drop, and panics when it is dropped.
struct ExplosiveDrop<T> {
    value: Option<T>,
    drops: usize,
    _drop: Counted,
}

impl<T> ExplosiveDrop<T> {
    fn new(value: T, drops: &Drops) -> Self {
        Self {
            value: Some(value),
            drops: 0,
            _drop: drops.counted(),
        }
    }
}

impl<T: Unpin> Future for ExplosiveDrop<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(self.value.take().unwrap())
    }
}

impl<T> Drop for ExplosiveDrop<T> {
    fn drop(&mut self) {
        self.drops += 1;
        assert!(self.drops > 1, "in the destructor");
    }
}

// One computation for all.

#[test]
fn the_value_is_computed_once_and_shared() {
    let calls = AtomicUsize::new(0);
    let lazy = pin!(Lazy::new(async { calls.fetch_add(1, Ordering::SeqCst) }));
    let lazy = lazy.as_ref();
    let values = [now(lazy.get()), now(lazy.get())];
    assert!(is_same(values[0], values[1]));
    assert!(is_same(values[0], lazy.get_ref().try_get().unwrap()));
    assert_eq!((values, calls.load(Ordering::SeqCst)), ([&0, &0], 1));
}

#[test]
fn nothing_is_computed_before_the_first_call() {
    let (polls, drops) = (AtomicUsize::new(0), Drops::new());
    let lazy = Lazy::new(Steps::new(&polls, 1, &drops));
    assert_eq!(lazy.try_get(), None);
    drop(lazy.get_unpin());
    drop(lazy);
    assert_eq!((polls.into_inner(), drops.count()), (0, 1));
}

#[test]
fn many_threads_compute_it_once() {
    const THREADS: usize = 8;
    for _ in 0..if cfg!(miri) { 3 } else { 200 } {
        let steps = AtomicUsize::new(0);
        let lazy = pin!(Lazy::new(async {
            for _ in 0..3 {
                steps.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
            Box::new(7)
        }));
        let (lazy, barrier) = (lazy.as_ref(), Barrier::new(THREADS));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    if thread % 2 == 0 {
                        // The other threads resume the future that it has begun to poll.
                        let _ = poll(&mut Box::pin(lazy.get()));
                    }
                    assert_eq!(**block_on(lazy.get()), 7);
                });
            }
        });
        assert_eq!(steps.load(Ordering::SeqCst), 3);
    }
}

#[test]
fn any_waiter_drives_on_after_the_driver_was_dropped() {
    let (polls, drops) = (AtomicUsize::new(0), Drops::new());
    let lazy = Lazy::new(Steps::new(&polls, 4, &drops));
    let tasks = [(); 3].map(|()| Task::new());
    let mut drivers = [(); 4].map(|()| Box::pin(lazy.get_unpin()));
    assert!(poll(&mut drivers[0]).is_pending());
    for (driver, task) in drivers[1..].iter_mut().zip(&tasks) {
        assert!(poll_with(driver, &task.waker()).is_pending());
    }
    assert_eq!(polls.load(Ordering::SeqCst), 1, "one of them drives");
    let [first, mut second, mut third, fourth] = drivers;
    drop(first);
    assert_eq!(
        tasks.each_ref().map(|task| task.wakes()),
        [1; 3],
        "the others are woken"
    );
    // The first waiter to be polled is the next driver.
    assert!(poll(&mut third).is_pending());
    assert!(poll(&mut second).is_pending());
    assert_eq!(polls.load(Ordering::SeqCst), 2, "nothing is restarted");
    drop(third);
    assert!(poll(&mut second).is_pending());
    assert_eq!(poll(&mut second), Poll::Ready(&4));
    drop(fourth);
    assert_eq!((polls.load(Ordering::SeqCst), drops.count()), (4, 1));
}

#[test]
fn a_driver_can_be_dropped_when_no_task_waits() {
    let (polls, drops) = (AtomicUsize::new(0), Drops::new());
    let lazy = Lazy::new(Steps::new(&polls, 2, &drops));
    assert!(poll(&mut Box::pin(lazy.get_unpin())).is_pending());
    assert_eq!(now(lazy.get_unpin()), &2);
}

#[test]
fn the_computation_knows_the_waker_of_its_driver() {
    let (woken, others) = (Task::new(), Task::new());
    let known = std::sync::Mutex::new(None);
    let future = poll_fn(|cx| {
        *known.lock().unwrap() = Some(cx.waker().clone());
        Poll::<u32>::Pending
    });
    let lazy = Lazy::new(future);
    let (mut first, mut second) = (Box::pin(lazy.get_unpin()), Box::pin(lazy.get_unpin()));
    assert!(poll_with(&mut first, &woken.waker()).is_pending());
    assert!(poll_with(&mut second, &others.waker()).is_pending());
    known.lock().unwrap().take().unwrap().wake();
    assert_eq!((woken.wakes(), others.wakes()), (1, 0));
    drop(first);
    assert!(poll_with(&mut second, &others.waker()).is_pending());
    known.lock().unwrap().take().unwrap().wake();
    assert_eq!((woken.wakes(), others.wakes()), (1, 2));
}

#[test]
fn a_driver_that_is_neither_polled_nor_dropped_blocks_the_others() {
    let gate = Gate::new();
    let lazy = Lazy::new(gate.clone());
    let (mut driver, mut other) = (Box::pin(lazy.get_unpin()), Box::pin(lazy.get_unpin()));
    assert!(poll(&mut driver).is_pending());
    gate.open(1);
    assert!(poll(&mut other).is_pending());
    drop(driver);
    assert_eq!(poll(&mut other), Poll::Ready(&1));
}

#[test]
fn waiters_are_woken_by_the_value() {
    let gate = Gate::new();
    let lazy = Lazy::new(gate.clone());
    let task = Task::new();
    let (mut driver, mut other) = (Box::pin(lazy.get_unpin()), Box::pin(lazy.get_unpin()));
    assert!(poll(&mut driver).is_pending());
    assert!(poll_with(&mut other, &task.waker()).is_pending());
    gate.open(1);
    assert_eq!(poll(&mut driver), Poll::Ready(&1));
    assert_eq!(task.wakes(), 1);
    assert_eq!(poll(&mut other), Poll::Ready(&1));
}

#[test]
fn a_panicking_waker_panics_after_every_waiter_is_woken() {
    let gate = Gate::new();
    let lazy = Lazy::new(gate.clone());
    let (explosive, task) = (Task::panicking_on(Op::Wake, "in the waker"), Task::new());
    let mut others = [(); 2].map(|()| Box::pin(lazy.get_unpin()));
    let mut driver = Box::pin(lazy.get_unpin());
    assert!(poll(&mut driver).is_pending());
    assert!(poll_with(&mut others[0], &explosive.waker()).is_pending());
    assert!(poll_with(&mut others[1], &task.waker()).is_pending());
    gate.open(1);
    assert_eq!(panic_of(|| poll(&mut driver).is_ready()), "in the waker");
    assert_eq!(task.wakes(), 1);
    assert_eq!(lazy.try_get(), Some(&1));
    assert!(panic_of(|| poll(&mut driver).is_ready()).contains("polled after"));
}

// What is dropped, and when.

#[test]
fn the_future_is_dropped_as_soon_as_the_value_is_there() {
    let (polls, drops) = (AtomicUsize::new(0), Drops::new());
    let lazy = Lazy::new(Steps::new(&polls, 1, &drops));
    let seen = drops.clone();
    let task = Task::on(Op::Wake, move || assert_eq!(seen.count(), 1));
    let mut get = Box::pin(lazy.get_unpin());
    assert_eq!(poll_with(&mut get, &task.waker()), Poll::Ready(&1));
    assert_eq!(drops.count(), 1);
    drop(get);
    drop(lazy);
    assert_eq!(drops.count(), 1);
}

#[test]
fn an_unfinished_future_is_dropped_with_the_lazy() {
    let (polls, drops) = (AtomicUsize::new(0), Drops::new());
    let lazy = Lazy::new(Steps::new(&polls, 2, &drops));
    assert!(poll(&mut Box::pin(lazy.get_unpin())).is_pending());
    assert_eq!(drops.count(), 0);
    drop(lazy);
    assert_eq!(drops.count(), 1);
}

#[test]
fn the_value_is_dropped_once() {
    let drops = Drops::new();
    let lazy = Lazy::new(ready(drops.counted()));
    assert_eq!(now(lazy.get_unpin()).look(), 7);
    assert_eq!(drops.count(), 0);
    drop(lazy);
    assert_eq!(drops.count(), 1);

    let lazy = Lazy::<_, Ready<Counted>>::with_value(drops.counted());
    drop(lazy);
    assert_eq!(drops.count(), 2);
}

#[test]
fn into_inner_drops_an_unfinished_future() {
    let (polls, drops) = (AtomicUsize::new(0), Drops::new());
    let lazy = Lazy::new(Steps::new(&polls, 2, &drops));
    assert!(poll(&mut Box::pin(lazy.get_unpin())).is_pending());
    assert_eq!(lazy.into_inner(), None);
    assert_eq!(drops.count(), 1);
}

#[test]
fn into_inner_gives_the_value() {
    let drops = Drops::new();
    let lazy = Lazy::new(ready(drops.counted()));
    now(lazy.get_unpin());
    let value = lazy.into_inner().unwrap();
    assert_eq!((value.look(), drops.count()), (7, 0));
    drop(value);
    assert_eq!(drops.count(), 1);
}

#[test]
fn into_inner_and_into_parts_do_not_mind_a_driver_that_was_leaked() {
    let (polls, drops) = (AtomicUsize::new(0), Drops::new());
    let make = || {
        let lazy = Box::leak(Box::new(Lazy::new(Steps::new(&polls, 9, &drops))));
        let mut driver = Box::pin(lazy.get_unpin());
        assert!(poll(&mut driver).is_pending());
        util::leak(driver);
        // SAFETY: the driver is never used again.
        unsafe { Box::from_raw(lazy) }
    };
    assert_eq!(make().into_inner(), None);
    assert_eq!(drops.count(), 1);
    drop(make().into_parts().err().unwrap());
    assert_eq!(drops.count(), 2);
}

#[test]
fn into_parts_returns_an_unfinished_future_that_can_resume() {
    let (polls, drops) = (AtomicUsize::new(0), Drops::new());
    let lazy = Lazy::new(Steps::new(&polls, 3, &drops));
    assert!(poll(&mut Box::pin(lazy.get_unpin())).is_pending());
    let mut future = lazy.into_parts().expect_err("there is no value");
    assert_eq!(drops.count(), 0);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut future).poll(&mut cx).is_pending());
    assert_eq!(Pin::new(&mut future).poll(&mut cx), Poll::Ready(3));
    drop(future);
    assert_eq!(drops.count(), 1);
}

#[test]
fn into_parts_gives_the_value() {
    let drops = Drops::new();
    let lazy = Lazy::new(ready(drops.counted()));
    now(lazy.get_unpin());
    let value = lazy.into_parts().expect("there is a value");
    assert_eq!((value.look(), drops.count()), (7, 0));
    let lazy = Lazy::<_, Ready<Counted>>::with_value(value);
    drop(lazy.into_parts());
    assert_eq!(drops.count(), 1);
}

// Poisoning.

#[test]
fn a_panic_in_a_poll_poisons() {
    let drops = Drops::new();
    let lazy = Lazy::new(Explosive::new(&drops));
    let task = Task::new();
    let (mut driver, mut other) = (Box::pin(lazy.get_unpin()), Box::pin(lazy.get_unpin()));
    assert!(poll(&mut driver).is_pending());
    assert!(poll_with(&mut other, &task.waker()).is_pending());
    assert_eq!(panic_of(|| poll(&mut driver).is_ready()), "in the poll");
    assert_eq!(task.wakes(), 1, "waiters are woken");
    assert!(panic_of(|| poll(&mut other).is_ready()).contains(POISONED));
    assert!(panic_of(|| now(lazy.get_unpin())).contains(POISONED));
    assert!(panic_of(|| now(lazy.get_unpin())).contains(POISONED), "and again");
    assert!(panic_of(|| poll(&mut driver).is_ready()).contains("polled after"));
    assert_eq!(lazy.try_get(), None);
    assert_eq!(format!("{lazy:?}"), "Lazy(<uninit>)");
    assert_eq!(drops.count(), 1, "the future is dropped at once");
    drop((driver, other));
    assert_eq!(lazy.into_inner(), None);
    assert_eq!(drops.count(), 1);
}

#[test]
fn into_parts_of_a_poisoned_lazy_panics_and_names_the_cause() {
    let drops = Drops::new();
    let lazy = Lazy::new(Explosive::new(&drops));
    let mut driver = Box::pin(lazy.get_unpin());
    assert!(poll(&mut driver).is_pending());
    panic_of(|| poll(&mut driver).is_ready());
    drop(driver);
    let message = panic_of(|| lazy.into_parts().is_ok());
    assert!(message.contains(POISONED), "{message}");
    assert!(message.contains("its future panicked"), "{message}");
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_panic_in_the_destructor_of_the_future_poisons() {
    let (drops, values) = (Drops::new(), Drops::new());
    let lazy = Lazy::new(ExplosiveDrop::new(values.counted(), &drops));
    let (task, mut driver) = (Task::new(), Box::pin(lazy.get_unpin()));
    assert_eq!(
        panic_of(|| poll_with(&mut driver, &task.waker()).is_ready()),
        "in the destructor"
    );
    assert_eq!((drops.count(), values.count()), (1, 1));
    assert!(lazy.try_get().is_none());
    assert!(panic_of(|| now(lazy.get_unpin()).look()).contains(POISONED));
    drop(driver);
    assert!(panic_of(|| lazy.into_parts().is_ok()).contains(POISONED));
    assert_eq!(
        (drops.count(), values.count()),
        (1, 1),
        "nothing is dropped twice"
    );
}

#[test]
#[cfg(feature = "std")]
fn a_panic_in_the_destructor_after_one_in_the_poll_is_swallowed() {
    struct Explosive;

    impl Future for Explosive {
        type Output = u32;

        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u32> {
            panic!("in the poll");
        }
    }

    impl Drop for Explosive {
        fn drop(&mut self) {
            panic!("in the destructor");
        }
    }

    let lazy = Lazy::new(Explosive);
    assert_eq!(panic_of(|| now(lazy.get_unpin())), "in the poll");
    assert!(panic_of(|| now(lazy.get_unpin())).contains(POISONED));
}

#[test]
fn a_panic_in_the_poll_of_an_async_block_poisons() {
    let drops = Drops::new();
    let counted = drops.counted();
    let mut lazy = Box::pin(Lazy::new(async move {
        assert_eq!(counted.look(), 0, "in the block");
    }));
    let panicked = catch_unwind(AssertUnwindSafe(|| now(lazy.as_ref().get())));
    assert!(message(&*panicked.unwrap_err()).contains("in the block"));
    assert_eq!(drops.count(), 1);
    assert!(panic_of(|| now(lazy.as_ref().get())).contains(POISONED));
    assert_eq!(lazy.as_mut().try_get_mut(), None);
    drop(lazy);
    assert_eq!(drops.count(), 1);
}

/// The lazy has a value, and no future.
#[test]
fn a_value_is_not_poisoned() {
    let lazy = Lazy::<_, Gate<u32>>::with_value(1);
    assert_eq!(now(lazy.get_unpin()), &1);
    assert_eq!(lazy.into_parts().ok(), Some(1));
}

// Ways to the value.

#[test]
fn get_takes_a_future_that_has_to_be_pinned() {
    let gate = Gate::new();
    let lazy = pin!(Lazy::new({
        let gate = gate.clone();
        async {
            let number = 6;
            let reference = &number;
            let factor: u32 = gate.await;
            *reference * factor
        }
    }));
    let mut get = Box::pin(lazy.as_ref().get());
    assert!(poll(&mut get).is_pending());
    gate.open(7);
    assert_eq!(poll(&mut get), Poll::Ready(&42));
}

#[test]
fn both_references_can_be_awaited() {
    let lazy = pin!(Lazy::new(async { 1 }));
    let pinned: Pin<&Lazy<_, _>> = lazy.as_ref();
    assert_eq!(now(async { *pinned.await }), 1);
    let lazy = Lazy::new(ready(2));
    assert_eq!(now(async { *(&lazy).await }), 2);
}

#[test]
fn a_boxed_lazy_is_pinned() {
    let lazy = Box::pin(Lazy::new(async { 1 }));
    assert_eq!(now(lazy.as_ref().get()), &1);
}

#[test]
fn try_get_mut_changes_the_value() {
    let mut lazy = pin!(Lazy::new(async { 1 }));
    assert_eq!(lazy.as_mut().try_get_mut(), None);
    now(lazy.as_ref().get());
    *lazy.as_mut().try_get_mut().unwrap() += 1;
    assert_eq!(lazy.try_get(), Some(&2));
}

#[test]
fn it_is_const_and_a_static_is_pinned() {
    static ANSWER: Lazy<u32, Ready<u32>> = Lazy::with_value(42);
    static UNPIN: Lazy<u32, Immediately> = Lazy::new(Immediately);
    static LOCKED: Lazy<u32, Immediately, Locked> = Lazy::with_backend(Immediately);

    struct Immediately;

    impl Future for Immediately {
        type Output = u32;

        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u32> {
            Poll::Ready(1)
        }
    }

    let value: &'static u32 = now(Pin::static_ref(&ANSWER).get());
    assert_eq!(value, &42);
    assert_eq!(now(Pin::static_ref(&UNPIN).get()), &1);
    assert_eq!(now(LOCKED.get_unpin()), &1);
}

#[test]
fn debug_shows_the_value() {
    let lazy = Lazy::new(ready(1));
    assert_eq!(format!("{lazy:?}"), "Lazy(<uninit>)");
    let get = lazy.get_unpin();
    assert_eq!(format!("{get:?}"), "GetLazy { .. }");
    assert_eq!(now(get), &1);
    assert_eq!(format!("{lazy:?}"), "Lazy(1)");
}

#[test]
fn a_poll_after_completion_panics() {
    let lazy = Lazy::new(ready(1));
    for _ in 0..2 {
        // Computed, and then found.
        let mut get = Box::pin(lazy.get_unpin());
        assert!(poll(&mut get).is_ready());
        assert!(panic_of(|| poll(&mut get).is_ready()).contains("polled after completion"));
    }
    let gate = Gate::new();
    let lazy = Lazy::new(gate.clone());
    let (mut driver, mut waiter) = (Box::pin(lazy.get_unpin()), Box::pin(lazy.get_unpin()));
    assert!(poll(&mut driver).is_pending());
    assert!(poll(&mut waiter).is_pending());
    gate.open(1);
    assert!(poll(&mut driver).is_ready());
    assert!(poll(&mut waiter).is_ready());
    for get in [&mut driver, &mut waiter] {
        assert!(panic_of(|| poll(get).is_ready()).contains("polled after completion"));
    }
}

#[test]
fn a_future_that_awaits_its_own_lazy_is_found() {
    static OWN: Lazy<u32, Own> = Lazy::new(Own(None));

    struct Own(Option<Pin<Box<GetLazy<'static, u32, Own>>>>);

    impl Future for Own {
        type Output = u32;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
            let own = self.0.get_or_insert_with(|| Box::pin(OWN.get_unpin()));
            own.as_mut().poll(cx).map(|value| *value)
        }
    }

    let mut get = Box::pin(OWN.get_unpin());
    let waker = Task::new().waker();
    if cfg!(all(
        feature = "std",
        any(debug_assertions, feature = "deadlock-detection")
    )) {
        let message = panic_of(|| poll_with(&mut get, &waker).is_ready());
        assert!(message.contains("deadlock"), "{message}");
        assert!(panic_of(|| now(OWN.get_unpin())).contains(POISONED));
    } else {
        assert!(poll_with(&mut get, &waker).is_pending());
    }
}

#[test]
fn it_works_with_a_backend_from_outside() {
    let (polls, drops) = (AtomicUsize::new(0), Drops::new());
    let lazy = Lazy::<_, _, Locked>::with_backend(Steps::new(&polls, 3, &drops));
    let task = Task::new();
    let (mut driver, mut other) = (Box::pin(lazy.get_unpin()), Box::pin(lazy.get_unpin()));
    assert!(poll(&mut driver).is_pending());
    assert!(poll_with(&mut other, &task.waker()).is_pending());
    drop(driver);
    assert_eq!(task.wakes(), 1);
    assert!(poll(&mut other).is_pending());
    assert_eq!(poll(&mut other), Poll::Ready(&3));
    let lazy = Lazy::<_, Ready<u32>, Locked>::with_backend_and_value(1);
    assert_eq!(lazy.try_get(), Some(&1));
}

// Costs.

#[test]
#[cfg(all(
    target_pointer_width = "64",
    not(any(feature = "deadlock-detection", feature = "tracing"))
))]
fn a_lazy_adds_one_or_two_words_to_the_larger_of_value_and_future() {
    assert_eq!(size_of::<Lazy<u64, [u64; 7]>>(), 56 + 2 * 8);
    assert_eq!(size_of::<Lazy<[u64; 7], u64>>(), 56 + 2 * 8);
    assert_eq!(size_of::<Lazy<u64, Box<u64>>>(), 8 + 2 * 8);
    // A `u32` leaves padding, and an `Option` has a niche.
    assert_eq!(size_of::<Lazy<u32, [u32; 1]>>(), 8 + 8);
    assert_eq!(size_of::<Lazy<u64, Ready<u64>>>(), 16 + 8);
    assert_eq!(size_of::<GetLazy<'_, u64, [u64; 7]>>(), 5 * 8);
    assert_eq!(size_of::<oncelot::Intrusive>(), 8);
    assert_eq!(size_of::<oncelot::backend::IntrusiveWaiter>(), 32);
}

#[test]
fn nothing_allocates() {
    let is_open = AtomicBool::new(false);
    let task = Task::new();
    let waker = task.waker();
    let cx = &mut Context::from_waker(&waker);

    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1, "the allocator counts");

    let before = ALLOCATIONS.get();
    {
        let lazy = pin!(Lazy::new(async {
            let mut is_open = poll_fn(|_| match is_open.load(Ordering::SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            });
            Pin::new(&mut is_open).await;
            [7_u64; 100]
        }));
        let lazy = lazy.as_ref();
        let mut first = pin!(Some(lazy.get()));
        let mut second = pin!(lazy.get());
        assert!(first.as_mut().as_pin_mut().unwrap().poll(cx).is_pending());
        assert!(second.as_mut().poll(cx).is_pending());
        first.set(None);
        assert!(second.as_mut().poll(cx).is_pending());
        is_open.store(true, Ordering::SeqCst);
        assert!(second.as_mut().poll(cx).is_ready());
        assert_eq!(lazy.try_get(), Some(&[7; 100]));
        let lazy = pin!(Lazy::new(pending::<u32>()));
        assert!(pin!(lazy.as_ref().get()).poll(cx).is_pending());
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(task.wakes(), 1);
}
