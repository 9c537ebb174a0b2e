//! Spawned initializers, and calls that block a thread, on each runtime.

#[path = "../util/mod.rs"]
mod util;

mod blocking;
mod generic;
mod suite;
mod thread_locals;
mod tokio;

use std::{
    pin::pin,
    sync::{Arc, LazyLock},
    thread,
};

use ::tokio::runtime::{self, Builder};
use async_executor::Executor;
use futures_lite::future;
use oncelot::runtime::{AsyncStd, OnceCellExt, Runtime, Smol, Tokio};

use self::{suite::every_scenario, util::static_cell};

/// A runtime that no test enters. Initializers are spawned on it by its handle.
static TOKIO: LazyLock<runtime::Runtime> = LazyLock::new(multi_thread);

/// An executor with a thread of its own.
static EXECUTOR: LazyLock<Executor<'static>> = LazyLock::new(|| {
    thread::spawn(|| future::block_on(EXECUTOR.run(future::pending::<()>())));
    Executor::new()
});

/// A runtime that a user defines.
#[derive(Clone, Default)]
struct OneThread(Arc<()>);

impl Runtime for OneThread {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        EXECUTOR.spawn(task).detach();
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        thread::spawn(work);
    }
}

fn current_thread() -> runtime::Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn multi_thread() -> runtime::Runtime {
    Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

#[test]
fn on_tokio() {
    multi_thread().block_on(every_scenario(Tokio));
    current_thread().block_on(every_scenario(Tokio));
}

#[test]
fn on_a_handle_of_tokio() {
    future::block_on(every_scenario(TOKIO.handle().clone()));
    future::block_on(every_scenario(TOKIO.handle()));
    smol::block_on(every_scenario(TOKIO.handle().clone()));
}

#[test]
fn on_a_handle_of_another_tokio() {
    current_thread().block_on(every_scenario(TOKIO.handle().clone()));
}

#[test]
fn on_async_std() {
    ::async_std::task::block_on(every_scenario(AsyncStd));
}

#[test]
fn on_smol() {
    smol::block_on(every_scenario(Smol));
    multi_thread().block_on(every_scenario(Smol));
}

#[test]
fn on_a_static_executor_of_smol() {
    future::block_on(every_scenario(&*EXECUTOR));
}

#[test]
fn on_a_runtime_that_a_user_defines() {
    future::block_on(every_scenario(OneThread::default()));
}

#[test]
fn a_future_drops_its_runtime_when_it_has_completed() {
    let (cell, runtime) = (static_cell(), OneThread::default());
    let mut spawned = pin!(cell.get_or_init_spawned(runtime.clone(), async || 1));
    assert_eq!(Arc::strong_count(&runtime.0), 2);
    assert_eq!(future::block_on(spawned.as_mut()), &1);
    assert_eq!(Arc::strong_count(&runtime.0), 1);
}
