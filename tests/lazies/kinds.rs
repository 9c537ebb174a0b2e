//! The kinds of lazies, and the interface that they have in common.

use std::{
    any::Any,
    collections::HashMap,
    fmt::Debug,
    future::poll_fn,
    pin::Pin,
    ptr,
    sync::{LazyLock, Mutex, OnceLock},
    task::{Context, Poll, Waker},
};

use oncelot::{__private::FutureStorage, Backend, Intrusive, Lazy, StaticLazy};

use crate::{
    locked::Locked,
    util::{BoxFuture, Event, leak, leaked, poll_with},
};

/// The values of the lazies in these tests.
pub(crate) trait Value: Debug + Send + Sync + 'static {}

impl<T: Debug + Send + Sync + 'static> Value for T {}

/// A lazy of any kind.
pub(crate) trait AnyLazy<T>: Debug + Send + Sync {
    fn get(&self) -> BoxFuture<'_, &T>;

    fn try_get(&self) -> Option<&T>;

    #[cfg(feature = "blocking")]
    fn get_blocking(&self) -> &T;

    // A static cannot be borrowed exclusively or moved.

    fn try_get_mut(&mut self) -> Option<&mut T> {
        unreachable!()
    }

    fn into_inner(self: Box<Self>) -> Option<T> {
        unreachable!()
    }

    fn into_parts(self: Box<Self>) -> Result<T, BoxFuture<'static, T>> {
        unreachable!()
    }
}

pub(crate) type BoxedLazy<T> = Box<dyn AnyLazy<T>>;

/// A `Lazy` whose future need not be pinned.
type UnpinLazy<T, B> = Lazy<T, BoxFuture<'static, T>, B>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Lazy,
    /// A `Lazy` with a backend that the crate does not define.
    LazyLocked,
    #[cfg(feature = "alloc")]
    BoxLazy,
    #[cfg(feature = "alloc")]
    BoxLazyLocked,
    Static,
}

/// Returns each kind, and prints it, so that the output of a test that fails ends with the kind that fails.
pub(crate) fn kinds() -> impl Iterator<Item = Kind> {
    let kinds = [
        Kind::Lazy,
        Kind::LazyLocked,
        #[cfg(feature = "alloc")]
        Kind::BoxLazy,
        #[cfg(feature = "alloc")]
        Kind::BoxLazyLocked,
        Kind::Static,
    ];
    kinds.into_iter().inspect(|kind| println!("{kind:?}"))
}

/// Returns the kinds that can be dropped and taken apart.
pub(crate) fn owned_kinds() -> impl Iterator<Item = Kind> {
    kinds().filter(|kind| *kind != Kind::Static)
}

/// Returns the kinds whose future has a waker of its own, so that any waiter may poll it.
pub(crate) fn self_waking_kinds() -> impl Iterator<Item = Kind> {
    kinds().filter(|kind| kind.is_self_waking())
}

/// Returns the kinds whose future is polled with the waker of one waiter, which holds the claim.
pub(crate) fn driven_kinds() -> impl Iterator<Item = Kind> {
    kinds().filter(|kind| !kind.is_self_waking())
}

impl Kind {
    pub(crate) fn is_self_waking(self) -> bool {
        !matches!(self, Self::Lazy | Self::LazyLocked)
    }

    /// Returns the name of the type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lazy | Self::LazyLocked => "Lazy",
            #[cfg(feature = "alloc")]
            Self::BoxLazy | Self::BoxLazyLocked => "BoxLazy",
            Self::Static => "StaticLazy",
        }
    }

    pub(crate) fn lazy<T: Value>(self, future: impl Future<Output = T> + Send + 'static) -> BoxedLazy<T> {
        let future: BoxFuture<'static, T> = Box::pin(future);
        match self {
            Self::Lazy => Box::new(UnpinLazy::<_, Intrusive>::new(future)),
            Self::LazyLocked => Box::new(UnpinLazy::<_, Locked>::with_backend(future)),
            #[cfg(feature = "alloc")]
            Self::BoxLazy => Box::new(oncelot::BoxLazy::new(future)),
            #[cfg(feature = "alloc")]
            Self::BoxLazyLocked => Box::new(oncelot::BoxLazy::<_, Locked>::with_backend(future)),
            Self::Static => Box::new(static_lazy(future)),
        }
    }

    /// Creates a lazy without a future, of a kind that has an owner.
    pub(crate) fn with_value<T: Value>(self, value: T) -> BoxedLazy<T> {
        match self {
            Self::Lazy => Box::new(UnpinLazy::<_, Intrusive>::with_value(value)),
            Self::LazyLocked => Box::new(UnpinLazy::<_, Locked>::with_backend_and_value(value)),
            #[cfg(feature = "alloc")]
            Self::BoxLazy => Box::new(oncelot::BoxLazy::with_value(value)),
            #[cfg(feature = "alloc")]
            Self::BoxLazyLocked => Box::new(oncelot::BoxLazy::<_, Locked>::with_backend_and_value(value)),
            Self::Static => panic!("a static begins with a future"),
        }
    }

    /// Creates a lazy whose value is 1 once the event has come.
    pub(crate) fn after_event(self) -> (&'static Event, BoxedLazy<u32>) {
        let event = leaked(Event::new());
        let lazy = self.lazy(async {
            event.wait().await;
            1
        });
        (event, lazy)
    }

    /// Creates a lazy whose future can name it, and which lives forever.
    pub(crate) fn naming_itself<F>(self, future: impl FnOnce(Own) -> F) -> &'static dyn AnyLazy<u32>
    where
        F: Future<Output = u32> + Send + 'static,
    {
        let own = Own(leaked(OnceLock::new()));
        own.0.set(self.lazy(future(own))).unwrap();
        own.lazy()
    }
}

