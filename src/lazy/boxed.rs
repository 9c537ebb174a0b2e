//! [`BoxLazy`] and [`LocalBoxLazy`], whose futures are boxed and have wakers of their own.

use core::{
    fmt,
    future::IntoFuture,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use alloc::boxed::Box;

use pin_project_lite::pin_project;

use crate::{
    backend::{Backend, Intrusive},
    lazy::computation::Computation,
    raw::phases::{self, Phase, SelfWaking, SelfWakingStage, WakerHandle},
    raw::stage::Stage,
    raw::wait::HasRawCell,
    raw::{Attempt, RawCell},
    sync::Arc,
};

/// A boxed future and its value, with the part that the future's waker shares.
///
/// The waker can outlive the rest, and any thread can use it. So it shares neither the future nor the value.
pub(crate) struct Boxed<T, D: ?Sized, B: Backend> {
    computation: Computation<T, Pin<Box<D>>>,
    shared: Arc<Shared<B>>,
}

/// The part that the wakers of a future share with each other and with the [`Boxed`] that contains the future.
struct Shared<B: Backend> {
    raw: RawCell<(), B>,
    phase: Phase,
}

// SAFETY: through a shared `Boxed`, threads share the value (`T: Sync`) and the backend. One thread may store a value that
// another thread, which has the `Boxed` exclusively later, takes out or drops (`T: Send`). Any of them may poll and drop the
// future (`D: Send`). The last of them, or a thread that has a waker, drops the backend (`B: Send`).
unsafe impl<T: Send + Sync, D: ?Sized + Send, B: Backend + Send + Sync> Sync for Boxed<T, D, B> {}

impl<T, D: ?Sized, B: Backend> Boxed<T, D, B> {
    fn new(raw: RawCell<(), B>, computation: Computation<T, Pin<Box<D>>>) -> Self {
        let phase = Phase::new();
        Self {
            computation,
            shared: Arc::new(Shared { raw, phase }),
        }
    }

    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    fn unfinished(future: Pin<Box<D>>) -> Self {
        Self::new(RawCell::empty(), Computation::new(future))
    }

    fn finished(value: T) -> Self {
        Self::new(RawCell::filled(()), Computation::with_value(value))
    }

    fn debug(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result
    where
        T: fmt::Debug,
    {
        let value = self.get().map(|value| value as &dyn fmt::Debug);
        self.raw().debug(f, name, value)
    }
}

impl<T, D: ?Sized, B: Backend> HasRawCell for Boxed<T, D, B> {
    type Value = ();
    type Backend = B;
    type Output = T;

    #[inline(always)]
    fn raw(&self) -> &RawCell<(), B> {
        &self.shared.raw
    }

    #[inline(always)]
    unsafe fn get_unchecked(&self) -> &T {
        // SAFETY: as the caller guarantees.
        unsafe { self.computation.get_unchecked() }
    }
}

impl<'a, T, D, B> SelfWaking<'a> for Boxed<T, D, B>
where
    D: ?Sized + Future<Output = T>,
    B: Backend + Send + Sync + 'static,
{
    fn phase(&self) -> &Phase {
        &self.shared.phase
    }

    fn waker(&'a self) -> Waker {
        phases::waker(self.shared.clone())
    }

    unsafe fn poll_future(
        &'a self,
        attempt: &mut Attempt<&'a RawCell<(), B>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        // SAFETY: a box is `Unpin`. The caller guarantees that the attempt has the claim.
        unsafe { self.computation.poll(attempt, cx) }
    }
}

// SAFETY: an `Arc` and its clones share one phase and one backend, which last as long as one of them, and `into_raw` and
// `from_raw` are the `Arc`'s. Threads may share the backend (`B: Sync`), and any of them may drop it (`B: Send`).
unsafe impl<B: Backend + Send + Sync + 'static> WakerHandle for Arc<Shared<B>> {
    type Backend = B;

    fn phase(&self) -> &Phase {
        &self.phase
    }

    fn backend(&self) -> &B {
        self.raw.backend()
    }

    fn into_raw(self) -> *const () {
        Self::into_raw(self).cast()
    }

    unsafe fn from_raw(data: *const ()) -> Self {
        // SAFETY: as the caller guarantees, `data` comes from `into_raw`.
        unsafe { Self::from_raw(data.cast()) }
    }
}

pin_project! {
    /// The future of [`BoxLazy::get`] and [`LocalBoxLazy::get`].
    ///
    /// `D` is the future in the box: `dyn Future<Output = T> + Send + 'f` or `dyn Future<Output = T> + 'f`.
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed or panicked.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct GetBoxLazy<'a, T, D: ?Sized, B: Backend = Intrusive> {
        #[pin]
        stage: SelfWakingStage<'a, Boxed<T, D, B>>,
    }
}

