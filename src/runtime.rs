//! What runs initializers as tasks of their own.

use core::task::{Context, Poll};

pub use self::spawn::{ArcField, Initializer, SharedCell};

#[cfg(feature = "async-std")]
pub use self::async_std::AsyncStd;
#[cfg(feature = "smol")]
pub use self::smol::Smol;
#[cfg(feature = "tokio")]
pub use self::tokio::Tokio;

#[cfg(feature = "async-std")]
pub(crate) mod async_std;
#[cfg(feature = "smol")]
mod smol;
mod spawn;
#[cfg(feature = "tokio")]
pub(crate) mod tokio;

/// A runtime, as far as [`SharedCell`] and programs that are generic over runtimes need one.
///
/// [`Tokio`], [`AsyncStd`] and [`Smol`] are behind the features of their names. For any other runtime, implement this
/// for a type of your own.
///
/// # Examples
///
/// ```
/// use std::{sync::LazyLock, thread};
///
/// use async_executor::Executor;
/// use futures_lite::future;
/// use oncelot::{OnceCell, runtime::{Runtime, SharedCell}};
///
/// /// An executor on one thread of its own.
/// enum OneThread {}
///
/// static EXECUTOR: LazyLock<Executor<'static>> = LazyLock::new(|| {
///     thread::spawn(|| future::block_on(EXECUTOR.run(future::pending::<()>())));
///     Executor::new()
/// });
///
/// impl Runtime for OneThread {
///     fn spawn<F: Future<Output = ()> + Send + 'static>(task: F) {
///         EXECUTOR.spawn(task).detach();
///     }
///
///     fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F) {
///         thread::spawn(work);
///     }
///
///     fn block_on<F: Future>(future: F) -> F::Output {
///         future::block_on(future)
///     }
/// }
///
/// static CELL: OnceCell<u32> = OnceCell::new();
///
/// let value = OneThread::block_on(CELL.get_or_init_spawned::<OneThread>(async || 1));
/// assert_eq!(value, &1);
/// ```
pub trait Runtime: 'static {
    /// Starts a task of its own, which nobody waits for.
    ///
    /// # Panics
    ///
    /// Panics if there is no runtime to start it on, and says what to do. `task` is dropped, then.
    fn spawn<F: Future<Output = ()> + Send + 'static>(task: F);

    /// Runs `work`, which may block its thread, where that disturbs no task.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Self::spawn).
    fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F);

    /// Runs `future` on this thread until it has completed.
    ///
    /// # Panics
    ///
    /// May panic in a task of the runtime, as tokio's does.
    fn block_on<F: Future>(future: F) -> F::Output;

    /// Polls a wait by `poll`, if the task has not used up its share of the thread's time.
    ///
    /// A runtime that gives its tasks a budget returns `Pending` when that is used up, and has the task polled again.
    /// Without such a budget, which is the default, this is just `poll`.
    #[inline]
    fn poll_within_budget<R>(
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        poll(cx)
    }
}
