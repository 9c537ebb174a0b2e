//! Initializers that run as tasks of their own, or on a runtime's pool for blocking work.

use alloc::sync::Arc;
use core::{convert::Infallible, fmt, future::poll_fn, ops::Deref, pin::pin, ptr::NonNull, task::Poll};
use std::{
    any::Any,
    boxed::Box,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, PoisonError},
};

use self::shared::Shared;
use crate::{
    backend::{Backend, Intrusive, WaiterKind},
    once_cell::OnceCell,
    once_cell::futures::unwrap_infallible,
    panics::swallow_panic,
    raw::initialize::{Initializing, initialize_blocking},
    raw::wait::{WaitFuture, poll_and_unregister},
    raw::{Acquired, Attempt, RawCell, RawCellRef},
    runtime::Runtime,
    sync,
};

/// What makes a value in a task of its own: an `async fn`, a closure that returns a future, or an async closure,
/// which can be sent to another thread, as its future can.
pub trait Initializer: Send + 'static {
    /// What the future yields.
    type Output;
    /// The future.
    type Future: Future<Output = Self::Output> + Send + 'static;

    /// Makes the future.
    fn call(self) -> Self::Future;
}

impl<F, Fut> Initializer for F
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future + Send + 'static,
{
    type Output = Fut::Output;
    type Future = Fut;

    fn call(self) -> Fut {
        self()
    }
}

/// A cell that a task of its own can hold on to: `&'static OnceCell`, `&Arc<OnceCell>`, or an [`ArcField`].
///
/// Where [`OnceCell::get_or_init`] runs the initializer inside the future of its caller, these methods start a task
/// for it on a [`Runtime`]. It goes on while the caller is not polled, and when the caller is cancelled. There is never
/// more than one at a time: the others wait for it, as they wait for any initializer.
///
/// # Panics
///
/// A panic of the initializer reaches the caller that started it. If that has been cancelled, it reaches nobody but
/// the panic hook. The cell is empty again, and another waiter takes its turn.
///
/// Panics with the runtime's own advice if it cannot start a task where the caller is; and if the runtime drops the
/// task before it has ended, because it shuts down. The cell stays usable.
///
/// # Cancel safety
///
/// If the future is dropped while it waits for somebody else's initializer, it leaves nothing behind. If it is dropped
/// after it has started its own, that goes on, and the value is there for the next; an error of it is dropped.
///
/// Everybody waits for a task that never ends. A runtime that neither runs nor drops it, as one that is leaked or stopped
/// for good, leaves the cell without a value for ever.
///
/// # Costs
///
/// A ready cell is one load (Acquire). Starting an initializer is what starting a task is, and one allocation.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use oncelot::{OnceCell, runtime::{Runtime, SharedCell}};
///
/// async fn connect() -> Result<u32, std::io::Error> {
///     Ok(1)
/// }
///
/// static POOL: OnceCell<u32> = OnceCell::new();
///
/// async fn pool<R: Runtime>() -> Result<&'static u32, std::io::Error> {
///     POOL.get_or_try_init_spawned::<R, _>(connect).await
/// }
///
/// async fn length<R: Runtime>(file: &Arc<OnceCell<String>>) -> usize {
///     let text = file.get_or_init_unblock::<R>(|| std::fs::read_to_string("Cargo.toml").unwrap());
///     text.await.len()
/// }
/// ```
pub trait SharedCell<'a>: Shared<'a> {
    /// The cell's value.
    type Value: Send + Sync + 'static;

    /// The value; if there is none, the one that `init` makes in a task of its own.
    fn get_or_init_spawned<R: Runtime>(
        self,
        init: impl Initializer<Output = Self::Value>,
    ) -> impl Future<Output = &'a Self::Value> + Send;

