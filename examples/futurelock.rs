//! The futurelock: a task waits for a cell, while it holds a future of the same cell that it no longer polls.
//!
//! ```sh
//! cargo run --example futurelock
//! ```
//!
//! Each program is the same task, with another cell. It `select`s between a future of the cell and a timeout, and the
//! timeout comes first. The future stays alive, as `select` has only borrowed it, and is never polled again. Then the
//! task awaits the cell: does it ever get its value? The second column drops the future first, which avoids the
//! deadlock.
//!
//! Nothing here depends on time. The executor polls woken tasks until no task is awake. A task that has not ended by
//! then never ends.

use std::{pin::pin, sync::Arc, thread};

use async_executor::LocalExecutor;
use futures_lite::future::{BoxedLocal, FutureExt as _, yield_now};
use futures_util::future::{Either, select};
use oncelot::{
    BoxLazy, Lazy, OnceCell, lazy,
    runtime::{OnceCellExt, Runtime},
};

type Connection = u32;

async fn connect() -> Connection {
    answer().await;
    7
}

async fn fail_to_connect() -> Result<Connection, &'static str> {
    answer().await;
    Err("no route")
}

/// Waits for what another task sends after many turns, and sleeps until then.
async fn answer() {
    let received = Arc::new(OnceCell::new());
    let sent = Arc::clone(&received);
    spawn(async move {
        for _ in 0..10 {
            yield_now().await;
        }
        sent.set(()).expect("it is sent once");
    });
    received.wait().await;
}

/// Runs a program: all of them do the same.
async fn select_and_await<S: Future, A: Future>(is_held: bool, selected: S, awaited: A) {
    let mut selected = Box::pin(selected);
    // The timeout ends after the other branch was polled, while the connection is still being made.
    if let Either::Left(_) = select(&mut selected, pin!(yield_now())).await {
        panic!("the timeout comes first");
    }
    if is_held {
        awaited.await;
        // Until here it was alive, and was not polled.
        drop(selected);
    } else {
        drop(selected);
        awaited.await;
    }
}

/// Holds a waiter. Another task runs the initializer, which fails, so that it is a waiter's turn.
macro_rules! waiter {
    ($cell:ty, $is_held:ident) => {
        async move {
            let cell = Arc::new(<$cell>::new());
            let initializing = Arc::clone(&cell);
            spawn(async move {
                let failed = initializing.get_or_try_init(fail_to_connect).await;
                assert!(failed.is_err(), "it is not initialized before");
            });
            yield_now().await;
            select_and_await($is_held, cell.get_or_init(connect), cell.get_or_init(connect)).await;
        }
        .boxed_local()
    };
}

async fn initializer(is_held: bool) {
    let cell = OnceCell::new();
    select_and_await(is_held, cell.get_or_init(connect), cell.get_or_init(connect)).await;
}

async fn spawned_initializer(is_held: bool) {
    let cell = Arc::new(OnceCell::new());
    let spawned = cell.get_or_init_spawned(ThisThread, connect);
    select_and_await(is_held, spawned, cell.get_or_init(connect)).await;
}

async fn driver_of_a_lazy(is_held: bool) {
    let lazy = pin!(Lazy::new(connect()));
    select_and_await(is_held, lazy.as_ref().get(), lazy.as_ref().get()).await;
}

async fn driver_of_a_box_lazy(is_held: bool) {
    let lazy = BoxLazy::boxed(connect());
    select_and_await(is_held, lazy.get(), lazy.get()).await;
}

async fn driver_of_a_static(is_held: bool) {
    lazy! {
        static HELD: Connection = connect();
        static DROPPED: Connection = connect();
    }
    let lazy = if is_held { &HELD } else { &DROPPED };
    select_and_await(is_held, lazy.get(), lazy.get()).await;
}

/// Returns each program with the name of what is not ready in time, and is held or dropped.
fn programs(is_held: bool) -> [(&'static str, BoxedLocal<()>); 9] {
    [
        (
            "a waiter of tokio's `OnceCell`",
            waiter!(tokio::sync::OnceCell<Connection>, is_held),
        ),
        (
            "a waiter of async-lock's `OnceCell`",
            waiter!(async_lock::OnceCell<Connection>, is_held),
        ),
        (
            "a waiter of asyncband's `OnceCell`",
            waiter!(asyncband::once::OnceCell<Connection>, is_held),
        ),
        (
            "a waiter of oncelot's `OnceCell`",
            waiter!(OnceCell<Connection>, is_held),
        ),
        (
            "the initializer, in `get_or_init`",
            initializer(is_held).boxed_local(),
        ),
        (
            "the initializer, in `get_or_init_spawned`",
            spawned_initializer(is_held).boxed_local(),
        ),
        ("the driver of a `Lazy`", driver_of_a_lazy(is_held).boxed_local()),
        (
            "the driver of a `BoxLazy`",
            driver_of_a_box_lazy(is_held).boxed_local(),
        ),
        (
            "the driver of a `lazy!` static",
            driver_of_a_static(is_held).boxed_local(),
        ),
    ]
}

/// Runs all programs, and returns how they have ended, or have not.
fn table() -> String {
    let mut table = format!("{:42} {:10} if dropped\n", "not ready in time", "if held");
    for ((name, held), (_, dropped)) in programs(true).into_iter().zip(programs(false)) {
        let [held, dropped] = [held, dropped].map(|program| if ends(program) { "ends" } else { "DEADLOCK" });
        table += &format!("{name:42} {held:10} {dropped}\n");
    }
    table
}

fn main() {
    print!("{}", table());
}

thread_local! {
    static EXECUTOR: LocalExecutor<'static> = const { LocalExecutor::new() };
}

fn spawn(task: impl Future<Output = ()> + 'static) {
    EXECUTOR.with(|executor| executor.spawn(task).detach());
}

/// Returns whether `program` ends, or still waits when no waker is left that could wake it.
fn ends(program: BoxedLocal<()>) -> bool {
    EXECUTOR.with(|executor| {
        let run = || while executor.try_tick() {};
        let program = executor.spawn(program);
        run();
        let has_ended = program.is_finished();
        drop(program);
        run();
        has_ended
    })
}

/// The same executor, for spawned initializers.
struct ThisThread;

impl Runtime for ThisThread {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        spawn(task);
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        thread::spawn(work);
    }
}

#[test]
fn the_guide_shows_which_futures_deadlock_if_held() {
    let table = table();
    let guide = include_str!("../src/guide/cancellation.md");
    assert!(guide.contains(&table), "the guide does not have:\n{table}");
}
