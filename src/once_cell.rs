//! The cell.

use core::{convert::Infallible, fmt};

use crate::{
    backend::{Backend, Intrusive, Local, State},
    error::{InitializingError, SetError},
    once_cell::futures::unwrap_infallible,
    raw::RawCell,
    raw::initialize::{InitCall, initialize_blocking},
    raw::wait::{Acquired, HasRawCell},
};

pub use self::{
    futures::{
        GetMutOrInit, GetMutOrTryInit, GetOrInit, GetOrTryInit, GetOrTryInitShared, Insert, Wait, WaitAttempt,
    },
    guard::{GetOrClaim, InitGuard},
};

#[cfg(feature = "blocking")]
mod blocking;
pub(crate) mod futures;
mod guard;

/// A cell that is written once and read by many, asynchronously.
///
/// The value is usually made by a future: [`get_or_init`](Self::get_or_init) and
/// [`get_or_try_init`](Self::get_or_try_init) run one initializer, however many tasks ask at the same time,
/// and give everybody a reference to its result. The cell works with every executor, needs no allocator, and
/// is made by a `const` function, so that it can be a `static`.
///
/// # What happens when
///
/// | event | effect |
/// |---|---|
/// | the initializer yields a value | all waiters are woken, those of each kind oldest first, and get the value |
/// | it yields an error, panics, or is dropped | the cell is empty again, and every waiter that could initialize is woken; whoever is polled first is next |
/// | it ends without a value, and calls of [`get_or_try_init_shared`](Self::get_or_try_init_shared) or [`wait_attempt`](Self::wait_attempt) wait for it | those calls return; none of them runs an initializer |
/// | a waiting future is dropped | it leaves nothing behind, and nobody's wakeup is lost |
///
/// Nothing is reserved for a waiter, so nobody ever waits for a task that is not being polled, except for the
/// one that runs the initializer: **an initializer goes on only while its future is polled.** If a `select!`
/// keeps that future in a branch that it no longer polls, without dropping it, everybody waits. So they do if it is leaked.
/// A spawned initializer and a [`lazy!`](crate::lazy!) static do not have that limit. See [choosing](crate::guide::choosing) and
/// [cancellation](crate::guide::cancellation) in the guide; for one cell for each key, see [keys](crate::guide::keys), and for
/// shutdown, tests and `fork`, see [runtimes](crate::guide::runtimes).
///
/// # Deadlocks
///
/// An initializer that awaits its own cell never completes. Debug builds with the feature `std`, and any build with the
/// feature `deadlock-detection`, panic if the task of the initializer polls such a wait inside the initializer, or if the
/// initializer blocks its thread to wait. The message names the types of the values. With `deadlock-detection`, it also names
/// where each initializer began. If the initializer of this cell runs the initializer of another cell, and that one awaits this
/// cell, the message lists both.
///
/// These waits are **not** detected, because they cannot be told from waits that end:
///
/// - a wait in a task that the initializer has spawned, or inside a `FuturesUnordered` or another executor within the task;
/// - a wait that is polled with a waker without data, such as [`Waker::noop`](core::task::Waker::noop);
/// - two branches of one `join!` in which the initializers of two cells await each other's cell: each initializer could have
///   another source for its value, such as a timeout.
///
/// A wait for the own cell beside a timeout is reported, although the timeout would end it. So is the wait of another task
/// that the initializer polls with its own waker, which some executors do that give all tasks one waker.
///
/// # Costs
///
/// The cell is one pointer larger than the value, up to alignment. With the default backend, access to a
/// ready cell is one atomic load (Acquire), and an initialization that nobody waits for is two
/// compare-and-swaps; [`Intrusive`] tells the rest. Nothing allocates.
///
/// # Examples
///
/// ```
/// use oncelot::OnceCell;
///
/// async fn load() -> String {
///     "configuration".to_owned()
/// }
///
/// static CONFIG: OnceCell<String> = OnceCell::new();
///
/// # futures_lite::future::block_on(async {
/// assert_eq!(CONFIG.get_or_init(load).await, "configuration");
/// assert_eq!(CONFIG.get().unwrap(), "configuration");
/// # });
/// ```
///
/// `B` is the [`Backend`]: what keeps the state and the waiters.
pub struct OnceCell<T, B: Backend = Intrusive> {
    raw: RawCell<T, B>,
}

