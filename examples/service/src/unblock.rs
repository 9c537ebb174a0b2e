//! Work that blocks, on any runtime.

use oncelot::runtime::Runtime;

/// Runs `work` on the runtime's pool for blocking work. It runs to its end even if the caller is cancelled.
pub(crate) async fn unblock<T: Send + 'static>(
    runtime: &impl Runtime,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, result) = async_channel::bounded(1);
    runtime.spawn_blocking(move || {
        // This fails if the caller was cancelled.
        let _ = done.try_send(work());
    });
    result.recv().await.expect("the work has panicked")
}
