//! Tests of tokio only: calls outside a runtime, threads that must not block, the cooperative budget, shutdown.

use std::{
    any::Any,
    future::poll_fn,
    panic::panic_any,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use futures_lite::future::{self, yield_now};
use oncelot::{
    Lazy, OnceCell,
    runtime::{OnceCellExt, Runtime, Tokio},
};
use tokio::{
    runtime::{self, Builder, Handle},
    task::{LocalSet, spawn, spawn_blocking},
};

use crate::{
    TOKIO, current_thread,
    util::{Gate, message, now, panic_of, poll, static_cell},
};

/// With one worker, so that a blocked worker is noticed.
fn multi_thread() -> runtime::Runtime {
    Builder::new_multi_thread().worker_threads(1).build().unwrap()
}

#[test]
fn outside_a_runtime_a_spawned_initializer_panics_with_advice_and_leaves_the_cell_usable() {
    let cell = static_cell();
    let message = panic_of(|| now(cell.get_or_init_spawned(Tokio, async || 1)));
    assert!(
        message.contains("must be called from the context of a Tokio"),
        "{message}"
    );
    let message = panic_of(|| now(cell.get_or_init_spawned_blocking(Tokio, || 1)));
    assert!(
        message.contains("must be called from the context of a Tokio"),
        "{message}"
    );
    assert_eq!(now(cell.get_or_init(async || 2)), &2);
}

#[test]
fn a_runtime_that_shuts_down_reports_its_lost_task_to_the_caller() {
    let cell = static_cell();
    let runtime = current_thread();
    let mut spawned = pin!(cell.get_or_init_spawned(Tokio, std::future::pending));
    let cx = &mut Context::from_waker(Waker::noop());
    {
        let _entered = runtime.enter();
        assert!(spawned.as_mut().poll(cx).is_pending());
    }
    drop(runtime);
    assert!(!cell.initialized());
    let message = panic_of(|| spawned.as_mut().poll(cx).is_ready());
    assert!(
        message.contains("the runtime dropped a spawned initializer"),
        "{message}"
    );
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
}

/// The runtime that an initializer ran on, as a task and on the pool for blocking work.
async fn ids_of_initializers(runtime: &impl Runtime) -> [runtime::Id; 2] {
    let cells = [(); 2].map(|()| Arc::new(OnceCell::new()));
    let as_a_task = cells[0].get_or_init_spawned(runtime, async || Handle::current().id());
    let as_a_task = *as_a_task.await;
    let on_the_pool = cells[1].get_or_init_spawned_blocking(runtime, || Handle::current().id());
    [as_a_task, *on_the_pool.await]
}

#[test]
fn a_handle_spawns_on_its_own_runtime_wherever_the_caller_is() {
    let (own, other) = (multi_thread(), multi_thread());
    let handle = own.handle();
    let expected = [handle.id(); 2];
    assert_eq!(future::block_on(ids_of_initializers(handle)), expected);
    assert_eq!(other.block_on(ids_of_initializers(handle)), expected);
    assert_eq!(current_thread().block_on(ids_of_initializers(handle)), expected);
    assert_eq!(own.block_on(ids_of_initializers(handle)), expected);
    let _entered = other.enter();
    assert_eq!(future::block_on(ids_of_initializers(handle)), expected);
    assert_eq!(
        future::block_on(ids_of_initializers(&Tokio)),
        [other.handle().id(); 2]
    );
}

#[test]
fn a_handle_of_a_dropped_runtime_panics_with_advice_and_leaves_the_cell_usable() {
    for runtime in [current_thread(), multi_thread()] {
        let cell = static_cell();
        let handle = runtime.handle().clone();
        drop(runtime);
        let message = panic_of(|| future::block_on(cell.get_or_init_spawned(&handle, async || 1)));
        assert!(message.contains("dropped a spawned initializer"), "{message}");
        let message = panic_of(|| future::block_on(cell.get_or_init_spawned_blocking(&handle, || 1)));
        assert!(message.contains("dropped a spawned initializer"), "{message}");
        assert_eq!(now(cell.get_or_init(async || 2)), &2);
    }
}

#[test]
fn a_future_drops_its_handle_when_it_has_completed() {
    struct Shared(Arc<Handle>);
    impl Runtime for Shared {
        fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
            self.0.spawn(task);
        }

        fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
            self.0.spawn_blocking(work);
        }
    }

    let (cell, handle) = (static_cell(), Arc::new(TOKIO.handle().clone()));
    let mut spawned = pin!(cell.get_or_init_spawned(Shared(handle.clone()), async || 1));
    assert_eq!(Arc::strong_count(&handle), 2);
    assert_eq!(future::block_on(spawned.as_mut()), &1);
    assert_eq!(Arc::strong_count(&handle), 1);
}