    /// The same as [`get_or_init_spawned`](Self::get_or_init_spawned), for an initializer that can fail.
    ///
    /// # Errors
    ///
    /// The error of `init`'s future, if this call started it and it failed. The cell is empty again, and another
    /// waiter takes its turn.
    fn get_or_try_init_spawned<R: Runtime, E: Send + 'static>(
        self,
        init: impl Initializer<Output = Result<Self::Value, E>>,
    ) -> impl Future<Output = Result<&'a Self::Value, E>> + Send;

    /// The value; if there is none, the one that `init` makes on the runtime's pool for blocking work.
    fn get_or_init_unblock<R: Runtime>(
        self,
        init: impl FnOnce() -> Self::Value + Send + 'static,
    ) -> impl Future<Output = &'a Self::Value> + Send;

    /// The same as [`get_or_init_unblock`](Self::get_or_init_unblock), for an initializer that can fail.
    ///
    /// # Errors
    ///
    /// The error of `init`, if this call started it and it failed. The cell is empty again, and another waiter takes
    /// its turn.
    fn get_or_try_init_unblock<R: Runtime, E: Send + 'static>(
        self,
        init: impl FnOnce() -> Result<Self::Value, E> + Send + 'static,
    ) -> impl Future<Output = Result<&'a Self::Value, E>> + Send;
}

/// What a cell that can be shared with a task is kept alive by.
mod shared {
    use super::*;

    /// # Safety
    ///
    /// The cell stays valid, in its place and shared as long as there is an owner.
    pub unsafe trait Shared<'a>: Sized + Send {
        type Inner: Send + Sync + 'static;
        type Backend: Backend<Waiter: Send> + Send + Sync + 'static;
        type Owner: Send + 'static;

        fn cell(&self) -> &'a OnceCell<Self::Inner, Self::Backend>;

        fn owner(&self) -> Self::Owner;
    }
}

// SAFETY: a static needs no owner.
unsafe impl<T, B> Shared<'static> for &'static OnceCell<T, B>
where
    T: Send + Sync + 'static,
    B: Backend<Waiter: Send> + Send + Sync + 'static,
{
    type Inner = T;
    type Backend = B;
    type Owner = ();

    fn cell(&self) -> &'static OnceCell<T, B> {
        self
    }

    fn owner(&self) {}
}

// SAFETY: what an `Arc` holds stays so while there is another `Arc` of the same.
unsafe impl<'a, T, B> Shared<'a> for &'a Arc<OnceCell<T, B>>
where
    T: Send + Sync + 'static,
    B: Backend<Waiter: Send> + Send + Sync + 'static,
{
    type Inner = T;
    type Backend = B;
    type Owner = Arc<OnceCell<T, B>>;

    fn cell(&self) -> &'a OnceCell<T, B> {
        self
    }

    fn owner(&self) -> Self::Owner {
        Arc::clone(self)
    }
}

/// A cell that is a field of what an [`Arc`] holds, or can be reached from there: another [`SharedCell`].
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use oncelot::{OnceCell, runtime::{ArcField, Runtime, SharedCell}};
///
/// struct Client {
///     user: String,
///     token: OnceCell<String>,
/// }
///
/// impl Client {
///     async fn token<R: Runtime>(self: &Arc<Self>) -> &str {
///         let client = Arc::clone(self);
///         let log_in = async move || format!("token of {}", client.user);
///         ArcField::new(self, |client| &client.token).get_or_init_spawned::<R>(log_in).await
///     }
/// }
/// ```
pub struct ArcField<'a, S, T, B: Backend = Intrusive> {
    owner: &'a Arc<S>,
    field: fn(&S) -> &OnceCell<T, B>,
}

impl<'a, S, T, B: Backend> ArcField<'a, S, T, B> {
    /// The cell that `field` finds in what `owner` holds.
    #[must_use]
    pub fn new(owner: &'a Arc<S>, field: fn(&S) -> &OnceCell<T, B>) -> Self {
        Self { owner, field }
    }
}

