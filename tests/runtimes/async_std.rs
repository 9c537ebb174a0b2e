//! What async-std has of its own: it tells who is in a task.

use std::pin::pin;

use async_std::task::{block_on, spawn, spawn_blocking};
use oncelot::OnceCell;

use crate::util::{now, panic_of, static_cell};

fn assert_refused() {
    let cell = OnceCell::<u32>::new();
    let message = panic_of(|| cell.wait_blocking());
    assert!(message.contains("a task of async-std"), "{message}");
    let message = panic_of(|| cell.get_or_init_blocking(|| unreachable!()));
    assert!(message.contains("a task of async-std"), "{message}");
    cell.set(1).expect("nobody has the claim");
    assert_eq!(cell.wait_blocking(), &1, "a value that is there blocks nobody");

    let lazy = pin!(oncelot::Lazy::new(async { 1 }));
    let message = panic_of(|| lazy.as_ref().force_blocking());
    assert!(message.contains("a task of async-std"), "{message}");
    assert_eq!(now(lazy.as_ref().get()), &1);
}

#[test]
fn a_blocking_call_in_a_task_panics_with_advice() {
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
