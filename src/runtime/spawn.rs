//! Initializers that run in tasks of a runtime, or on its blocking pool.

use alloc::sync::Arc;
use core::{convert::Infallible, fmt, future::poll_fn, ops::Deref, pin::pin, ptr::NonNull, task::Poll};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
};

use super::{
    Runtime,
    oneshot::{self, Receiver, Sender},
};
use crate::{
    backend::{Backend, Intrusive},
    error::SharedInitError,
    once_cell::OnceCell,
    once_cell::futures::unwrap_infallible,
    panics::swallow_panic,
    raw::initialize::{Conclude, Fallibly, Infallibly, InitCall, Initializing, initialize_blocking},
    raw::stage::AcquireStage,
    raw::wait::{Acquired, HasRawCell},
    raw::{Attempt, Claim, RawCell, RawCellRef},
};

/// An async closure that can be spawned: any `FnOnce() -> Fut + Send + 'static` with `Fut: Send + 'static`.
///
/// Such a closure is an `async fn`, an async closure, or a closure that returns a future. The closure is called on the thread that runs
/// the initializer.
pub trait Initializer: Send + 'static {
    /// The output of the future.
    type Output;
    /// The future that the runtime polls.
    type Future: Future<Output = Self::Output> + Send + 'static;

    /// Calls the closure, which returns the future.
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

/// Methods that run the initializer in a spawned task, for `&'static OnceCell`, `&Arc<OnceCell>`, and [`ArcField`].
///
/// [`OnceCell::get_or_init`] runs the initializer inside the future of its caller. These methods spawn the initializer on a
/// [`Runtime`]. It keeps running while the caller is not polled, and after the caller was cancelled. Only one initializer of a
/// cell runs at a time, spawned or not: the other callers wait for it.
///
/// # Runtimes
///
/// The runtime is passed by value: [`Tokio`], a `&tokio::runtime::Handle`, or a reference to any other runtime. The returned
/// future owns it until the future completes or is dropped. Pass a handle that is expensive to clone by reference.
///
/// The caller need not be a task of that runtime, or of any runtime. The guide describes
/// [task-locals, shutdown, and one runtime for each test](crate::guide::runtimes).
///
/// # Panics
///
/// A panic in the initializer is resumed in the caller that started it. If that caller was cancelled, only the panic hook
/// reports the panic. The cell is then empty again, and another waiter retries.
///
/// Panics as [`Runtime::spawn`] does if the runtime cannot spawn the initializer. Panics if the runtime drops the
/// initializer before it completes, for example because the runtime shuts down. In both cases, the cell stays usable.
///
/// # Cancel safety
///
/// If the returned future is dropped while it waits for another caller's initializer, its waiter is removed, and no other task
/// is affected. If the future is dropped after it has spawned its own initializer, the initializer keeps running: later callers
/// get the value, and an error is discarded.
///
/// If the runtime neither runs nor drops the task (for example because the runtime was leaked), the cell is never initialized
/// and all waiters hang.
///
/// # Costs
///
/// Access to a ready cell costs one `Acquire` load. Starting an initializer costs spawning a task plus one allocation.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use oncelot::{OnceCell, runtime::{OnceCellExt, Runtime}};
///
/// async fn connect() -> Result<u32, std::io::Error> {
///     Ok(1)
/// }
///
/// static POOL: OnceCell<u32> = OnceCell::new();
///
/// async fn pool(runtime: impl Runtime) -> Result<&'static u32, std::io::Error> {
///     POOL.get_or_try_init_spawned(runtime, connect).await
/// }
///
/// async fn length(runtime: impl Runtime, file: &Arc<OnceCell<String>>) -> usize {
///     let read = || std::fs::read_to_string("Cargo.toml").unwrap();
///     file.get_or_init_spawned_blocking(runtime, read).await.len()
/// }
/// ```
#[cfg_attr(feature = "tokio", doc = "\n[`Tokio`]: super::Tokio")]
#[cfg_attr(
    not(feature = "tokio"),
    doc = "\n[`Tokio`]: https://docs.rs/oncelot/latest/oncelot/runtime/struct.Tokio.html"
)]
pub trait OnceCellExt<'a>: sealed::Handle<'a> {
    /// The type of the cell's value.
    type Value: Send + Sync + 'static;