impl<S, T, B: Backend> Clone for ArcField<'_, S, T, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, T, B: Backend> Copy for ArcField<'_, S, T, B> {}

impl<S, T, B: Backend> fmt::Debug for ArcField<'_, S, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArcField").finish_non_exhaustive()
    }
}

// SAFETY: `field` borrows the cell from what the `Arc` holds, for as long as that may be borrowed: while it is not borrowed
// exclusively, which no `Arc` allows while there is another one of the same.
unsafe impl<'a, S, T, B> Shared<'a> for ArcField<'a, S, T, B>
where
    S: Send + Sync + 'static,
    T: Send + Sync + 'static,
    B: Backend<Waiter: Send> + Send + Sync + 'static,
{
    type Inner = T;
    type Backend = B;
    type Owner = Arc<S>;

    fn cell(&self) -> &'a OnceCell<T, B> {
        (self.field)(self.owner)
    }

    fn owner(&self) -> Arc<S> {
        Arc::clone(self.owner)
    }
}

/// Holds the raw cell of a cell, and what keeps it alive.
struct Held<T, B: Backend, O> {
    raw: NonNull<RawCell<T, B>>,
    _owner: O,
}

impl<T, B: Backend, O> Held<T, B, O> {
    /// # Safety
    ///
    /// `raw` is that of the cell that `cell` has given.
    unsafe fn of<'a, C>(cell: &C, raw: &'a RawCell<T, B>) -> Self
    where
        C: Shared<'a, Inner = T, Backend = B, Owner = O>,
    {
        Self {
            raw: NonNull::from(raw),
            _owner: cell.owner(),
        }
    }
}

// SAFETY: another thread uses the raw cell together with others, and drops the owner.
unsafe impl<T: Send + Sync, B: Backend + Send + Sync, O: Send> Send for Held<T, B, O> {}

impl<T, B: Backend, O> Deref for Held<T, B, O> {
    type Target = RawCell<T, B>;

    fn deref(&self) -> &RawCell<T, B> {
        // SAFETY: we have an owner, which keeps the raw cell as the implementor of `Shared` has promised.
        unsafe { self.raw.as_ref() }
    }
}

// SAFETY: the pointer stays the same.
unsafe impl<T, B: Backend, O> RawCellRef for Held<T, B, O> {
    type Value = T;
    type Backend = B;
    type Published = ();

    unsafe fn published(self) {}
}

/// What holds the raw cell of a cell.
macro_rules! hold {
    ($cell:expr, $raw:expr) => {
        // SAFETY: the raw cell is that of the cell that was given.
        move || unsafe { Held::of(&$cell, $raw) }
    };
}

/// Implements the methods for each kind of cell. Not once for all that is `Shared`: what is generic over that has types that
/// depend on a lifetime, and rustc cannot tell in another crate's generic code that a future of such types is `Send`.
macro_rules! shared_cell {
    ($($cell:ty: [$($generic:tt)*] for $lifetime:lifetime;)*) => {$(
        impl<$($generic)* T, B> SharedCell<$lifetime> for $cell
        where
            T: Send + Sync + 'static,
            B: Backend<Waiter: Send> + Send + Sync + 'static,
        {
            type Value = T;

            fn get_or_init_spawned<R: Runtime>(
                self,
                init: impl Initializer<Output = T>,
            ) -> impl Future<Output = &$lifetime T> + Send {
                let raw = self.cell().raw();
                let value = get_or_spawn::<R, _, _, _, _, Infallible>(raw, hold!(self, raw), init, Ok);
                async { unwrap_infallible(value.await) }
            }

            fn get_or_try_init_spawned<R: Runtime, E: Send + 'static>(
                self,
                init: impl Initializer<Output = Result<T, E>>,
            ) -> impl Future<Output = Result<&$lifetime T, E>> + Send {
                let raw = self.cell().raw();
                get_or_spawn::<R, _, _, _, _, _>(raw, hold!(self, raw), init, |result| result)
            }

            fn get_or_init_unblock<R: Runtime>(
                self,
                init: impl FnOnce() -> T + Send + 'static,
            ) -> impl Future<Output = &$lifetime T> + Send {
                let value = self.get_or_try_init_unblock::<R, Infallible>(|| Ok(init()));
                async { unwrap_infallible(value.await) }
            }

            fn get_or_try_init_unblock<R: Runtime, E: Send + 'static>(
                self,
                init: impl FnOnce() -> Result<T, E> + Send + 'static,
            ) -> impl Future<Output = Result<&$lifetime T, E>> + Send {
                let raw = self.cell().raw();
                get_or_unblock::<R, _, _, _, _>(raw, hold!(self, raw), init)
            }
        }
    )*};
}