#[test]
fn a_blocking_call_on_a_worker_leaves_the_other_tasks_running() {
    let runtime = multi_thread();
    let cell = static_cell();
    let initialized = runtime.block_on(async {
        let waiting = spawn(async { *cell.wait_blocking() });
        let lazily = spawn(async { *cell.get_or_init_blocking(|| *cell_of_another_task().wait_blocking()) });
        (waiting.await.unwrap(), lazily.await.unwrap())
    });
    assert_eq!(initialized, (1, 1));

    /// A cell that a task on the same worker fills.
    fn cell_of_another_task() -> &'static OnceCell<u32> {
        let cell = static_cell();
        spawn(cell.get_or_init(async || 1));
        cell
    }
}

#[test]
fn a_blocking_call_in_block_on_of_a_multi_thread_runtime_works() {
    let cell = static_cell();
    let value = multi_thread().block_on(async {
        spawn(cell.get_or_init(async || 1));
        cell.wait_blocking()
    });
    assert_eq!(value, &1);
}

/// Calls every method that may block where the call has to wait, and checks that it panics, and that the cell is as it
/// was.
fn assert_refused() {
    let refused = |call: &dyn Fn()| {
        let message = panic_of(call);
        assert!(
            message.contains("use the async method, or call this in `tokio::task::spawn_blocking`"),
            "{message}"
        );
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
}

/// Calls every method that may block where the call need not wait.
fn assert_works() {
    assert_eq!(OnceCell::new().get_or_init_blocking(|| 1), &1);
    assert_eq!(
        OnceCell::new().get_or_try_init_blocking(|| Ok::<_, ()>(1)),
        Ok(&1)
    );
    assert_eq!(OnceCell::<()>::new().get_or_try_init_blocking(|| Err(1)), Err(1));
    assert_eq!(OnceCell::new().insert_blocking(1), Ok(&1));
    assert_eq!(OnceCell::<()>::new().wait_timeout(Duration::ZERO), None);
    let lazy = pin!(Lazy::new(async { 1 }));
    assert_eq!(lazy.as_ref().get_blocking(), &1);
    oncelot::lazy! {
        static LAZY: u32 = async { 1 };
    }
    assert_eq!(LAZY.get_blocking(), &1);
}

#[test]
fn a_blocking_call_that_need_not_wait_works_in_every_task() {
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(async {
            assert_works();
            spawn(async { assert_works() }).await.unwrap();
        });
    }
    multi_thread().block_on(LocalSet::new().run_until(async {
        tokio::task::spawn_local(async { assert_works() }).await.unwrap();
    }));
}

#[test]
fn a_blocking_call_that_has_to_wait_in_a_current_thread_runtime_panics_with_advice() {
    current_thread().block_on(async {
        assert_refused();
        spawn(async { assert_refused() }).await.unwrap();
    });
}

#[test]
fn a_blocking_call_that_has_to_wait_in_a_local_set_panics_with_advice() {
    multi_thread().block_on(LocalSet::new().run_until(async {
        tokio::task::spawn_local(async { assert_refused() })
            .await
            .unwrap();
    }));
}

#[test]
fn a_blocking_call_on_the_pool_for_blocking_work_blocks() {
    for runtime in [current_thread(), multi_thread()] {
        let cell = static_cell();
        let waiting = runtime.block_on(async {
            let waiting = spawn_blocking(|| *cell.wait_blocking());
            spawn(cell.get_or_init(async || 1));
            waiting.await
        });
        assert_eq!(waiting.unwrap(), 1);
    }
}

#[test]
fn a_panic_of_a_blocking_initializer_on_a_worker_is_its_own() {
    let cell = static_cell();
    let task = async { cell.get_or_init_blocking(|| panic!("out of luck")) };
    let error = multi_thread().block_on(async { spawn(task).await.unwrap_err() });
    assert_eq!(message(&*error.into_panic()), "out of luck");
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
}

/// A thread that has entered a runtime, and runs no task of it, may block.
#[test]
fn a_blocking_call_in_the_context_of_a_runtime_waits() {
    for runtime in [current_thread(), multi_thread()] {
        let cell = static_cell();
        let _entered = runtime.enter();
        thread::scope(|scope| {
            scope.spawn(|| cell.set(1));
            assert_eq!(cell.wait_blocking(), &1);
        });
    }
}

/// A value that no message is: a panic is recognized by it.
#[derive(Debug)]
struct Payload;

