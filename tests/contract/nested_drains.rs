//! Drains that overtake each other: a waker settles the cell again while the drain that woke it is in progress.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use oncelot::OnceCell;

use crate::util::{BoxFuture, CROWDS, Op, Task, Waiter, now, panic_of, poll, poll_with, start, static_cell};

/// Registers `crowd` claimants with tasks of their own.
fn claimants(cell: &'static OnceCell<u32>, crowd: usize) -> Vec<Waiter<'static>> {
    (0..crowd).map(|_| Waiter::claimant(cell, 2)).collect()
}

/// Registers a claimant that runs `on_wake` when it is woken.
fn hooked(
    cell: &'static OnceCell<u32>,
    on_wake: impl Fn() + Send + Sync + 'static,
) -> BoxFuture<'static, &'static u32> {
    let task = Task::on(Op::Wake, on_wake);
    let mut waiting: BoxFuture<'static, &'static u32> = Box::pin(cell.get_or_init(async || 2));
    assert!(poll_with(&mut waiting, &task.waker()).is_pending());
    waiting
}

fn assert_woken_once(waiters: &[Waiter<'_>], what: &str) {
    let wakes: Vec<_> = waiters.iter().map(Waiter::wakes).collect();
    assert!(wakes.iter().all(|wakes| *wakes == 1), "{what}: {wakes:?}");
}

#[test]
fn a_failure_inside_a_drain_wakes_the_rest_of_the_crowd() {
    for before in [0, 1, 15, 16, 17] {
        for crowd in CROWDS {
            let cell = static_cell();
            let (gate, mut running) = start(cell);
            let first = claimants(cell, before);
            let _hooked = hooked(cell, || {
                assert_eq!(now(cell.get_or_try_init(async || Err(()))), Err(()));
            });
            let rest = claimants(cell, crowd);
            let passive = Waiter::passive(cell);
            gate.open(Err("failed"));
            assert!(poll(&mut running).is_ready());
            assert_woken_once(&first, "before");
            assert_woken_once(&rest, "behind");
            assert_eq!(passive.wakes(), 0);
            assert_eq!(cell.set(1), Ok(()));
            assert_eq!(passive.wakes(), 1);
        }
    }
}

#[test]
fn a_publication_inside_a_drain_wakes_the_rest_of_the_crowd() {
    for before in [0, 1, 15, 16, 17] {
        for crowd in CROWDS {
            let cell = static_cell();
            let (gate, mut running) = start(cell);
            let first = claimants(cell, before);
            let _hooked = hooked(cell, || assert_eq!(cell.set(1), Ok(())));
            let rest = claimants(cell, crowd);
            let passive = Waiter::passive(cell);
            gate.open(Err("failed"));
            assert!(poll(&mut running).is_ready());
            assert_woken_once(&first, "before");
            assert_woken_once(&rest, "behind");
            assert_eq!(passive.wakes(), 1);
        }
    }
}

#[test]
fn a_drain_leaves_a_crowd_of_newcomers_asleep() {
    for crowd in CROWDS {
        let cell = static_cell();
        let (gate, mut running) = start(cell);
        let newcomers = Arc::new(Mutex::new(None));
        let _hooked = hooked(cell, {
            let newcomers = Arc::clone(&newcomers);
            move || {
                let (gate, running) = start(cell);
                *newcomers.lock().unwrap() = Some((gate, running, claimants(cell, crowd)));
            }
        });
        let rest = claimants(cell, 40);
        gate.open(Err("failed"));
        assert!(poll(&mut running).is_ready());
        assert_woken_once(&rest, "before the marker");
        let (gate, mut running, newcomers) = newcomers.lock().unwrap().take().unwrap();
        assert!(
            newcomers.iter().all(|waiter| waiter.wakes() == 0),
            "{crowd} behind the marker"
        );
        gate.open(Err("failed again"));
        assert!(poll(&mut running).is_ready());
        assert_woken_once(&newcomers, "by the next failure");
    }
}

/// The waiters around the marker of a drain of 40 are dropped inside the drain, in every order of two.
#[test]
fn neighbors_of_a_marker_can_be_cancelled_inside_the_drain() {
    for first in 0..6 {
        for second in 0..6 {
            let cell = static_cell();
            let (gate, mut running) = start(cell);
            let cast = Arc::new(Mutex::new(Vec::<Option<Waiter<'static>>>::new()));
            let next = Arc::new(Mutex::new(None));
            let _hooked = hooked(cell, {
                let (cast, next) = (Arc::clone(&cast), Arc::clone(&next));
                move || {
                    let (gate, running) = start(cell);
                    // Behind the marker, to the three before it.
                    let mut waiters = cast.lock().unwrap();
                    waiters.extend(claimants(cell, 3).into_iter().map(Some));
                    for gone in [first, second] {
                        waiters[gone] = None;
                    }
                    *next.lock().unwrap() = Some((gate, running));
                }
            });
            let crowd = claimants(cell, 40);
            cast.lock()
                .unwrap()
                .extend(claimants(cell, 3).into_iter().map(Some));
            gate.open(Err("failed"));
            assert!(poll(&mut running).is_ready());
            assert_woken_once(&crowd, "before");
            for (index, waiter) in cast.lock().unwrap().iter().enumerate() {
                let Some(waiter) = waiter else { continue };
                assert_eq!(
                    waiter.wakes(),
                    usize::from(index < 3),
                    "{first} and {second} are gone"
                );
            }
            let (gate, mut running) = next.lock().unwrap().take().unwrap();
            gate.open(Ok(1));
            assert!(poll(&mut running).is_ready());
            for waiter in cast.lock().unwrap().iter().flatten() {
                assert_eq!(waiter.wakes(), 1);
            }
        }
    }
}

/// Each of 40 wakers claims and fails on the spot: drains inside drains, each with a marker of its own.
#[test]
fn drains_can_be_nested_as_deep_as_there_are_waiters() {
    let cell = static_cell();
    let (gate, mut running) = start(cell);
    let (depth, deepest) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let _nested: Vec<_> = (0..40)
        .map(|_| {
            let (depth, deepest) = (Arc::clone(&depth), Arc::clone(&deepest));
            hooked(cell, move || {
                let inside = depth.fetch_add(1, Ordering::Relaxed) + 1;
                deepest.fetch_max(inside, Ordering::Relaxed);
                let _ = now(cell.get_or_try_init(async || Err::<u32, _>(())));
                depth.fetch_sub(1, Ordering::Relaxed);
            })
        })
        .collect();
    let last = claimants(cell, 130);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert!(deepest.load(Ordering::Relaxed) > 1);
    assert_woken_once(&last, "behind all drains");
    assert_eq!(cell.set(1), Ok(()));
}

/// The waker that panics is anywhere in its batch of 16: the first, the last, or the first of the second batch.
#[test]
fn a_panicking_waker_leaves_no_marker_behind() {
    for (crowd, before) in CROWDS
        .into_iter()
        .flat_map(|crowd| [0, 15, 16].map(|before| (crowd, before)))
    {
        let cell = static_cell();
        let (gate, mut running) = start(cell);
        let first = claimants(cell, before);
        let panicking = Task::panicking_on(Op::Wake, "a waker panics");
        let mut waiting: BoxFuture<'static, &'static u32> = Box::pin(cell.get_or_init(async || 2));
        assert!(poll_with(&mut waiting, &panicking.waker()).is_pending());
        let rest = claimants(cell, crowd);
        gate.open(Err("failed"));
        assert_eq!(panic_of(|| poll(&mut running).is_ready()), "a waker panics");
        assert_woken_once(&first, "before the panic");
        assert_woken_once(&rest, "behind the panic");
        // A marker that was left in the list would be in memory that has been used for something else since.
        let (gate, mut running) = start(cell);
        let newcomers = claimants(cell, crowd);
        gate.open(Ok(1));
        assert!(poll(&mut running).is_ready());
        assert_woken_once(&newcomers, "after the panic");
    }
}
