//! A waker uses the cell while it is being woken. When an initializer ends, a *drain* unlinks the waiters up to a marker in the
//! list, and wakes them: the default backend in batches of 16, and the backend of one thread one by one, without a lock.

mod util;

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    thread,
};

use oncelot::{Backend, LocalOnceCell, OnceCell};
use util::{CROWDS, Gate, Op, ResultGate, Task, leak, leak_box, now, panic_of, poll, poll_with};

/// Generates a `#[test]` for each of the functions, for both backends.
macro_rules! tests {
    ($($name:ident)*) => {
        mod intrusive {
            $(#[test] fn $name() { super::$name::<oncelot::backend::Intrusive>(); })*
        }
        mod local {
            $(#[test] fn $name() { super::$name::<oncelot::backend::Local>(); })*
        }
    };
}

tests! {
    a_failure_inside_a_drain_wakes_the_claimants_behind
    a_publication_inside_a_drain_wakes_every_waiter
    a_drain_leaves_newcomers_asleep
    neighbors_of_a_marker_can_be_cancelled_inside_the_drain
    drains_can_be_nested_as_deep_as_there_are_waiters
    a_panicking_waker_leaves_no_waiter_asleep_and_no_marker_behind
    a_waiter_that_a_waker_polls_is_woken_by_its_newer_waker
    a_waiter_that_is_woken_can_be_dropped_by_its_waker
}

/// Returns how many waiters are in front of the waker that uses the cell, and how many are behind. That waker is the first, the
/// second or the last of a batch, or the first or the second of the next one.
fn places() -> impl Iterator<Item = (usize, usize)> {
    let before = [0, 1, 15, 16, 17].into_iter();
    before.flat_map(|before| CROWDS.map(|behind| (before, behind)))
}

type AnyFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A cell that wakers can refer to.
fn static_cell<B: Backend + 'static>() -> &'static OnceCell<u32, B> {
    let cell = leak_box(Box::new(OnceCell::with_backend()));
    // SAFETY: nothing drops it or borrows it exclusively.
    unsafe { &*cell }
}

/// A future that waits, and the task that has polled it.
struct Waiter {
    future: AnyFuture<&'static u32>,
    task: Arc<Task>,
}

impl Waiter {
    fn new(future: impl Future<Output = &'static u32> + 'static, task: Arc<Task>) -> Self {
        let mut future: AnyFuture<_> = Box::pin(future);
        assert!(poll_with(&mut future, &task.waker()).is_pending());
        Self { future, task }
    }

    fn passive<B: Backend>(cell: &'static OnceCell<u32, B>) -> Self {
        Self::new(cell.wait(), Task::new())
    }

    /// Returns a claimant that runs `hook` when it is woken.
    fn hooked<B: Backend>(cell: &'static OnceCell<u32, B>, hook: impl Fn() + 'static) -> Self {
        Self::new(cell.get_or_init(async || 2), Task::on(Op::Wake, hook))
    }
}

fn claimants<B: Backend>(cell: &'static OnceCell<u32, B>, count: usize) -> Vec<Waiter> {
    (0..count)
        .map(|_| Waiter::new(cell.get_or_init(async || 2), Task::new()))
        .collect()
}

type Initializer = AnyFuture<Result<&'static u32, &'static str>>;

/// Starts an initializer that ends when its gate is opened.
fn start<B: Backend>(cell: &'static OnceCell<u32, B>) -> (ResultGate<u32>, Initializer) {
    let gate = Gate::new();
    let mut running: Initializer = Box::pin(cell.get_or_try_init({
        let gate = gate.clone();
        || gate
    }));
    assert!(poll(&mut running).is_pending());
    (gate, running)
}

#[track_caller]
fn assert_wakes(waiters: &[Waiter], expected: usize, what: &str) {
    let wakes: Vec<_> = waiters.iter().map(|waiter| waiter.task.wakes()).collect();
    assert!(wakes.iter().all(|wakes| *wakes == expected), "{what}: {wakes:?}");
}

fn a_failure_inside_a_drain_wakes_the_claimants_behind<B: Backend + 'static>() {
    for (before, count) in places() {
        let cell = static_cell::<B>();
        let (gate, mut running) = start(cell);
        let first = claimants(cell, before);
        let _hooked = Waiter::hooked(cell, || {
            assert_eq!(now(cell.get_or_try_init(async || Err(()))), Err(()));
        });
        let rest = claimants(cell, count);
        let passive = [Waiter::passive(cell)];
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        assert_wakes(&first, 1, "before");
        assert_wakes(&rest, 1, "behind");
        assert_wakes(&passive, 0, "by failures");
        assert_eq!(cell.set(1), Ok(()));
        assert_wakes(&passive, 1, "by the value");
    }
}

fn a_publication_inside_a_drain_wakes_every_waiter<B: Backend + 'static>() {
    for (before, count) in places() {
        let cell = static_cell::<B>();
        let (gate, mut running) = start(cell);
        let first = claimants(cell, before);
        let _hooked = Waiter::hooked(cell, || assert_eq!(cell.set(1), Ok(())));
        let rest = claimants(cell, count);
        let passive = [Waiter::passive(cell)];
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        assert_wakes(&first, 1, "before");
        assert_wakes(&rest, 1, "behind");
        assert_wakes(&passive, 1, "by the value");
    }
}

