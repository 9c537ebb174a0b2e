//! [`lazy!`](crate::lazy!) statics: the future is in a static of its own, and has a waker that belongs to the static.
//! [`phases`] describes the phases of the future.

use core::{
    fmt,
    future::IntoFuture,
    mem,
    panic::{RefUnwindSafe, UnwindSafe},
    pin::Pin,
    ptr,
    task::{Context, Poll, Waker},
};

use pin_project_lite::pin_project;

use crate::{
    backend::Intrusive,
    deadlock::{Origin, Runner},
    raw::phases::{self, Phase, SelfWaking, SelfWakingStage, WakerHandle},
    raw::stage::Stage,
    raw::wait::HasRawCell,
    raw::{Attempt, RawCell},
    sync::UnsafeCell,
    trace::InitSpan,
};

pub use self::storage::{
    Align, Alignment, FutureStorage, InStatic, StaticFuture, align_of_future, size_of_future,
};

mod storage;

/// Declares statics whose values are computed by futures on first access.
///
/// ```
/// # #[derive(Debug)] pub struct Config;
/// # async fn load() -> Config { Config }
/// oncelot::lazy! {
///     /// The contents of the configuration file.
///     pub static CONFIG: Config = load();
///     static PORT: Result<u16, std::num::ParseIntError> = async {
///         let port = "8080".parse()?;
///         Ok(port)
///     };
/// }
///
/// # futures_lite::future::block_on(async {
/// let config: &'static Config = CONFIG.get().await;
/// assert_eq!(*PORT.get().await, Ok(8080));
/// // A reference to a static is awaited, too.
/// assert_eq!(*(&PORT).await, Ok(8080));
/// # });
/// ```
///
/// Each static is a [`StaticLazy`]. The future is stored in a second static of exactly its size, and nothing is allocated.
/// Attributes, doc comments and visibility apply to the static. An attribute such as `#[cfg]` or `#[allow]` also applies to its
/// expression. An invocation may declare several statics: a hundred are within the compiler's default recursion limit.
///
/// # Expressions
///
/// The macro expands each expression once, outside of any `unsafe` block. The expression is evaluated on the first poll of
/// [`StaticLazy::get`], and never again.
///
/// - **An `async` block** is compiled as the body of an `async fn` that returns the type of the static. The compiler
///   infers types from that type, and coerces the value to it. So `async { None }`,
///   `async { Mutex::new(HashMap::new()) }`, and `async { Box::new(|| 1) }` for a `Box<dyn Fn() -> u32 + Send + Sync>`
///   compile, and `?` converts an error to the error type of the static. `move` makes no difference.
/// - **Any other expression** is evaluated to a future, or to another value that implements [`IntoFuture`], whose output is
///   the type of the static. That may be a call of an `async fn`, as in `load()`. The output is not coerced: if `load`
///   returns another type that coerces to the type of the static, write `async { load().await }`.
///
/// As in every static, the type may leave out `'static`: `static NAME: &str = async { "name" };` compiles.
///
/// # Bounds
///
/// Any thread may poll the future, drop it, and use the value.
///
/// - The future must be `Send`. If the compiler reports "future cannot be sent between threads safely", it also points at
///   the value that is not `Send`: drop that value before the next `.await`. A [`Lazy`](crate::Lazy) that is not in a
///   static does not have this bound.
/// - The value must be `Send` and `Sync`, as in every static.
/// - The future must be `'static`. The expression cannot use local variables of a function around the static, and a call
///   such as `count(&String::new())` cannot return a future that borrows a temporary value. In an `async` block it can:
///   `async { count(&String::new()).await }`.
///
/// The macro needs no prelude and no `std`. It works in every edition; `.await` in an expression needs edition 2018 or
/// later.
#[macro_export]
macro_rules! lazy {
    () => {};
    (
        $(#[$attribute:meta])* $visibility:vis static $name:ident: $value:ty = async $(move)? $body:block;
        $($others:tt)*
    ) => {
        $crate::__lazy_static! {
            $(#[$attribute])* $visibility $name: $value,
            async fn __oncelot_lazy_init() -> <fn(&()) -> $value as $crate::__private::InStatic>::Type {
                $body
            }
        }
        $crate::lazy! { $($others)* }
    };
    (
        $(#[$attribute:meta])* $visibility:vis static $name:ident: $value:ty = $future:expr;
        $($others:tt)*
    ) => {
        $crate::__lazy_static! {
            $(#[$attribute])* $visibility $name: $value,
            fn __oncelot_lazy_init() -> impl $crate::__private::Future<
                Output = <fn(&()) -> $value as $crate::__private::InStatic>::Type,
            > {
                // A function of its own: if the type of its last expression is wrong, the compiler points at that expression.
                fn __oncelot_lazy_future()
                -> impl $crate::__private::StaticFuture<<fn(&()) -> $value as $crate::__private::InStatic>::Type> {
                    $future
                }
                $crate::__private::IntoFuture::into_future(__oncelot_lazy_future())
            }
        }
        $crate::lazy! { $($others)* }
    };
}

/// Declares one static of [`lazy!`](crate::lazy!); `$init` is a function that returns its future.
///
/// The type of the future has no name, and is needed three times: for the size and the alignment of the storage, and for
/// the static. A closure in each of these places would copy the user's expression, so the macro expands to a function.
/// Items are not hygienic: the user's expression can name them, so their names have a prefix.
#[doc(hidden)]
#[macro_export]
macro_rules! __lazy_static {
    ($(#[$attribute:meta])* $visibility:vis $name:ident: $value:ty, $init:item) => {
        $(#[$attribute])*
        $visibility static $name: $crate::StaticLazy<$value> = {
            $init
            static __ONCELOT_STORAGE: $crate::__private::FutureStorage<
                { $crate::__private::size_of_future(__oncelot_lazy_init) },
                { $crate::__private::align_of_future(__oncelot_lazy_init) },
            > = $crate::__private::FutureStorage::new();
            // SAFETY: no other code uses the storage.
            unsafe { $crate::StaticLazy::__new(&__ONCELOT_STORAGE, __oncelot_lazy_init) }
        };
    };
}

/// A static whose value a future computes on first access. [`lazy!`](crate::lazy!) declares it.
///
/// No waiter depends on another waiter. Any waiter can poll the future, with a waker that belongs to the static. That waker
/// wakes every waiter, and the first one to be polled continues the computation. A task that has asked for the value, and is
/// kept without being polled, blocks no other task.
///
/// # Poisoning
///
/// If the future panics, the static is poisoned, and every later call that asks for the value panics. The remains of the
/// future are leaked, as the contents of every static are.
///
/// # Deadlocks
///
/// The future must not await its own static. Debug builds with the feature `std`, and any build with the feature
/// `deadlock-detection`, panic if it does; in other builds the static never completes. Two statics whose futures await each
/// other never complete in any build.
///
/// # Interrupts and contexts
///
/// Waking the future's waker changes the static. If an interrupt handler wakes it, the feature `critical-section` is
/// needed, as for changing any cell in a handler: without it the handler may spin for the lock of the code that it
/// interrupts. Without the feature `std`, a thread of another priority on the same core may spin in this way, too. With `std`,
/// such a thread sleeps until the lock is released.
///
/// The future is polled by the first task or thread that asks for the value. If the future needs the context of a runtime,
/// access the static only inside that runtime: elsewhere the future panics and the static is poisoned.
///
/// The guide describes [futures that need their executor's waker][wakers] and [statics in tests][tests].
///
/// [wakers]: crate::guide::firmware#executors-with-wakers-of-their-own
/// [tests]: crate::guide::runtimes#one-runtime-for-each-test
///
/// # Costs
///
/// Each wake of the future wakes every waiter. Access to a ready static costs one `Acquire` load. Nothing allocates.
///
/// The static holds the value and seven words. The future is stored in a separate zero-initialized static (`.bss`), which does
/// not enlarge the binary. Like a future that is boxed or spawned, it is created on the stack of the thread that polls it first,
/// and then moved to its storage.
pub struct StaticLazy<T> {
    raw: RawCell<T, Intrusive>,
    phase: Phase,
    /// Accessed by the holder of the claim only, as the future is.
    computation: UnsafeCell<FutureSlot>,
    future: ErasedFuture<T>,
}

struct FutureSlot {
    state: FutureState,
    /// The span of the attempt that the first poll begins.
    span: InitSpan,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FutureState {
    /// There is no future yet.
    Unstarted,
    /// The future is in its storage.
    Running,
    /// The future was dropped. The value is published, or about to be.
    Finished,
    /// The future has panicked. Its remains stay in the storage.
    Poisoned,
}

/// A future of an unnamed type, as function pointers.
struct ErasedFuture<T> {
    place: *mut u8,
    /// A `fn() -> Fut`.
    init: fn(),
    /// Moves the future that `init` returns into its storage.
    start: unsafe fn(fn(), *mut u8),
    poll: unsafe fn(*mut u8, &mut Context<'_>) -> Poll<T>,
    drop: unsafe fn(*mut u8),
}

impl<T> ErasedFuture<T> {
    const fn new<Fut: Future<Output = T>>(place: *mut u8, init: fn() -> Fut) -> Self {
        Self {
            place,
            // SAFETY: `start` casts the function pointer back to its type before it calls it.
            init: unsafe { mem::transmute::<fn() -> Fut, fn()>(init) },
            start: |init, place| {
                // SAFETY: `init` was made from a function pointer of this type, above.
                let init = unsafe { mem::transmute::<fn(), fn() -> Fut>(init) };
                // SAFETY: the caller passes a place that is large and aligned enough.
                unsafe { place.cast::<Fut>().write(init()) };
            },
            poll: |place, cx| {
                // SAFETY: `start` has put the future there, and the caller has exclusive access to it.
                let future = unsafe { &mut *place.cast::<Fut>() };
                // SAFETY: the future stays in its place until it is dropped there.
                unsafe { Pin::new_unchecked(future) }.poll(cx)
            },
            // SAFETY: `start` has put the future there, and the caller has exclusive access to it.
            drop: |place| unsafe { place.cast::<Fut>().drop_in_place() },
        }
    }
}

// SAFETY: the bounds are those of `RawCell`. The threads that hold the claim, one after the other, poll and drop the future,
// which `__new` requires to be `Send`. The address of the place is used by the holder of the claim only.
unsafe impl<T: Send + Sync> Sync for StaticLazy<T> {}

// As std's `LazyLock` with a `fn() -> T`. The future has captured nothing when a function without captures makes it. All that
// it shares with others is in statics, which need not be `RefUnwindSafe` for code that catches panics. The future itself is
// never seen again: the static is poisoned.
impl<T: UnwindSafe> UnwindSafe for StaticLazy<T> {}
impl<T: UnwindSafe + RefUnwindSafe> RefUnwindSafe for StaticLazy<T> {}

impl<T> StaticLazy<T> {
    /// Creates a static for [`lazy!`](crate::lazy!).
    ///
    /// # Safety
    ///
    /// No other code uses the storage while the static exists.
    #[doc(hidden)]
    #[must_use]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub const unsafe fn __new<Fut, const SIZE: usize, const ALIGN: usize>(
        place: &'static FutureStorage<SIZE, ALIGN>,
        init: fn() -> Fut,
    ) -> Self
    where
        Fut: Future<Output = T> + Send + 'static,
        Align<ALIGN>: Alignment,
    {
        assert!(
            size_of::<Fut>() <= SIZE && align_of::<Fut>() <= ALIGN,
            "use `oncelot::lazy!`"
        );
        Self {
            raw: RawCell::empty(),
            phase: Phase::new(),
            computation: UnsafeCell::new(FutureSlot {
                state: FutureState::Unstarted,
                span: InitSpan::NONE,
                origin: Origin::caller(),
            }),
            future: ErasedFuture::new(place.address(), init),
        }
    }

    /// Returns the value, or `None` if it is not computed yet.
    ///
    /// Never waits and never polls the future; costs one `Acquire` load.
    ///
    /// # Examples
    ///
    /// ```
    /// oncelot::lazy! {
    ///     static ANSWER: u32 = async { 6 * 7 };
    /// }
    /// assert_eq!(ANSWER.try_get(), None);
    /// futures_lite::future::block_on(ANSWER.get());
    /// assert_eq!(ANSWER.try_get(), Some(&42));
    /// ```
    #[inline]
    pub fn try_get(&self) -> Option<&T> {
        self.raw.get()
    }

    /// Waits for the value, polling the future if no other task is doing so.
    ///
    /// # Panics
    ///
    /// Panics if the future panics, or has panicked before, which has poisoned the static. Panics if waking a waiter
    /// panics, after all waiters have been woken, or if cloning or dropping the task's own waker panics. Panics if the
    /// future awaits its own static, where that is [detected](crate::OnceCell#deadlocks).
    ///
    /// # Cancel safety
    ///
    /// If the returned future is dropped, no work is lost: the other waiters continue the computation.
    ///
    /// # Examples
    ///
    /// ```
    /// oncelot::lazy! {
    ///     static ANSWER: u32 = async { 6 * 7 };
    /// }
    /// # futures_lite::future::block_on(async {
    /// assert_eq!(ANSWER.get().await, &42);
    /// # });
    /// ```
    #[inline]
    pub fn get(&'static self) -> GetStatic<T> {
        GetStatic {
            stage: Stage::new(self, ()),
        }
    }
}

impl<T> SelfWaking<'static> for StaticLazy<T> {
    fn phase(&self) -> &Phase {
        &self.phase
    }

    fn waker(&'static self) -> Waker {
        phases::waker(self)
    }

    /// Polls the future, and creates it before the first poll.
    unsafe fn poll_future(
        &'static self,
        attempt: &mut Attempt<&'static RawCell<T, Intrusive>>,
        cx: &mut Context<'_>,
    ) -> Poll<T> {
        self.computation.with_mut(|computation| {
            // SAFETY: the claim gives exclusive access to the computation.
            let slot = unsafe { &mut *computation };
            let FutureSlot { state, span, origin } = slot;
            assert!(
                *state != FutureState::Poisoned,
                "static is poisoned: its future panicked; to retry after a panic, use a `OnceCell`"
            );
            attempt.resume::<T>(span.take());
            // The future is poisoned unless the following calls return.
            let before = mem::replace(state, FutureState::Poisoned);
            let polled = attempt.run::<T, _>(Runner::Task(cx.waker()), *origin, || {
                let future = &self.future;
                if before == FutureState::Unstarted {
                    // SAFETY: the place is large and aligned enough, as `__new` has checked.
                    unsafe { (future.start)(future.init, future.place) };
                }
                // SAFETY: the future is in its place, and the claim gives exclusive access to it.
                let polled = unsafe { (future.poll)(future.place, cx) };
                if polled.is_ready() {
                    // SAFETY: as above. The future is not used again: the state is `Poisoned` or `Finished` from now on.
                    unsafe { (future.drop)(future.place) };
                }
                polled
            });
            match polled {
                Poll::Ready(value) => {
                    *state = FutureState::Finished;
                    Poll::Ready(value)
                }
                Poll::Pending => {
                    *state = FutureState::Running;
                    *span = attempt.suspend();
                    Poll::Pending
                }
            }
        })
    }
}

// SAFETY: a reference to a static lasts forever. Through it, the waker changes the phase and releases the claim of an
// `Intrusive` raw cell, which are `Sync` even if the value is not.
unsafe impl<T> WakerHandle for &'static StaticLazy<T> {
    type Backend = Intrusive;

    fn phase(&self) -> &Phase {
        &self.phase
    }

    fn backend(&self) -> &Intrusive {
        self.raw.backend()
    }

    fn into_raw(self) -> *const () {
        ptr::from_ref(self).cast()
    }

    unsafe fn from_raw(data: *const ()) -> Self {
        // SAFETY: as the caller guarantees, `data` comes from a `&'static StaticLazy<T>`.
        unsafe { &*data.cast() }
    }
}

pin_project! {
    /// The future of [`StaticLazy::get`].
    ///
    /// # Panics
    ///
    /// Panics if it is polled after it has completed or panicked.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct GetStatic<T: 'static> {
        #[pin]
        stage: SelfWakingStage<'static, StaticLazy<T>>,
    }
}

/// `(&NAME).await` is `NAME.get().await`. So a static can be passed to code that takes an `impl IntoFuture`, and can be the
/// expression of another static: `static OTHER: &u32 = &NAME;`.
impl<T> IntoFuture for &'static StaticLazy<T> {
    type Output = &'static T;
    type IntoFuture = GetStatic<T>;

    fn into_future(self) -> GetStatic<T> {
        self.get()
    }
}

impl<T> HasRawCell for StaticLazy<T> {
    type Value = T;
    type Backend = Intrusive;
    type Output = T;

    #[inline(always)]
    fn raw(&self) -> &RawCell<T, Intrusive> {
        &self.raw
    }

    #[inline(always)]
    unsafe fn get_unchecked(&self) -> &T {
        // SAFETY: the caller guarantees that a call has found the state READY.
        unsafe { self.raw.get_unchecked() }
    }
}

impl<T> Future for GetStatic<T> {
    type Output = &'static T;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static T> {
        phases::poll(self.project().stage, cx)
    }
}

/// Shows the value. If there is none, shows `<initializing>` while the future is polled or pending, and `<uninit>` otherwise:
/// before the first poll, from a wake of the future to its next poll, and if the static is poisoned.
impl<T: fmt::Debug> fmt::Debug for StaticLazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.try_get().map(|value| value as &dyn fmt::Debug);
        self.raw.debug(f, "StaticLazy", value)
    }
}

impl<T> fmt::Debug for GetStatic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetStatic").finish_non_exhaustive()
    }
}
