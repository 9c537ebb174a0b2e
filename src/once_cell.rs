//! [`OnceCell`].

use core::{convert::Infallible, fmt};

use crate::{
    backend::{Backend, Intrusive, Local, State, WaiterKind},
    error::{InitializingError, SetError},
    once_cell::futures::{ExclusiveStage, unwrap_infallible},
    raw::RawCell,
    raw::initialize::{InitCall, initialize_blocking},
    raw::stage::Stage,
    raw::wait::{Acquired, HasRawCell, WaitFuture},
};

pub use self::{
    futures::{
        GetMutOrInit, GetMutOrTryInit, GetOrClaim, GetOrInit, GetOrTryInit, GetOrTryInitShared, Insert, Wait,
        WaitAttempt,
    },
    guard::InitGuard,
};

#[cfg(feature = "blocking")]
mod blocking;
pub(crate) mod futures;
mod guard;

/// A cell that can be written to only once, by an asynchronous initializer.
///
/// Usually, a future computes the value. Any number of tasks may call [`get_or_init`](Self::get_or_init) and
/// [`get_or_try_init`](Self::get_or_try_init) concurrently. One initializer runs at a time, and every caller gets a reference to
/// the value. The cell works with every executor, needs no allocator, and has `const` constructors, so it can be a `static`.
///
/// # Events and effects
///
/// | event | effect |
/// |---|---|
/// | the initializer returns a value | every waiter is woken, those of each kind oldest first, and gets the value |
/// | the initializer returns an error, panics, or is dropped | the cell is empty again, and every waiter that can initialize is woken; the first one to be polled retries |
/// | the initializer ends without a value while calls of [`get_or_try_init_shared`](Self::get_or_try_init_shared) or [`wait_attempt`](Self::wait_attempt) wait for it | those calls return; none of them runs an initializer |
/// | a waiting future is dropped | its waiter is removed, and no wakeup is lost |
///
/// Nothing is reserved for a waiter, so a waiter never depends on another waiter being polled. Every waiter depends on the task
/// that runs the initializer: **an initializer makes progress only while its future is polled.** If a `select!` keeps that
/// future in a branch that it no longer polls, without dropping it, all waiters hang. The same happens if that future is
/// leaked. A spawned initializer and a [`lazy!`](crate::lazy!) static do not have that limit.
///
/// In the guide, see [choosing](crate::guide::choosing) and [cancellation](crate::guide::cancellation),
/// [keys](crate::guide::keys) for one cell for each key, and [runtimes](crate::guide::runtimes) for shutdown, tests and `fork`.
///
/// # Deadlocks
///
/// An initializer that awaits its own cell never completes. Debug builds with the feature `std`, and any build with the
/// feature `deadlock-detection`, panic if the task of the initializer polls such a wait inside the initializer, or if the
/// initializer blocks its thread to wait. The message names the types of the values. With `deadlock-detection`, it also names
/// where each initializer began. If the initializer of this cell runs the initializer of another cell, and that one awaits this
/// cell, the message lists both.
///
/// These waits are **not** detected, because they cannot be distinguished from waits that end:
///
/// - a wait in a task that the initializer spawned, or inside a `FuturesUnordered` or a nested executor;
/// - a wait that is polled with a waker without data, such as [`Waker::noop`](core::task::Waker::noop);
/// - two branches of one `join!` in which the initializers of two cells await each other's cell: each initializer could have
///   another source for its value, such as a timeout.
///
/// There are two false positives: an initializer that awaits its own cell with a timeout, although the timeout would end the
/// wait; and a wait of another task that the initializer polls with its own waker, as an executor that uses one waker for all
/// tasks does.
///
/// # Backends
///
/// The parameter `B` is the [`Backend`], which stores the state and the waiters. The default is [`Intrusive`].
///
/// # Costs
///
/// The cell is one pointer larger than the value, up to alignment. With the default backend, access to a
/// ready cell costs one `Acquire` load, and an initialization without waiters costs two compare-and-swaps. [`Intrusive`]
/// lists the costs of all operations. Nothing allocates.
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

/// Constructors with the default backend.
impl<T> OnceCell<T> {
    /// Creates an empty cell.
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

    /// Creates an empty cell, as [`new`](Self::new) does. This is the name of the function in tokio.
    ///
    /// # Examples
    ///
    /// ```
    /// static NUMBER: oncelot::OnceCell<u32> = oncelot::OnceCell::const_new();
    /// assert_eq!(NUMBER.get(), None);
    /// ```
    #[must_use]
    pub const fn const_new() -> Self {
        Self::with_backend()
    }