    /// Returns the value, initializing the cell with the future of `init` in a task of `runtime` if the cell is empty.
    ///
    /// # Examples
    ///
    /// `Threads` is a [`Runtime`] that runs each task on a thread of its own:
    ///
    /// ```
    #[doc = include_str!("threads.txt")]
    /// use oncelot::{OnceCell, runtime::OnceCellExt};
    ///
    /// static CELL: OnceCell<u32> = OnceCell::new();
    ///
    /// # block_on(async {
    /// assert_eq!(CELL.get_or_init_spawned(Threads, async || 1).await, &1);
    /// # });
    /// ```
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    fn get_or_init_spawned(
        self,
        runtime: impl Runtime,
        init: impl Initializer<Output = Self::Value>,
    ) -> impl Future<Output = &'a Self::Value> + Send;

    /// Returns the value, initializing the cell with the future of `init`, which can fail, in a task of `runtime` if the cell is
    /// empty.
    ///
    /// # Errors
    ///
    /// Returns the error of `init` if this call spawned it and it failed. The cell is then empty again, and another waiter
    /// retries.
    ///
    /// # Examples
    ///
    /// `Threads` is a [`Runtime`] that runs each task on a thread of its own:
    ///
    /// ```
    #[doc = include_str!("threads.txt")]
    /// use oncelot::{OnceCell, runtime::OnceCellExt};
    ///
    /// static CELL: OnceCell<u32> = OnceCell::new();
    ///
    /// # block_on(async {
    /// let failed = CELL.get_or_try_init_spawned(Threads, async || Err("no route")).await;
    /// assert_eq!(failed, Err("no route"));
    /// let value = CELL.get_or_try_init_spawned(Threads, async || Ok::<_, &str>(1)).await;
    /// assert_eq!(value, Ok(&1));
    /// # });
    /// ```
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    fn get_or_try_init_spawned<E: Send + 'static>(
        self,
        runtime: impl Runtime,
        init: impl Initializer<Output = Result<Self::Value, E>>,
    ) -> impl Future<Output = Result<&'a Self::Value, E>> + Send;

    /// Returns the value, or makes or waits for one attempt to initialize the cell if there is none, as
    /// [`OnceCell::get_or_try_init_shared`] does. If no initializer is running, spawns `init` on `runtime`.
    ///
    /// If a caller is cancelled, its attempt keeps running. The other callers wait for that attempt, and get its value.
    ///
    /// # Errors
    ///
    /// - [`SharedInitError::Failed`] with the error of `init`, if this call spawned it and it failed.
    /// - [`SharedInitError::OtherFailed`], if this call waited for another initializer that ended without a value.
    ///
    /// # Examples
    ///
    /// `Threads` is a [`Runtime`] that runs each task on a thread of its own:
    ///
    /// ```
    #[doc = include_str!("threads.txt")]
    /// use oncelot::{OnceCell, SharedInitError, runtime::OnceCellExt};
    ///
    /// static CELL: OnceCell<u32> = OnceCell::new();
    ///
    /// # block_on(async {
    /// let failed = CELL.get_or_try_init_shared_spawned(Threads, async || Err("no route")).await;
    /// assert_eq!(failed, Err(SharedInitError::Failed("no route")));
    /// # });
    /// ```
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    fn get_or_try_init_shared_spawned<E: Send + 'static>(
        self,
        runtime: impl Runtime,
        init: impl Initializer<Output = Result<Self::Value, E>>,
    ) -> impl Future<Output = Result<&'a Self::Value, SharedInitError<E>>> + Send;

    /// Returns the value, initializing the cell with the return value of `init` if the cell is empty. `init` runs on the blocking
    /// pool of `runtime`.
    ///
    /// # Examples
    ///
    /// `Threads` is a [`Runtime`] that runs each task on a thread of its own:
    ///
    /// ```
    #[doc = include_str!("threads.txt")]
    /// use oncelot::{OnceCell, runtime::OnceCellExt};
    ///
    /// static CELL: OnceCell<String> = OnceCell::new();
    ///
    /// # block_on(async {
    /// let read = || std::fs::read_to_string("Cargo.toml").unwrap();
    /// assert!(CELL.get_or_init_spawned_blocking(Threads, read).await.contains("oncelot"));
    /// # });
    /// ```
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    fn get_or_init_spawned_blocking(
        self,
        runtime: impl Runtime,
        init: impl FnOnce() -> Self::Value + Send + 'static,
    ) -> impl Future<Output = &'a Self::Value> + Send;

    /// Returns the value, initializing the cell with the return value of `init`, which can fail, if the cell is empty. `init`
    /// runs on the blocking pool of `runtime`.
    ///
    /// # Errors
    ///
    /// Returns the error of `init` if this call spawned it and it failed. The cell is then empty again, and another waiter
    /// retries.
    ///
    /// # Examples
    ///
    /// `Threads` is a [`Runtime`] that runs each task on a thread of its own:
    ///
    /// ```
    #[doc = include_str!("threads.txt")]
    /// use oncelot::{OnceCell, runtime::OnceCellExt};
    ///
    /// static CELL: OnceCell<String> = OnceCell::new();
    ///
    /// # block_on(async {
    /// let read = || std::fs::read_to_string("Cargo.toml");
    /// assert!(CELL.get_or_try_init_spawned_blocking(Threads, read).await.is_ok());
    /// # });
    /// ```
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    fn get_or_try_init_spawned_blocking<E: Send + 'static>(
        self,
        runtime: impl Runtime,
        init: impl FnOnce() -> Result<Self::Value, E> + Send + 'static,
    ) -> impl Future<Output = Result<&'a Self::Value, E>> + Send;
}