shared_cell! {
    &'static OnceCell<T, B>: [] for 'static;
    &'a Arc<OnceCell<T, B>>: ['a,] for 'a;
    ArcField<'a, S, T, B>: ['a, S: Send + Sync + 'static,] for 'a;
}

/// The value, or the one that `init` makes in a task, which holds the raw cell by what `hold` gives.
///
/// What `init` yields becomes a result by `into_result`, and not in an `async` block around it, which would leak the value if
/// the destructor of its future panicked.
async fn get_or_spawn<R: Runtime, T, B, O, I, E>(
    raw: &RawCell<T, B>,
    hold: impl FnOnce() -> Held<T, B, O>,
    init: I,
    into_result: fn(I::Output) -> Result<T, E>,
) -> Result<&T, E>
where
    T: Send + Sync + 'static,
    B: Backend<Waiter: Send> + Send + Sync + 'static,
    O: Send + 'static,
    I: Initializer,
    E: Send + 'static,
{
    get_or_start::<R, _, _, _, _>(raw, hold, |attempt, reporter| {
        let unstarted = SpawnedInit {
            init,
            attempt,
            reporter,
        };
        R::spawn(unstarted.run(into_result));
    })
    .await
}

/// The value, or the one that `init` makes on the pool for blocking work, where `hold` gives what holds the raw cell.
async fn get_or_unblock<R: Runtime, T, B, O, E>(
    raw: &RawCell<T, B>,
    hold: impl FnOnce() -> Held<T, B, O>,
    init: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<&T, E>
where
    T: Send + Sync + 'static,
    B: Backend<Waiter: Send> + Send + Sync + 'static,
    O: Send + 'static,
    E: Send + 'static,
{
    get_or_start::<R, _, _, _, _>(raw, hold, |attempt, reporter| {
        let unstarted = SpawnedInit {
            init,
            attempt,
            reporter,
        };
        R::spawn_blocking(|| unstarted.initialize_blocking());
    })
    .await
}

/// Waits for the value or the claim, and with the claim for the report of what `start` starts, for which `hold` holds
/// the raw cell.
async fn get_or_start<R: Runtime, T, B: Backend, O, E>(
    raw: &RawCell<T, B>,
    hold: impl FnOnce() -> Held<T, B, O>,
    start: impl FnOnce(Attempt<Held<T, B, O>>, Reporter<E>),
) -> Result<&T, E> {
    if let Some(value) = raw.get() {
        return Ok(value);
    }
    let mut waiting = pin!(Some(WaitFuture::new(raw, WaiterKind::Claimant)));
    let acquired = poll_fn(|cx| {
        R::poll_within_budget(cx, |cx| {
            poll_and_unregister(waiting.as_mut(), |waiting| waiting.poll_acquire(cx))
        })
    });
    let claim = match acquired.await {
        Acquired::Ready(value) => return Ok(value),
        Acquired::Claimed(claim) => claim,
    };
    // Begun here, for the span to be a child of the caller's.
    let attempt = claim.begin();
    let report = sync::Arc::new(Report::new());
    start(attempt.hand_over(hold()), Reporter(report.clone()));
    match report.taken::<R>().await {
        Outcome::Ended(result) => result.map(|()| raw.get().expect("the initializer has succeeded")),
        Outcome::Panicked(panic) => resume_unwind(panic),
        Outcome::Lost => panic!(
            "the runtime has dropped an initializer before it had ended; keep the runtime running while its tasks are \
             awaited"
        ),
    }
}

/// An initializer that nobody has begun to run. If nobody ever does, it is dropped in this order, as any is: it is gone
/// before the cell is empty again, and that before the caller hears of it.
struct SpawnedInit<I, H: RawCellRef, E> {
    init: I,
    attempt: Attempt<H>,
    reporter: Reporter<E>,
}

impl<I, H: RawCellRef, E> SpawnedInit<I, H, E> {
    /// Runs it to its end as a task, and reports that.
    async fn run(self, into_result: fn(I::Output) -> Result<H::Value, E>)
    where
        I: Initializer,
    {
        let Self {
            init,
            attempt,
            reporter,
        } = self;
        let mut unstarted = Some((init, attempt));
        let mut running = pin!(None);
        let outcome = poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| match unstarted.take() {
                Some((init, attempt)) => {
                    Initializing::start(running.as_mut(), attempt, || init.call(), cx, into_result)
                }
                None => Initializing::poll(running.as_mut(), cx, into_result),
            }));
            match polled {
                Ok(polled) => polled.map(|result| Outcome::Ended(result.map(drop))),
                Err(panic) => {
                    // Gone before anybody hears of it; a second panic has nobody to go to.
                    swallow_panic(|| running.set(None));
                    Poll::Ready(Outcome::Panicked(panic))
                }
            }
        });
        reporter.report(outcome.await);
    }

    /// Runs it to its end on this thread, and reports that.
    fn initialize_blocking(self)
    where
        I: FnOnce() -> Result<H::Value, E>,
    {
        let Self {
            init,
            attempt,
            reporter,
        } = self;
        let ended = catch_unwind(AssertUnwindSafe(|| initialize_blocking(attempt, init).map(drop)));
        reporter.report(ended.map_or_else(Outcome::Panicked, Outcome::Ended));
    }
}