/// A [`OnceCell`] for one thread, without atomic operations.
///
/// It has the methods and the guarantees of [`OnceCell`]. It is not `Sync`, and its futures are not `Send`: it is for
/// thread-local variables, the tasks of a `LocalSet` or of another executor on one thread, WebAssembly, and firmware with one
/// executor. [`Local`] lists all differences, and what the operations cost. See [WebAssembly](crate::guide::wasm) in the guide.
///
/// [`with_backend`](OnceCell::with_backend) and `default` create an empty cell,
/// [`with_backend_and_value`](OnceCell::with_backend_and_value) creates one that holds a value.
///
/// # Examples
///
/// Two tasks of a `LocalSet` share a value that is not `Send`:
///
/// ```
/// use std::rc::Rc;
/// use oncelot::LocalOnceCell;
///
/// thread_local! {
///     static CONFIG: Rc<LocalOnceCell<Rc<str>>> = Rc::default();
/// }
///
/// async fn config() -> Rc<str> {
///     let cell = CONFIG.with(Rc::clone);
///     Rc::clone(cell.get_or_init(load).await)
/// }
///
/// async fn load() -> Rc<str> {
///     tokio::task::yield_now().await;
///     Rc::from("configuration")
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let tasks = tokio::task::LocalSet::new();
/// let first = tasks.spawn_local(config());
/// let second = tasks.spawn_local(config());
/// runtime.block_on(tasks);
/// let (first, second) = (runtime.block_on(first)?, runtime.block_on(second)?);
/// assert!(Rc::ptr_eq(&first, &second));
/// # Ok(())
/// # }
/// ```
///
/// A `static` cannot hold it:
///
/// ```compile_fail,E0277
/// static CONFIG: oncelot::LocalOnceCell<u32> = oncelot::LocalOnceCell::with_backend();
/// ```
pub type LocalOnceCell<T> = OnceCell<T, Local>;

/// Making a cell with the default backend.
impl<T> OnceCell<T> {
    /// Makes an empty cell.
    ///
    /// # Examples
    ///
    /// ```
    /// static NUMBER: oncelot::OnceCell<u32> = oncelot::OnceCell::new();
    /// assert!(!NUMBER.initialized());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self::with_backend()
    }

    /// The same as [`new`](Self::new), by the name that tokio gives it.
    #[must_use]
    pub const fn const_new() -> Self {
        Self::with_backend()
    }

    /// Makes a cell that holds a value if one is given.
    #[must_use]
    pub fn new_with(value: Option<T>) -> Self {
        match value {
            Some(value) => Self::with_backend_and_value(value),
            None => Self::with_backend(),
        }
    }

    /// Makes a cell that holds `value`.
    #[must_use]
    pub const fn const_new_with(value: T) -> Self {
        Self::with_backend_and_value(value)
    }
}

/// Making a cell with any backend.
impl<T, B: Backend> OnceCell<T, B> {
    /// Makes an empty cell with the backend that its type names.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::{OnceCell, backend::Intrusive};
    ///
    /// static CELL: OnceCell<u32, Intrusive> = OnceCell::with_backend();
    /// ```
    #[must_use]
    pub const fn with_backend() -> Self {
        Self {
            raw: RawCell::empty(),
        }
    }

    /// Makes a cell that holds `value`, with the backend that its type names.
    #[must_use]
    pub const fn with_backend_and_value(value: T) -> Self {
        Self {
            raw: RawCell::filled(value),
        }
    }
}

impl<T, B: Backend> OnceCell<T, B> {
    #[cfg(feature = "std")]
    pub(crate) fn raw(&self) -> &RawCell<T, B> {
        &self.raw
    }
}

/// Looking.
impl<T, B: Backend> OnceCell<T, B> {
    /// Whether the cell holds a value.
    #[inline]
    pub fn initialized(&self) -> bool {
        self.raw.is_ready()
    }

