//! An initializer that awaits its own cell: debug builds with `std`, and any build with `deadlock-detection`, panic
//! with a report; other builds wait.

use std::{
    cell::Cell,
    pin::Pin,
    sync::Arc,
    task::{Poll, Waker},
};

use async_executor::LocalExecutor;
use futures_lite::future::{block_on, or, yield_now, zip};
use oncelot::{LocalOnceCell, OnceCell};

use crate::util::{BoxFuture, Gate, Task, now, panic_of, poll, poll_with};

/// Whether a wait of an initializer for its own cell is detected.
const IS_DETECTED: bool = cfg!(all(
    feature = "std",
    any(debug_assertions, feature = "deadlock-detection")
));

/// Polls `future`, which awaits its own cell, as a task of its own.
#[track_caller]
fn assert_is_reported<F: Future + ?Sized>(future: Pin<Box<F>>) {
    assert_is_reported_in(&Task::new(), future);
}

#[track_caller]
fn assert_is_reported_in<F: Future + ?Sized>(task: &Arc<Task>, mut future: Pin<Box<F>>) {
    let mut polled = || poll_with(&mut future, &task.waker()).is_pending();
    if IS_DETECTED {
        let message = panic_of(polled);
        assert!(message.contains("awaits its own cell"), "{message}");
    } else {
        assert!(polled());
    }
}

#[test]
fn a_wait_in_each_call_is_reported() {
    let cell = OnceCell::new();
    assert_is_reported(Box::pin(
        cell.get_or_init(async || *cell.get_or_init(async || 1).await),
    ));
    assert_is_reported(Box::pin(cell.get_or_init(async || *cell.wait().await)));
    assert_is_reported(Box::pin(
        cell.get_or_init(async || cell.insert(1).await.copied().unwrap_or(0)),
    ));
    assert_is_reported(Box::pin(
        cell.get_or_init(async || cell.wait_attempt().await.copied().unwrap_or(0)),
    ));
    assert_is_reported(Box::pin(
        cell.get_or_init(async || cell.get_or_claim().await.copied().unwrap_or(0)),
    ));
    assert_is_reported(Box::pin(cell.get_or_try_init(async || {
        cell.get_or_try_init(async || Err::<u32, ()>(())).await.copied()
    })));
    assert_is_reported(Box::pin(cell.get_or_try_init_shared(async || {
        let shared = cell.get_or_try_init_shared(async || Err::<u32, ()>(()));
        shared.await.copied().map_err(drop)
    })));
    let local = LocalOnceCell::<u32>::with_backend();
    assert_is_reported(Box::pin(local.get_or_init(async || *local.wait().await)));
    // The panics have left the cell usable.
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
}

#[test]
fn a_wait_in_a_later_poll_is_reported() {
    let cell = OnceCell::<u32>::new();
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
    assert_is_reported(future);
}

#[test]
fn a_wait_through_other_futures_is_reported() {
    static CELL: OnceCell<u32> = OnceCell::new();

    fn recursive() -> BoxFuture<'static, u32> {
        Box::pin(async { *CELL.get_or_init(recursive).await })
    }

    assert_is_reported(recursive());
    let [a, b] = [OnceCell::<u32>::new(), OnceCell::new()];
    assert_is_reported(Box::pin(
        a.get_or_init(async || *b.get_or_init(async || *a.wait().await).await),
    ));
    let cell = OnceCell::<u32>::new();
    assert_is_reported(Box::pin(
        cell.get_or_init(async || *zip(async {}, cell.wait()).await.1),
    ));
}

#[test]
fn a_wait_in_the_closure_is_reported() {
    let cell = OnceCell::<u32>::new();
    let task = Task::new();
    let future = cell.get_or_init(|| {
        let mut wait = Box::pin(cell.wait());
        assert!(poll_with(&mut wait, &task.waker()).is_pending());
        async { *wait.await }
    });
    assert_is_reported_in(&task, Box::pin(future));
}

#[test]
fn the_frames_are_removed_after_a_panic() {
    let cell = OnceCell::new();
    let waker = Task::new().waker();
    let in_the_poll = || cell.get_or_init(|| crate::util::Panicking("in the poll"));
    panic_of(|| poll_with(&mut Box::pin(in_the_poll()), &waker).is_ready());
    let in_the_closure = || cell.get_or_init(|| -> Gate<u32> { panic!("in the closure") });
    panic_of(|| poll_with(&mut Box::pin(in_the_closure()), &waker).is_ready());
    let mut wait = Box::pin(cell.wait());
    assert!(poll_with(&mut wait, &waker).is_pending());
}

/// A thread has 16 frames for nested initializers. No frame is left afterwards.
#[test]
fn more_nested_initializers_than_frames_complete() {
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
    assert_is_reported(Box::pin(cell.get_or_init(async || *cell.wait().await)));
    assert!(
        cells
            .iter()
            .all(|cell| poll(&mut Box::pin(cell.wait())).is_ready())
    );
}

