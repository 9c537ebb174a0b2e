//! Tests of tokio only: calls outside a runtime, handles, shutdown, panics of threads that block, the cooperative budget.

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
};

use futures_lite::future::{self, yield_now};
use oncelot::{
    Lazy, OnceCell,
    runtime::{OnceCellExt, Runtime, Tokio},
};
use tokio::{
    runtime::{self, Builder, Handle},
    task::spawn,
};

use crate::{
    TOKIO,
    blocking::one_worker,
    current_thread,
    util::{message, now, panic_of, poll, static_cell},
};

#[test]
fn outside_a_runtime_a_spawned_initializer_panics_with_advice_and_leaves_the_cell_usable() {
    const ADVICE: &str = "must be called from the context of a Tokio";

    let cell = static_cell();
    let message = panic_of(|| now(cell.get_or_init_spawned(Tokio, async || 1)));
    assert!(message.contains(ADVICE), "{message}");
    let message = panic_of(|| now(cell.get_or_init_spawned_blocking(Tokio, || 1)));
    assert!(message.contains(ADVICE), "{message}");
    assert_eq!(now(cell.get_or_init(async || 2)), &2);
}

/// Returns the runtimes on which initializers ran: one in a task, and one on the pool for blocking work.
async fn ids_of_initializers(runtime: &impl Runtime) -> [runtime::Id; 2] {
    let cells = [(); 2].map(|()| Arc::new(OnceCell::new()));
    let as_a_task = cells[0].get_or_init_spawned(runtime, async || Handle::current().id());
    let as_a_task = *as_a_task.await;
    let on_the_pool = cells[1].get_or_init_spawned_blocking(runtime, || Handle::current().id());
    [as_a_task, *on_the_pool.await]
}

#[test]
fn a_handle_spawns_on_its_own_runtime_wherever_the_caller_is() {
    let (own, other) = (one_worker(), one_worker());
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
fn a_runtime_that_is_dropped_reports_lost_tasks_to_the_callers_and_leaves_the_cell_usable() {
    for runtime in [current_thread(), one_worker()] {
        let cell = static_cell();
        let handle = runtime.handle().clone();
        let mut before = Box::pin(cell.get_or_init_spawned(&handle, std::future::pending));
        assert!(poll(&mut before).is_pending());
        drop(runtime);
        assert!(!cell.initialized());
        for message in [
            panic_of(|| poll(&mut before).is_ready()),
            panic_of(|| future::block_on(cell.get_or_init_spawned(&handle, async || 1))),
            panic_of(|| future::block_on(cell.get_or_init_spawned_blocking(&handle, || 1))),
        ] {
            assert!(
                message.contains("the runtime dropped a spawned initializer"),
                "{message}"
            );
        }
        assert_eq!(now(cell.get_or_init(async || 2)), &2);
    }
}

#[test]
fn a_panic_of_a_blocking_initializer_on_a_worker_is_its_own() {
    let cell = static_cell();
    let task = async { cell.get_or_init_blocking(|| panic!("out of luck")) };
    let error = one_worker().block_on(async { spawn(task).await.unwrap_err() });
    assert_eq!(message(&*error.into_panic()), "out of luck");
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
}

/// A payload that is not a message, by which a test recognizes its panic.
#[derive(Debug)]
struct Payload;

/// When a worker is about to block, tokio starts a thread for its other tasks, and calls the function that names the thread.
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

/// Blocks a worker on a future that calls `panic` in its second poll, and returns the payload of the panic of the task.
fn panic_while_blocking(panic: fn()) -> Box<dyn Any + Send> {
    let task = async move {
        let lazy = pin!(Lazy::new(async {
            yield_now().await;
            panic();
        }));
        lazy.as_ref().get_blocking();
    };
    let error = one_worker().block_on(async { spawn(task).await.unwrap_err() });
    error.into_panic()
}

#[test]
fn a_panic_while_a_worker_blocks_propagates_unchanged() {
    let payload = panic_while_blocking(|| panic_any(Payload));
    assert!(payload.is::<Payload>(), "{}", message(&*payload));

    // A panic propagates even if its message is that with which tokio refuses to block.
    const REFUSAL: &str = "can call blocking only when running on the multi-threaded runtime";
    let payload = panic_while_blocking(|| panic!("{REFUSAL}"));
    assert_eq!(message(&*payload), REFUSAL);
    let refusal = panic_of(|| current_thread().block_on(async { tokio::task::block_in_place(|| ()) }));
    assert_eq!(refusal, REFUSAL);
}

/// tokio gives a task a budget for each poll, and makes the task yield when the budget is used up. The budget is that of the task
/// that waits, and not that of the runtime that runs the initializer.
#[test]
fn waiting_uses_up_the_budget() {
    fn assert_uses_up_the_budget(runtime: impl Runtime + 'static) {
        let task = poll_fn(move |cx| {
            // A wait that stays pending uses up nothing.
            let stays = (0..10_000).all(|_| runtime.poll_coop(cx, |_| Poll::<()>::Pending).is_pending());
            let spent = (0..10_000).position(|_| runtime.poll_coop(cx, |_| Poll::Ready(())).is_pending());
            Poll::Ready((stays, spent))
        });
        let (stays, spent) = current_thread().block_on(async { spawn(task).await.unwrap() });
        assert!(stays && spent.is_some_and(|polls| polls > 0), "{stays} {spent:?}");
    }

    assert_uses_up_the_budget(Tokio);
    assert_uses_up_the_budget(TOKIO.handle().clone());
    let references: (&Tokio, &&Tokio) = (&Tokio, &&Tokio);
    assert_uses_up_the_budget(references.0);
    assert_uses_up_the_budget(references.1);
}

#[test]
fn the_budget_is_unlimited_outside_tokio() {
    assert_unlimited_budget(&Tokio);
    assert_unlimited_budget(TOKIO.handle());
    smol::block_on(smol::spawn(async { assert_unlimited_budget(TOKIO.handle()) }));
}

pub(crate) fn assert_unlimited_budget(runtime: &impl Runtime) {
    let cx = &mut Context::from_waker(Waker::noop());
    assert!((0..10_000).all(|_| runtime.poll_coop(cx, |_| Poll::Ready(())).is_ready()));
}

/// The call yields before it claims the cell.
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
    assert!(yielded, "the call did not yield");
    assert!(is_unclaimed, "the call claimed the cell before it yielded");
}
