use async_std::task;

use super::Runtime;

/// async-std's global executor and its blocking pool (feature `async-std`).
///
/// async-std is discontinued upstream, which recommends smol. The feature `async-std` is for existing applications; new ones
/// should use the feature `smol`. It does not build on wasm32-unknown-unknown.
#[derive(Debug, Clone, Copy, Default)]
pub struct AsyncStd;

impl Runtime for AsyncStd {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        task::spawn(task);
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        task::spawn_blocking(work);
    }
}

/// Panics in a task of async-std, because the caller is about to block its thread.
#[cfg(feature = "blocking")]
pub(crate) fn assert_outside_tasks() {
    // `try_current` also returns `None` on a thread whose thread-locals have been destroyed, which runs no task.
    assert!(
        task::try_current().is_none(),
        "blocking call in an async-std task; use the async method, or call this in \
         `async_std::task::spawn_blocking`"
    );
}
