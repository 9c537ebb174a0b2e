//! Checks which types are `Send`, `Sync`, `Unpin`, `UnwindSafe` and `RefUnwindSafe`, and which are not.

use std::{
    cell::{Cell, UnsafeCell},
    future::Ready,
    marker::{PhantomData, PhantomPinned},
    panic::{RefUnwindSafe, UnwindSafe},
    rc::Rc,
    sync::MutexGuard,
};

use oncelot::{
    Backend, GetLazy, GetMutOrInit, GetMutOrTryInit, GetOrClaim, GetOrInit, GetOrTryInit, GetOrTryInitShared,
    GetStatic, InitGuard, InitializingError, Insert, Intrusive, Lazy, LocalOnceCell, OnceCell, SetError,
    SharedInitError, StaticLazy, Wait, WaitAttempt,
    backend::{IntrusiveWaiter, Local, LocalWaiter},
    compat::async_once_cell,
};

/// Returns the name of a trait if a type without generic parameters has the trait.
///
/// An inherent constant is preferred to one of a trait, where its bounds hold.
macro_rules! name_if {
    ($type:ty, $trait:ident) => {{
        struct Probe<T>(PhantomData<T>);
        #[allow(dead_code, reason = "used where the trait is not there")]
        trait Otherwise {
            const NAME: Option<&str> = None;
        }
        impl<T> Otherwise for Probe<T> {}
        #[allow(dead_code, reason = "used where the trait is there")]
        impl<T: $trait> Probe<T> {
            const NAME: Option<&str> = Some(stringify!($trait));
        }
        <Probe<$type>>::NAME
    }};
}

/// Asserts that each type has the traits in its row, and none of the others.
macro_rules! assert_traits {
    ($($type:ty: $($trait:ident)*;)*) => {$(
        let traits = [
            name_if!($type, Send),
            name_if!($type, Sync),
            name_if!($type, Unpin),
            name_if!($type, UnwindSafe),
            name_if!($type, RefUnwindSafe),
        ];
        let expected: &[&str] = &[$(stringify!($trait)),*];
        assert_eq!(traits.into_iter().flatten().collect::<Vec<_>>(), expected, "{}", stringify!($type));
    )*};
}

/// Neither `Send` nor `Sync`.
type Neither = Rc<()>;
/// `Send` and not `Sync`.
type SendOnly = Cell<u32>;
/// `Sync` and not `Send`.
type SyncOnly = MutexGuard<'static, u32>;
/// Shows what a panic has left half-done in it, behind a reference.
type Breaks = UnsafeCell<u32>;
/// Not `UnwindSafe`.
type SharesBroken = &'static Breaks;
/// `Send` and `Sync`, but neither `UnwindSafe` nor `RefUnwindSafe`.
type Exclusive = &'static mut u32;

/// A closure with the traits of `M`.
#[derive(Clone, Copy)]
struct Closure<M>(PhantomData<M>);
/// A future with the traits of `M`.
#[allow(dead_code, reason = "only its traits are asked for")]
struct Inner<M>(PhantomData<M>);

type InitOf<T, F, Fut, B = Intrusive> = GetOrInit<'static, T, Closure<F>, Inner<Fut>, B>;
type TryInitOf<T, F, Fut, B = Intrusive> = GetOrTryInit<'static, T, Closure<F>, Inner<Fut>, B>;
type SharedInitOf<T, F, Fut> = GetOrTryInitShared<'static, T, Closure<F>, Inner<Fut>>;
type MutInitOf<T, F, Fut, B = Intrusive> = GetMutOrInit<'static, T, Closure<F>, Inner<Fut>, B>;
type MutTryInitOf<T, F, Fut> = GetMutOrTryInit<'static, T, Closure<F>, Inner<Fut>>;

