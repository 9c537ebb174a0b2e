//! No operation of the crate allocates: a counting allocator checks it.

#[path = "util/counting.rs"]
mod counting;
mod util;

use std::{
    future::{pending, ready},
    pin::Pin,
    task::{Poll, Waker},
};

use counting::ALLOCATIONS;
use oncelot::OnceCell;
use util::{Gate, Task, poll, poll_with};

#[track_caller]
fn without_allocating<R>(f: impl FnOnce() -> R) -> R {
    let before = ALLOCATIONS.get();
    let result = f();
    assert_eq!(ALLOCATIONS.get() - before, 0, "allocations");
    result
}

/// Futures, made beforehand: half of them claimants.
fn waiters(cell: &OnceCell<u32>) -> Vec<util::BoxFuture<'_, &u32>> {
    (0..100)
        .map(|i| util::claimant_or_passive(cell, i % 2 == 0, 2))
        .collect()
}

fn poll_all(waiters: &mut [util::BoxFuture<'_, &u32>], waker: &Waker) -> usize {
    waiters
        .iter_mut()
        .filter_map(|waiter| match poll_with(waiter, waker) {
            Poll::Ready(_) => Some(()),
            Poll::Pending => None,
        })
        .count()
}

#[test]
fn the_allocator_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

#[test]
fn an_uncontended_initialization_does_not_allocate() {
    without_allocating(|| {
        let cell = OnceCell::new();
        let mut future = std::pin::pin!(cell.get_or_init(|| ready(1)));
        let mut cx = std::task::Context::from_waker(Waker::noop());
        assert_eq!(future.as_mut().poll(&mut cx), Poll::Ready(&1));
        assert_eq!(cell.get(), Some(&1));
    });
}

#[test]
fn an_exclusive_initialization_does_not_allocate() {
    without_allocating(|| {
        let mut cell = OnceCell::new();
        let mut future = std::pin::pin!(cell.get_mut_or_init(|| ready(1)));
        let mut cx = std::task::Context::from_waker(Waker::noop());
        assert_eq!(future.as_mut().poll(&mut cx), Poll::Ready(&mut 1));
    });
}

#[test]
fn filling_and_emptying_does_not_allocate() {
    without_allocating(|| {
        let mut cell = OnceCell::new();
        assert_eq!(cell.set(1), Ok(()));
        assert!(cell.set(2).is_err());
        assert_eq!(cell.take(), Some(1));
        assert_eq!(cell.try_insert(3), Ok(&3));
        assert_eq!(cell.into_inner(), Some(3));
    });
}

#[test]
fn registering_and_waking_a_hundred_waiters_does_not_allocate() {
    let cell = OnceCell::new();
    let gate = Gate::new();
    let mut running = Box::pin(cell.get_or_init(|| gate.clone()));
    let mut waiters = waiters(&cell);
    let task = Task::new();
    let waker = task.waker();
    without_allocating(|| {
        assert!(poll(&mut running).is_pending());
        assert_eq!(poll_all(&mut waiters, &waker), 0);
        gate.open(1);
        assert!(poll(&mut running).is_ready());
        assert_eq!(poll_all(&mut waiters, &waker), 100);
    });
    assert_eq!(task.wakes(), 100);
}

#[test]
fn polling_again_and_replacing_wakers_does_not_allocate() {
    let cell = OnceCell::new();
    let mut running = Box::pin(cell.get_or_init(pending));
    let mut waiters = waiters(&cell);
    let wakers = [Task::new().waker(), Task::new().waker()];
    without_allocating(|| {
        assert!(poll(&mut running).is_pending());
        for waker in [&wakers[0], &wakers[0], &wakers[1]] {
            assert_eq!(poll_all(&mut waiters, waker), 0);
        }
    });
}

#[test]
fn a_failure_does_not_allocate() {
    let cell = OnceCell::new();
    let gate = Gate::new();
    let mut running = Box::pin(cell.get_or_try_init(|| gate.clone()));
    let mut waiters = waiters(&cell);
    let task = Task::new();
    let waker = task.waker();
    without_allocating(|| {
        assert!(poll(&mut running).is_pending());
        assert_eq!(poll_all(&mut waiters, &waker), 0);
        gate.open(Err(()));
        assert!(poll(&mut running).is_ready());
        assert!(poll_all(&mut waiters[..10], &waker) > 0);
    });
    assert_eq!(task.wakes(), 100, "50 by the failure, 50 by the value");
}

#[test]
fn a_guard_and_the_calls_that_share_its_attempt_do_not_allocate() {
    let cell = OnceCell::<u32>::new();
    let guard = cell.try_claim();
    let mut calls: Vec<_> = (0..100)
        .map(|_| Box::pin(cell.get_or_try_init_shared(|| ready(Err(())))))
        .collect();
    let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(cell.wait_attempt())).collect();
    let mut claiming = Box::pin(cell.get_or_claim());
    let waker = Task::new().waker();
    without_allocating(|| {
        for _ in 0..2 {
            assert!(calls.iter_mut().all(|call| poll_with(call, &waker).is_pending()));
            assert!(
                waiting
                    .iter_mut()
                    .all(|wait| poll_with(wait, &waker).is_pending())
            );
            assert!(poll_with(&mut claiming, &waker).is_pending());
        }
        drop(guard);
        assert!(calls.iter_mut().all(|call| poll_with(call, &waker).is_ready()));
        assert!(waiting.iter_mut().all(|wait| poll_with(wait, &waker).is_ready()));
        assert!(
            poll_with(&mut claiming, &waker)
                .map(|claimed| claimed.map_err(|guard| guard.set(1)))
                .is_ready()
        );
    });
    assert_eq!(cell.get(), Some(&1));
}