/// How an initializer has ended.
enum Outcome<E> {
    /// The value is published, or it failed.
    Ended(Result<(), E>),
    Panicked(Box<dyn Any + Send>),
    /// It was dropped unfinished.
    Lost,
}

/// What an initializer tells the one that has started it. The mutex is for sharing what is only `Send`.
struct Report<E>(RawCell<Mutex<Option<Outcome<E>>>, Intrusive>);

impl<E> Report<E> {
    fn new() -> Self {
        let report = Self(RawCell::empty());
        // Has loom's atomic made before other threads see it.
        #[cfg(oncelot_loom)]
        assert!(!report.0.is_ready());
        report
    }

    /// Waits until it is made, and takes it.
    async fn taken<R: Runtime>(&self) -> Outcome<E> {
        let mut waiting = pin!(WaitFuture::untraced(&self.0, WaiterKind::Passive));
        let made = poll_fn(|cx| R::poll_within_budget(cx, |cx| waiting.as_mut().poll_value(cx))).await;
        let outcome = made.lock().unwrap_or_else(PoisonError::into_inner).take();
        outcome.expect("one has started it, and asks once")
    }
}

/// Makes the report, at the latest when it is dropped.
struct Reporter<E>(sync::Arc<Report<E>>);

impl<E> Reporter<E> {
    fn report(&self, outcome: Outcome<E>) {
        if let Ok(claim) = self.0.0.try_claim() {
            claim.publish(Mutex::new(Some(outcome)));
        }
    }
}

impl<E> Drop for Reporter<E> {
    fn drop(&mut self) {
        self.report(Outcome::Lost);
    }
}