mod sealed {
    use super::*;

    /// A reference to a cell, with an owner that keeps the cell alive.
    ///
    /// # Safety
    ///
    /// The cell that `cell` returns stays valid, in its place and shared as long as an owner exists that `owner` has
    /// returned.
    pub unsafe trait Handle<'a>: Sized + Send {
        type Inner: Send + Sync + 'static;
        type Backend: Backend<Waiter: Send> + Send + Sync + 'static;
        type Owner: Send + 'static;

        fn cell(&self) -> &'a OnceCell<Self::Inner, Self::Backend>;

        fn owner(&self) -> Self::Owner;
    }
}

// SAFETY: a static is valid forever.
unsafe impl<T, B> sealed::Handle<'static> for &'static OnceCell<T, B>
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

// SAFETY: the contents of an `Arc` stay valid, in their place and shared while a clone of the `Arc` exists.
unsafe impl<'a, T, B> sealed::Handle<'a> for &'a Arc<OnceCell<T, B>>
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

/// A cell inside a value that is held by an [`Arc`], for use with [`OnceCellExt`].
///
/// The spawned initializer keeps a clone of the `Arc`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use oncelot::{OnceCell, runtime::{ArcField, OnceCellExt, Runtime}};
///
/// struct Client {
///     user: String,
///     token: OnceCell<String>,
///     pages: Vec<OnceCell<String>>,
/// }
///
/// impl Client {
///     async fn token(self: &Arc<Self>, runtime: impl Runtime) -> &str {
///         let client = Arc::clone(self);
///         let log_in = async move || format!("token of {}", client.user);
///         ArcField::new(self, |client| &client.token).get_or_init_spawned(runtime, log_in).await
///     }
///
///     async fn page(self: &Arc<Self>, runtime: impl Runtime, number: usize) -> &str {
///         let load = async move || format!("page {number}");
///         ArcField::new(self, |client| &client.pages[number]).get_or_init_spawned(runtime, load).await
///     }
/// }
/// ```
///
/// The owner can be a trait object:
///
/// ```
/// use std::sync::Arc;
///
/// use oncelot::{OnceCell, runtime::{ArcField, OnceCellExt, Runtime}};
///
/// trait Service: Send + Sync {
///     fn version(&self) -> &OnceCell<u32>;
/// }
///
/// async fn version(service: &Arc<dyn Service>, runtime: impl Runtime) -> u32 {
///     let version = ArcField::new(service, |service| service.version());
///     *version.get_or_init_spawned(runtime, async || 1).await
/// }
/// ```
pub struct ArcField<'a, S: ?Sized, T, B: Backend = Intrusive> {
    owner: &'a Arc<S>,
    /// What the closure returned for the contents of `owner`.
    cell: &'a OnceCell<T, B>,
}

