//! The effect of a poll in each state.

use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering},
};

use oncelot::OnceCell;

use crate::util::{Gate, Panicking, Task, claimant_or_passive, now, panic_of, poll, poll_with, start};

#[test]
fn first_poll_of_a_ready_cell_never_calls_the_initializer() {
    let cell = OnceCell::from(1);
    let called = Cell::new(false);
    now(cell.get_or_init(|| {
        called.set(true);
        std::future::ready(2)
    }));
    now(cell.get_or_try_init(|| {
        called.set(true);
        std::future::ready(Ok::<_, ()>(2))
    }))
    .unwrap();
    assert!(!called.get());
}

#[test]
fn first_poll_of_a_ready_cell_registers_nothing() {
    let cell = OnceCell::from(1);
    let task = Task::new();
    let waker = task.waker();
    let mut init = Box::pin(cell.get_or_init(async || 2));
    let mut wait = Box::pin(cell.wait());
    let mut insert = Box::pin(cell.insert(2));
    assert!(poll_with(&mut init, &waker).is_ready());
    assert!(poll_with(&mut wait, &waker).is_ready());
    assert!(poll_with(&mut insert, &waker).is_ready());
    assert_eq!(task.clones(), 0);
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
    let called = AtomicBool::new(false);
    let (gate, mut running) = start(&cell);
    let mut waiting = Box::pin(cell.get_or_init(|| {
        called.store(true, Ordering::SeqCst);
        std::future::ready(1)
    }));
    assert!(!called.load(Ordering::SeqCst), "by making the future");
    assert!(poll(&mut waiting).is_pending());
    assert!(!called.load(Ordering::SeqCst), "by a poll that waits");
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert!(!called.load(Ordering::SeqCst), "by the wake");
    assert!(poll(&mut waiting).is_ready());
    assert!(called.load(Ordering::SeqCst));
}

#[test]
fn polling_again_by_the_same_task_clones_no_waker() {
    let cell = OnceCell::new();
    let (_gate, _running) = start(&cell);
    let task = Task::new();
    let waker = task.waker();
    let mut waiting = Box::pin(cell.get_or_init(async || 2));
    for _ in 0..3 {
        assert!(poll_with(&mut waiting, &waker).is_pending());
    }
    assert_eq!(task.clones(), 1);
}

#[test]
fn an_initialization_without_waiters_clones_no_waker() {
    let cell = OnceCell::new();
    let task = Task::new();
    let mut future = Box::pin(cell.get_or_init(async || 1));
    assert!(poll_with(&mut future, &task.waker()).is_ready());
    assert_eq!(task.clones(), 0);
}

#[test]
fn the_initializer_is_polled_by_the_waker_of_the_poll() {
    let cell = OnceCell::<u32>::new();
    let task = Task::new();
    let mut future = Box::pin(cell.get_or_init(|| {
        std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
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

#[test]
fn a_poll_after_completion_panics() {
    let mut cell = OnceCell::new();
    assert_refuses_another_poll(cell.get_mut_or_try_init(async || Err("failed")));
    assert_refuses_another_poll(cell.get_or_try_init(async || Err("failed")));
    assert_refuses_another_poll(cell.get_or_try_init_shared(async || Err("failed")));
    assert_refuses_another_poll(cell.wait_attempt());
    assert_refuses_another_poll(cell.get_or_claim());
    assert_refuses_another_poll(cell.get_or_init(async || 1));
    // The cell is ready.
    assert_refuses_another_poll(cell.get_or_init(async || 1));
    assert_refuses_another_poll(cell.get_or_try_init(async || Ok::<_, ()>(1)));
    assert_refuses_another_poll(cell.get_or_try_init_shared(async || Ok::<_, ()>(1)));
    assert_refuses_another_poll(cell.insert(1));
    assert_refuses_another_poll(cell.wait());
    assert_refuses_another_poll(cell.wait_attempt());
    assert_refuses_another_poll(cell.get_or_claim());
    assert_refuses_another_poll(cell.get_mut_or_init(async || 1));
    assert_refuses_another_poll(cell.get_mut_or_try_init(async || Ok::<_, ()>(1)));
    cell.take();
    assert_refuses_another_poll(cell.get_mut_or_init(async || 1));
    cell.take();
    assert_refuses_another_poll(cell.get_mut_or_try_init(async || Ok::<_, ()>(1)));
    cell.take();
    assert_refuses_another_poll(cell.get_or_try_init(async || Ok::<_, ()>(1)));
    cell.take();
    assert_refuses_another_poll(cell.get_or_try_init_shared(async || Ok::<_, ()>(1)));
    cell.take();
    assert_refuses_another_poll(cell.insert(1));
}

#[test]
fn a_poll_after_waiting_and_completion_panics() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let mut waiting = [false, true].map(|is_claimant| claimant_or_passive(&cell, is_claimant, 2));
    assert!(waiting.iter_mut().all(|future| poll(future).is_pending()));
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
    waiting.into_iter().for_each(assert_refuses_another_poll);
}

#[test]
fn a_poll_after_an_attempt_was_waited_for_panics() {
    for outcome in [Ok(1), Err("failed")] {
        let cell = OnceCell::new();
        let (gate, mut running) = start(&cell);
        let mut shared = Box::pin(cell.get_or_try_init_shared(async || Err("not called")));
        let mut attempt = Box::pin(cell.wait_attempt());
        let mut claim = Box::pin(cell.get_or_claim());
        assert!(poll(&mut shared).is_pending());
        assert!(poll(&mut attempt).is_pending());
        assert!(poll(&mut claim).is_pending());
        gate.open(outcome);
        assert!(poll(&mut running).is_ready());
        assert_refuses_another_poll(shared);
        assert_refuses_another_poll(attempt);
        assert_refuses_another_poll(claim);
    }
}

#[track_caller]
fn assert_refuses_a_poll_after_a_panic<F: Future>(future: F) {
    let mut future = Box::pin(future);
    assert_eq!(panic_of(|| poll(&mut future).is_ready()), "first");
    let message = panic_of(|| poll(&mut future).is_ready());
    assert!(message.contains("or a panic"), "{message}");
}

#[test]
fn a_poll_after_a_panic_in_the_closure_panics() {
    let mut cell = OnceCell::new();
    let closure = || -> Gate<u32> { panic!("first") };
    assert_refuses_a_poll_after_a_panic(cell.get_or_init(closure));
    assert_refuses_a_poll_after_a_panic(cell.get_mut_or_init(closure));
}

#[test]
fn a_poll_after_a_panic_in_a_poll_panics() {
    let mut cell = OnceCell::new();
    let closure = || Panicking("first");
    assert_refuses_a_poll_after_a_panic(cell.get_or_init(closure));
    assert_refuses_a_poll_after_a_panic(cell.get_mut_or_init(closure));
}