fn a_drain_leaves_newcomers_asleep<B: Backend + 'static>() {
    for (older, count) in [3, 40]
        .into_iter()
        .flat_map(|older| CROWDS.map(|count| (older, count)))
    {
        let cell = static_cell::<B>();
        let (gate, mut running) = start(cell);
        let newcomers = Rc::new(RefCell::new(None));
        let _hooked = Waiter::hooked(cell, {
            let newcomers = Rc::clone(&newcomers);
            move || {
                let (gate, running) = start(cell);
                *newcomers.borrow_mut() = Some((gate, running, claimants(cell, count)));
            }
        });
        let rest = claimants(cell, older);
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        assert_wakes(&rest, 1, "before the marker");
        let (gate, mut running, newcomers) = newcomers.take().unwrap();
        assert_wakes(&newcomers, 0, "behind the marker");
        gate.open(Err("failed again"));
        assert!(poll(&mut running).is_ready());
        assert_wakes(&newcomers, 1, "by the next failure");
    }
}

/// Two of the waiters around the marker are dropped by a waker that the drain wakes, in every order.
fn neighbors_of_a_marker_can_be_cancelled_inside_the_drain<B: Backend + 'static>() {
    for (first, second) in (0..6).flat_map(|first| (0..6).map(move |second| (first, second))) {
        let cell = static_cell::<B>();
        let (gate, mut running) = start(cell);
        let around = Rc::new(RefCell::new(Vec::<Option<Waiter>>::new()));
        let next = Rc::new(RefCell::new(None));
        let _hooked = Waiter::hooked(cell, {
            let (around, next) = (Rc::clone(&around), Rc::clone(&next));
            move || {
                let begun = start(cell);
                // Behind the marker, to the three before it.
                let mut around = around.borrow_mut();
                around.extend(claimants(cell, 3).into_iter().map(Some));
                around[first] = None;
                around[second] = None;
                next.replace(Some(begun));
            }
        });
        // So many that the drain needs a marker.
        let rest = claimants(cell, 40);
        (around.borrow_mut()).extend(claimants(cell, 3).into_iter().map(Some));
        let passive = [Waiter::passive(cell)];
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        assert_wakes(&rest, 1, "in front");
        let wakes = || {
            let wakes_of = |waiter: &Option<Waiter>| Some(waiter.as_ref()?.task.wakes());
            around.borrow().iter().map(wakes_of).collect::<Vec<_>>()
        };
        for (index, wakes) in wakes().into_iter().enumerate() {
            let expected = usize::from(index < 3);
            assert_eq!(
                wakes.unwrap_or(expected),
                expected,
                "{first} and {second} are gone"
            );
        }
        let (gate, mut running) = next.take().unwrap();
        gate.open(Ok(1));
        assert!(poll(&mut running).is_ready());
        assert!(
            wakes().into_iter().flatten().all(|wakes| wakes == 1),
            "{first} and {second} are gone"
        );
        assert_wakes(&passive, 1, "by the value");
    }
}

/// Each of 40 wakers claims and fails on the spot: drains inside drains, each with a marker of its own.
fn drains_can_be_nested_as_deep_as_there_are_waiters<B: Backend + 'static>() {
    let cell = static_cell::<B>();
    let (gate, mut running) = start(cell);
    let (depth, deepest) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let _nested: Vec<_> = (0..40)
        .map(|_| {
            let (depth, deepest) = (Rc::clone(&depth), Rc::clone(&deepest));
            Waiter::hooked(cell, move || {
                depth.set(depth.get() + 1);
                deepest.set(deepest.get().max(depth.get()));
                let _ = now(cell.get_or_try_init(async || Err::<u32, _>(())));
                depth.set(depth.get() - 1);
            })
        })
        .collect();
    let last = claimants(cell, 130);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert!(deepest.get() > 1, "the drains are not nested");
    assert_wakes(&last, 1, "behind all drains");
    assert_eq!(cell.set(1), Ok(()));
}

