//! An initializer that awaits its own cell: debug builds with `std` panic and say so, other builds wait.

use std::task::{Poll, Waker};

use futures_lite::future::zip;
use oncelot::OnceCell;

use crate::util::{BoxFuture, Gate, Task, now, panic_of, poll, poll_with};

const IS_WATCHED: bool = cfg!(all(debug_assertions, feature = "std"));

/// Polls `future`, which awaits its own cell.
#[track_caller]
fn assert_is_found<T>(mut future: BoxFuture<'_, T>) {
    if IS_WATCHED {
        let message = panic_of(|| poll(&mut future).is_ready());
        assert!(message.contains("awaits its own cell"), "{message}");
    } else {
        assert!(poll(&mut future).is_pending());
    }
}

#[test]
fn directly_is_found() {
    let cell = OnceCell::new();
    assert_is_found(Box::pin(
        cell.get_or_init(async || *cell.get_or_init(async || 1).await),
    ));
    assert_is_found(Box::pin(cell.get_or_init(async || *cell.wait().await)));
    assert_is_found(Box::pin(
        cell.get_or_init(async || cell.insert(1).await.copied().unwrap_or(0)),
    ));
    assert_is_found(Box::pin(cell.get_or_try_init(async || {
        cell.get_or_try_init(async || Err::<u32, ()>(())).await.copied()
    })));
}

#[test]
fn by_a_call_that_waits_for_one_attempt_or_for_a_guard_is_found() {
    let cell = OnceCell::new();
    assert_is_found(Box::pin(
        cell.get_or_init(async || cell.wait_attempt().await.copied().unwrap_or(0)),
    ));
    assert_is_found(Box::pin(cell.get_or_try_init_shared(async || {
        let shared = cell.get_or_try_init_shared(async || Err::<u32, ()>(()));
        shared.await.copied().map_err(drop)
    })));
    assert_is_found(Box::pin(
        cell.get_or_init(async || cell.get_or_claim().await.copied().unwrap_or(0)),
    ));
}

#[test]
fn after_an_await_is_found() {
    let cell = OnceCell::new();
    let gate = Gate::new();
    let mut future: BoxFuture<'_, _> = Box::pin(cell.get_or_init({
        let gate = gate.clone();
        async || {
            gate.await;
            *cell.wait().await
        }
    }));
    assert!(poll(&mut future).is_pending());
    gate.open(());
    assert_is_found::<&u32>(future);
}

#[test]
fn through_a_boxed_async_fn_is_found() {
    static CELL: OnceCell<u32> = OnceCell::new();

    fn recursive() -> BoxFuture<'static, u32> {
        Box::pin(async { *CELL.get_or_init(recursive).await })
    }

    assert_is_found(recursive());
}

#[test]
fn through_another_cell_is_found() {
    let [a, b] = [OnceCell::<u32>::new(), OnceCell::new()];
    assert_is_found(Box::pin(
        a.get_or_init(async || *b.get_or_init(async || *a.wait().await).await),
    ));
}

#[test]
fn through_a_branch_of_a_join_is_found() {
    let cell = OnceCell::<u32>::new();
    assert_is_found(Box::pin(
        cell.get_or_init(async || *zip(async {}, cell.wait()).await.1),
    ));
}

#[test]
fn in_the_closure_is_found() {
    let cell = OnceCell::<u32>::new();
    let task = Task::new();
    let waker = task.waker();
    let mut future = Box::pin(cell.get_or_init(|| {
        let mut wait = Box::pin(cell.wait());
        assert!(poll_with(&mut wait, &waker).is_pending());
        wait.map_copied()
    }));
    if IS_WATCHED {
        let message = panic_of(|| poll_with(&mut future, &waker).is_ready());
        assert!(message.contains("awaits its own cell"), "{message}");
    } else {
        assert!(poll_with(&mut future, &waker).is_pending());
    }
}