/// The initializer polls another task, as an executor does that it blocks on. That task has a waker of its own, or the waker
/// that does nothing, which an executor that polls in a loop may give to every task.
#[test]
fn another_task_inside_the_initializer_is_not_reported() {
    let task = Task::new();
    for (waker, inner) in [
        (Task::new().waker(), task.waker()),
        (Waker::noop().clone(), Waker::noop().clone()),
    ] {
        let cell = crate::util::static_cell();
        let mut other = Box::pin(cell.wait());
        let mut first = Box::pin(cell.get_or_init(async || {
            assert!(poll_with(&mut other, &inner).is_pending());
            1
        }));
        assert_eq!(poll_with(&mut first, &waker), Poll::Ready(&1));
        drop(first);
        assert_eq!(poll(&mut other), Poll::Ready(&1));
    }
    assert_eq!(task.wakes(), 1);
}

#[test]
fn tasks_of_an_executor_that_the_initializer_blocks_on_are_not_reported() {
    let (cell, other) = (OnceCell::new(), OnceCell::new());
    let executor = LocalExecutor::new();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            executor.spawn(async {
                *cell
                    .get_or_init(async || unreachable!("it is initializing"))
                    .await
            })
        })
        .collect();
    let initialized = executor.spawn(async { *other.get_or_init(async || 1).await });
    let value = block_on(cell.get_or_init(async || block_on(executor.run(initialized))));
    assert_eq!(value, &1);
    for task in tasks {
        assert_eq!(block_on(executor.run(task)), 1);
    }
}

#[test]
fn a_select_between_the_initializer_and_a_wait_is_not_reported() {
    let cell = OnceCell::new();
    let slow = async || {
        yield_now().await;
        yield_now().await;
        1
    };
    let selected = block_on(or(
        async { *cell.get_or_init(slow).await },
        or(async { *cell.wait().await }, async {
            *cell
                .get_or_init(async || unreachable!("it is initializing"))
                .await
        }),
    ));
    assert_eq!(selected, 1);
}

/// The initializer of each cell awaits the other cell, in two branches of one task. One of them awaits it with a timeout.
#[test]
fn a_cycle_that_one_of_its_initializers_leaves_is_not_reported() {
    let [a, b] = [OnceCell::new(), OnceCell::new()];
    let timeout = async {
        yield_now().await;
        1
    };
    let joined = block_on(zip(
        a.get_or_init(async || or(async { *b.wait().await }, timeout).await),
        b.get_or_init(async || *a.wait().await + 1),
    ));
    assert_eq!(joined, (&1, &2));
}

#[test]
fn recursion_through_other_cells_of_one_thread_is_not_reported() {
    fn fibonacci(cells: &[LocalOnceCell<u64>], calls: &Cell<usize>, n: usize) -> u64 {
        let compute = async || {
            calls.set(calls.get() + 1);
            match n {
                0 | 1 => n as u64,
                // The two calls share the cells below.
                _ => fibonacci(cells, calls, n - 1) + fibonacci(cells, calls, n - 2),
            }
        };
        *block_on(cells[n].get_or_init(compute))
    }

    let cells: Vec<_> = (0..=60).map(|_| LocalOnceCell::with_backend()).collect();
    let calls = Cell::new(0);
    assert_eq!(fibonacci(&cells, &calls, 60), 1_548_008_755_920);
    assert_eq!(calls.get(), cells.len());
}

#[test]
fn two_branches_of_one_join_are_not_reported() {
    let cell = OnceCell::new();
    let gate = Gate::new();
    let mut joined = Box::pin(zip(
        cell.get_or_init({
            let gate = gate.clone();
            || gate
        }),
        zip(cell.get_or_init(async || 2), cell.wait()),
    ));
    let waker = Task::new().waker();
    assert!(poll_with(&mut joined, &waker).is_pending());
    assert!(poll_with(&mut joined, &waker).is_pending());
    gate.open(1);
    assert_eq!(poll_with(&mut joined, &waker), Poll::Ready((&1, (&1, &1))));
}

#[test]
fn another_cell_inside_the_initializer_is_not_reported() {
    let [a, b] = [OnceCell::new(), OnceCell::<u32>::new()];
    let waker = Task::new().waker();
    // The other cell is being initialized by another task.
    let gate = Gate::new();
    let mut initializing = Box::pin(b.get_or_init(|| gate.clone()));
    assert!(poll_with(&mut initializing, &Task::new().waker()).is_pending());
    let mut future = Box::pin(a.get_or_init(async || *b.wait().await + 1));
    assert!(poll_with(&mut future, &waker).is_pending());
    gate.open(1);
    assert!(poll(&mut initializing).is_ready());
    assert_eq!(poll_with(&mut future, &waker), Poll::Ready(&2));
}

#[test]
fn a_poll_between_two_polls_of_the_initializer_is_not_reported() {
    let cell = OnceCell::new();
    let waker = Task::new().waker();
    let mut future = Box::pin(cell.get_or_init(async || yield_now().await));
    assert!(poll_with(&mut future, &waker).is_pending());
    assert!(poll_with(&mut Box::pin(cell.wait()), &waker).is_pending());
    assert!(poll_with(&mut future, &waker).is_ready());
}
