//! A runtime that a user defines.

use std::{sync::LazyLock, thread};

use async_executor::Executor;
use futures_lite::future;
use oncelot::runtime::Runtime;

/// An executor on a thread of its own.
pub(crate) struct OneThread;

static EXECUTOR: LazyLock<Executor<'static>> = LazyLock::new(|| {
    thread::spawn(|| future::block_on(EXECUTOR.run(future::pending::<()>())));
    Executor::new()
});

impl Runtime for OneThread {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        EXECUTOR.spawn(task).detach();
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        thread::spawn(work);
    }
}
