//! Three embassy tasks share a cell without atomics: there is one executor, and no interrupt handler uses the cell.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_futures::select::{Either, select};
use oncelot::LocalOnceCell;
use oncelot_firmware_example::{
    report,
    steps::{Flag, turns},
    succeed,
    tracked::{Tracked, alive},
};

/// A cell in a static, for tasks of one executor.
struct OneExecutor(LocalOnceCell<Tracked>);

// SAFETY: only the tasks in this file use the cell. Their executor runs them one at a time, in thread mode.
unsafe impl Sync for OneExecutor {}

static CELL: OneExecutor = OneExecutor(LocalOnceCell::with_backend());

static STARTED: Flag = Flag::new();
static FAILED: Flag = Flag::new();

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    spawner.spawn(fail().unwrap());
    spawner.spawn(take_over().unwrap());
    spawner.spawn(wait().unwrap());
}

/// Initializes first, and fails.
#[embassy_executor::task]
async fn fail() {
    let init = async || {
        STARTED.raise();
        turns(5).await;
        Err("no answer")
    };
    let failed = CELL.0.get_or_try_init(init).await;
    assert_eq!(failed.err(), Some("no answer"));
    FAILED.raise();
}

/// Waits for that initializer, and is woken by its failure.
#[embassy_executor::task]
async fn take_over() {
    STARTED.raised().await;
    let init = async || {
        assert!(FAILED.is_raised());
        turns(5).await;
        Tracked::new(46)
    };
    assert_eq!(CELL.0.get_or_init(init).await.value(), 46);
}

/// Gives up waiting once, and then waits for the value.
#[embassy_executor::task]
async fn wait() {
    let first = select(CELL.0.wait(), turns(2)).await;
    assert!(matches!(first, Either::Second(())), "cancelled");
    assert_eq!(CELL.0.wait().await.value(), 46);
    report!("  an initializer failed; a waiter took over, and woke one that had waited before");
    assert_eq!(alive(), 1);
    succeed();
}