impl<'a, T, D: ?Sized, B: Backend> GetBoxLazy<'a, T, D, B> {
    #[inline]
    pub(crate) fn new(lazy: &'a Boxed<T, D, B>) -> Self {
        Self {
            stage: Stage::new(lazy, ()),
        }
    }
}

impl<'a, T, D, B> Future for GetBoxLazy<'a, T, D, B>
where
    D: ?Sized + Future<Output = T>,
    B: Backend + Send + Sync + 'static,
{
    type Output = &'a T;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        phases::poll(self.project().stage, cx)
    }
}

impl<T, D: ?Sized, B: Backend> fmt::Debug for GetBoxLazy<'_, T, D, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetBoxLazy").finish_non_exhaustive()
    }
}

/// Declares a lazy whose future is a box of `dyn Future<Output = T> + 'a`, and also `Send` if that is given.
macro_rules! box_lazy {
    ($(#[$attribute:meta])* $name:ident, $constructor:ident $(, $send:ident)?) => {
        $(#[$attribute])*
        pub struct $name<'a, T, B: Backend = Intrusive> {
            inner: Boxed<T, dyn Future<Output = T> $(+ $send)? + 'a, B>,
        }

        /// Constructors with the default backend.
        impl<'a, T> $name<'a, T> {
            /// Creates a lazy whose value `future` computes on first access. Boxes the future.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::", stringify!($name), ";")]
            ///
            #[doc = concat!("let lazy = ", stringify!($name), "::", stringify!($constructor), "(async { 1 });")]
            /// assert_eq!(futures_lite::future::block_on(lazy.get()), &1);
            /// ```
            #[must_use]
            #[cfg_attr(feature = "deadlock-detection", track_caller)]
            pub fn $constructor(future: impl Future<Output = T> $(+ $send)? + 'a) -> Self {
                Self::new(Box::pin(future))
            }

            /// Creates a lazy whose value a boxed future computes on first access.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::", stringify!($name), ";")]
            ///
            #[doc = concat!("let lazy = ", stringify!($name), "::new(Box::pin(async { 1 }));")]
            /// assert_eq!(futures_lite::future::block_on(lazy.get()), &1);
            /// ```
            #[must_use]
            #[cfg_attr(feature = "deadlock-detection", track_caller)]
            pub fn new(future: Pin<Box<dyn Future<Output = T> $(+ $send)? + 'a>>) -> Self {
                Self::with_backend(future)
            }

            /// Creates a lazy that already has its value.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::", stringify!($name), ";")]
            ///
            #[doc = concat!("let lazy = ", stringify!($name), "::with_value(1);")]
            /// assert_eq!(lazy.try_get(), Some(&1));
            /// ```
            #[must_use]
            pub fn with_value(value: T) -> Self {
                Self::with_backend_and_value(value)
            }
        }

        /// Constructors with any backend. A thread that wakes the future changes the backend, so the backend must be `Send`,
        /// `Sync` and `'static`.
        impl<'a, T, B: Backend + Send + Sync + 'static> $name<'a, T, B> {
            /// Creates a lazy whose value a boxed future computes on first access, with the backend `B`.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::{Intrusive, ", stringify!($name), "};")]
            ///
            #[doc = concat!("let lazy = ", stringify!($name), "::<u32, Intrusive>::with_backend(Box::pin(async { 1 }));")]
            /// assert_eq!(futures_lite::future::block_on(lazy.get()), &1);
            /// ```
            #[must_use]
            #[cfg_attr(feature = "deadlock-detection", track_caller)]
            pub fn with_backend(future: Pin<Box<dyn Future<Output = T> $(+ $send)? + 'a>>) -> Self {
                Self {
                    inner: Boxed::unfinished(future),
                }
            }

            /// Creates a lazy that already has its value, with the backend `B`.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::{Intrusive, ", stringify!($name), "};")]
            ///
            #[doc = concat!("let lazy = ", stringify!($name), "::<u32, Intrusive>::with_backend_and_value(1);")]
            /// assert_eq!(lazy.try_get(), Some(&1));
            /// ```
            #[must_use]
            pub fn with_backend_and_value(value: T) -> Self {
                Self {
                    inner: Boxed::finished(value),
                }
            }
        }

        impl<'a, T, B: Backend> $name<'a, T, B> {
            /// Returns the value, or `None` if it is not computed yet. Never waits and never polls the future.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::", stringify!($name), ";")]
            ///
            #[doc = concat!("let lazy = ", stringify!($name), "::", stringify!($constructor), "(async { 1 });")]
            /// assert_eq!(lazy.try_get(), None);
            /// futures_lite::future::block_on(lazy.get());
            /// assert_eq!(lazy.try_get(), Some(&1));
            /// ```
            #[inline]
            pub fn try_get(&self) -> Option<&T> {
                self.inner.get()
            }

            /// Returns a mutable reference to the value, or `None` if it is not computed yet.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::", stringify!($name), ";")]
            ///
            #[doc = concat!("let mut lazy = ", stringify!($name), "::", stringify!($constructor), "(async { 1 });")]
            /// futures_lite::future::block_on(lazy.get());
            /// *lazy.try_get_mut().unwrap() += 1;
            /// assert_eq!(lazy.try_get(), Some(&2));
            /// ```
            pub fn try_get_mut(&mut self) -> Option<&mut T> {
                self.inner.computation.value_mut()
            }

            /// Returns the value, or drops the unfinished future and returns `None`.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::", stringify!($name), ";")]
            ///
            #[doc = concat!("let lazy = ", stringify!($name), "::", stringify!($constructor), "(async { 1 });")]
            /// futures_lite::future::block_on(lazy.get());
            /// assert_eq!(lazy.into_inner(), Some(1));
            /// ```
            pub fn into_inner(mut self) -> Option<T> {
                self.inner.computation.take_value()
            }

            /// Returns the value, or the unfinished future in its box if there is no value yet.
            ///
            /// # Panics
            ///
            /// Panics if the future has panicked.
            ///
            /// # Errors
            ///
            /// Returns the future if it has not finished.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::", stringify!($name), ";")]
            ///
            #[doc = concat!("let lazy = ", stringify!($name), "::", stringify!($constructor), "(async { 1 });")]
            /// let Err(future) = lazy.into_parts() else { panic!("the future has not been polled") };
            /// assert_eq!(futures_lite::future::block_on(future), 1);
            /// ```
            pub fn into_parts(mut self) -> Result<T, Pin<Box<dyn Future<Output = T> $(+ $send)? + 'a>>> {
                self.inner.computation.take_parts()
            }
        }

        impl<'a, T, B: Backend + Send + Sync + 'static> $name<'a, T, B> {
            /// Waits for the value, polling the future if no other task is doing so.
            ///
            /// # Panics
            ///
            /// Panics if the future panics, or has panicked before, which has poisoned the lazy. Panics if waking a waiter
            /// panics, after all waiters have been woken, or if cloning or dropping the task's own waker panics. Panics if the
            /// future awaits its own lazy, where that is [detected](crate::OnceCell#deadlocks).
            ///
            /// # Cancel safety
            ///
            /// If the returned future is dropped, no work is lost: the other waiters continue the computation.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::", stringify!($name), ";")]
            ///
            /// # futures_lite::future::block_on(async {
            #[doc = concat!("let lazy = ", stringify!($name), "::", stringify!($constructor), "(async { 1 });")]
            /// assert_eq!(lazy.get().await, &1);
            /// # });
            /// ```
            #[inline]
            pub fn get(&self) -> GetBoxLazy<'_, T, dyn Future<Output = T> $(+ $send)? + 'a, B> {
                GetBoxLazy::new(&self.inner)
            }

            /// Waits for the value as [`get`](Self::get) does. This is the name of the method of [`Lazy`](crate::Lazy).
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::", stringify!($name), ";")]
            ///
            /// # futures_lite::future::block_on(async {
            #[doc = concat!("let lazy = ", stringify!($name), "::", stringify!($constructor), "(async { 1 });")]
            /// assert_eq!(lazy.get_unpin().await, &1);
            /// # });
            /// ```
            #[inline]
            pub fn get_unpin(&self) -> GetBoxLazy<'_, T, dyn Future<Output = T> $(+ $send)? + 'a, B> {
                self.get()
            }

            /// Blocks until the value is computed, and returns it. Polls the future on this thread if no other task or thread
            /// does (feature `blocking`).
            ///
            /// The first poll is made in any context. If the future is pending after that poll, the call has to wait.
            ///
            /// # Panics
            ///
            /// Panics as [`get`](Self::get) does. Panics as [`OnceCell::wait_blocking`](crate::OnceCell::wait_blocking) does if
            /// the call has to wait. If the future needs the context of a runtime, as a timer of tokio does, it panics on a
            /// thread without that context, and the lazy is poisoned.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use oncelot::", stringify!($name), ";")]
            ///
            #[doc = concat!("let lazy = ", stringify!($name), "::", stringify!($constructor), "(async { 1 });")]
            /// assert_eq!(lazy.get_blocking(), &1);
            /// ```
            #[cfg(feature = "blocking")]
            pub fn get_blocking(&self) -> &T {
                self.inner.get_blocking()
            }
        }

        /// Shows the value. If there is none, shows `<initializing>` while the future is polled or pending, and `<uninit>`
        /// otherwise: before the first poll, from a wake of the future to its next poll, and if the lazy is poisoned.
        impl<T: fmt::Debug, B: Backend> fmt::Debug for $name<'_, T, B> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.inner.debug(f, stringify!($name))
            }
        }

        impl<'l, 'a, T, B: Backend + Send + Sync + 'static> IntoFuture for &'l $name<'a, T, B> {
            type Output = &'l T;
            type IntoFuture = GetBoxLazy<'l, T, dyn Future<Output = T> $(+ $send)? + 'a, B>;

            fn into_future(self) -> Self::IntoFuture {
                self.get()
            }
        }
    };
}

