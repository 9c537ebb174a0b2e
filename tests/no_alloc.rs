//! No operation of the crate allocates: a counting allocator checks it.

#[path = "util/counting.rs"]
mod counting;
mod util;

use std::{
    future::{pending, ready},
    pin::pin,
    task::{Context, Poll, Waker},
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

/// Polls all futures, and returns how many of them are ready.
fn poll_all<F: Future + ?Sized>(futures: &mut [std::pin::Pin<Box<F>>], waker: &Waker) -> usize {
    let polls = futures.iter_mut().map(|future| poll_with(future, waker));
    polls.filter(Poll::is_ready).count()
}

#[test]
fn the_allocator_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

#[test]
fn operations_without_waiters_do_not_allocate() {
    without_allocating(|| {
        let mut cx = Context::from_waker(Waker::noop());
        let cell = OnceCell::new();
        assert_eq!(pin!(cell.get_or_init(|| ready(1))).poll(&mut cx), Poll::Ready(&1));
        assert_eq!(cell.get(), Some(&1));
        let mut cell = OnceCell::new();
        assert_eq!(
            pin!(cell.get_mut_or_init(|| ready(1))).poll(&mut cx),
            Poll::Ready(&mut 1)
        );
        assert!(cell.set(2).is_err());
        assert_eq!(cell.take(), Some(1));
        assert_eq!(cell.set(1), Ok(()));
        assert_eq!(cell.take(), Some(1));
        assert_eq!(cell.try_insert(3), Ok(&3));
        assert_eq!(cell.into_inner(), Some(3));
    });
}

#[test]
fn waiters_that_replace_their_wakers_and_are_woken_do_not_allocate() {
    for outcome in [Ok(1), Err(())] {
        let (cell, gate) = (OnceCell::new(), Gate::new());
        let mut running = Box::pin(cell.get_or_try_init(|| gate.clone()));
        let mut waiters = waiters(&cell);
        let (first, task) = (Task::new(), Task::new());
        let wakers = [first.waker(), task.waker()];
        without_allocating(|| {
            assert!(poll(&mut running).is_pending());
            for waker in [&wakers[0], &wakers[0], &wakers[1]] {
                assert_eq!(poll_all(&mut waiters, waker), 0);
            }
            gate.open(outcome);
            assert!(poll(&mut running).is_ready());
            assert_eq!(poll_all(&mut waiters, &wakers[1]), 100);
        });
        // A failure wakes 50 of them, and the value that one of these then makes wakes 50.
        assert_eq!((first.wakes(), task.wakes()), (0, 100), "{outcome:?}");
    }
}

#[test]
fn waiters_of_a_set_do_not_allocate() {
    let cell = OnceCell::new();
    let mut waiters: Vec<_> = (0..100).map(|_| Box::pin(cell.wait())).collect();
    let task = Task::new();
    let waker = task.waker();
    without_allocating(|| {
        assert_eq!(poll_all(&mut waiters, &waker), 0);
        assert_eq!(cell.set(1), Ok(()));
        assert_eq!(poll_all(&mut waiters, &waker), 100);
    });
    assert_eq!(task.wakes(), 100);
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
            assert_eq!(poll_all(&mut calls, &waker), 0);
            assert_eq!(poll_all(&mut waiting, &waker), 0);
            assert!(poll_with(&mut claiming, &waker).is_pending());
        }
        drop(guard);
        assert_eq!(poll_all(&mut calls, &waker), 100);
        assert_eq!(poll_all(&mut waiting, &waker), 100);
        let claimed = poll_with(&mut claiming, &waker);
        assert!(claimed.map_err(|guard| guard.set(1)).is_ready());
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
