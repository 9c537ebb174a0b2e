//! Calls that may block a thread, in tasks. A call works if it need not wait, or if the runtime can run its other tasks while the
//! call waits. Otherwise, it panics.

use std::{future::pending, pin::pin, task::Poll, thread, time::Duration};

use ::tokio::{
    runtime,
    task::{LocalSet, spawn, spawn_blocking, spawn_local},
};
use oncelot::{BoxLazy, Lazy, OnceCell};

use crate::{
    current_thread,
    util::{Gate, now, panic_of, poll, static_cell},
};

/// Creates a runtime with one worker, so that no other worker can run the tasks of one that is blocked.
pub(crate) fn one_worker() -> runtime::Runtime {
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(1).build().unwrap()
}

/// Calls the methods that may block, in circumstances in which the call has to wait. Checks that it panics, and that the cell
/// stays usable.
fn assert_refused(advice: &str) {
    let refused = |call: &dyn Fn()| {
        let message = panic_of(call);
        assert!(message.contains(advice), "{message}");
    };
    let cell = OnceCell::<u32>::new();
    refused(&|| _ = cell.wait_blocking());
    refused(&|| _ = cell.wait_timeout(Duration::MAX));
    let gate = Gate::new();
    let mut init = Box::pin(cell.get_or_init(|| gate.clone()));
    assert!(poll(&mut init).is_pending());
    refused(&|| _ = cell.wait_blocking());
    refused(&|| _ = cell.wait_timeout(Duration::MAX));
    refused(&|| _ = cell.get_or_init_blocking(|| unreachable!()));
    refused(&|| _ = cell.get_or_try_init_blocking(|| unreachable!() as Result<u32, ()>));
    refused(&|| _ = cell.insert_blocking(1));
    gate.open(1);
    assert_eq!(poll(&mut init), Poll::Ready(&1));
    assert_eq!(cell.wait_blocking(), &1, "a value that exists does not block");

    let gate = Gate::new();
    let lazy = pin!(Lazy::new(gate.clone()));
    refused(&|| _ = lazy.as_ref().get_blocking());
    gate.open(1);
    assert_eq!(now(lazy.as_ref().get()), &1);

    let boxed = BoxLazy::<()>::boxed(pending());
    refused(&|| _ = boxed.get_blocking());
    oncelot::lazy! {
        static NEVER: () = pending();
    }
    refused(&|| _ = NEVER.get_blocking());
}

/// Calls the methods that may block, in circumstances in which the call need not wait.
fn assert_works() {
    assert_eq!(OnceCell::new().get_or_init_blocking(|| 1), &1);
    assert_eq!(
        OnceCell::new().get_or_try_init_blocking(|| Ok::<_, ()>(1)),
        Ok(&1)
    );
    assert_eq!(OnceCell::<()>::new().get_or_try_init_blocking(|| Err(1)), Err(1));
    assert_eq!(OnceCell::new().insert_blocking(1), Ok(&1));
    assert_eq!(OnceCell::<()>::new().wait_timeout(Duration::ZERO), None);
    let ready = OnceCell::from(1);
    assert_eq!(ready.wait_blocking(), &1);
    assert_eq!(ready.wait_timeout(Duration::MAX), Some(&1));
    let lazy = pin!(Lazy::new(async { 1 }));
    assert_eq!(lazy.as_ref().get_blocking(), &1);
    assert_eq!(BoxLazy::boxed(async { 1 }).get_blocking(), &1);
    oncelot::lazy! {
        static LAZY: u32 = async { 1 };
    }
    assert_eq!(LAZY.get_blocking(), &1);
}

#[test]
fn a_call_that_need_not_wait_works_in_every_task() {
    for runtime in [current_thread(), one_worker()] {
        runtime.block_on(async {
            assert_works();
            spawn(async { assert_works() }).await.unwrap();
        });
    }
    one_worker().block_on(LocalSet::new().run_until(async {
        spawn_local(async { assert_works() }).await.unwrap();
    }));
    async_std::task::block_on(async {
        assert_works();
        async_std::task::spawn(async { assert_works() }).await;
    });
}

#[test]
fn a_call_that_has_to_wait_where_no_other_task_could_run_panics_with_advice() {
    const OF_TOKIO: &str = "use the async method, or call this in `tokio::task::spawn_blocking`";
    const OF_ASYNC_STD: &str = "blocking call in an async-std task";

    current_thread().block_on(async {
        assert_refused(OF_TOKIO);
        spawn(async { assert_refused(OF_TOKIO) }).await.unwrap();
    });
    one_worker().block_on(LocalSet::new().run_until(async {
        spawn_local(async { assert_refused(OF_TOKIO) }).await.unwrap();
    }));
    async_std::task::block_on(async {
        assert_refused(OF_ASYNC_STD);
        async_std::task::spawn(async { assert_refused(OF_ASYNC_STD) }).await;
    });
}

#[test]
fn a_call_on_the_pool_for_blocking_work_waits() {
    for runtime in [current_thread(), one_worker()] {
        let cell = static_cell();
        let waiting = runtime.block_on(async {
            let waiting = spawn_blocking(|| *cell.wait_blocking());
            spawn(cell.get_or_init(async || 1));
            waiting.await
        });
        assert_eq!(waiting.unwrap(), 1);
    }
    let cell = static_cell();
    let waiting = async_std::task::block_on(async {
        let waiting = async_std::task::spawn_blocking(|| *cell.wait_blocking());
        async_std::task::spawn(cell.get_or_init(async || 1));
        waiting.await
    });
    assert_eq!(waiting, 1);
}

#[test]
fn a_call_on_a_thread_of_a_multi_thread_runtime_leaves_the_other_tasks_running() {
    /// A cell that a task on the same worker fills.
    fn cell_of_another_task() -> &'static OnceCell<u32> {
        let cell = static_cell();
        spawn(cell.get_or_init(async || 1));
        cell
    }

    one_worker().block_on(async {
        let cell = static_cell();
        let waiting = spawn(async { *cell.wait_blocking() });
        let lazily = spawn(async { *cell.get_or_init_blocking(|| *cell_of_another_task().wait_blocking()) });
        assert_eq!((waiting.await.unwrap(), lazily.await.unwrap()), (1, 1));
        // On the thread of `block_on`.
        assert_eq!(cell_of_another_task().wait_blocking(), &1);
    });
}

/// A thread that has entered a runtime, and runs no task of it, may block.
#[test]
fn a_call_in_the_context_of_a_runtime_waits() {
    for runtime in [current_thread(), one_worker()] {
        let cell = static_cell();
        let _entered = runtime.enter();
        thread::scope(|scope| {
            scope.spawn(|| cell.set(1));
            assert_eq!(cell.wait_blocking(), &1);
        });
    }
}