#[test]
fn parameters_of_the_tables() {
    assert_traits! {
        u32: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Neither: Unpin UnwindSafe RefUnwindSafe;
        SendOnly: Send Unpin UnwindSafe;
        SyncOnly: Sync Unpin UnwindSafe RefUnwindSafe;
        Breaks: Send Unpin UnwindSafe;
        SharesBroken: Unpin;
        Exclusive: Send Sync Unpin RefUnwindSafe;
    }
}

/// One thread may drop a value that another thread has put in, so `Sync` needs `T: Send` too. A panicking initializer leaves
/// the cell empty, never broken: the cell is as unwind safe as its value.
#[test]
fn a_cell() {
    assert_traits! {
        OnceCell<u32>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        OnceCell<Neither>: Unpin UnwindSafe RefUnwindSafe;
        OnceCell<SendOnly>: Send Unpin UnwindSafe;
        OnceCell<SyncOnly>: Unpin UnwindSafe RefUnwindSafe;
        OnceCell<PhantomPinned>: Send Sync UnwindSafe RefUnwindSafe;
        OnceCell<Breaks>: Send Unpin UnwindSafe;
        OnceCell<SharesBroken>: Unpin;
        OnceCell<Exclusive>: Send Sync Unpin;
    }
}

#[test]
fn a_cell_of_one_thread_is_never_sync() {
    assert_traits! {
        LocalOnceCell<u32>: Send Unpin UnwindSafe RefUnwindSafe;
        LocalOnceCell<Neither>: Unpin UnwindSafe RefUnwindSafe;
        LocalOnceCell<Breaks>: Send Unpin UnwindSafe;
        LocalOnceCell<SharesBroken>: Unpin;
        &'static LocalOnceCell<u32>: Unpin UnwindSafe RefUnwindSafe;
        Lazy<u32, u32, Local>: Send Unpin UnwindSafe RefUnwindSafe;
    }
}

/// Other threads hold pointers into a waiter, and a waiter of `Local` is in the list of its cell, which has no lock.
#[test]
fn a_backend_and_its_waiter() {
    assert_traits! {
        Intrusive: Send Sync Unpin UnwindSafe RefUnwindSafe;
        IntrusiveWaiter: Send Sync UnwindSafe RefUnwindSafe;
        Local: Send Unpin UnwindSafe RefUnwindSafe;
        LocalWaiter: UnwindSafe RefUnwindSafe;
    }
    #[cfg(feature = "atomic-waker")]
    assert_traits! {
        oncelot::backend::AtomicWaker: Send Sync Unpin UnwindSafe RefUnwindSafe;
        oncelot::backend::AtomicWakerWaiter: Send Sync Unpin UnwindSafe RefUnwindSafe;
    }
    #[cfg(feature = "event-listener")]
    assert_traits! {
        oncelot::backend::EventListener: Send Sync Unpin UnwindSafe RefUnwindSafe;
        oncelot::backend::EventListenerWaiter: Send Sync Unpin UnwindSafe RefUnwindSafe;
    }
}

#[test]
fn an_error() {
    assert_traits! {
        SetError<u32>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        SetError<Neither>: Unpin UnwindSafe RefUnwindSafe;
        SetError<Breaks>: Send Unpin UnwindSafe;
        SetError<SharesBroken>: Unpin;
        SharedInitError<u32>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        SharedInitError<Neither>: Unpin UnwindSafe RefUnwindSafe;
        InitializingError: Send Sync Unpin UnwindSafe RefUnwindSafe;
    }
}