    /// Returns the state of the cell at this moment. Never waits: one load (Acquire).
    ///
    /// Another thread may change the state right away, except for [`State::Ready`], which is final while the cell is shared.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::{OnceCell, State};
    ///
    /// # futures_lite::future::block_on(async {
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.state(), State::Uninit);
    /// cell.get_or_init(async || {
    ///     assert_eq!(cell.state(), State::Initializing);
    ///     1
    /// })
    /// .await;
    /// assert_eq!(cell.state(), State::Ready);
    /// # });
    /// ```
    #[inline]
    pub fn state(&self) -> State {
        self.raw.backend().state()
    }

    /// The value, if there is one. Never waits: one load (Acquire).
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.raw.get()
    }

    /// The value, if there is one, for changing it. Needs no synchronization, as the cell is borrowed
    /// exclusively.
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.raw.get_mut()
    }

    /// The value, without asking whether there is one.
    ///
    /// # Panics
    ///
    /// Debug builds panic if the cell is empty.
    ///
    /// # Safety
    ///
    /// The cell holds a value, and that it does happens before this call: this thread has seen
    /// [`initialized`](Self::initialized) return true, say, or it was told by a thread that has.
    #[inline]
    pub unsafe fn get_unchecked(&self) -> &T {
        debug_assert!(
            self.raw.is_ready(),
            "`OnceCell::get_unchecked` was called on an empty cell; use `get`"
        );
        // SAFETY: the caller's promise.
        unsafe { self.raw.get_unchecked() }
    }
}

/// Filling with a value.
impl<T, B: Backend> OnceCell<T, B> {
    /// Puts `value` into the cell if it is empty and nobody is initializing it. Never waits.
    ///
    /// For calls in interrupt handlers, see [firmware](crate::guide::firmware#interrupts) in the guide.
    ///
    /// # Errors
    ///
    /// [`SetError::AlreadyInitializedError`] if there is a value, [`SetError::InitializingError`] if an
    /// initializer is running. Both hand `value` back.
    ///
    /// # Panics
    ///
    /// Panics if a waker of a waiter does. The value is set all the same, and everybody is woken.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = oncelot::OnceCell::new();
    /// assert!(cell.set(1).is_ok());
    /// assert_eq!(cell.set(2).unwrap_err().into_inner(), 2);
    /// ```
    #[inline]
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        self.try_insert(value).map(drop)
    }

    /// The same as [`set`](Self::set), and gives the value in its place.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set).
    #[inline]
    pub fn try_insert(&self, value: T) -> Result<&T, SetError<T>> {
        match self.raw.try_claim() {
            Ok(claim) => Ok(claim.publish(value)),
            Err(State::Ready) => Err(SetError::AlreadyInitializedError(value)),
            Err(_) => Err(SetError::InitializingError(value)),
        }
    }

    /// Returns the value, or the one that `init` makes if the cell is empty. Never waits.
    ///
    /// This is for code that cannot await, such as the start-up code of firmware, and needs neither a task nor `std`. A task
    /// that awaits the cell meanwhile waits for `init`. If the cell holds a value, `init` is dropped uncalled.
    ///
    /// # Errors
    ///
    /// [`InitializingError`] if another initializer is running. `init` is dropped uncalled.
    ///
    /// # Panics
    ///
    /// Panics if `init` does: the cell is empty again, and the waiters are woken. Panics as [`set`](Self::set) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::OnceCell;
    ///
    /// # struct Uart;
    /// # impl Uart { fn configure() -> Self { Self } }
    /// static UART: OnceCell<Uart> = OnceCell::new();
    ///
    /// fn init() -> &'static Uart {
    ///     UART.try_get_or_init(Uart::configure).expect("no task has started yet")
    /// }
    /// # init();
    /// ```
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn try_get_or_init<F: FnOnce() -> T>(&self, init: F) -> Result<&T, InitializingError> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        match self.raw.acquire() {
            Some(Acquired::Ready(value)) => Ok(value),
            Some(Acquired::Claimed(claim)) => {
                let call = InitCall::new(|| Ok::<_, Infallible>(init()));
                let value = initialize_blocking(claim.begin(), call);
                Ok(unwrap_infallible(value))
            }
            None => Err(InitializingError),
        }
    }

    /// Puts `value` into the cell, after waiting for a running initializer to end.
    ///
    /// # Errors
    ///
    /// If there is a value, or there comes one from the initializer: a reference to that value, and `value`.
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set). Panics if a clone or a drop of the task's own waker does. Panics if the initializer of this
    /// cell awaits it, where that is [detected](Self#deadlocks).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it has completed, the cell is as if it had never been called, and
    /// `value` is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let cell = oncelot::OnceCell::new();
    /// assert_eq!(cell.insert(1).await, Ok(&1));
    /// assert_eq!(cell.insert(2).await, Err((&1, 2)));
    /// # });
    /// ```
    pub fn insert(&self, value: T) -> Insert<'_, T, B> {
        Insert::new(&self.raw, value)
    }
}

