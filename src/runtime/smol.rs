use super::Runtime;

/// smol's global executor, and its pool for blocking work (feature `smol`).
///
/// The executor's threads are started when they are first needed, and there is one unless `SMOL_THREADS` says more.
#[derive(Debug, Clone, Copy)]
pub enum Smol {}

impl Runtime for Smol {
    fn spawn<F: Future<Output = ()> + Send + 'static>(task: F) {
        smol::spawn(task).detach();
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F) {
        smol::unblock(work).detach();
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        smol::block_on(future)
    }
}