/// The value is shared (`T: Sync`) and created on this thread (`T: Send`). A panic leaves the cell usable, so a broken
/// invariant can be observed only through the value or the initializer.
#[test]
fn an_initializing_future() {
    macro_rules! assert_traits_of {
        ($($future:ident)*) => {$(
            assert_traits! {
                $future<u32, u32, u32>: Send Sync UnwindSafe RefUnwindSafe;
                $future<SendOnly, u32, u32>:;
                $future<SyncOnly, u32, u32>: UnwindSafe RefUnwindSafe;
                $future<Breaks, u32, u32>:;
                $future<Exclusive, u32, u32>: Send Sync;
                $future<u32, Neither, u32>: UnwindSafe RefUnwindSafe;
                $future<u32, SendOnly, u32>: Send UnwindSafe;
                $future<u32, SharesBroken, u32>:;
                $future<u32, u32, Neither>: UnwindSafe RefUnwindSafe;
                $future<u32, u32, SendOnly>: Send UnwindSafe;
                $future<u32, u32, Breaks>: Send UnwindSafe;
                $future<u32, u32, SharesBroken>:;
            }
        )*};
    }

    assert_traits_of!(InitOf TryInitOf SharedInitOf);
}

#[test]
fn a_future_that_waits_without_an_initializer() {
    assert_traits! {
        Wait<'static, u32>: Send Sync UnwindSafe RefUnwindSafe;
        Wait<'static, SendOnly>:;
        Wait<'static, SyncOnly>: UnwindSafe RefUnwindSafe;
        Wait<'static, Breaks>:;
        WaitAttempt<'static, u32>: Send Sync UnwindSafe RefUnwindSafe;
        WaitAttempt<'static, SendOnly>:;
        WaitAttempt<'static, SyncOnly>: UnwindSafe RefUnwindSafe;
        WaitAttempt<'static, Breaks>:;
        Insert<'static, u32>: Send Sync UnwindSafe RefUnwindSafe;
        Insert<'static, SendOnly>:;
        Insert<'static, SyncOnly>: UnwindSafe RefUnwindSafe;
        Insert<'static, Breaks>:;
        Insert<'static, SharesBroken>:;
        GetOrClaim<'static, u32>: Send Sync UnwindSafe RefUnwindSafe;
        GetOrClaim<'static, SendOnly>:;
        GetOrClaim<'static, SyncOnly>: UnwindSafe RefUnwindSafe;
    }
}

/// Thread B sets the value that thread A drops later (`T: Send`), and shares a reference to it with thread A (`T: Sync`).
#[test]
fn a_guard() {
    assert_traits! {
        InitGuard<'static, u32>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        InitGuard<'static, SendOnly>: Unpin;
        InitGuard<'static, SyncOnly>: Unpin UnwindSafe RefUnwindSafe;
        InitGuard<'static, PhantomPinned>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        InitGuard<'static, Breaks>: Unpin;
        InitGuard<'static, SharesBroken>: Unpin;
    }
}

/// No other reference to the cell exists, so its value need not be `Sync`, and the future waits for no other task. Like `&mut`,
/// it is not `UnwindSafe`: code that panics can leave the value half-changed.
#[test]
fn a_future_of_an_exclusive_borrow() {
    assert_traits! {
        MutInitOf<u32, u32, u32>: Send Sync Unpin RefUnwindSafe;
        MutInitOf<SendOnly, u32, u32>: Send Unpin;
        MutInitOf<u32, Neither, u32>: Unpin RefUnwindSafe;
        MutInitOf<u32, u32, Neither>: Unpin RefUnwindSafe;
        MutInitOf<u32, u32, PhantomPinned>: Send Sync RefUnwindSafe;
        MutInitOf<u32, u32, u32, Local>: Send Unpin RefUnwindSafe;
        MutTryInitOf<u32, u32, u32>: Send Sync Unpin RefUnwindSafe;
        MutTryInitOf<SendOnly, u32, u32>: Send Unpin;
        MutTryInitOf<SyncOnly, u32, u32>: Unpin RefUnwindSafe;
        MutTryInitOf<u32, u32, PhantomPinned>: Send Sync RefUnwindSafe;
    }
}