/// The constructor requires `'static` types. If only the spawning methods required them, a type with a lifetime could be coerced
/// to a `'static` type after the closure was checked.
impl<'a, S: ?Sized + 'static, T: 'static, B: Backend + 'static> ArcField<'a, S, T, B> {
    /// Creates a handle to the cell that `field` returns for the contents of `owner`.
    ///
    /// # Panics
    ///
    /// Panics if `field` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use oncelot::{OnceCell, runtime::ArcField};
    ///
    /// struct Client {
    ///     token: OnceCell<u32>,
    /// }
    ///
    /// let client = Arc::new(Client { token: OnceCell::new() });
    /// // The handle borrows the `Arc`. Spawning an initializer clones it.
    /// let _token = ArcField::new(&client, |client| &client.token);
    /// assert_eq!(Arc::strong_count(&client), 1);
    /// ```
    #[must_use]
    pub fn new(owner: &'a Arc<S>, field: impl FnOnce(&S) -> &OnceCell<T, B>) -> Self {
        Self {
            owner,
            cell: field(owner),
        }
    }
}

impl<S: ?Sized, T, B: Backend> Clone for ArcField<'_, S, T, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ?Sized, T, B: Backend> Copy for ArcField<'_, S, T, B> {}

impl<S: ?Sized, T, B: Backend> fmt::Debug for ArcField<'_, S, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArcField").finish_non_exhaustive()
    }
}

// SAFETY: `new` called a closure that can be called with a reference of any lifetime, and that returns a reference of the
// same lifetime. As `S`, `T` and `B` are `'static`, that includes the lifetime that lasts while a clone of the `Arc`
// exists: the contents of the `Arc` can be borrowed, shared, for that long. The closure does the same for every
// lifetime, so that the reference that it returned is valid for that one. (It is to a part of the contents, or to
// something that lives forever. What the closure captures for a shorter time it cannot return.)
unsafe impl<'a, S, T, B> sealed::Handle<'a> for ArcField<'a, S, T, B>
where
    S: ?Sized + Send + Sync + 'static,
    T: Send + Sync + 'static,
    B: Backend<Waiter: Send> + Send + Sync + 'static,
{
    type Inner = T;
    type Backend = B;
    type Owner = Arc<S>;

    fn cell(&self) -> &'a OnceCell<T, B> {
        self.cell
    }

    fn owner(&self) -> Arc<S> {
        Arc::clone(self.owner)
    }
}

/// A pointer to the raw cell of a cell, with an owner that keeps the cell alive.
struct OwningRef<T, B: Backend, O> {
    raw: NonNull<RawCell<T, B>>,
    _owner: O,
}

