use core::task::{Context, Poll, ready};

use tokio::{
    runtime::Handle,
    task::{self, coop},
};

use super::Runtime;

/// The tokio runtime of the calling thread (feature `tokio`).
///
/// On a thread without a runtime, `spawn` and `spawn_blocking` panic, as tokio's own functions do. A
/// `tokio::runtime::Handle` can be passed instead, and works on any thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokio;

impl Runtime for Tokio {
    #[track_caller]
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        task::spawn(task);
    }

    #[track_caller]
    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        task::spawn_blocking(work);
    }

    /// Charges tokio's cooperative budget.
    #[inline]
    fn poll_coop<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        // The budget is unlimited on a thread that runs no task of tokio, and on one whose thread-locals have been destroyed.
        let budget = ready!(coop::poll_proceed(cx));
        let polled = poll(cx);
        if polled.is_ready() {
            budget.made_progress();
        }
        polled
    }
}

/// Spawns on the runtime of the handle, on any calling thread.
impl Runtime for Handle {
    #[track_caller]
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        Handle::spawn(self, task);
    }

    #[track_caller]
    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        Handle::spawn_blocking(self, work);
    }

    /// Charges the cooperative budget of the waiting task, which may belong to another tokio runtime.
    #[inline]
    fn poll_coop<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        Tokio.poll_coop(cx, poll)
    }
}

/// Calls `block`, which blocks this thread. On a worker of a multi-thread runtime, moves the worker's tasks to another
/// thread first.
///
/// # Panics
///
/// Panics in a task of a current-thread runtime or of a `LocalSet`, which cannot move to another thread. Any other panic
/// of tokio or of `block` propagates unchanged.
#[cfg(all(feature = "blocking", not(target_family = "wasm")))]
pub(crate) fn block_in_place<R>(block: impl FnOnce() -> R) -> R {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    // `task::block_in_place` would panic in the destructor of a thread-local that runs after tokio's.
    if Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed()) {
        return block();
    }
    let mut block = Some(block);
    let called = catch_unwind(AssertUnwindSafe(|| {
        task::block_in_place(|| block.take().expect("it is called once")())
    }));
    match called {
        Ok(result) => result,
        Err(panic) if block.is_some() && message(&*panic) == Some(REFUSAL) => panic!(
            "blocking call in a task of a current-thread tokio runtime or of a `LocalSet`; use the async method, or call \
             this in `tokio::task::spawn_blocking`"
        ),
        Err(panic) => resume_unwind(panic),
    }
}

/// The panic message of `task::block_in_place` where it cannot move the thread's other tasks. This cannot be checked
/// beforehand: the flavor of the current handle can differ from that of the runtime that runs the task.
#[cfg(all(feature = "blocking", not(target_family = "wasm")))]
const REFUSAL: &str = "can call blocking only when running on the multi-threaded runtime";

/// Returns the message of a panic, or `None` if its payload is not a string.
#[cfg(all(feature = "blocking", not(target_family = "wasm")))]
fn message(payload: &(dyn core::any::Any + Send)) -> Option<&str> {
    match payload.downcast_ref::<std::string::String>() {
        Some(message) => Some(message),
        None => payload.downcast_ref::<&str>().copied(),
    }
}