/// Filling by a future.
impl<T, B: Backend> OnceCell<T, B> {
    /// The value; if there is none, the one that `init` makes.
    ///
    /// If the cell is empty, the first poll calls `init` and runs its future. If another initializer is running, this call
    /// waits for it, and calls its own `init` if that one ends without a value. If there is a value, the first poll returns
    /// it, registers no waiter, and drops `init` without calling it.
    ///
    /// `init` may be an `async fn`, a closure that returns a future, or an async closure.
    ///
    /// # Panics
    ///
    /// Panics if `init` or its future does: the cell is empty again, the waiters are woken, and one of them
    /// initializes it. Panics if a waker of a waiter does, after everybody was woken; or if a clone or a drop of the
    /// task's own waker does. Panics if an initializer awaits its own cell, where that is [detected](Self#deadlocks).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped while it waits, it leaves nothing behind. If it is dropped while it runs the
    /// initializer, the initializer is lost and the cell is empty again; the waiters are woken, and one of
    /// them starts anew.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let cell = oncelot::OnceCell::new();
    /// let one = cell.get_or_init(async || 1).await;
    /// let same = cell.get_or_init(async || unreachable!()).await;
    /// assert!(std::ptr::eq(one, same));
    /// # });
    /// ```
    #[inline]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_init<F, Fut>(&self, init: F) -> GetOrInit<'_, T, F, Fut, B>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        GetOrInit::new(&self.raw, init)
    }

    /// The same as [`get_or_init`](Self::get_or_init), for an initializer that can fail.
    ///
    /// The guide has recipes for [retries, timeouts and shared errors](crate::guide::failures).
    ///
    /// # Errors
    ///
    /// The error of `init`'s future, if this call ran it and it failed. The cell is empty again: the waiters
    /// are woken, and one of them takes its turn with its own initializer. Errors of others are not seen.
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Cancel safety
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let cell = oncelot::OnceCell::new();
    /// assert_eq!(cell.get_or_try_init(async || Err("no route")).await, Err("no route"));
    /// assert_eq!(cell.get_or_try_init(async || Ok::<_, &str>(1)).await, Ok(&1));
    /// # });
    /// ```
    #[inline]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_try_init<E, F, Fut>(&self, init: F) -> GetOrTryInit<'_, T, F, Fut, B>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetOrTryInit::new(&self.raw, init)
    }

    /// Returns the value; if there is none, makes or waits for one attempt to initialize the cell.
    ///
    /// If the cell is empty, the first poll calls `init` and runs its future. If another initializer is running, this call
    /// waits for it, and completes when that initializer ends, with or without a value: it never runs its own `init` then,
    /// and never waits for a second attempt. If there is a value, the first poll returns it, registers no waiter, and drops
    /// `init` without calling it.
    ///
    /// This is for an initializer that takes long to fail, such as a connection with a timeout. When N callers of
    /// [`get_or_try_init`](Self::get_or_try_init) wait and the initializer fails, they make N attempts, one after the other,
    /// and the last caller waits for all of them. N callers of this method make one attempt.
    ///
    /// Callers of both methods can share a cell. The attempts of `get_or_init`, [`insert`](Self::insert) and an
    /// [`InitGuard`] count as attempts too.
    ///
    /// # Errors
    ///
    /// - [`SharedInitError::Failed`](crate::SharedInitError::Failed) with the error of `init`'s future, if this call ran it
    ///   and it failed.
    /// - [`SharedInitError::OtherFailed`](crate::SharedInitError::OtherFailed), if this call waited for another initializer
    ///   that ended without a value: by an error, a panic, or because its future was dropped.
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init). A panic of another call's initializer is not propagated: this call returns
    /// `OtherFailed`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped while it waits, it leaves nothing behind. If it is dropped while it runs the initializer, the
    /// initializer is dropped and the cell is empty again. Callers of this method that wait return `OtherFailed`; callers of
    /// `get_or_try_init` retry.
    ///
    /// # Examples
    ///
    /// A request that comes while the database is down is answered after one attempt:
    ///
    /// ```
    /// use oncelot::{OnceCell, SharedInitError};
    ///
    /// # use std::io;
    /// # struct Pool;
    /// # async fn connect() -> io::Result<Pool> { Err(io::ErrorKind::ConnectionRefused.into()) }
    /// static POOL: OnceCell<Pool> = OnceCell::new();
    ///
    /// async fn respond() -> u16 {
    ///     match POOL.get_or_try_init_shared(connect).await {
    ///         Ok(_pool) => 200,
    ///         Err(SharedInitError::Failed(error)) => {
    ///             eprintln!("cannot connect: {error}");
    ///             503
    ///         }
    ///         // Logged by the request whose attempt it was.
    ///         Err(SharedInitError::OtherFailed) => 503,
    ///     }
    /// }
    /// # assert_eq!(futures_lite::future::block_on(respond()), 503);
    /// ```
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_try_init_shared<E, F, Fut>(&self, init: F) -> GetOrTryInitShared<'_, T, F, Fut, B>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetOrTryInitShared::new(&self.raw, init)
    }

    /// The value, for changing it; if there is none, the one that `init` makes.
    ///
    /// The cell is borrowed exclusively: there is nobody to wait for, and nothing to synchronize.
    ///
    /// # Panics
    ///
    /// Panics if `init` or its future does. The cell stays empty and usable.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it has completed, the initializer is lost and the cell stays empty.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let mut cell = oncelot::OnceCell::new();
    /// *cell.get_mut_or_init(async || 1).await += 1;
    /// assert_eq!(cell.get(), Some(&2));
    /// # });
    /// ```
    pub fn get_mut_or_init<F, Fut>(&mut self, init: F) -> GetMutOrInit<'_, T, F, Fut, B>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        GetMutOrInit::new(&mut self.raw, init)
    }

    /// The same as [`get_mut_or_init`](Self::get_mut_or_init), for an initializer that can fail.
    ///
    /// # Errors
    ///
    /// The error of `init`'s future. The cell stays empty and usable.
    ///
    /// # Panics
    ///
    /// As [`get_mut_or_init`](Self::get_mut_or_init).
    ///
    /// # Cancel safety
    ///
    /// As [`get_mut_or_init`](Self::get_mut_or_init).
    pub fn get_mut_or_try_init<E, F, Fut>(&mut self, init: F) -> GetMutOrTryInit<'_, T, F, Fut, B>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetMutOrTryInit::new(&mut self.raw, init)
    }
}