impl<T, B: Backend, O> OwningRef<T, B, O> {
    fn new<'a, H>(handle: &H) -> Self
    where
        T: 'a,
        B: 'a,
        H: sealed::Handle<'a, Inner = T, Backend = B, Owner = O>,
    {
        Self {
            raw: NonNull::from(handle.cell().raw()),
            _owner: handle.owner(),
        }
    }
}

// SAFETY: the other thread shares the raw cell with this one (`T` and `B` are `Sync`), publishes a value that may be
// dropped elsewhere (`T: Send`), and drops the owner (`O: Send`).
unsafe impl<T: Send + Sync, B: Backend + Send + Sync, O: Send> Send for OwningRef<T, B, O> {}

impl<T, B: Backend, O> Deref for OwningRef<T, B, O> {
    type Target = RawCell<T, B>;

    fn deref(&self) -> &RawCell<T, B> {
        // SAFETY: `_owner` keeps the cell valid, in its place and shared, as the implementor of `Handle` promises.
        unsafe { self.raw.as_ref() }
    }
}

// SAFETY: the pointer never changes.
unsafe impl<T, B: Backend, O> RawCellRef for OwningRef<T, B, O> {
    type Value = T;
    type Backend = B;
    type Published = ();

    unsafe fn published(self) {}
}

/// Implements the methods for each kind of handle. In one implementation for every `Handle`, the types of the futures would
/// depend on a lifetime, and rustc could not prove in generic code of another crate that they are `Send`.
macro_rules! impl_once_cell_ext {
    ($($handle:ty: [$($generic:tt)*] for $lifetime:lifetime;)*) => {$(
        impl<$($generic)* T, B> OnceCellExt<$lifetime> for $handle
        where
            T: Send + Sync + 'static,
            B: Backend<Waiter: Send> + Send + Sync + 'static,
        {
            type Value = T;

            fn get_or_init_spawned(
                self,
                runtime: impl Runtime,
                init: impl Initializer<Output = T>,
            ) -> impl Future<Output = &$lifetime T> + Send {
                let raw = sealed::Handle::cell(&self).raw();
                let owning_ref = move || OwningRef::new(&self);
                let value = get_or_spawn::<Infallibly, _, _>(raw, runtime, owning_ref, InitCall::new(init));
                async { unwrap_infallible(value.await) }
            }

            fn get_or_try_init_spawned<E: Send + 'static>(
                self,
                runtime: impl Runtime,
                init: impl Initializer<Output = Result<T, E>>,
            ) -> impl Future<Output = Result<&$lifetime T, E>> + Send {
                let raw = sealed::Handle::cell(&self).raw();
                let owning_ref = move || OwningRef::new(&self);
                get_or_spawn::<Fallibly, _, _>(raw, runtime, owning_ref, InitCall::new(init))
            }

            fn get_or_try_init_shared_spawned<E: Send + 'static>(
                self,
                runtime: impl Runtime,
                init: impl Initializer<Output = Result<T, E>>,
            ) -> impl Future<Output = Result<&$lifetime T, SharedInitError<E>>> + Send {
                let raw = sealed::Handle::cell(&self).raw();
                let owning_ref = move || OwningRef::new(&self);
                get_or_spawn_shared(raw, runtime, owning_ref, InitCall::new(init))
            }

            fn get_or_init_spawned_blocking(
                self,
                runtime: impl Runtime,
                init: impl FnOnce() -> T + Send + 'static,
            ) -> impl Future<Output = &$lifetime T> + Send {
                let value = self.get_or_try_init_spawned_blocking::<Infallible>(runtime, || Ok(init()));
                async { unwrap_infallible(value.await) }
            }

            fn get_or_try_init_spawned_blocking<E: Send + 'static>(
                self,
                runtime: impl Runtime,
                init: impl FnOnce() -> Result<T, E> + Send + 'static,
            ) -> impl Future<Output = Result<&$lifetime T, E>> + Send {
                let raw = sealed::Handle::cell(&self).raw();
                get_or_spawn_blocking(raw, runtime, move || OwningRef::new(&self), InitCall::new(init))
            }
        }
    )*};
}

