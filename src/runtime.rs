//! Runtimes on which initializers can be spawned, and the methods that spawn them.

use core::task::{Context, Poll};

pub use self::spawn::{ArcField, Initializer, OnceCellExt};

#[cfg(feature = "async-std")]
pub use self::async_std::AsyncStd;
#[cfg(feature = "smol")]
pub use self::smol::Smol;
#[cfg(feature = "tokio")]
pub use self::tokio::Tokio;

#[cfg(feature = "async-std")]
pub(crate) mod async_std;
mod oneshot;
#[cfg(feature = "smol")]
mod smol;
mod spawn;
#[cfg(feature = "tokio")]
pub(crate) mod tokio;

/// An async runtime that initializers can be spawned on, as tasks or on its blocking pool.
///
/// The methods of [`OnceCellExt`] take a runtime by value. It can be a unit struct that stands for the runtime of
/// the calling thread or of the process, a handle to one of several runtimes, or a reference to either.
///
/// | type | feature | the task runs on |
/// |---|---|---|
/// | [`Tokio`] | `tokio` | the tokio runtime of the calling thread |
/// | `tokio::runtime::Handle` | `tokio` | the runtime of the handle, on any calling thread |
/// | [`Smol`] | `smol` | smol's global executor |
/// | `smol::Executor` | `smol` | that executor |
/// | [`AsyncStd`] | `async-std` | async-std's global executor |
/// | `&R` | | the runtime `R` |
///
/// For any other runtime, implement this trait for a type of your own. See [runtimes](crate::guide::runtimes) in the guide.
///
/// # Examples
///
/// ```
/// use std::{sync::Arc, thread};
///
/// use async_executor::Executor;
/// use futures_lite::future;
/// use oncelot::{OnceCell, runtime::{OnceCellExt, Runtime}};
///
/// /// An executor that runs on a thread of its own.
/// #[derive(Clone)]
/// struct OneThread(Arc<Executor<'static>>);
///
/// impl OneThread {
///     fn start() -> Self {
///         let executor = Arc::new(Executor::new());
///         let this = Self(Arc::clone(&executor));
///         thread::spawn(move || future::block_on(executor.run(future::pending::<()>())));
///         this
///     }
/// }
///
/// impl Runtime for OneThread {
///     fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
///         self.0.spawn(task).detach();
///     }
///
///     fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
///         thread::spawn(work);
///     }
/// }
///
/// static CELL: OnceCell<u32> = OnceCell::new();
///
/// let runtime = OneThread::start();
/// let value = future::block_on(CELL.get_or_init_spawned(&runtime, async || 1));
/// assert_eq!(value, &1);
/// ```
#[cfg_attr(
    not(feature = "tokio"),
    doc = "\n[`Tokio`]: https://docs.rs/oncelot/latest/oncelot/runtime/struct.Tokio.html"
)]
#[cfg_attr(
    not(feature = "smol"),
    doc = "\n[`Smol`]: https://docs.rs/oncelot/latest/oncelot/runtime/struct.Smol.html"
)]
#[cfg_attr(
    not(feature = "async-std"),
    doc = "\n[`AsyncStd`]: https://docs.rs/oncelot/latest/oncelot/runtime/struct.AsyncStd.html"
)]
pub trait Runtime: Send + Sync {
    /// Spawns `task` and detaches it: the task runs to completion although its result is not awaited.
    ///
    /// The runtime may drop the task before it completes, for example when it shuts down.
    ///
    /// # Panics
    ///
    /// Panics if `task` cannot be spawned, for example because the calling thread has no runtime. `task` is then
    /// dropped.
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F);

    /// Runs `work` on a thread where blocking is allowed.
    ///
    /// The runtime may drop `work` without running it, for example when it shuts down.
    ///
    /// # Panics
    ///
    /// Panics if there is no thread for `work`, for example because the calling thread has no runtime. `work` is
    /// then dropped.
    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F);

    /// Calls `poll` within the cooperative budget of the current task.
    ///
    /// A runtime with cooperative budgets returns `Pending` once the budget is exhausted, and wakes the task so that it is
    /// polled again. Otherwise it charges the budget if `poll` returns `Ready`. The default implementation calls `poll`, which
    /// is correct for a runtime without budgets.
    ///
    /// The budget belongs to the waiting task, which may be a task of another runtime, or of no runtime. This method can be
    /// called on any thread, and must not panic there.
    #[inline]
    fn poll_coop<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        poll(cx)
    }
}

// There is no implementation for `Arc<R>`: where the trait is in scope and a feature implements it for a foreign executor, its
// methods would shadow those of that executor in an `Arc`, such as `Executor::spawn`.
impl<R: Runtime> Runtime for &R {
    #[track_caller]
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        R::spawn(self, task);
    }

    #[track_caller]
    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        R::spawn_blocking(self, work);
    }

    #[inline]
    fn poll_coop<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        R::poll_coop(self, cx, poll)
    }
}