box_lazy! {
    /// A lazy value with a boxed future: its type can be named, and it need not be pinned.
    ///
    /// A struct field can have this type, whatever the future is. The field is awaited as `(&self.field).await`.
    ///
    /// No waiter depends on another waiter. Any waiter can poll the future, with a waker that belongs to the lazy. That waker
    /// wakes every waiter, and the first one to be polled continues the computation. A task that has asked for the value, and
    /// is kept without being polled, blocks no other task. A [`Lazy`](crate::Lazy), which does not allocate, does not guarantee
    /// that.
    ///
    /// The future is dropped as soon as it returns the value, or with the lazy. It may borrow. The future's waker can outlive
    /// the lazy, for example in a reactor; waking it then has no effect.
    ///
    /// # Poisoning
    ///
    /// If the future panics, the lazy is poisoned and every later call that asks for the value panics, because the future
    /// cannot be restarted. The future is dropped immediately. With the feature `std`, a panic of its destructor is discarded.
    ///
    /// # Deadlocks
    ///
    /// The future must not await its own lazy. Debug builds with the feature `std`, and any build with the feature
    /// `deadlock-detection`, panic if it does; in other builds the lazy never completes.
    ///
    /// # Interrupts and contexts
    ///
    /// Waking the future's waker changes the lazy. If an interrupt handler wakes it, the feature `critical-section` is needed,
    /// as for changing any cell in a handler: without it the handler may spin for the lock of the code that it interrupts. If
    /// the wakers outlive the lazy, the thread or the handler that drops the last one frees their memory.
    ///
    /// The future is polled by the first task or thread that asks for the value. If the future needs the context of a runtime,
    /// access the lazy only inside that runtime: elsewhere the future panics and the lazy is poisoned.
    ///
    /// # Backends
    ///
    /// Any thread can wake the future, so the backend must be `Send`, `Sync` and `'static`. The backend
    /// [`Local`](crate::backend::Local) is not.
    ///
    /// # Platforms
    ///
    /// This type needs the feature `alloc`, and a target whose `alloc` has an `Arc`: one with compare-and-swap for pointers
    /// (`cfg(target_has_atomic = "ptr")`). On other targets, box the future of a [`Lazy`](crate::Lazy), whose driver must be
    /// polled or dropped, or declare a [`lazy!`](crate::lazy!) static.
    ///
    /// # Unwind safety
    ///
    /// It is neither `UnwindSafe` nor `RefUnwindSafe`, because the box can contain any future. The same holds for std's
    /// `LazyLock<T, Box<dyn FnOnce() -> T>>`. If code that catches a panic of the future cannot observe a broken invariant,
    /// wrap the reference in [`AssertUnwindSafe`](core::panic::AssertUnwindSafe):
    ///
    /// ```
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    ///
    /// use futures_lite::future::block_on;
    /// use oncelot::BoxLazy;
    ///
    /// let lazy = BoxLazy::boxed(async { 1 });
    /// let get = AssertUnwindSafe(|| block_on(lazy.get()));
    /// assert_eq!(catch_unwind(get).unwrap(), &1);
    /// ```
    ///
    /// # Costs
    ///
    /// Each wake of the future wakes every waiter. Access to the value costs two loads, the second of which is `Acquire`.
    ///
    /// A `BoxLazy` is one word larger than the larger of a `Box<dyn ..>` and the value, plus a discriminant of one word if
    /// neither type has a niche. It allocates twice: the box, which is freed when the future returns the value, and four
    /// words that the wakers share. Waiters allocate nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::BoxLazy;
    ///
    /// struct Client {
    ///     token: BoxLazy<'static, String>,
    /// }
    ///
    /// impl Client {
    ///     fn new(user: String) -> Self {
    ///         Self { token: BoxLazy::boxed(async move { log_in(&user).await }) }
    ///     }
    ///
    ///     async fn token(&self) -> &str {
    ///         (&self.token).await
    ///     }
    /// }
    ///
    /// async fn log_in(user: &str) -> String {
    ///     format!("token of {user}")
    /// }
    ///
    /// # futures_lite::future::block_on(async {
    /// assert_eq!(Client::new("me".to_owned()).token().await, "token of me");
    /// # });
    /// ```
    BoxLazy, boxed, Send
}

box_lazy! {
    /// A [`BoxLazy`] whose future need not be `Send`. It is not `Send` either, but the waker of its future is.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// use oncelot::LocalBoxLazy;
    ///
    /// let shared = Rc::new(7);
    /// let lazy = LocalBoxLazy::boxed_local(async { *shared });
    /// # futures_lite::future::block_on(async {
    /// assert_eq!(*lazy.get().await, 7);
    /// # });
    /// ```
    LocalBoxLazy, boxed_local
}
