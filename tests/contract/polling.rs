//! The effect of a poll in each state.

use std::{
    cell::Cell,
    future::{poll_fn, ready},
    task::Poll,
};

use oncelot::OnceCell;

use crate::util::{Gate, Panicking, Task, claimant_or_passive, panic_of, poll, poll_with, start};

/// A poll of a ready cell, one that initializes, and another poll by the task of a registered waiter clone no waker.
#[test]
fn a_waker_is_cloned_only_to_register_a_waiter() {
    let task = Task::new();
    let waker = task.waker();
    let cell = OnceCell::new();
    assert!(poll_with(&mut Box::pin(cell.get_or_init(async || 1)), &waker).is_ready());
    assert!(poll_with(&mut Box::pin(cell.get_or_init(async || 2)), &waker).is_ready());
    assert!(poll_with(&mut Box::pin(cell.wait()), &waker).is_ready());
    assert!(poll_with(&mut Box::pin(cell.insert(2)), &waker).is_ready());
    assert_eq!(task.clones(), 0);

    let cell = OnceCell::new();
    let (_gate, _running) = start(&cell);
    let mut waiting = Box::pin(cell.get_or_init(async || 2));
    for _ in 0..3 {
        assert!(poll_with(&mut waiting, &waker).is_pending());
    }
    assert_eq!(task.clones(), 1);
}

#[test]
fn a_future_that_is_never_polled_claims_nothing() {
    let cell = OnceCell::new();
    let _future = cell.get_or_init(async || 1);
    assert_eq!(cell.set(2), Ok(()));
}

#[test]
fn the_closure_is_called_by_the_poll_that_claims() {
    let cell = OnceCell::new();
    let is_called = Cell::new(false);
    let (gate, mut running) = start(&cell);
    let mut waiting = Box::pin(cell.get_or_init(|| {
        is_called.set(true);
        ready(1)
    }));
    assert!(!is_called.get(), "the call of the method called the closure");
    assert!(poll(&mut waiting).is_pending());
    assert!(!is_called.get(), "a poll that waits called the closure");
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert!(!is_called.get(), "the wake called the closure");
    assert!(poll(&mut waiting).is_ready());
    assert!(is_called.get());
}

#[test]
fn the_initializer_is_polled_with_the_waker_of_the_task() {
    let cell = OnceCell::<u32>::new();
    let task = Task::new();
    let mut future = Box::pin(cell.get_or_init(|| {
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }));
    assert!(poll_with(&mut future, &task.waker()).is_pending());
    assert_eq!(task.wakes(), 1);
}

#[track_caller]
fn assert_refuses_another_poll<F: Future>(future: F) {
    let mut future = Box::pin(future);
    assert!(poll(&mut future).is_ready());
    for _ in 0..2 {
        let message = panic_of(|| poll(&mut future).is_ready());
        assert!(message.contains("polled after completion"), "{message}");
    }
}

fn prepare(cell: &mut OnceCell<u32>, is_ready: bool) -> &mut OnceCell<u32> {
    if !is_ready {
        cell.take();
    }
    cell
}

#[test]
fn a_poll_after_completion_panics() {
    let mut cell = OnceCell::new();
    assert_refuses_another_poll(cell.get_mut_or_try_init(async || Err("failed")));
    assert_refuses_another_poll(cell.get_or_try_init(async || Err("failed")));
    assert_refuses_another_poll(cell.get_or_try_init_shared(async || Err("failed")));
    assert_refuses_another_poll(cell.wait_attempt());
    assert_refuses_another_poll(cell.get_or_claim());
    // First the cell is empty, then it is ready.
    for _ in 0..2 {
        assert_refuses_another_poll(cell.get_or_init(async || 1));
    }
    for is_ready in [false, true] {
        assert_refuses_another_poll(prepare(&mut cell, is_ready).get_mut_or_init(async || 1));
        assert_refuses_another_poll(
            prepare(&mut cell, is_ready).get_mut_or_try_init(async || Ok::<_, ()>(1)),
        );
        assert_refuses_another_poll(prepare(&mut cell, is_ready).get_or_try_init(async || Ok::<_, ()>(1)));
        assert_refuses_another_poll(
            prepare(&mut cell, is_ready).get_or_try_init_shared(async || Ok::<_, ()>(1)),
        );
        assert_refuses_another_poll(prepare(&mut cell, is_ready).insert(1));
    }
    assert_refuses_another_poll(cell.wait());
    assert_refuses_another_poll(cell.wait_attempt());
    assert_refuses_another_poll(cell.get_or_claim());
}

#[test]
fn a_poll_after_waiting_and_completion_panics() {
    for outcome in [Ok(1), Err("failed")] {
        let cell = OnceCell::new();
        let (gate, mut running) = start(&cell);
        let mut waiting = [false, true].map(|is_claimant| claimant_or_passive(&cell, is_claimant, 2));
        let mut shared = Box::pin(cell.get_or_try_init_shared(async || Err("not called")));
        let mut attempt = Box::pin(cell.wait_attempt());
        let mut claim = Box::pin(cell.get_or_claim());
        assert!(waiting.iter_mut().all(|future| poll(future).is_pending()));
        assert!(poll(&mut shared).is_pending());
        assert!(poll(&mut attempt).is_pending());
        assert!(poll(&mut claim).is_pending());
        gate.open(outcome);
        assert!(poll(&mut running).is_ready());
        assert_refuses_another_poll(shared);
        assert_refuses_another_poll(attempt);
        assert_refuses_another_poll(claim);
        let [passive, claimant] = waiting;
        assert_refuses_another_poll(claimant);
        assert_refuses_another_poll(passive);
    }
}

#[test]
fn a_poll_after_a_panic_panics() {
    #[track_caller]
    fn check<F: Future>(future: F) {
        let mut future = Box::pin(future);
        assert_eq!(panic_of(|| poll(&mut future).is_ready()), "first");
        let message = panic_of(|| poll(&mut future).is_ready());
        assert!(message.contains("or a panic"), "{message}");
    }

    let mut cell = OnceCell::new();
    let in_the_closure = || -> Gate<u32> { panic!("first") };
    check(cell.get_or_init(in_the_closure));
    check(cell.get_mut_or_init(in_the_closure));
    let in_the_poll = || Panicking("first");
    check(cell.get_or_init(in_the_poll));
    check(cell.get_mut_or_init(in_the_poll));
}