/// Initialization without a closure.
impl<T, B: Backend> OnceCell<T, B> {
    /// Claims the cell, and returns a guard that initializes it. Never waits.
    ///
    /// # Errors
    ///
    /// The state that the cell has instead of [`State::Uninit`]: [`State::Initializing`] if another initializer is running
    /// or another guard exists, [`State::Ready`] if there is a value.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::{OnceCell, State};
    ///
    /// let cell = OnceCell::new();
    /// let guard = cell.try_claim().unwrap();
    /// assert_eq!(cell.try_claim().unwrap_err(), State::Initializing);
    /// guard.set(1);
    /// assert_eq!(cell.try_claim().unwrap_err(), State::Ready);
    /// ```
    pub fn try_claim(&self) -> Result<InitGuard<'_, T, B>, State> {
        self.raw.try_claim().map(InitGuard::new)
    }

    /// Returns the value; if there is none, claims the cell, after waiting for a running initializer to end.
    ///
    /// If the cell is empty, the first poll claims it. If there is a value, the first poll returns it and registers no
    /// waiter.
    ///
    /// # Errors
    ///
    /// A guard that initializes the cell, if there is no value. See [`InitGuard`] for what its holder must not do.
    ///
    /// # Panics
    ///
    /// Panics if a clone or a drop of the task's own waker does. Debug builds with the feature `std` panic if the
    /// initializer of this cell awaits it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it has completed, it leaves nothing behind. If the guard is dropped, the cell is empty
    /// again, and every waiter that can initialize is woken.
    ///
    /// # Examples
    ///
    /// A retry policy of the caller's own, during which no other task initializes the cell:
    ///
    /// ```
    /// use oncelot::OnceCell;
    ///
    /// # struct Pool;
    /// # async fn connect(_host: &str) -> Result<Pool, ()> { Ok(Pool) }
    /// async fn pool<'a>(cell: &'a OnceCell<Pool>, hosts: &[&str]) -> Option<&'a Pool> {
    ///     let guard = match cell.get_or_claim().await {
    ///         Ok(pool) => return Some(pool),
    ///         Err(guard) => guard,
    ///     };
    ///     for host in hosts {
    ///         if let Ok(pool) = connect(host).await {
    ///             return Some(guard.set(pool));
    ///         }
    ///     }
    ///     None
    /// }
    /// # let cell = OnceCell::new();
    /// # assert!(futures_lite::future::block_on(pool(&cell, &["a", "b"])).is_some());
    /// ```
    pub fn get_or_claim(&self) -> GetOrClaim<'_, T, B> {
        GetOrClaim::new(&self.raw)
    }
}

