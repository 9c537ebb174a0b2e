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

use std::{pin::pin, process::ExitCode, sync::Arc, thread};

use async_executor::LocalExecutor;
use futures_lite::future::yield_now;
use futures_util::future::{Either, select};
use oncelot::{
    BoxLazy, Lazy, OnceCell, lazy,
    runtime::{OnceCellExt, Runtime},
};

// The cell's value, and what takes longer than the timeout.

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

/// Ends after the other branch was polled, while the connection is still being made.
async fn timeout() {
    yield_now().await;
}

/// What becomes of the future that was not ready in time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Late {
    Held,
    Dropped,
}

/// Runs a program: all of them do the same.
async fn select_and_await<S: Future, A: Future>(late: Late, selected: S, awaited: A) {
    let mut selected = Box::pin(selected);
    if let Either::Left(_) = select(&mut selected, pin!(timeout())).await {
        panic!("the timeout comes first");
    }
    if late == Late::Dropped {
        drop(selected);
        awaited.await;
    } else {
        awaited.await;
        // Until here it was alive, and was not polled.
        drop(selected);
    }
}

// A waiter is held. Another task runs the initializer, which fails, so that it is a waiter's turn.

/// For any `OnceCell` with the interface of tokio's.
macro_rules! with_a_waiter {
    ($($program:ident: $cell:ty;)*) => {$(
        fn $program(late: Late) -> bool {
            let cell = Arc::new(<$cell>::new());
            let initializing = Arc::clone(&cell);
            spawn(async move {
                let failed = initializing.get_or_try_init(fail_to_connect).await;
                assert!(failed.is_err(), "it is not initialized before");
            });
            ends(async move {
                select_and_await(late, cell.get_or_init(connect), cell.get_or_init(connect)).await;
            })
        }
    )*};
}

with_a_waiter! {
    waiter_of_tokio: tokio::sync::OnceCell<Connection>;
    waiter_of_async_lock: async_lock::OnceCell<Connection>;
    waiter_of_asyncband: asyncband::once::OnceCell<Connection>;
    waiter: OnceCell<Connection>;
}

// What makes the value is held.

fn initializer(late: Late) -> bool {
    ends(async move {
        let cell = OnceCell::new();
        select_and_await(late, cell.get_or_init(connect), cell.get_or_init(connect)).await;
    })
}

fn spawned_initializer(late: Late) -> bool {
    ends(async move {
        let cell = Arc::new(OnceCell::new());
        select_and_await(
            late,
            cell.get_or_init_spawned(ThisThread, connect),
            cell.get_or_init(connect),
        )
        .await;
    })
}

fn driver_of_a_lazy(late: Late) -> bool {
    ends(async move {
        let lazy = pin!(Lazy::new(connect()));
        let lazy = lazy.as_ref();
        select_and_await(late, lazy.get(), lazy.get()).await;
    })
}

fn driver_of_a_box_lazy(late: Late) -> bool {
    ends(async move {
        let lazy = BoxLazy::boxed(connect());
        select_and_await(late, lazy.get(), lazy.get()).await;
    })
}

fn driver_of_a_static(late: Late) -> bool {
    lazy! {
        static FOR_HELD: Connection = connect();
        static FOR_DROPPED: Connection = connect();
    }
    let connection = match late {
        Late::Held => &FOR_HELD,
        Late::Dropped => &FOR_DROPPED,
    };
    ends(select_and_await(late, connection.get(), connection.get()))
}

struct Program {
    held: &'static str,
    run: fn(Late) -> bool,
    /// Whether it is to end all the same.
    ends: bool,
}

const PROGRAMS: [Program; 9] = [
    Program {
        held: "a waiter of tokio's `OnceCell`",
        run: waiter_of_tokio,
        ends: false,
    },
    Program {
        held: "a waiter of async-lock's `OnceCell`",
        run: waiter_of_async_lock,
        ends: false,
    },
    Program {
        held: "a waiter of asyncband's `OnceCell`",
        run: waiter_of_asyncband,
        ends: false,
    },
    Program {
        held: "a waiter of oncelot's `OnceCell`",
        run: waiter,
        ends: true,
    },
    Program {
        held: "the initializer, in `get_or_init`",
        run: initializer,
        ends: false,
    },
    Program {
        held: "the initializer, in `get_or_init_spawned`",
        run: spawned_initializer,
        ends: true,
    },
    Program {
        held: "the driver of a `Lazy`",
        run: driver_of_a_lazy,
        ends: false,
    },
    Program {
        held: "the driver of a `BoxLazy`",
        run: driver_of_a_box_lazy,
        ends: true,
    },
    Program {
        held: "the driver of a `lazy!` static",
        run: driver_of_a_static,
        ends: true,
    },
];

fn main() -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    println!("{:42} {:10} if dropped", "not ready in time", "if held");
    for Program { held, run, ends } in PROGRAMS {
        let has_ended = [run(Late::Held), run(Late::Dropped)];
        println!("{}", line(held, has_ended));
        if has_ended != [ends, true] {
            eprintln!("error: this differs from the documentation");
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// How a program has ended, or has not: if what was late is held, and if it is dropped.
fn line(held: &str, has_ended: [bool; 2]) -> String {
    let [if_held, if_dropped] = has_ended.map(|has_ended| if has_ended { "ends" } else { "DEADLOCK" });
    format!("{held:42} {if_held:10} {if_dropped}")
}

// An executor on this thread.

thread_local! {
    static EXECUTOR: LocalExecutor<'static> = const { LocalExecutor::new() };
}

fn spawn(task: impl Future<Output = ()> + 'static) {
    EXECUTOR.with(|executor| executor.spawn(task).detach());
}

/// Returns whether `program` ends, or still waits when no waker is left that could wake it.
fn ends(program: impl Future<Output = ()> + 'static) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_that_is_held_blocks_no_task() {
        assert!(waiter(Late::Held));
    }

    #[test]
    fn a_waiter_of_the_peers_holds_up_its_task() {
        assert!(!waiter_of_tokio(Late::Held));
        assert!(!waiter_of_async_lock(Late::Held));
        assert!(!waiter_of_asyncband(Late::Held));
    }

    #[test]
    fn an_initializer_that_is_held_holds_up_its_task() {
        assert!(!initializer(Late::Held));
    }

    #[test]
    fn a_spawned_initializer_keeps_running_while_its_caller_is_held() {
        assert!(spawned_initializer(Late::Held));
    }

    #[test]
    fn a_driver_of_a_lazy_that_is_held_holds_up_its_task() {
        assert!(!driver_of_a_lazy(Late::Held));
    }

    #[test]
    fn a_driver_of_a_box_lazy_that_is_held_blocks_no_other() {
        assert!(driver_of_a_box_lazy(Late::Held));
    }

    #[test]
    fn a_driver_of_a_static_that_is_held_blocks_no_task() {
        assert!(driver_of_a_static(Late::Held));
    }

    #[test]
    fn a_future_that_is_dropped_blocks_no_task() {
        for program in PROGRAMS {
            assert!((program.run)(Late::Dropped), "{}", program.held);
        }
    }

    #[test]
    fn the_guide_shows_each_line() {
        for Program { held, ends, .. } in PROGRAMS {
            let line = line(held, [ends, true]);
            assert!(
                include_str!("../src/guide/cancellation.md").contains(&line),
                "{line}"
            );
        }
    }
}
