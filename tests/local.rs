//! Cells of one thread: wakers that use the cell during the drain that wakes them, and futures that are leaked.
//!
//! The conformance suite and `faults` test what local cells have in common with other cells.

mod util;

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Poll, Wake, Waker},
    thread,
};

use oncelot::LocalOnceCell;
#[cfg(feature = "std")]
use util::panic_of;
use util::{CROWDS, Gate, ResultGate, Task, leak, leak_box, now, poll, poll_with};

type LocalCell = LocalOnceCell<u32>;
type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A cell that wakers can refer to.
fn local_cell() -> &'static LocalCell {
    let cell = leak_box(Box::new(LocalCell::with_backend()));
    // SAFETY: nothing drops it or borrows it exclusively.
    unsafe { &*cell }
}

thread_local! {
    static HOOKS: RefCell<Vec<Rc<dyn Fn()>>> = const { RefCell::new(Vec::new()) };
}

/// A task whose wakers run a hook of the thread.
struct Hooked(usize);

impl Wake for Hooked {
    fn wake(self: Arc<Self>) {
        let hook = HOOKS.with_borrow(|hooks| Rc::clone(&hooks[self.0]));
        hook();
    }
}

/// A waker that runs `hook` when it is woken.
fn waker_on(hook: impl Fn() + 'static) -> Waker {
    HOOKS.with_borrow_mut(|hooks| {
        hooks.push(Rc::new(hook));
        Waker::from(Arc::new(Hooked(hooks.len() - 1)))
    })
}

/// A future that waits, and the task that it was polled by.
struct Waiter {
    future: LocalFuture<&'static u32>,
    task: Arc<Task>,
}

impl Waiter {
    fn new(future: impl Future<Output = &'static u32> + 'static) -> Self {
        let mut waiter = Self {
            future: Box::pin(future),
            task: Task::new(),
        };
        assert!(poll_with(&mut waiter.future, &waiter.task.waker()).is_pending());
        waiter
    }

    fn claimant(cell: &'static LocalCell) -> Self {
        Self::new(cell.get_or_init(async || 2))
    }

    fn passive(cell: &'static LocalCell) -> Self {
        Self::new(cell.wait())
    }

    fn wakes(&self) -> usize {
        self.task.wakes()
    }
}

fn claimants(cell: &'static LocalCell, crowd: usize) -> Vec<Waiter> {
    (0..crowd).map(|_| Waiter::claimant(cell)).collect()
}

/// Registers a claimant that runs `hook` when it is woken.
fn hooked(cell: &'static LocalCell, hook: impl Fn() + 'static) -> LocalFuture<&'static u32> {
    let mut waiting: LocalFuture<_> = Box::pin(cell.get_or_init(async || 2));
    assert!(poll_with(&mut waiting, &waker_on(hook)).is_pending());
    waiting
}

type Initializer = LocalFuture<Result<&'static u32, &'static str>>;

/// Starts an initializer that ends when its gate is opened.
fn start(cell: &'static LocalCell) -> (ResultGate<u32>, Initializer) {
    let gate = Gate::new();
    let mut running: Initializer = Box::pin(cell.get_or_try_init({
        let gate = gate.clone();
        || gate
    }));
    assert!(poll(&mut running).is_pending());
    (gate, running)
}

fn assert_woken_once(waiters: &[Waiter], what: &str) {
    let wakes: Vec<_> = waiters.iter().map(Waiter::wakes).collect();
    assert!(wakes.iter().all(|wakes| *wakes == 1), "{what}: {wakes:?}");
}

#[test]
fn a_drain_leaves_newcomers_asleep() {
    for crowd in CROWDS {
        let cell = local_cell();
        let (gate, mut running) = start(cell);
        let newcomers = Rc::new(RefCell::new(None));
        let _hooked = hooked(cell, {
            let newcomers = Rc::clone(&newcomers);
            move || {
                let (gate, running) = start(cell);
                *newcomers.borrow_mut() = Some((gate, running, claimants(cell, crowd)));
            }
        });
        let rest = claimants(cell, 3);
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        assert_woken_once(&rest, "before the marker");
        let (gate, mut running, newcomers) = newcomers.take().unwrap();
        let wakes: usize = newcomers.iter().map(Waiter::wakes).sum();
        assert_eq!(wakes, 0, "{crowd} behind the marker");
        gate.open(Err("failed again"));
        assert!(poll(&mut running).is_ready());
        assert_woken_once(&newcomers, "by the next failure");
    }
}

#[test]
fn a_failure_inside_a_drain_wakes_the_claimants_behind() {
    for crowd in CROWDS {
        let cell = local_cell();
        let (gate, mut running) = start(cell);
        let _hooked = hooked(cell, || {
            assert_eq!(now(cell.get_or_try_init(async || Err(()))), Err(()));
        });
        let rest = claimants(cell, crowd);
        let passive = Waiter::passive(cell);
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        assert_woken_once(&rest, "behind");
        assert_eq!(passive.wakes(), 0);
        assert_eq!(cell.set(1), Ok(()));
        assert_eq!(passive.wakes(), 1);
    }
}

#[test]
fn a_publication_inside_a_drain_wakes_every_waiter() {
    for crowd in CROWDS {
        let cell = local_cell();
        let (gate, mut running) = start(cell);
        let _hooked = hooked(cell, || assert_eq!(cell.set(1), Ok(())));
        let rest = claimants(cell, crowd);
        let passive = Waiter::passive(cell);
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        assert_woken_once(&rest, "behind");
        assert_eq!(passive.wakes(), 1);
    }
}

