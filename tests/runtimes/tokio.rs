//! What tokio has of its own: a runtime to be in, threads that may be blocked or not, a budget, an end.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use oncelot::{
    OnceCell,
    runtime::{Runtime, SharedCell, Tokio},
};
use tokio::{
    runtime::{self, Builder},
    task::{LocalSet, spawn, spawn_blocking},
};

use crate::util::{now, panic_of, static_cell};

fn current_thread() -> runtime::Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// With one worker, so that a blocked worker is noticed.
fn multi_thread() -> runtime::Runtime {
    Builder::new_multi_thread().worker_threads(1).build().unwrap()
}

#[test]
fn outside_a_runtime_a_spawned_initializer_panics_with_advice_and_leaves_the_cell_usable() {
    let cell = static_cell();
    let message = panic_of(|| now(cell.get_or_init_spawned::<Tokio>(async || 1)));
    assert!(
        message.contains("must be called from the context of a Tokio"),
        "{message}"
    );
    let message = panic_of(|| now(cell.get_or_init_unblock::<Tokio>(|| 1)));
    assert!(
        message.contains("must be called from the context of a Tokio"),
        "{message}"
    );
    assert_eq!(now(cell.get_or_init(async || 2)), &2);
}

/// Whose own tasks do not run while its thread blocks.
#[test]
fn block_on_has_tasks_run_though_the_thread_is_in_a_current_thread_runtime() {
    let (cell, runtime) = (static_cell(), current_thread());
    let _entered = runtime.enter();
    assert_eq!(Tokio::block_on(cell.get_or_init_spawned::<Tokio>(async || 1)), &1);
}

#[test]
fn a_runtime_that_shuts_down_tells_who_waits_for_its_task() {
    let cell = static_cell();
    let runtime = current_thread();
    let mut spawned = pin!(cell.get_or_init_spawned::<Tokio>(std::future::pending));
    let cx = &mut Context::from_waker(Waker::noop());
    {
        let _entered = runtime.enter();
        assert!(spawned.as_mut().poll(cx).is_pending());
    }
    drop(runtime);
    assert!(!cell.initialized());
    let message = panic_of(|| spawned.as_mut().poll(cx).is_ready());
    assert!(
        message.contains("the runtime has dropped an initializer"),
        "{message}"
    );
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
}

#[test]
fn block_on_uses_the_multi_thread_runtime_that_the_thread_is_in() {
    let runtime = multi_thread();
    let _entered = runtime.enter();
    let id = runtime.handle().id();
    assert_eq!(Tokio::block_on(async { runtime::Handle::current().id() }), id);
}

#[test]
fn a_blocking_call_on_a_worker_lets_the_other_tasks_go_on() {
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

/// Calls every method that may block, and checks that it panics, and that the cell is as it was.
fn assert_refused() {
    let refused = |call: &dyn Fn()| {
        let message = panic_of(call);
        assert!(message.contains("spawn_blocking"), "{message}");
    };
    let cell = OnceCell::<u32>::new();
    refused(&|| _ = cell.wait_blocking());
    refused(&|| _ = cell.wait_timeout(Duration::MAX));
    refused(&|| _ = cell.get_or_init_blocking(|| unreachable!()));
    refused(&|| _ = cell.get_or_try_init_blocking(|| unreachable!() as Result<u32, ()>));
    refused(&|| _ = cell.insert_blocking(1));
    cell.set(1).expect("nobody has the claim");
    assert_eq!(cell.wait_blocking(), &1, "a value that is there blocks nobody");

    let lazy = pin!(oncelot::Lazy::new(async { 1 }));
    refused(&|| _ = lazy.as_ref().force_blocking());
    assert_eq!(now(lazy.as_ref().get()), &1);
}

#[test]
fn a_blocking_call_in_a_current_thread_runtime_panics_with_advice() {
    current_thread().block_on(async {
        assert_refused();
        spawn(async { assert_refused() }).await.unwrap();
    });
}

#[test]
fn a_blocking_call_in_a_local_set_panics_with_advice() {
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
    assert_eq!(crate::util::message(&*error.into_panic()), "out of luck");
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
}

/// tokio gives a task a budget for each poll, and has it yield when it is used up.
#[test]
fn waiting_uses_up_the_budget() {
    let within = |cx: &mut Context<'_>| Tokio::poll_within_budget(cx, |_| Poll::Ready(()));
    let spent = poll_fn(move |cx| {
        let spent = (0..10_000).position(|_| within(cx).is_pending());
        Poll::Ready(spent)
    });
    let spent = current_thread().block_on(async { spawn(spent).await.unwrap() });
    assert!(spent.is_some_and(|polls| polls > 0), "{spent:?}");

    // A wait that stays pending uses up nothing.
    let unspent = poll_fn(move |cx| {
        let stays = (0..10_000).all(|_| Tokio::poll_within_budget(cx, |_| Poll::<()>::Pending).is_pending());
        assert!(stays);
        Poll::Ready(within(cx).is_ready())
    });
    assert!(current_thread().block_on(async { spawn(unspent).await.unwrap() }));
}

/// A wait for a spawned initializer goes through the budget.
#[test]
fn a_wait_for_an_initializer_yields_when_the_budget_is_used_up() {
    let cell = static_cell();
    let mut waiting = Box::pin(cell.get_or_init_spawned::<Tokio>(async || 1));
    let task = poll_fn(move |cx| {
        while Tokio::poll_within_budget(cx, |_| Poll::Ready(())).is_ready() {}
        let without_budget = waiting.as_mut().poll(cx);
        Poll::Ready((without_budget.is_pending(), cell.set(2).is_ok()))
    });
    let (yielded, is_unclaimed) = current_thread().block_on(async { spawn(task).await.unwrap() });
    assert!(yielded && is_unclaimed, "it has not even claimed the cell");
}