    /// Creates a cell that holds the value in `value`, or an empty cell if `value` is `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::OnceCell;
    ///
    /// assert_eq!(OnceCell::new_with(Some(1)).get(), Some(&1));
    /// assert_eq!(OnceCell::<u32>::new_with(None).get(), None);
    /// ```
    #[must_use]
    pub fn new_with(value: Option<T>) -> Self {
        match value {
            Some(value) => Self::with_backend_and_value(value),
            None => Self::with_backend(),
        }
    }

    /// Creates a cell that holds `value`.
    ///
    /// # Examples
    ///
    /// ```
    /// static NUMBER: oncelot::OnceCell<u32> = oncelot::OnceCell::const_new_with(1);
    /// assert_eq!(NUMBER.get(), Some(&1));
    /// ```
    #[must_use]
    pub const fn const_new_with(value: T) -> Self {
        Self::with_backend_and_value(value)
    }
}

/// Constructors with any backend.
impl<T, B: Backend> OnceCell<T, B> {
    /// Creates an empty cell with the backend `B`.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::{OnceCell, backend::Intrusive};
    ///
    /// static CELL: OnceCell<u32, Intrusive> = OnceCell::with_backend();
    /// assert!(!CELL.initialized());
    /// ```
    #[must_use]
    pub const fn with_backend() -> Self {
        Self {
            raw: RawCell::empty(),
        }
    }

    /// Creates a cell that holds `value`, with the backend `B`.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::LocalOnceCell;
    ///
    /// let cell = LocalOnceCell::with_backend_and_value(1);
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
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

/// Access.
impl<T, B: Backend> OnceCell<T, B> {
    /// Returns `true` if the cell holds a value.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = oncelot::OnceCell::new();
    /// assert!(!cell.initialized());
    /// cell.set(1).unwrap();
    /// assert!(cell.initialized());
    /// ```
    #[inline]
    pub fn initialized(&self) -> bool {
        self.raw.is_ready()
    }

    /// Returns the current state of the cell.
    ///
    /// Never waits; costs one `Acquire` load. Another thread may change the state immediately, except for [`State::Ready`],
    /// which is final while the cell is shared.
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

    /// Returns the value, or `None` if the cell is empty or being initialized.
    ///
    /// Never waits; costs one `Acquire` load.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = oncelot::OnceCell::new();
    /// assert_eq!(cell.get(), None);
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.raw.get()
    }

    /// Returns a mutable reference to the value, or `None` if the cell is empty.
    ///
    /// The cell is borrowed mutably, so this needs no synchronization.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut cell = oncelot::OnceCell::from(1);
    /// *cell.get_mut().unwrap() += 1;
    /// assert_eq!(cell.get(), Some(&2));
    /// ```
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.raw.get_mut()
    }

    /// Returns the value without checking that the cell is initialized.
    ///
    /// # Panics
    ///
    /// Debug builds panic if the cell is empty.
    ///
    /// # Safety
    ///
    /// The cell must be initialized, and the initialization must happen before this call: for example, this thread has
    /// observed [`initialized`](Self::initialized) return `true`.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = oncelot::OnceCell::from(1);
    /// // SAFETY: the cell was created with a value.
    /// assert_eq!(unsafe { cell.get_unchecked() }, &1);
    /// ```
    #[inline]
    pub unsafe fn get_unchecked(&self) -> &T {
        debug_assert!(
            self.raw.is_ready(),
            "`OnceCell::get_unchecked` was called on an empty cell; use `get`"
        );
        // SAFETY: the caller guarantees that the cell is initialized.
        unsafe { self.raw.get_unchecked() }
    }
}

/// Insertion.
impl<T, B: Backend> OnceCell<T, B> {
    /// Stores `value` in the cell if the cell is empty and no initializer is running. Never waits.
    ///
    /// For calls in interrupt handlers, see [firmware](crate::guide::firmware#interrupts) in the guide.
    ///
    /// # Panics
    ///
    /// Panics if waking a waiter panics. The value is stored nevertheless, and every waiter is woken.
    ///
    /// # Errors
    ///
    /// Returns [`SetError::AlreadyInitializedError`] if the cell holds a value, or [`SetError::InitializingError`] if an
    /// initializer is running. Both contain `value`.
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