#[test]
fn a_waiting_future_of_one_thread_stays_on_its_thread() {
    assert_traits! {
        InitOf<u32, u32, u32, Local>: UnwindSafe RefUnwindSafe;
        TryInitOf<u32, u32, u32, Local>: UnwindSafe RefUnwindSafe;
        Wait<'static, u32, Local>: UnwindSafe RefUnwindSafe;
        WaitAttempt<'static, u32, Local>: UnwindSafe RefUnwindSafe;
        Insert<'static, u32, Local>: UnwindSafe RefUnwindSafe;
        GetOrClaim<'static, u32, Local>: UnwindSafe RefUnwindSafe;
        InitGuard<'static, u32, Local>: Unpin UnwindSafe RefUnwindSafe;
        GetLazy<'static, u32, u32, Local>: UnwindSafe RefUnwindSafe;
    }
}

/// One thread after the other uses the future, so that it need not be `Sync`. The unwind safety is that of std's `LazyLock`: one
/// task after the other has the future, and none a reference.
#[test]
fn a_lazy() {
    assert_traits! {
        Lazy<u32, u32>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Lazy<SendOnly, SendOnly>: Send Unpin UnwindSafe;
        Lazy<Neither, u32>: Unpin UnwindSafe RefUnwindSafe;
        Lazy<SendOnly, u32>: Send Unpin UnwindSafe;
        Lazy<SyncOnly, u32>: Unpin UnwindSafe RefUnwindSafe;
        Lazy<PhantomPinned, u32>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Lazy<Breaks, u32>: Send Unpin UnwindSafe;
        Lazy<SharesBroken, u32>: Unpin;
        Lazy<Exclusive, u32>: Send Sync Unpin;
        Lazy<u32, Neither>: Unpin UnwindSafe RefUnwindSafe;
        Lazy<u32, SendOnly>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Lazy<u32, SyncOnly>: Unpin UnwindSafe RefUnwindSafe;
        Lazy<u32, PhantomPinned>: Send Sync UnwindSafe RefUnwindSafe;
        Lazy<u32, Breaks>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        Lazy<u32, SharesBroken>: Unpin;
    }
}

#[test]
fn a_get_of_a_lazy() {
    assert_traits! {
        GetLazy<'static, u32, u32>: Send Sync UnwindSafe RefUnwindSafe;
        GetLazy<'static, SendOnly, u32>:;
        GetLazy<'static, SyncOnly, u32>: UnwindSafe RefUnwindSafe;
        GetLazy<'static, Breaks, u32>:;
        GetLazy<'static, u32, SendOnly>: Send Sync UnwindSafe RefUnwindSafe;
        GetLazy<'static, u32, SyncOnly>: UnwindSafe RefUnwindSafe;
        GetLazy<'static, u32, SharesBroken>:;
    }
}

#[test]
fn a_static() {
    assert_traits! {
        StaticLazy<u32>: Sync Unpin UnwindSafe RefUnwindSafe;
        StaticLazy<SendOnly>: Unpin UnwindSafe;
        StaticLazy<SyncOnly>: Unpin UnwindSafe RefUnwindSafe;
        StaticLazy<Breaks>: Unpin UnwindSafe;
        StaticLazy<SharesBroken>: Unpin;
        StaticLazy<Exclusive>: Sync Unpin;
        GetStatic<u32>: Send Sync UnwindSafe RefUnwindSafe;
        GetStatic<SendOnly>:;
        GetStatic<Breaks>:;
    }
}

