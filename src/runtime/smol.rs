use smol::Executor;

use super::Runtime;

/// smol's global executor and its blocking pool (feature `smol`).
///
/// The executor starts its threads on first use: one, or the number in the environment variable `SMOL_THREADS`.
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

/// Tasks run only while the executor is being run. Blocking work runs on smol's global blocking pool.
impl Runtime for Executor<'_> {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        Executor::spawn(self, task).detach();
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        smol::unblock(work).detach();
    }
}