/// The lazy that a future belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Own(&'static OnceLock<BoxedLazy<u32>>);

impl Own {
    pub(crate) fn lazy(self) -> &'static dyn AnyLazy<u32> {
        &**self.0.get().unwrap()
    }

    /// Registers a waiter with this waker, and leaks it.
    pub(crate) fn wait(self, waker: &Waker) {
        let mut get = self.lazy().get();
        assert!(poll_with(&mut get, waker).is_pending());
        leak(get);
    }
}

impl<T: Value, B: Backend + Send + Sync> AnyLazy<T> for UnpinLazy<T, B>
where
    B::Waiter: Send,
{
    fn get(&self) -> BoxFuture<'_, &T> {
        Box::pin(self.get_unpin())
    }

    fn try_get(&self) -> Option<&T> {
        self.try_get()
    }

    #[cfg(feature = "blocking")]
    fn get_blocking(&self) -> &T {
        Pin::new(self).get_blocking()
    }

    fn try_get_mut(&mut self) -> Option<&mut T> {
        Pin::new(self).try_get_mut()
    }

    fn into_inner(self: Box<Self>) -> Option<T> {
        (*self).into_inner()
    }

    fn into_parts(self: Box<Self>) -> Result<T, BoxFuture<'static, T>> {
        (*self).into_parts()
    }
}

#[cfg(feature = "alloc")]
impl<T: Value, B: Backend + Send + Sync + 'static> AnyLazy<T> for oncelot::BoxLazy<'static, T, B>
where
    B::Waiter: Send,
{
    fn get(&self) -> BoxFuture<'_, &T> {
        Box::pin(self.get())
    }

    fn try_get(&self) -> Option<&T> {
        self.try_get()
    }

    #[cfg(feature = "blocking")]
    fn get_blocking(&self) -> &T {
        self.get_blocking()
    }

    fn try_get_mut(&mut self) -> Option<&mut T> {
        self.try_get_mut()
    }

    fn into_inner(self: Box<Self>) -> Option<T> {
        (*self).into_inner()
    }

    fn into_parts(self: Box<Self>) -> Result<T, BoxFuture<'static, T>> {
        (*self).into_parts()
    }
}

impl<T: Value> AnyLazy<T> for &'static StaticLazy<T> {
    fn get(&self) -> BoxFuture<'_, &T> {
        let mut get = Box::pin(StaticLazy::get(self));
        Box::pin(poll_fn(move |cx| get.as_mut().poll(cx).map(|value| value as &T)))
    }

    fn try_get(&self) -> Option<&T> {
        StaticLazy::try_get(self)
    }

    #[cfg(feature = "blocking")]
    fn get_blocking(&self) -> &T {
        StaticLazy::get_blocking(self)
    }
}

/// The futures of the statics that were not polled yet, by the addresses of their storages.
static UNPOLLED: LazyLock<Mutex<HashMap<usize, Box<dyn Any + Send>>>> = LazyLock::new(Mutex::default);

/// The future in the storage of a static. The function pointer that creates it captures nothing, so it takes the future that it
/// polls from [`UNPOLLED`] at its first poll.
struct Stored<T>(Option<BoxFuture<'static, T>>);

impl<T: 'static> Future for Stored<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let address = ptr::from_ref(&*self).addr();
        let future = self.0.get_or_insert_with(|| {
            let future = UNPOLLED.lock().unwrap().remove(&address);
            *future
                .expect("it is polled for the first time")
                .downcast()
                .unwrap()
        });
        future.as_mut().poll(cx)
    }
}

/// Creates a static as `lazy!` declares it, but with a future that is given as a value.
fn static_lazy<T: Value>(future: BoxFuture<'static, T>) -> &'static StaticLazy<T> {
    type Storage = FutureStorage<{ size_of::<Stored<()>>() }, { align_of::<Stored<()>>() }>;

    let storage: &'static Storage = leaked(Storage::new());
    let address = ptr::from_ref(storage).addr();
    UNPOLLED.lock().unwrap().insert(address, Box::new(future));
    // SAFETY: the storage was created above, and no other code uses it.
    leaked(unsafe { StaticLazy::__new(storage, || Stored(None)) })
}