impl_once_cell_ext! {
    &'static OnceCell<T, B>: [] for 'static;
    &'a Arc<OnceCell<T, B>>: ['a,] for 'a;
    ArcField<'a, S, T, B>: ['a, S: ?Sized + Send + Sync + 'static,] for 'a;
}

/// Returns the value. If there is none, spawns `call` as a task, which accesses the raw cell through the return value of
/// `owning_ref`.
///
/// `C` converts the output of the initializer. An `async` block around it would leak the value if the destructor of the future
/// panicked.
async fn get_or_spawn<C, H, I>(
    raw: &RawCell<H::Value, H::Backend>,
    runtime: impl Runtime,
    owning_ref: impl FnOnce() -> H,
    call: InitCall<I>,
) -> Result<&H::Value, C::Error>
where
    C: Conclude<H, I::Output, Error: Send> + 'static,
    H: RawCellRef + Send + 'static,
    I: Initializer,
{
    match acquire(raw, &runtime).await {
        Acquired::Ready(value) => Ok(value),
        Acquired::Claimed(claim) => {
            let (spawned, receiver) = SpawnedInit::new(claim, owning_ref(), call);
            runtime.spawn(spawned.run::<C>());
            end_of(receiver, raw, &runtime).await
        }
    }
}

/// Returns the value as [`get_or_spawn`] does, but waits for one attempt at most.
async fn get_or_spawn_shared<H, I, E>(
    raw: &RawCell<H::Value, H::Backend>,
    runtime: impl Runtime,
    owning_ref: impl FnOnce() -> H,
    call: InitCall<I>,
) -> Result<&H::Value, SharedInitError<E>>
where
    H: RawCellRef + Send + 'static,
    I: Initializer<Output = Result<H::Value, E>>,
    E: Send + 'static,
{
    match acquire_within_attempt(raw, &runtime).await {
        None => Err(SharedInitError::OtherFailed),
        Some(Acquired::Ready(value)) => Ok(value),
        Some(Acquired::Claimed(claim)) => {
            let (spawned, receiver) = SpawnedInit::new(claim, owning_ref(), call);
            runtime.spawn(spawned.run::<Fallibly>());
            let ended = end_of(receiver, raw, &runtime).await;
            ended.map_err(SharedInitError::Failed)
        }
    }
}

/// Returns the value. If there is none, runs `call` on the runtime's blocking pool, where it accesses the raw cell through the
/// return value of `owning_ref`.
async fn get_or_spawn_blocking<H, E>(
    raw: &RawCell<H::Value, H::Backend>,
    runtime: impl Runtime,
    owning_ref: impl FnOnce() -> H,
    call: InitCall<impl FnOnce() -> Result<H::Value, E> + Send + 'static>,
) -> Result<&H::Value, E>
where
    H: RawCellRef + Send + 'static,
    E: Send + 'static,
{
    match acquire(raw, &runtime).await {
        Acquired::Ready(value) => Ok(value),
        Acquired::Claimed(claim) => {
            let (spawned, receiver) = SpawnedInit::new(claim, owning_ref(), call);
            runtime.spawn_blocking(|| spawned.initialize_blocking());
            end_of(receiver, raw, &runtime).await
        }
    }
}

/// Waits for the value or the claim.
async fn acquire<'a, T, B: Backend>(
    raw: &'a RawCell<T, B>,
    runtime: &impl Runtime,
) -> Acquired<'a, RawCell<T, B>> {
    if let Some(value) = raw.get() {
        return Acquired::Ready(value);
    }
    let mut stage = pin!(AcquireStage::new(raw, ()));
    poll_fn(|cx| runtime.poll_coop(cx, |cx| stage.as_mut().poll_acquire(cx))).await
}

