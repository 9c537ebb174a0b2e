use core::task::{Context, Poll, ready};

use tokio::{
    runtime::{Builder, Handle, RuntimeFlavor},
    task::{self, coop},
};

use super::Runtime;

/// The tokio runtime that the caller is in (feature `tokio`).
///
/// Outside a runtime, `spawn` and `spawn_blocking` panic as tokio's own do. [`block_on`](Runtime::block_on) uses the
/// multi-thread runtime that the caller is in; where there is none, it starts one for the time of the call, with the
/// drivers that the program has compiled in. In a task it panics as tokio's own does.
#[derive(Debug, Clone, Copy)]
pub enum Tokio {}

impl Runtime for Tokio {
    #[track_caller]
    fn spawn<F: Future<Output = ()> + Send + 'static>(task: F) {
        task::spawn(task);
    }

    #[track_caller]
    fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F) {
        task::spawn_blocking(work);
    }

    #[track_caller]
    fn block_on<F: Future>(future: F) -> F::Output {
        match Handle::try_current() {
            // Another one's tasks do not run while this thread blocks: nobody might drive it.
            Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => handle.block_on(future),
            _ => Builder::new_multi_thread()
                .enable_all()
                .build()
                .expect("failed to start a tokio runtime")
                .block_on(future),
        }
    }

    /// By tokio's cooperative budget.
    #[inline]
    fn poll_within_budget<R>(
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let budget = ready!(coop::poll_proceed(cx));
        let polled = poll(cx);
        if polled.is_ready() {
            budget.made_progress();
        }
        polled
    }
}

/// Runs what may block this thread. In a task, has the thread's other tasks move elsewhere before.
#[cfg(feature = "blocking")]
pub(crate) fn in_place<R>(block: impl FnOnce() -> R) -> R {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    let mut block = Some(block);
    let called = catch_unwind(AssertUnwindSafe(|| {
        task::block_in_place(|| block.take().expect("called once")())
    }));
    match called {
        Ok(result) => result,
        // tokio has panicked instead of calling it.
        Err(_) if block.is_some() => panic!(
            "a task of a current-thread tokio runtime, or of a `LocalSet`, is about to block the only thread that it \
             runs on; await the asynchronous method instead, or call this in `tokio::task::spawn_blocking`"
        ),
        Err(panic) => resume_unwind(panic),
    }
}