/// tokio calls it when a worker that blocks needs a thread for its other tasks, before the call that blocks.
#[test]
fn a_panic_that_keeps_tokio_from_blocking_in_place_propagates_unchanged() {
    static IS_OUT_OF_THREADS: AtomicBool = AtomicBool::new(false);

    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name_fn(|| {
            if IS_OUT_OF_THREADS.load(SeqCst) {
                panic_any(Payload);
            }
            "worker".to_owned()
        })
        .build()
        .unwrap();
    let cell = static_cell();
    let error = runtime.block_on(async {
        spawn(async {
            IS_OUT_OF_THREADS.store(true, SeqCst);
            cell.wait_blocking();
        })
        .await
        .unwrap_err()
    });
    let payload = error.into_panic();
    assert!(payload.is::<Payload>(), "{}", message(&*payload));
    IS_OUT_OF_THREADS.store(false, SeqCst);
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
}

/// Panics with what `panic` does in the second poll, when the thread has begun to block.
fn panic_while_blocking(panic: fn()) -> Box<dyn Any + Send> {
    let task = async move {
        let lazy = pin!(Lazy::new(async {
            yield_now().await;
            panic();
        }));
        lazy.as_ref().get_blocking();
    };
    let error = multi_thread().block_on(async { spawn(task).await.unwrap_err() });
    error.into_panic()
}

#[test]
fn a_panic_while_a_worker_blocks_propagates_unchanged() {
    let payload = panic_while_blocking(|| panic_any(Payload));
    assert!(payload.is::<Payload>(), "{}", message(&*payload));

    // Also if the message is that of tokio's own panic when it refuses to block.
    const REFUSAL: &str = "can call blocking only when running on the multi-threaded runtime";
    let payload = panic_while_blocking(|| panic!("{REFUSAL}"));
    assert_eq!(message(&*payload), REFUSAL);
    let refusal = panic_of(|| current_thread().block_on(async { tokio::task::block_in_place(|| ()) }));
    assert_eq!(refusal, REFUSAL);
}

/// tokio gives a task a budget for each poll, and has it yield when it is used up.
fn assert_uses_up_the_budget<R: Runtime + Clone + 'static>(runtime: R) {
    let within = {
        let runtime = runtime.clone();
        move |cx: &mut Context<'_>| runtime.poll_coop(cx, |_| Poll::Ready(()))
    };
    let spent = poll_fn({
        let within = within.clone();
        move |cx| {
            let spent = (0..10_000).position(|_| within(cx).is_pending());
            Poll::Ready(spent)
        }
    });
    let spent = current_thread().block_on(async { spawn(spent).await.unwrap() });
    assert!(spent.is_some_and(|polls| polls > 0), "{spent:?}");

    // A wait that stays pending uses up nothing.
    let unspent = poll_fn(move |cx| {
        let stays = (0..10_000).all(|_| runtime.poll_coop(cx, |_| Poll::<()>::Pending).is_pending());
        assert!(stays);
        Poll::Ready(within(cx).is_ready())
    });
    assert!(current_thread().block_on(async { spawn(unspent).await.unwrap() }));
}

#[test]
fn waiting_uses_up_the_budget() {
    assert_uses_up_the_budget(Tokio);
}

/// The budget is that of the task that waits, and not of the runtime that initializes.
#[test]
fn waiting_for_a_handle_uses_up_the_budget() {
    assert_uses_up_the_budget(TOKIO.handle().clone());
}

#[test]
fn waiting_for_a_runtime_behind_a_reference_uses_up_the_budget() {
    assert_uses_up_the_budget(&Tokio);
    assert_uses_up_the_budget(&&Tokio);
}

#[test]
fn the_budget_is_unlimited_outside_tokio() {
    fn assert_unlimited(runtime: &impl Runtime) {
        let cx = &mut Context::from_waker(Waker::noop());
        assert!((0..10_000).all(|_| runtime.poll_coop(cx, |_| Poll::Ready(())).is_ready()));
    }

    assert_unlimited(&Tokio);
    assert_unlimited(TOKIO.handle());
    smol::block_on(smol::spawn(async { assert_unlimited(TOKIO.handle()) }));
}

/// A wait for a spawned initializer goes through the budget.
#[test]
fn a_wait_for_an_initializer_yields_when_the_budget_is_used_up() {
    let cell = static_cell();
    let mut waiting = Box::pin(cell.get_or_init_spawned(Tokio, async || 1));
    let task = poll_fn(move |cx| {
        while Tokio.poll_coop(cx, |_| Poll::Ready(())).is_ready() {}
        let without_budget = waiting.as_mut().poll(cx);
        Poll::Ready((without_budget.is_pending(), cell.set(2).is_ok()))
    });
    let (yielded, is_unclaimed) = current_thread().block_on(async { spawn(task).await.unwrap() });
    assert!(yielded && is_unclaimed, "it has not even claimed the cell");
}