/// Waits for the value or the claim. If an attempt is in progress when the call begins to wait, returns the value or `None` when
/// that attempt has ended.
async fn acquire_within_attempt<'a, T, B: Backend>(
    raw: &'a RawCell<T, B>,
    runtime: &impl Runtime,
) -> Option<Acquired<'a, RawCell<T, B>>> {
    if let Some(value) = raw.get() {
        return Some(Acquired::Ready(value));
    }
    let mut stage = pin!(AcquireStage::new(raw, ()));
    let mut is_registered = false;
    let acquired = poll_fn(|cx| {
        runtime.poll_coop(cx, |cx| {
            stage.as_mut().poll_within_attempt(
                cx,
                &mut is_registered,
                |stage, cx| stage.poll_acquire(cx).map(Some),
                |value| value.map(Acquired::Ready),
            )
        })
    });
    acquired.await
}

/// Waits until a spawned initializer ends, and returns the value or the error.
///
/// # Panics
///
/// Resumes a panic of the initializer. Panics if the runtime dropped the initializer.
async fn end_of<'a, T, B: Backend, E>(
    initializer: Receiver<Ended<E>>,
    raw: &'a RawCell<T, B>,
    runtime: &impl Runtime,
) -> Result<&'a T, E> {
    match initializer.recv(runtime).await {
        Some(Ok(result)) => result.map(|()| raw.get().expect("the initializer has succeeded")),
        Some(Err(panic)) => resume_unwind(panic),
        None => panic!(
            "the runtime dropped a spawned initializer before it completed; keep the runtime alive while initializers \
             are awaited"
        ),
    }
}

/// The outcome of an initializer: the value was published, or there is an error or a panic.
type Ended<E> = thread::Result<Result<(), E>>;

/// A spawned initializer that has not been polled yet. Field order is drop order: first the initializer, then the claim, and
/// then the sender, which notifies the caller.
struct SpawnedInit<I, H: RawCellRef, E> {
    call: InitCall<I>,
    attempt: Attempt<H>,
    sender: Sender<Ended<E>>,
}

impl<I, H: RawCellRef, E> SpawnedInit<I, H, E> {
    /// Begins an attempt, whose span is a child of the caller's, and moves it to `owning_ref`.
    fn new(
        claim: Claim<&RawCell<H::Value, H::Backend>>,
        owning_ref: H,
        call: InitCall<I>,
    ) -> (Self, Receiver<Ended<E>>) {
        let attempt = claim.begin().hand_over(owning_ref);
        let (sender, receiver) = oneshot::channel();
        let spawned = Self {
            call,
            attempt,
            sender,
        };
        (spawned, receiver)
    }

    /// Runs the initializer as a task, and sends the outcome.
    async fn run<C>(self)
    where
        C: Conclude<H, I::Output, Error = E>,
        I: Initializer,
    {
        let Self {
            call,
            attempt,
            sender,
        } = self;
        let mut unstarted = Some((call, attempt));
        let mut running = pin!(None);
        let ended = poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| {
                if let Some((call, attempt)) = unstarted.take() {
                    Initializing::start(running.as_mut(), attempt, call.map(|init| || init.call()), cx);
                }
                Initializing::poll::<C>(running.as_mut(), cx)
            }));
            match polled {
                Ok(polled) => polled.map(|result| Ok(result.map(drop))),
                Err(panic) => {
                    // Dropped before the panic is sent. A second panic, of the destructor, is discarded.
                    swallow_panic(|| running.set(None));
                    Poll::Ready(Err(panic))
                }
            }
        });
        let ended = ended.await;
        sender.send(ended);
    }

    /// Runs the initializer on this thread, and sends the outcome.
    fn initialize_blocking(self)
    where
        I: FnOnce() -> Result<H::Value, E>,
    {
        let Self {
            call,
            attempt,
            sender,
        } = self;
        let ended = catch_unwind(AssertUnwindSafe(|| initialize_blocking(attempt, call).map(drop)));
        sender.send(ended);
    }
}
