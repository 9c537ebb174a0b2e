use async_std::task;

use super::Runtime;

/// async-std's global executor, and its pool for blocking work (feature `async-std`).
///
/// async-std is discontinued upstream, and recommends smol. The feature stays for existing applications; a new application
/// should use the feature `smol`.
#[derive(Debug, Clone, Copy)]
pub enum AsyncStd {}

impl Runtime for AsyncStd {
    fn spawn<F: Future<Output = ()> + Send + 'static>(task: F) {
        task::spawn(task);
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F) {
        task::spawn_blocking(work);
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        task::block_on(future)
    }
}

/// For whoever is about to block the thread.
#[cfg(feature = "blocking")]
pub(crate) fn assert_outside_tasks() {
    assert!(
        task::try_current().is_none(),
        "a task of async-std is about to block its thread; await the asynchronous method instead, or call this in \
         `async_std::task::spawn_blocking`"
    );
}
