//! Tests of async-std only: a blocking call in a task is detected.

use std::{pin::pin, task::Poll};

use async_std::task::{block_on, spawn, spawn_blocking};
use oncelot::OnceCell;

use crate::util::{Gate, now, panic_of, poll, static_cell};

/// Calls the methods that may block where the call has to wait, and checks that they panic.
fn assert_refused() {
    let refused = |call: &dyn Fn()| {
        let message = panic_of(call);
        assert!(
            message.contains("blocking call in an async-std task"),
            "{message}"
        );
    };
    let cell = OnceCell::<u32>::new();
    refused(&|| _ = cell.wait_blocking());
    let gate = Gate::new();
    let mut init = Box::pin(cell.get_or_init(|| gate.clone()));
    assert!(poll(&mut init).is_pending());
    refused(&|| _ = cell.get_or_init_blocking(|| unreachable!()));
    gate.open(1);
    assert_eq!(poll(&mut init), Poll::Ready(&1));
    assert_eq!(cell.wait_blocking(), &1, "a value that exists does not block");

    let gate = Gate::new();
    let lazy = pin!(oncelot::Lazy::new(gate.clone()));
    refused(&|| _ = lazy.as_ref().get_blocking());
    gate.open(1);
    assert_eq!(now(lazy.as_ref().get()), &1);
}

#[test]
fn a_blocking_call_that_need_not_wait_works_in_a_task() {
    block_on(async {
        let initialized = || *OnceCell::new().get_or_init_blocking(|| 1);
        assert_eq!(initialized(), 1);
        assert_eq!(spawn(async move { initialized() }).await, 1);
    });
}

#[test]
fn a_blocking_call_that_has_to_wait_in_a_task_panics_with_advice() {
    block_on(async {
        assert_refused();
        spawn(async { assert_refused() }).await;
    });
}

#[test]
fn a_blocking_call_on_the_pool_for_blocking_work_blocks() {
    let cell = static_cell();
    let waiting = block_on(async {
        let waiting = spawn_blocking(|| *cell.wait_blocking());
        spawn(cell.get_or_init(async || 1));
        waiting.await
    });
    assert_eq!(waiting, 1);
}