#[test]
#[cfg(all(debug_assertions, feature = "std"))]
fn leaves_the_cell_usable_when_found() {
    let cell = OnceCell::new();
    panic_of(|| now(cell.get_or_init(async || *cell.wait().await)));
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
}

#[test]
fn the_frames_are_gone_after_a_panic() {
    let cell = OnceCell::new();
    panic_of(|| now(cell.get_or_init(|| crate::util::Panicking("in the poll"))));
    panic_of(|| now(cell.get_or_init(|| -> Gate<u32> { panic!("in the closure") })));
    let mut wait = Box::pin(cell.wait());
    assert!(poll(&mut wait).is_pending());
}

/// More of them than are watched, and all gone afterwards.
#[test]
fn initializers_inside_each_other_need_not_be_few() {
    fn initialize(cells: &[OnceCell<u32>]) -> BoxFuture<'_, u32> {
        Box::pin(async {
            match cells {
                [cell, inner @ ..] => *cell.get_or_init(|| initialize(inner)).await,
                [] => 1,
            }
        })
    }

    let cells = [const { OnceCell::new() }; 100];
    assert_eq!(now(initialize(&cells)), 1);
    let cell = OnceCell::<u32>::new();
    assert_is_found(Box::pin(cell.get_or_init(async || *cell.wait().await)));
    assert!(
        cells
            .iter()
            .all(|cell| poll(&mut Box::pin(cell.wait())).is_ready())
    );
}

#[test]
fn two_branches_of_one_join_are_not_taken_for_it() {
    let cell = OnceCell::new();
    let gate = Gate::new();
    let mut joined = Box::pin(zip(
        cell.get_or_init({
            let gate = gate.clone();
            || gate
        }),
        zip(cell.get_or_init(async || 2), cell.wait()),
    ));
    assert!(poll(&mut joined).is_pending());
    assert!(poll(&mut joined).is_pending());
    gate.open(1);
    assert_eq!(poll(&mut joined), Poll::Ready((&1, (&1, &1))));
}

#[test]
fn another_task_inside_the_initializer_is_not_taken_for_it() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let task = Task::new();
    let mut other = Box::pin(CELL.wait());
    let value = now(CELL.get_or_init(async || {
        // An executor that the initializer blocks on has run another task.
        assert!(poll_with(&mut other, &task.waker()).is_pending());
        1
    }));
    assert_eq!(value, &1);
    assert_eq!(task.wakes(), 1);
    assert_eq!(poll(&mut other), Poll::Ready(&1));
}

#[test]
fn another_cell_inside_the_initializer_is_not_taken_for_it() {
    let [a, b] = [OnceCell::new(), OnceCell::<u32>::new()];
    let mut future = Box::pin(a.get_or_init(async || *b.wait().await));
    assert!(poll_with(&mut future, Waker::noop()).is_pending());
    assert_eq!(b.set(1), Ok(()));
    assert_eq!(poll(&mut future), Poll::Ready(&1));
}

#[test]
fn a_poll_between_two_polls_of_the_initializer_is_not_taken_for_it() {
    let cell = OnceCell::new();
    let task = Task::new();
    let waker = task.waker();
    let mut future = Box::pin(cell.get_or_init(|| {
        let mut is_second = false;
        std::future::poll_fn(move |_| {
            if std::mem::replace(&mut is_second, true) {
                Poll::Ready(1)
            } else {
                Poll::Pending
            }
        })
    }));
    assert!(poll_with(&mut future, &waker).is_pending());
    let mut wait = Box::pin(cell.wait());
    assert!(poll_with(&mut wait, &waker).is_pending());
    assert!(poll_with(&mut future, &waker).is_ready());
}

/// `Future::map`, for the one test that needs it.
trait MapCopied<'a>: Future<Output = &'a u32> + Sized {
    async fn map_copied(self) -> u32 {
        *self.await
    }
}

impl<'a, F: Future<Output = &'a u32>> MapCopied<'a> for F {}