/// Waiting.
impl<T, B: Backend> OnceCell<T, B> {
    /// Waits until the cell holds a value, without ever initializing it.
    ///
    /// Whoever waits like this is not woken when initializers fail, and does not make failures dearer.
    ///
    /// # Panics
    ///
    /// Panics if a clone or a drop of the task's own waker does. Panics if the initializer of this cell awaits it, where
    /// that is [detected](Self#deadlocks).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it leaves nothing behind.
    ///
    /// # Examples
    ///
    /// ```
    /// # use futures_lite::future;
    /// # future::block_on(async {
    /// let cell = oncelot::OnceCell::new();
    /// let (seen, set) = future::zip(cell.wait(), async { cell.set(1) }).await;
    /// assert_eq!((seen, set), (&1, Ok(())));
    /// # });
    /// ```
    #[inline]
    pub fn wait(&self) -> Wait<'_, T, B> {
        Wait::new(&self.raw)
    }

    /// Waits until the initializer that is running ends, and returns the value, or `None` if it ended without one.
    ///
    /// The first poll looks at the cell. It returns the value if there is one, and `None` if no initializer is running.
    /// Otherwise, the call waits for the attempt that is in progress, and for no other: if that attempt fails and a newer one
    /// begins before the task is polled, the call returns `None`. It never initializes the cell.
    ///
    /// While it waits, it is woken by a failure, as the futures are that can initialize the cell.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it leaves nothing behind.
    ///
    /// # Examples
    ///
    /// ```
    /// # use futures_lite::future;
    /// # future::block_on(async {
    /// let cell = oncelot::OnceCell::<u32>::new();
    /// assert_eq!(cell.wait_attempt().await, None);
    ///
    /// let guard = cell.try_claim().unwrap();
    /// let (ended, ()) = future::zip(cell.wait_attempt(), async { drop(guard) }).await;
    /// assert_eq!(ended, None);
    ///
    /// let guard = cell.try_claim().unwrap();
    /// let (ended, _) = future::zip(cell.wait_attempt(), async { guard.set(1) }).await;
    /// assert_eq!(ended, Some(&1));
    /// # });
    /// ```
    pub fn wait_attempt(&self) -> WaitAttempt<'_, T, B> {
        WaitAttempt::new(&self.raw)
    }
}

/// Owning.
impl<T, B: Backend> OnceCell<T, B> {
    /// Takes the value out, and leaves the cell as new.
    ///
    /// To replace a value that other tasks may be using, see [resetting](crate::guide::resetting) in the guide.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut cell = oncelot::OnceCell::from(1);
    /// assert_eq!(cell.take(), Some(1));
    /// assert_eq!(cell.set(2), Ok(()));
    /// ```
    pub fn take(&mut self) -> Option<T> {
        self.raw.take()
    }

    /// The value, if there is one.
    pub fn into_inner(mut self) -> Option<T> {
        self.raw.take()
    }
}

impl<T, B: Backend> Default for OnceCell<T, B> {
    fn default() -> Self {
        Self::with_backend()
    }
}

/// With the default backend, as only so `OnceCell::from(value)` tells the compiler which one is meant.
/// [`OnceCell::with_backend_and_value`] is for the others.
impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self::const_new_with(value)
    }
}

/// The clone has the value, if there is one, and nothing of an initializer that is running.
impl<T: Clone, B: Backend> Clone for OnceCell<T, B> {
    fn clone(&self) -> Self {
        match self.get() {
            Some(value) => Self::with_backend_and_value(value.clone()),
            None => Self::with_backend(),
        }
    }
}

impl<T: PartialEq, B: Backend> PartialEq for OnceCell<T, B> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq, B: Backend> Eq for OnceCell<T, B> {}

/// Shows the value, or `<uninit>` or `<initializing>` if there is none.
impl<T: fmt::Debug, B: Backend> fmt::Debug for OnceCell<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.get().map(|value| value as &dyn fmt::Debug);
        self.raw.debug(f, "OnceCell", value)
    }
}