#[test]
fn cancelling_does_not_allocate() {
    let cell = OnceCell::new();
    let mut running = Box::pin(cell.get_or_init(pending));
    let mut waiters = waiters(&cell);
    let task = Task::new();
    let waker = task.waker();
    without_allocating(|| {
        assert!(poll(&mut running).is_pending());
        assert_eq!(poll_all(&mut waiters, &waker), 0);
        waiters.truncate(50);
        drop(running);
        drop(waiters);
    });
    assert_eq!(task.wakers(), 1);
}

#[test]
fn inserting_does_not_allocate() {
    let cell = OnceCell::new();
    let gate = Gate::new();
    let mut running = Box::pin(cell.get_or_try_init(|| gate.clone()));
    let mut inserts = [Box::pin(cell.insert(1)), Box::pin(cell.insert(2))];
    without_allocating(|| {
        assert!(poll(&mut running).is_pending());
        assert!(inserts.iter_mut().all(|insert| poll(insert).is_pending()));
        gate.open(Err(()));
        assert!(poll(&mut running).is_ready());
        assert_eq!(poll(&mut inserts[1]), Poll::Ready(Ok(&2)));
        assert_eq!(poll(&mut inserts[0]), Poll::Ready(Err((&2, 1))));
    });
}

#[test]
fn waiting_on_an_empty_cell_does_not_allocate() {
    let cell = OnceCell::new();
    let mut wait: Pin<Box<_>> = Box::pin(cell.wait());
    without_allocating(|| {
        assert!(poll(&mut wait).is_pending());
        assert_eq!(cell.set(1), Ok(()));
        assert_eq!(poll(&mut wait), Poll::Ready(&1));
    });
}

#[test]
fn a_hundred_waiters_of_a_set_do_not_allocate() {
    let cell = OnceCell::new();
    let mut waiters: Vec<_> = (0..100).map(|_| Box::pin(cell.wait())).collect();
    let task = Task::new();
    let waker = task.waker();
    without_allocating(|| {
        assert!(
            waiters
                .iter_mut()
                .all(|waiter| poll_with(waiter, &waker).is_pending())
        );
        assert_eq!(cell.set(1), Ok(()));
    });
    assert_eq!(task.wakes(), 100);
}