    /// Stores `value` in the cell as [`set`](Self::set) does, and returns a reference to the stored value.
    ///
    /// # Panics
    ///
    /// Panics as [`set`](Self::set) does.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`set`](Self::set).
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::{OnceCell, SetError};
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.try_insert(1), Ok(&1));
    /// assert_eq!(cell.try_insert(2), Err(SetError::AlreadyInitializedError(2)));
    /// ```
    #[inline]
    pub fn try_insert(&self, value: T) -> Result<&T, SetError<T>> {
        match self.raw.try_claim() {
            Ok(claim) => Ok(claim.publish(value)),
            Err(State::Ready) => Err(SetError::AlreadyInitializedError(value)),
            Err(_) => Err(SetError::InitializingError(value)),
        }
    }

    /// Returns the value, initializing the cell with the return value of `init` if the cell is empty. Never waits.
    ///
    /// This method is for code that cannot await, such as the startup code of firmware. It needs neither a task nor `std`. A
    /// task that awaits the cell while `init` runs waits for `init`. If the cell holds a value, `init` is dropped without being
    /// called.
    ///
    /// # Panics
    ///
    /// Panics if `init` panics. The cell is then empty again, and every waiter that can initialize is woken. Panics as
    /// [`set`](Self::set) does.
    ///
    /// # Errors
    ///
    /// Returns [`InitializingError`] if another initializer is running. `init` is then dropped without being called.
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
    ///
    /// assert!(std::ptr::eq(init(), UART.get().unwrap()));
    /// ```
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn try_get_or_init<F: FnOnce() -> T>(&self, init: F) -> Result<&T, InitializingError> {
        match self.get() {
            Some(value) => Ok(value),
            None => self.try_initialize(InitCall::new(|| Ok(init()))),
        }
    }

    /// Returns the value, or initializes the cell with the return value of `call`, unless another initializer is running.
    pub(crate) fn try_initialize(
        &self,
        call: InitCall<impl FnOnce() -> Result<T, Infallible>>,
    ) -> Result<&T, InitializingError> {
        match self.raw.acquire() {
            Some(Acquired::Ready(value)) => Ok(value),
            Some(Acquired::Claimed(claim)) => {
                let value = initialize_blocking(claim.begin(), call);
                Ok(unwrap_infallible(value))
            }
            None => Err(InitializingError),
        }
    }

    /// Stores `value` in the cell, after waiting for a running initializer to end.
    ///
    /// # Panics
    ///
    /// Panics as [`set`](Self::set) does. Panics if cloning or dropping the task's own waker panics. Panics if the initializer
    /// of this cell awaits it, where that is [detected](Self#deadlocks).
    ///
    /// # Errors
    ///
    /// If the cell already has a value, or the running initializer produces one, returns a reference to that value together
    /// with `value`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it has completed, the cell is unchanged and `value` is dropped.
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
        Insert {
            stage: Stage::new(&self.raw, ()),
            value: Some(value),
        }
    }
}