/// Each of 40 wakers claims and fails on the spot: drains inside drains, each with a marker of its own.
#[test]
fn drains_can_be_nested_as_deep_as_there_are_waiters() {
    let cell = local_cell();
    let (gate, mut running) = start(cell);
    let (depth, deepest) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let _nested: Vec<_> = (0..40)
        .map(|_| {
            let (depth, deepest) = (Rc::clone(&depth), Rc::clone(&deepest));
            hooked(cell, move || {
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
    assert_eq!(deepest.get(), 40);
    assert_woken_once(&last, "behind all drains");
    assert_eq!(cell.set(1), Ok(()));
}

/// Two of the waiters around the marker are dropped by a waker that the drain wakes, in every order.
#[test]
fn neighbors_of_a_marker_can_be_cancelled_inside_the_drain() {
    for (first, second) in (0..6).flat_map(|first| (0..6).map(move |second| (first, second))) {
        let cell = local_cell();
        let (gate, mut running) = start(cell);
        let around = Rc::new(RefCell::new(Vec::<Option<Waiter>>::new()));
        let next = Rc::new(RefCell::new(None));
        let _hooked = hooked(cell, {
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
        around
            .borrow_mut()
            .extend(claimants(cell, 3).into_iter().map(Some));
        let passive = Waiter::passive(cell);
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        for (index, waiter) in around.borrow().iter().enumerate() {
            let Some(waiter) = waiter else { continue };
            assert_eq!(
                waiter.wakes(),
                usize::from(index < 3),
                "{first} and {second} are gone"
            );
        }
        let (gate, mut running) = next.take().unwrap();
        gate.open(Ok(1));
        assert!(poll(&mut running).is_ready());
        for waiter in around.borrow().iter().flatten() {
            assert_eq!(waiter.wakes(), 1, "{first} and {second} are gone");
        }
        assert_eq!(passive.wakes(), 1);
    }
}

/// Without `std`, the second panic aborts.
#[cfg(feature = "std")]
#[test]
fn a_panicking_waker_leaves_no_waiter_asleep_and_no_marker_behind() {
    for crowd in CROWDS {
        let cell = local_cell();
        let (gate, mut running) = start(cell);
        let _panicking = hooked(cell, || panic!("a waker panics"));
        let rest = claimants(cell, crowd);
        let _second = hooked(cell, || panic!("a second waker panics"));
        let last = claimants(cell, 1);
        gate.open(Err("failed"));
        assert_eq!(panic_of(|| poll(&mut running).is_ready()), "a waker panics");
        assert_woken_once(&rest, "behind the panic");
        assert_woken_once(&last, "behind the second panic");
        // A marker that was left in the list would be in memory that has been used for something else since.
        let (gate, mut running) = start(cell);
        let newcomers = claimants(cell, crowd);
        gate.open(Ok(1));
        assert!(poll(&mut running).is_ready());
        assert_woken_once(&newcomers, "after the panic");
    }
}

#[test]
fn a_waiter_that_a_waker_polls_is_woken_by_its_newer_waker() {
    let cell = local_cell();
    let (gate, mut running) = start(cell);
    let moved = Rc::new(RefCell::new(None::<Waiter>));
    let newer = Task::new();
    let _hooked = hooked(cell, {
        let (moved, newer) = (Rc::clone(&moved), Arc::clone(&newer));
        move || {
            let (gate, running) = start(cell);
            let mut moved = moved.borrow_mut();
            let waiter = moved.as_mut().unwrap();
            assert!(poll_with(&mut waiter.future, &newer.waker()).is_pending());
            drop(running);
            drop(gate);
        }
    });
    *moved.borrow_mut() = Some(Waiter::claimant(cell));
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    let older_wakes = moved.borrow().as_ref().unwrap().wakes();
    assert_eq!((older_wakes, newer.wakes()), (0, 1));
}

#[test]
fn a_waiter_that_is_woken_can_be_dropped_by_its_waker() {
    let cell = local_cell();
    let (gate, mut running) = start(cell);
    let woken = Rc::new(RefCell::new(None::<LocalFuture<&'static u32>>));
    let itself = hooked(cell, {
        let woken = Rc::clone(&woken);
        move || drop(woken.take())
    });
    *woken.borrow_mut() = Some(itself);
    let rest = claimants(cell, 3);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert!(woken.borrow().is_none());
    assert_woken_once(&rest, "behind");
    drop(rest);
    assert_eq!(cell.set(1), Ok(()));
}

/// Registers two passive waiters that are never dropped, so that they stay in the list.
fn leak_waiters(cell: &LocalCell) -> [Arc<Task>; 2] {
    std::array::from_fn(|_| {
        let task = Task::new();
        let mut leaked = Box::pin(cell.wait());
        assert!(poll_with(&mut leaked, &task.waker()).is_pending());
        leak(leaked);
        task
    })
}

#[test]
fn leaked_waiters_are_woken_by_the_thread_that_the_cell_was_moved_to() {
    let cell = LocalCell::with_backend();
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
fn a_cell_with_a_leaked_claim_and_leaked_waiters_can_be_taken_and_dropped() {
    let mut cell = LocalCell::with_backend();
    let mut leaked = Box::pin(cell.get_or_init(std::future::pending));
    assert!(poll(&mut leaked).is_pending());
    leak(leaked);
    let tasks = leak_waiters(&cell);
    assert_eq!(cell.take(), None);
    assert_eq!(cell.set(1), Ok(()));
    drop(cell);
    assert_eq!(tasks.map(|task| task.wakes()), [0, 0]);
}