/// A `BoxLazy` is not unwind safe, and neither is std's `LazyLock<T, Box<dyn FnOnce() -> T>>`.
#[cfg(feature = "alloc")]
#[test]
fn a_box_lazy() {
    use oncelot::{BoxLazy, GetBoxLazy, LocalBoxLazy};

    type Std = std::sync::LazyLock<u32, Box<dyn FnOnce() -> u32 + Send>>;
    type Get<T> = GetBoxLazy<'static, T, dyn Future<Output = T> + Send>;
    type LocalGet<T> = GetBoxLazy<'static, T, dyn Future<Output = T>>;
    assert_traits! {
        Std: Send Sync Unpin;
        BoxLazy<'static, u32>: Send Sync Unpin;
        BoxLazy<'static, SendOnly>: Send Unpin;
        BoxLazy<'static, SyncOnly>: Unpin;
        BoxLazy<'static, u32, Local>: Unpin;
        LocalBoxLazy<'static, u32>: Unpin;
        LocalBoxLazy<'static, PhantomPinned>: Unpin;
        Get<u32>: Send Sync;
        Get<SendOnly>:;
        Get<SyncOnly>:;
        LocalGet<u32>:;
    }
}

/// A value that `compat::async_once_cell::Lazy` lends pinned must not be moved, so a lazy with a future that is `Unpin` is not
/// `Unpin` itself.
#[test]
fn a_cell_and_a_lazy_of_compat_async_once_cell() {
    assert_traits! {
        async_once_cell::OnceCell<PhantomPinned>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        async_once_cell::Lazy<(), ()>: Send Sync Unpin UnwindSafe RefUnwindSafe;
        async_once_cell::Lazy<PhantomPinned, ()>: Send Sync UnwindSafe RefUnwindSafe;
        async_once_cell::Lazy<(), PhantomPinned>: Send Sync UnwindSafe RefUnwindSafe;
    }
}

// These need only compile.

fn assert_send<T: Send>(_: &T) {}
fn assert_sync<T: Sync>(_: &T) {}

#[allow(dead_code, reason = "compiling is the test")]
fn generic_code_can_prove_that_the_futures_are_send<T, E, F, Fut, G, Gut>(
    mut cell: OnceCell<T>,
    init: impl Fn() -> F,
    try_init: impl Fn() -> G,
    value: T,
) where
    T: Send + Sync,
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = T> + Send,
    G: FnOnce() -> Gut + Send,
    Gut: Future<Output = Result<T, E>> + Send,
{
    assert_send(&cell);
    assert_sync(&cell);
    assert_sync(&cell.wait());
    assert_send(&cell.get_or_init(init()));
    assert_send(&cell.get_or_try_init(try_init()));
    assert_send(&cell.get_or_try_init_shared(try_init()));
    assert_send(&cell.wait());
    assert_send(&cell.wait_attempt());
    assert_send(&cell.get_or_claim());
    assert_send(&cell.try_claim());
    assert_send(&cell.insert(value));
    assert_send(&cell.get_mut_or_init(init()));
    assert_send(&cell.get_mut_or_try_init(try_init()));
}

#[allow(dead_code, reason = "compiling is the test")]
fn generic_code_can_name_the_futures_of_any_backend_and_prove_that_they_are_send<'a, T, B, F, Fut>(
    cell: &'a OnceCell<T, B>,
    init: F,
) -> GetOrInit<'a, T, F, Fut, B>
where
    T: Send + Sync,
    B: Backend<Waiter: Send> + Sync,
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = T> + Send,
{
    let future = cell.get_or_init(init);
    assert_send(&future);
    assert_send(&cell.wait());
    future
}

/// A future may be taken for one with a shorter borrow of the cell.
#[allow(dead_code, reason = "compiling is the test")]
#[allow(clippy::type_complexity, reason = "one type of each method")]
fn the_futures_are_covariant_in_the_borrow_of_the_cell<'short, 'long: 'short, F>(
    futures: (
        GetOrInit<'long, u32, F, Ready<u32>>,
        Wait<'long, u32>,
        Insert<'long, u32>,
        WaitAttempt<'long, u32>,
        GetOrClaim<'long, u32>,
    ),
) -> (
    GetOrInit<'short, u32, F, Ready<u32>>,
    Wait<'short, u32>,
    Insert<'short, u32>,
    WaitAttempt<'short, u32>,
    GetOrClaim<'short, u32>,
) {
    futures
}