/// Initialization.
impl<T, B: Backend> OnceCell<T, B> {
    /// Returns the value, initializing the cell with the future of `init` if the cell is empty.
    ///
    /// If the cell is empty, the first poll calls `init` and polls its future. If another initializer is running, this call
    /// waits for it, and calls its own `init` if that initializer ends without a value. If the cell holds a value, the first
    /// poll returns it, registers no waiter, and drops `init` without calling it.
    ///
    /// `init` may be an `async fn`, a closure that returns a future, or an async closure.
    ///
    /// Related methods initialize a cell in other ways:
    ///
    /// | the initializer | method |
    /// |---|---|
    /// | can fail, and another caller retries | [`get_or_try_init`](Self::get_or_try_init) |
    /// | can fail, and all waiting callers return | [`get_or_try_init_shared`](Self::get_or_try_init_shared) |
    /// | runs in a spawned task | [`get_or_init_spawned`] |
    /// | runs on the runtime's blocking pool | [`get_or_init_spawned_blocking`] |
    /// | is a plain function, and the call may block this thread | [`get_or_init_blocking`] |
    /// | is a plain function, and the call must not wait | [`try_get_or_init`](Self::try_get_or_init) |
    /// | is not a closure: the code sets the value through a guard | [`get_or_claim`](Self::get_or_claim), [`try_claim`](Self::try_claim) |
    ///
    /// # Panics
    ///
    /// Panics if `init` or its future panics. The cell is then empty again, every waiter that can initialize is woken, and
    /// one of them retries. Panics if waking a waiter panics, after all waiters have been woken, or if cloning or dropping the
    /// task's own waker panics. Panics if an initializer awaits its own cell, where that is [detected](Self#deadlocks).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped while it waits, its waiter is removed, and no other task is affected. If the future is dropped
    /// while it runs the initializer, the initializer is dropped and the cell is empty again. Every waiter that can initialize
    /// is woken, and one of them starts over.
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
    #[cfg_attr(any(doc, doctest), doc = "")]
    #[cfg_attr(all(any(doc, doctest), feature = "std"), doc = include_str!("guide/links/std.md"))]
    #[cfg_attr(all(any(doc, doctest), feature = "blocking"), doc = include_str!("guide/links/blocking.md"))]
    #[cfg_attr(any(doc, doctest), doc = include_str!("guide/links/absent.md"))]
    #[inline]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_init<F, Fut>(&self, init: F) -> GetOrInit<'_, T, F, Fut, B>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        GetOrInit {
            stage: Stage::new(&self.raw, InitCall::new(init)),
        }
    }

    /// Returns the value, initializing the cell with the future of `init`, which can fail, if the cell is empty.
    ///
    /// Apart from errors, this method behaves as [`get_or_init`](Self::get_or_init) does. The guide has recipes for
    /// [retries, timeouts and shared errors](crate::guide::failures).
    ///
    /// # Panics
    ///
    /// Panics as [`get_or_init`](Self::get_or_init) does.
    ///
    /// # Errors
    ///
    /// Returns the error of `init`'s future if this call ran it and it failed. The cell is then empty again, every waiter that
    /// can initialize is woken, and the first one to be polled runs its own initializer. Errors of other callers' initializers
    /// are not returned.
    ///
    /// # Cancel safety
    ///
    /// The cancel safety of [`get_or_init`](Self::get_or_init) applies.
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
        GetOrTryInit {
            stage: Stage::new(&self.raw, InitCall::new(init)),
        }
    }

    /// Returns the value, or makes or waits for one attempt to initialize the cell if there is none.
    ///
    /// If the cell is empty, the first poll calls `init` and polls its future. If another initializer is running, this call
    /// waits for it, and completes when that initializer ends, with or without a value. In that case it never runs its own
    /// `init` and never waits for a second attempt. If the cell holds a value, the first poll returns it, registers no waiter,
    /// and drops `init` without calling it.
    ///
    /// This method is for an initializer that takes long to fail, such as a connection with a timeout. When N callers of
    /// [`get_or_try_init`](Self::get_or_try_init) wait and the initializer fails, they make N attempts, one after the other,
    /// and the last caller waits for all of them. N callers of this method make one attempt.
    ///
    /// Callers of both methods can share a cell. The attempts of `get_or_init`, [`insert`](Self::insert) and an
    /// [`InitGuard`] count as attempts too.
    ///
    /// # Panics
    ///
    /// Panics as [`get_or_init`](Self::get_or_init) does. A panic of another caller's initializer is not propagated: this call
    /// returns `OtherFailed`.
    ///
    /// # Errors
    ///
    /// - [`SharedInitError::Failed`](crate::SharedInitError::Failed) with the error of `init`'s future, if this call ran it
    ///   and it failed.
    /// - [`SharedInitError::OtherFailed`](crate::SharedInitError::OtherFailed), if this call waited for another initializer
    ///   that ended without a value: by an error, a panic, or because its future was dropped.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped while it waits, its waiter is removed, and no other task is affected. If the future is dropped
    /// while it runs the initializer, the initializer is dropped and the cell is empty again. Waiting callers of this method
    /// then return `OtherFailed`, and waiting callers of `get_or_try_init` retry.
    ///
    /// # Examples
    ///
    /// Requests that arrive while the database is down are answered after one attempt:
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
    /// assert_eq!(futures_lite::future::block_on(respond()), 503);
    /// ```
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn get_or_try_init_shared<E, F, Fut>(&self, init: F) -> GetOrTryInitShared<'_, T, F, Fut, B>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetOrTryInitShared {
            stage: Stage::new(&self.raw, InitCall::new(init)),
            is_registered: false,
        }
    }

    /// Returns a mutable reference to the value, initializing the cell with the future of `init` if the cell is empty.
    ///
    /// The cell is borrowed mutably, so this never waits for another initializer and needs no synchronization.
    ///
    /// # Panics
    ///
    /// Panics if `init` or its future panics. The cell stays empty and usable.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it has completed, the initializer is dropped and the cell stays empty.
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
        let raw = &mut self.raw;
        GetMutOrInit {
            stage: ExclusiveStage::Unstarted { raw, init },
        }
    }

    /// Returns a mutable reference to the value, initializing the cell with the future of `init`, which can fail, if the cell
    /// is empty.
    ///
    /// # Panics
    ///
    /// Panics as [`get_mut_or_init`](Self::get_mut_or_init) does.
    ///
    /// # Errors
    ///
    /// Returns the error of `init`'s future. The cell stays empty and usable.
    ///
    /// # Cancel safety
    ///
    /// The cancel safety of [`get_mut_or_init`](Self::get_mut_or_init) applies.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let mut cell = oncelot::OnceCell::new();
    /// assert_eq!(cell.get_mut_or_try_init(async || Err("no route")).await, Err("no route"));
    /// *cell.get_mut_or_try_init(async || Ok::<_, &str>(1)).await.unwrap() += 1;
    /// assert_eq!(cell.get(), Some(&2));
    /// # });
    /// ```
    pub fn get_mut_or_try_init<E, F, Fut>(&mut self, init: F) -> GetMutOrTryInit<'_, T, F, Fut, B>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let raw = &mut self.raw;
        GetMutOrTryInit {
            stage: ExclusiveStage::Unstarted { raw, init },
        }
    }
}

