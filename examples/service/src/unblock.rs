//! Work that blocks, on any runtime.

use oncelot::runtime::Runtime;

/// Has `work` done on the runtime's pool for blocking work. It is done to its end even if nobody waits any more.
pub(crate) async fn unblock<R: Runtime, T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = async_channel::bounded(1);
    R::spawn_blocking(move || {
        // It fails if nobody waits any more.
        let _ = done.try_send(work());
    });
    result.recv().await.expect("the work has panicked")
}
