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

/// A runtime that can run an initializer: as a task, or on its pool for blocking work.
///
/// A runtime is a value, which [`OnceCellExt`] takes by value. It can be a unit struct that stands for the runtime of
/// the calling thread or of the process, a handle to one of several runtimes, or a reference to either.
///
/// | type | feature | the task runs on |
/// |---|---|---|
/// | [`Tokio`] | `tokio` | the tokio runtime of the calling thread |
/// | `tokio::runtime::Handle` | `tokio` | the runtime of the handle, whichever thread calls |
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
    /// Spawns `task`, detached: it runs to its end although its result is not awaited.
    ///
    /// The runtime may drop the task before it completes, for example when it shuts down.
    ///
    /// # Panics
    ///
    /// Panics if the task cannot be spawned, for example because the calling thread has no runtime. `task` is then
    /// dropped.
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F);

    /// Runs `work`, which may block its thread, on a thread that runs no tasks.
    ///
    /// The runtime may drop `work` without running it, for example when it shuts down.
    ///
    /// # Panics
    ///
    /// Panics if no thread can be had for `work`, for example because the calling thread has no runtime. `work` is
    /// then dropped.
    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F);

    /// Polls with `poll`, within the cooperative budget of the task that is being polled.
    ///
    /// A runtime that budgets its tasks returns `Pending` once the budget is used up, and wakes the task to be polled
    /// again. Otherwise it charges the budget if `poll` returns `Ready`. The provided implementation just calls
    /// `poll`: it is right for a runtime without budgets.
    ///
    /// The budget belongs to the task that waits, which may be a task of another runtime, or of none. This method is
    /// called on any thread, and must not panic there.
    #[inline]
    fn poll_coop<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        poll(cx)
    }
}

// Not for `Arc<R>`: the methods of this trait would shadow those of a foreign executor in an `Arc`, such as
// `Executor::spawn`, wherever the trait is in scope and a feature makes the executor a `Runtime`.
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