fn a_panicking_waker_leaves_no_waiter_asleep_and_no_marker_behind<B: Backend + 'static>() {
    for (before, count) in places() {
        let cell = static_cell::<B>();
        let (gate, mut running) = start(cell);
        let first = claimants(cell, before);
        let _panicking = Waiter::hooked(cell, || panic!("a waker panics"));
        let rest = claimants(cell, count);
        // Without `std`, the second panic aborts.
        let _second = cfg!(feature = "std").then(|| Waiter::hooked(cell, || panic!("a second waker panics")));
        let last = claimants(cell, 1);
        gate.open(Err("failed"));
        assert_eq!(panic_of(|| poll(&mut running).is_ready()), "a waker panics");
        assert_wakes(&first, 1, "before the panic");
        assert_wakes(&rest, 1, "behind the panic");
        assert_wakes(&last, 1, "behind the second panic");
        // A marker that was left in the list would be in memory that has been used for something else since.
        let (gate, mut running) = start(cell);
        let newcomers = claimants(cell, count);
        gate.open(Ok(1));
        assert!(poll(&mut running).is_ready());
        assert_wakes(&newcomers, 1, "after the panic");
    }
}

fn a_waiter_that_a_waker_polls_is_woken_by_its_newer_waker<B: Backend + 'static>() {
    let cell = static_cell::<B>();
    let (gate, mut running) = start(cell);
    let moved = Rc::new(RefCell::new(None::<Waiter>));
    let newer = Task::new();
    let _hooked = Waiter::hooked(cell, {
        let (moved, newer) = (Rc::clone(&moved), Arc::clone(&newer));
        move || {
            let _next = start(cell);
            let mut moved = moved.borrow_mut();
            assert!(poll_with(&mut moved.as_mut().unwrap().future, &newer.waker()).is_pending());
        }
    });
    // The waker that polls is in the batch before.
    let _rest_of_the_batch = claimants(cell, 15);
    *moved.borrow_mut() = claimants(cell, 1).pop();
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    let older_wakes = moved.borrow().as_ref().unwrap().task.wakes();
    assert_eq!((older_wakes, newer.wakes()), (0, 1));
}

fn a_waiter_that_is_woken_can_be_dropped_by_its_waker<B: Backend + 'static>() {
    let cell = static_cell::<B>();
    let (gate, mut running) = start(cell);
    let woken = Rc::new(RefCell::new(None::<Waiter>));
    let itself = Waiter::hooked(cell, {
        let woken = Rc::clone(&woken);
        move || {
            let taken = woken.take();
            drop(taken);
        }
    });
    *woken.borrow_mut() = Some(itself);
    let rest = claimants(cell, 3);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert!(woken.borrow().is_none());
    assert_wakes(&rest, 1, "behind");
    drop(rest);
    assert_eq!(cell.set(1), Ok(()));
}

// Waiters of a cell of one thread that are leaked stay in its list.

fn leak_waiters(cell: &LocalOnceCell<u32>) -> [Arc<Task>; 2] {
    std::array::from_fn(|_| {
        let task = Task::new();
        let mut leaked = Box::pin(cell.wait());
        assert!(poll_with(&mut leaked, &task.waker()).is_pending());
        leak(leaked);
        task
    })
}

#[test]
fn leaked_waiters_are_woken_by_the_thread_that_a_local_cell_was_moved_to() {
    let cell = LocalOnceCell::with_backend();
    let tasks = leak_waiters(&cell);
    thread::spawn(move || {
        let mut waiting = Box::pin(cell.wait());
        assert!(poll(&mut waiting).is_pending());
        assert_eq!(cell.set(1), Ok(()));
        assert_eq!(poll(&mut waiting), Poll::Ready(&1));
    })
    .join()
    .unwrap();
    assert_eq!(tasks.map(|task| task.wakes()), [1, 1]);
}

#[test]
fn a_local_cell_with_a_leaked_claim_and_leaked_waiters_can_be_taken_and_dropped() {
    let mut cell = LocalOnceCell::with_backend();
    let mut leaked = Box::pin(cell.get_or_init(std::future::pending));
    assert!(poll(&mut leaked).is_pending());
    leak(leaked);
    let tasks = leak_waiters(&cell);
    assert_eq!(cell.take(), None);
    assert_eq!(cell.set(1), Ok(()));
    drop(cell);
    assert_eq!(tasks.map(|task| task.wakes()), [0, 0]);
}
