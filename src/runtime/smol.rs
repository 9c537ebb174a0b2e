use smol::Executor;

use super::Runtime;

/// smol's global executor, and its pool for blocking work (feature `smol`).
///
/// The executor starts its threads on first use: one, or as many as the environment variable `SMOL_THREADS` names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Smol;

impl Runtime for Smol {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        smol::spawn(task).detach();
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        smol::unblock(work).detach();
    }
}

/// Tasks run while the executor is run. Blocking work runs on smol's global pool.
impl Runtime for Executor<'_> {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        Executor::spawn(self, task).detach();
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        smol::unblock(work).detach();
    }
}