/// Initialization without a closure.
impl<T, B: Backend> OnceCell<T, B> {
    /// Claims the cell, and returns a guard that initializes it. Never waits.
    ///
    /// # Errors
    ///
    /// Returns the state of the cell if it is not [`State::Uninit`]: [`State::Initializing`] if another initializer is
    /// running or another guard exists, or [`State::Ready`] if the cell holds a value.
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

    /// Returns the value, or claims the cell if it is empty, after waiting for a running initializer to end.
    ///
    /// If the cell is empty, the first poll claims it. If the cell holds a value, the first poll returns it and registers no
    /// waiter.
    ///
    /// # Panics
    ///
    /// Panics if cloning or dropping the task's own waker panics. Panics if the initializer of this cell awaits it, where that
    /// is [detected](Self#deadlocks).
    ///
    /// # Errors
    ///
    /// Returns a guard that initializes the cell if the cell is empty. See [`InitGuard`] for what its holder must not do.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it has completed, its waiter is removed, and no other task is affected. If the guard is
    /// dropped, the cell is empty again, and every waiter that can initialize is woken.
    ///
    /// # Examples
    ///
    /// A custom retry policy, during which no other task initializes the cell:
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
    ///
    /// let cell = OnceCell::new();
    /// assert!(futures_lite::future::block_on(pool(&cell, &["a", "b"])).is_some());
    /// ```
    pub fn get_or_claim(&self) -> GetOrClaim<'_, T, B> {
        GetOrClaim {
            stage: Stage::new(&self.raw, ()),
        }
    }
}

/// Waiting.
impl<T, B: Backend> OnceCell<T, B> {
    /// Waits until the cell holds a value, and returns it. Never initializes the cell.
    ///
    /// Such waiters are not woken when an initializer fails, and add no cost to failures.
    ///
    /// # Panics
    ///
    /// Panics if cloning or dropping the task's own waker panics. Panics if the initializer of this cell awaits it, where
    /// that is [detected](Self#deadlocks).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, its waiter is removed, and no other task is affected.
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
        Wait {
            waiting: Some(WaitFuture::new(&self.raw, WaiterKind::Passive)),
        }
    }

    /// Waits until the running initializer ends, and returns the value, or `None` if the initializer ended without one. Never
    /// initializes the cell.
    ///
    /// The first poll returns the value if the cell holds one, and `None` if no initializer is running. Otherwise, the call
    /// waits for the attempt that is in progress, and for no other: if that attempt fails and a newer one begins before the
    /// task is polled, the call returns `None`.
    ///
    /// Such a waiter is woken when the initializer fails, like a waiter that can initialize the cell.
    ///
    /// # Panics
    ///
    /// Panics as [`wait`](Self::wait) does.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, its waiter is removed, and no other task is affected.
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
        WaitAttempt {
            waiting: Some(WaitFuture::new(&self.raw, WaiterKind::Claimant)),
            is_registered: false,
        }
    }
}

/// Exclusive access.
impl<T, B: Backend> OnceCell<T, B> {
    /// Takes the value out of the cell, leaving it empty. Returns `None` if the cell has no value.
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

    /// Consumes the cell and returns the value, or `None` if the cell is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::OnceCell;
    ///
    /// assert_eq!(OnceCell::from(1).into_inner(), Some(1));
    /// assert_eq!(OnceCell::<u32>::new().into_inner(), None);
    /// ```
    pub fn into_inner(mut self) -> Option<T> {
        self.raw.take()
    }
}

impl<T, B: Backend> Default for OnceCell<T, B> {
    fn default() -> Self {
        Self::with_backend()
    }
}

/// Implemented for the default backend only, so that `B` can be inferred in `OnceCell::from(value)`. For other backends, use
/// [`OnceCell::with_backend_and_value`].
impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self::const_new_with(value)
    }
}

/// Clones the value, if any. If an initializer is running, the clone is empty.
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
