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
};

/// Whether a type without generic parameters has a trait.
///
/// An inherent constant is preferred to one of a trait, where its bounds hold.
macro_rules! is {
    ($trait:ident: $type:ty) => {{
        struct Probe<T>(PhantomData<T>);
        #[allow(dead_code, reason = "used where the trait is not there")]
        trait Otherwise {
            const HAS_TRAIT: bool = false;
        }
        impl<T> Otherwise for Probe<T> {}
        #[allow(dead_code, reason = "used where the trait is there")]
        impl<T: $trait> Probe<T> {
            const HAS_TRAIT: bool = true;
        }
        <Probe<$type>>::HAS_TRAIT
    }};
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

#[test]
fn the_probe_returns_both_results() {
    assert!(is!(Send: u32));
    assert!(is!(Sync: u32));
    assert!(!is!(Send: Neither) && !is!(Sync: Neither));
    assert!(is!(Send: SendOnly) && !is!(Sync: SendOnly));
    assert!(!is!(Send: SyncOnly) && is!(Sync: SyncOnly));
}

// The cell.

#[test]
fn the_cell_is_send_with_its_value() {
    assert!(is!(Send: OnceCell<u32>));
    assert!(is!(Send: OnceCell<SendOnly>));
    assert!(!is!(Send: OnceCell<SyncOnly>));
    assert!(!is!(Send: OnceCell<Neither>));
}

/// A value that one thread puts in, another may take out: so `Sync` needs `Send` as well.
#[test]
fn the_cell_is_sync_with_its_value_send_and_sync_only() {
    assert!(is!(Sync: OnceCell<u32>));
    assert!(!is!(Sync: OnceCell<SendOnly>));
    assert!(!is!(Sync: OnceCell<SyncOnly>));
    assert!(!is!(Sync: OnceCell<Neither>));
}

#[test]
fn the_cell_is_unpin_with_its_value() {
    assert!(is!(Unpin: OnceCell<u32>));
    assert!(!is!(Unpin: OnceCell<PhantomPinned>));
}

/// A panicking initializer leaves the cell empty, never broken: as safe as the value itself.
#[test]
fn the_cell_is_unwind_safe_with_its_value() {
    assert!(is!(UnwindSafe: OnceCell<u32>));
    assert!(!is!(UnwindSafe: OnceCell<SharesBroken>));
}

#[test]
fn the_cell_is_ref_unwind_safe_with_its_value() {
    assert!(is!(RefUnwindSafe: OnceCell<u32>));
    assert!(!is!(RefUnwindSafe: OnceCell<Breaks>));
    assert!(!is!(RefUnwindSafe: OnceCell<&'static mut u32>));
}

#[test]
fn the_default_backend_is_send_and_sync() {
    assert!(is!(Send: Intrusive) && is!(Sync: Intrusive));
    assert!(is!(Send: IntrusiveWaiter) && is!(Sync: IntrusiveWaiter));
}

#[test]
fn the_backends_are_unwind_safe() {
    assert!(is!(UnwindSafe: Intrusive) && is!(RefUnwindSafe: Intrusive));
    assert!(is!(UnwindSafe: IntrusiveWaiter) && is!(RefUnwindSafe: IntrusiveWaiter));
    assert!(is!(UnwindSafe: Local) && is!(RefUnwindSafe: Local));
    assert!(is!(UnwindSafe: LocalWaiter) && is!(RefUnwindSafe: LocalWaiter));
    #[cfg(feature = "atomic-waker")]
    {
        use oncelot::backend::{AtomicWaker, AtomicWakerWaiter};
        assert!(is!(UnwindSafe: AtomicWaker) && is!(RefUnwindSafe: AtomicWaker));
        assert!(is!(UnwindSafe: AtomicWakerWaiter) && is!(RefUnwindSafe: AtomicWakerWaiter));
    }
    #[cfg(feature = "event-listener")]
    {
        use oncelot::backend::{EventListener, EventListenerWaiter};
        assert!(is!(UnwindSafe: EventListener) && is!(RefUnwindSafe: EventListener));
        assert!(is!(UnwindSafe: EventListenerWaiter) && is!(RefUnwindSafe: EventListenerWaiter));
    }
}

#[test]
fn the_errors_have_the_auto_traits_of_their_values() {
    assert!(is!(Send: SetError<u32>) && is!(Sync: SetError<u32>));
    assert!(!is!(Send: SetError<Neither>));
    assert!(is!(UnwindSafe: SetError<u32>) && is!(RefUnwindSafe: SetError<u32>));
    assert!(!is!(UnwindSafe: SetError<SharesBroken>) && !is!(RefUnwindSafe: SetError<Breaks>));
    assert!(is!(Send: SharedInitError<u32>) && is!(Sync: SharedInitError<u32>));
    assert!(!is!(Send: SharedInitError<Neither>));
    assert!(is!(Send: InitializingError) && is!(Sync: InitializingError));
    assert!(is!(UnwindSafe: InitializingError) && is!(RefUnwindSafe: InitializingError));
}

// The futures.

/// A closure that is `Send` or not.
#[derive(Clone, Copy)]
struct Closure<M>(PhantomData<M>);
/// A future that is `Send` or not.
#[allow(dead_code, reason = "only its traits are asked for")]
struct Inner<M>(PhantomData<M>);

type InitOf<T, F, Fut> = GetOrInit<'static, T, Closure<F>, Inner<Fut>>;
type TryInitOf<T, F, Fut> = GetOrTryInit<'static, T, Closure<F>, Inner<Fut>>;
type MutInitOf<T, F, Fut> = GetMutOrInit<'static, T, Closure<F>, Inner<Fut>>;
type MutTryInitOf<T, F, Fut> = GetMutOrTryInit<'static, T, Closure<F>, Inner<Fut>>;

#[test]
fn a_future_is_send_with_all_of_its_parts() {
    assert!(is!(Send: InitOf<u32, u32, u32>));
    assert!(is!(Send: TryInitOf<u32, u32, u32>));
    assert!(is!(Send: MutInitOf<u32, u32, u32>));
    assert!(is!(Send: MutTryInitOf<u32, u32, u32>));
    assert!(is!(Send: Wait<'static, u32>));
    assert!(is!(Send: Insert<'static, u32>));
}

#[test]
fn a_future_is_send_with_all_of_its_parts_only() {
    assert!(!is!(Send: InitOf<u32, Neither, u32>), "the closure");
    assert!(!is!(Send: InitOf<u32, u32, Neither>), "the future");
    assert!(!is!(Send: InitOf<SendOnly, u32, u32>), "the value is shared");
    assert!(
        !is!(Send: InitOf<SyncOnly, u32, u32>),
        "the value is made on this thread"
    );
    assert!(!is!(Send: TryInitOf<u32, Neither, u32>));
    assert!(!is!(Send: TryInitOf<u32, u32, Neither>));
    assert!(!is!(Send: TryInitOf<SendOnly, u32, u32>));
    assert!(!is!(Send: TryInitOf<SyncOnly, u32, u32>));
    assert!(!is!(Send: MutInitOf<u32, Neither, u32>));
    assert!(!is!(Send: MutInitOf<u32, u32, Neither>));
    assert!(!is!(Send: MutTryInitOf<SyncOnly, u32, u32>));
    assert!(!is!(Send: Wait<'static, SendOnly>));
    assert!(!is!(Send: Wait<'static, SyncOnly>));
    assert!(!is!(Send: Insert<'static, SendOnly>));
    assert!(!is!(Send: Insert<'static, SyncOnly>));
}

/// No other reference to a cell exists while it is borrowed exclusively, so its value need not be `Sync`.
#[test]
fn an_exclusive_future_is_send_with_a_value_that_is_not_sync() {
    assert!(is!(Send: MutInitOf<SendOnly, u32, u32>));
    assert!(is!(Send: MutTryInitOf<SendOnly, u32, u32>));
}

#[test]
fn a_future_is_sync_with_all_of_its_parts() {
    assert!(is!(Sync: InitOf<u32, u32, u32>));
    assert!(is!(Sync: Wait<'static, u32>));
    assert!(is!(Sync: Insert<'static, u32>));
    assert!(!is!(Sync: InitOf<u32, Cell<u32>, u32>));
    assert!(!is!(Sync: InitOf<u32, u32, Cell<u32>>));
    assert!(!is!(Sync: Wait<'static, SendOnly>));
    assert!(!is!(Sync: Insert<'static, SendOnly>));
}

/// Other threads hold pointers into a waiting future.
#[test]
fn a_waiting_future_is_not_unpin() {
    assert!(!is!(Unpin: IntrusiveWaiter));
    assert!(!is!(Unpin: InitOf<u32, u32, u32>));
    assert!(!is!(Unpin: TryInitOf<u32, u32, u32>));
    assert!(!is!(Unpin: Wait<'static, u32>));
    assert!(!is!(Unpin: Insert<'static, u32>));
}

// With the backend of one thread.

type LocalInit = GetOrInit<'static, u32, Closure<u32>, Inner<u32>, Local>;
type LocalTryInit = GetOrTryInit<'static, u32, Closure<u32>, Inner<u32>, Local>;
type LocalMutInit = GetMutOrInit<'static, u32, Closure<u32>, Inner<u32>, Local>;

#[test]
fn a_local_cell_is_send_with_its_value_and_never_sync() {
    assert!(is!(Send: Local) && !is!(Sync: Local));
    assert!(is!(Send: LocalOnceCell<u32>) && !is!(Sync: LocalOnceCell<u32>));
    assert!(!is!(Send: LocalOnceCell<Neither>));
    assert!(!is!(Send: &'static LocalOnceCell<u32>));
    assert!(is!(Send: Lazy<u32, u32, Local>) && !is!(Sync: Lazy<u32, u32, Local>));
}

/// A waiting future is in the list of its cell, which has no lock.
#[test]
fn a_waiting_future_of_a_local_cell_is_neither_send_nor_sync_nor_unpin() {
    assert!(!is!(Send: LocalWaiter) && !is!(Sync: LocalWaiter) && !is!(Unpin: LocalWaiter));
    assert!(!is!(Send: LocalInit) && !is!(Sync: LocalInit) && !is!(Unpin: LocalInit));
    assert!(!is!(Send: LocalTryInit) && !is!(Sync: LocalTryInit) && !is!(Unpin: LocalTryInit));
    assert!(!is!(Send: Wait<'static, u32, Local>) && !is!(Sync: Wait<'static, u32, Local>));
    assert!(!is!(Send: Insert<'static, u32, Local>) && !is!(Sync: Insert<'static, u32, Local>));
    assert!(!is!(Send: GetLazy<'static, u32, u32, Local>));
}

/// It has the cell exclusively, and waits for no other task.
#[test]
fn an_exclusive_future_of_a_local_cell_is_send() {
    assert!(is!(Send: LocalMutInit));
}

#[test]
fn a_local_cell_is_unwind_safe_with_its_value() {
    assert!(is!(UnwindSafe: LocalOnceCell<u32>) && is!(RefUnwindSafe: LocalOnceCell<u32>));
    assert!(!is!(UnwindSafe: LocalOnceCell<SharesBroken>) && !is!(RefUnwindSafe: LocalOnceCell<Breaks>));
    assert!(is!(UnwindSafe: LocalInit) && is!(RefUnwindSafe: LocalInit));
    assert!(is!(UnwindSafe: Wait<'static, u32, Local>) && is!(RefUnwindSafe: Wait<'static, u32, Local>));
}

#[test]
fn a_guard_of_a_local_cell_stays_on_its_thread() {
    assert!(!is!(Send: InitGuard<'static, u32, Local>) && !is!(Sync: InitGuard<'static, u32, Local>));
    assert!(!is!(Send: GetOrClaim<'static, u32, Local>) && !is!(Send: WaitAttempt<'static, u32, Local>));
}

// Guards and shared attempts.

type SharedInitOf<T, F, Fut> = GetOrTryInitShared<'static, T, Closure<F>, Inner<Fut>>;

/// Thread B sets the value that thread A drops later (`T: Send`), and shares a reference to it with thread A (`T:
/// Sync`).
#[test]
fn a_guard_is_send_and_sync_with_a_cell_that_is_shared() {
    assert!(is!(Send: InitGuard<'static, u32>) && is!(Sync: InitGuard<'static, u32>));
    assert!(!is!(Send: InitGuard<'static, SendOnly>) && !is!(Sync: InitGuard<'static, SendOnly>));
    assert!(!is!(Send: InitGuard<'static, SyncOnly>) && !is!(Sync: InitGuard<'static, SyncOnly>));
    assert!(is!(Unpin: InitGuard<'static, PhantomPinned>));
}

#[test]
fn the_futures_of_guards_and_shared_attempts_are_send_with_all_of_their_parts_only() {
    assert!(is!(Send: GetOrClaim<'static, u32>) && is!(Sync: GetOrClaim<'static, u32>));
    assert!(!is!(Send: GetOrClaim<'static, SendOnly>) && !is!(Send: GetOrClaim<'static, SyncOnly>));
    assert!(is!(Send: WaitAttempt<'static, u32>) && is!(Sync: WaitAttempt<'static, u32>));
    assert!(!is!(Send: WaitAttempt<'static, SendOnly>) && !is!(Send: WaitAttempt<'static, SyncOnly>));
    assert!(is!(Send: SharedInitOf<u32, u32, u32>) && is!(Sync: SharedInitOf<u32, u32, u32>));
    assert!(!is!(Send: SharedInitOf<u32, Neither, u32>), "the closure");
    assert!(!is!(Send: SharedInitOf<u32, u32, Neither>), "the future");
    assert!(
        !is!(Send: SharedInitOf<SendOnly, u32, u32>),
        "the value is shared"
    );
    assert!(
        !is!(Send: SharedInitOf<SyncOnly, u32, u32>),
        "the value is made on this thread"
    );
}

#[test]
fn the_futures_of_guards_and_shared_attempts_are_not_unpin() {
    assert!(!is!(Unpin: GetOrClaim<'static, u32>));
    assert!(!is!(Unpin: WaitAttempt<'static, u32>));
    assert!(!is!(Unpin: SharedInitOf<u32, u32, u32>));
}

#[test]
fn guards_and_shared_attempts_are_unwind_safe_with_the_cell_and_the_initializer() {
    assert!(is!(UnwindSafe: InitGuard<'static, u32>) && is!(RefUnwindSafe: InitGuard<'static, u32>));
    assert!(
        !is!(UnwindSafe: InitGuard<'static, Breaks>) && !is!(UnwindSafe: InitGuard<'static, SharesBroken>)
    );
    assert!(is!(UnwindSafe: GetOrClaim<'static, u32>) && is!(RefUnwindSafe: GetOrClaim<'static, u32>));
    assert!(is!(UnwindSafe: WaitAttempt<'static, u32>) && !is!(UnwindSafe: WaitAttempt<'static, Breaks>));
    assert!(is!(UnwindSafe: SharedInitOf<u32, u32, u32>) && is!(RefUnwindSafe: SharedInitOf<u32, u32, u32>));
    assert!(
        !is!(UnwindSafe: SharedInitOf<u32, SharesBroken, u32>),
        "the closure"
    );
}

#[test]
fn an_exclusive_future_is_unpin_with_its_initializer() {
    assert!(is!(Unpin: MutInitOf<u32, u32, u32>));
    assert!(is!(Unpin: MutTryInitOf<u32, u32, u32>));
    assert!(!is!(Unpin: MutInitOf<u32, u32, PhantomPinned>));
    assert!(!is!(Unpin: MutTryInitOf<u32, u32, PhantomPinned>));
}

/// A panic leaves the cell usable. A broken invariant can be observed only through the value or the initializer.
#[test]
fn a_future_is_unwind_safe_with_the_cell_and_its_initializer() {
    assert!(is!(UnwindSafe: InitOf<u32, u32, u32>) && is!(RefUnwindSafe: InitOf<u32, u32, u32>));
    assert!(is!(UnwindSafe: TryInitOf<u32, u32, u32>) && is!(RefUnwindSafe: TryInitOf<u32, u32, u32>));
    assert!(is!(UnwindSafe: Wait<'static, u32>) && is!(RefUnwindSafe: Wait<'static, u32>));
    assert!(is!(UnwindSafe: Insert<'static, u32>) && is!(RefUnwindSafe: Insert<'static, u32>));
}

#[test]
fn a_future_is_unwind_safe_with_the_cell_and_its_initializer_only() {
    assert!(!is!(UnwindSafe: InitOf<Breaks, u32, u32>), "the value");
    assert!(!is!(UnwindSafe: InitOf<&'static mut u32, u32, u32>), "the value");
    assert!(!is!(UnwindSafe: InitOf<u32, SharesBroken, u32>), "the closure");
    assert!(!is!(UnwindSafe: InitOf<u32, u32, SharesBroken>), "the future");
    assert!(!is!(RefUnwindSafe: InitOf<u32, u32, Breaks>), "the future");
    assert!(!is!(UnwindSafe: TryInitOf<Breaks, u32, u32>));
    assert!(!is!(UnwindSafe: TryInitOf<u32, SharesBroken, u32>));
    assert!(!is!(UnwindSafe: TryInitOf<u32, u32, SharesBroken>));
    assert!(!is!(UnwindSafe: Wait<'static, Breaks>));
    assert!(!is!(UnwindSafe: Insert<'static, Breaks>));
    assert!(!is!(UnwindSafe: Insert<'static, SharesBroken>));
}

/// Like `&mut`: code that panics can leave the value half-changed, and code that catches the panic then sees it.
#[test]
fn an_exclusive_future_is_not_unwind_safe() {
    assert!(!is!(UnwindSafe: MutInitOf<u32, u32, u32>) && is!(RefUnwindSafe: MutInitOf<u32, u32, u32>));
    assert!(!is!(UnwindSafe: MutTryInitOf<u32, u32, u32>) && is!(RefUnwindSafe: MutTryInitOf<u32, u32, u32>));
}

// What computes its value by itself.

#[test]
fn a_lazy_is_send_with_its_value_and_its_future() {
    assert!(is!(Send: Lazy<u32, u32>));
    assert!(is!(Send: Lazy<SendOnly, SendOnly>));
    assert!(!is!(Send: Lazy<SyncOnly, u32>));
    assert!(!is!(Send: Lazy<u32, SyncOnly>));
    assert!(!is!(Send: Lazy<Neither, u32>));
    assert!(!is!(Send: Lazy<u32, Neither>));
}

/// The future is used by one thread after the other, so that it need not be `Sync`.
#[test]
fn a_lazy_is_sync_with_a_future_that_is_send() {
    assert!(is!(Sync: Lazy<u32, u32>));
    assert!(is!(Sync: Lazy<u32, SendOnly>));
    assert!(!is!(Sync: Lazy<u32, SyncOnly>));
    assert!(!is!(Sync: Lazy<u32, Neither>));
    assert!(!is!(Sync: Lazy<SendOnly, u32>));
    assert!(!is!(Sync: Lazy<SyncOnly, u32>));
    assert!(!is!(Sync: Lazy<Neither, u32>));
}

#[test]
fn a_lazy_is_unpin_if_its_future_is() {
    assert!(is!(Unpin: Lazy<u32, u32>));
    assert!(is!(Unpin: Lazy<PhantomPinned, u32>));
    assert!(!is!(Unpin: Lazy<u32, PhantomPinned>));
}

/// The bounds of std's `LazyLock`.
#[test]
fn a_lazy_is_unwind_safe_with_its_value_and_its_future() {
    assert!(is!(UnwindSafe: Lazy<u32, u32>) && is!(RefUnwindSafe: Lazy<u32, u32>));
    assert!(!is!(UnwindSafe: Lazy<u32, SharesBroken>), "the future");
    assert!(!is!(RefUnwindSafe: Lazy<u32, SharesBroken>), "the future");
    // One task after the other has the future, and none a reference.
    assert!(is!(UnwindSafe: Lazy<u32, Breaks>) && is!(RefUnwindSafe: Lazy<u32, Breaks>));
    assert!(!is!(UnwindSafe: Lazy<SharesBroken, u32>), "the value");
    assert!(!is!(RefUnwindSafe: Lazy<Breaks, u32>), "the value");
    assert!(!is!(RefUnwindSafe: Lazy<&'static mut u32, u32>), "the value");
}

#[test]
fn a_get_is_unwind_safe_with_its_value() {
    assert!(is!(UnwindSafe: GetLazy<'static, u32, u32>) && is!(RefUnwindSafe: GetLazy<'static, u32, u32>));
    assert!(!is!(UnwindSafe: GetLazy<'static, u32, SharesBroken>));
    assert!(!is!(UnwindSafe: GetLazy<'static, Breaks, u32>));
    assert!(is!(UnwindSafe: GetStatic<u32>) && is!(RefUnwindSafe: GetStatic<u32>));
    assert!(!is!(UnwindSafe: GetStatic<Breaks>));
}

/// Like std's `LazyLock<T, Box<dyn FnOnce() -> T>>`.
#[cfg(feature = "alloc")]
#[test]
fn a_box_lazy_is_not_unwind_safe() {
    type Std = std::sync::LazyLock<u32, Box<dyn FnOnce() -> u32 + Send>>;
    assert!(!is!(UnwindSafe: Std) && !is!(RefUnwindSafe: Std));
    assert!(!is!(UnwindSafe: oncelot::BoxLazy<'static, u32>));
    assert!(!is!(RefUnwindSafe: oncelot::BoxLazy<'static, u32>));
    assert!(!is!(UnwindSafe: oncelot::LocalBoxLazy<'static, u32>));
    assert!(!is!(RefUnwindSafe: oncelot::LocalBoxLazy<'static, u32>));
}

#[test]
fn a_static_is_sync_and_unwind_safe_with_its_value() {
    assert!(is!(Sync: StaticLazy<u32>));
    assert!(!is!(Sync: StaticLazy<SendOnly>));
    assert!(!is!(Sync: StaticLazy<SyncOnly>));
    assert!(is!(UnwindSafe: StaticLazy<u32>) && is!(RefUnwindSafe: StaticLazy<u32>));
    assert!(!is!(UnwindSafe: StaticLazy<SharesBroken>));
    assert!(!is!(RefUnwindSafe: StaticLazy<Breaks>));
    assert!(!is!(RefUnwindSafe: StaticLazy<&'static mut u32>));
    assert!(is!(Send: GetStatic<u32>) && is!(Sync: GetStatic<u32>));
    assert!(!is!(Send: GetStatic<SendOnly>) && !is!(Unpin: GetStatic<u32>));
}

#[test]
fn a_get_is_send_with_a_lazy_that_is_sync() {
    assert!(is!(Send: GetLazy<'static, u32, u32>));
    assert!(is!(Send: GetLazy<'static, u32, SendOnly>));
    assert!(!is!(Send: GetLazy<'static, u32, SyncOnly>));
    assert!(!is!(Send: GetLazy<'static, SendOnly, u32>));
    assert!(!is!(Send: GetLazy<'static, SyncOnly, u32>));
    assert!(is!(Sync: GetLazy<'static, u32, SendOnly>));
    assert!(!is!(Sync: GetLazy<'static, SendOnly, u32>));
    assert!(!is!(Unpin: GetLazy<'static, u32, u32>));
}

#[cfg(feature = "alloc")]
#[test]
fn a_box_lazy_is_send_and_sync_unless_it_is_local() {
    assert!(is!(Send: oncelot::BoxLazy<'static, u32>) && is!(Sync: oncelot::BoxLazy<'static, u32>));
    assert!(is!(Unpin: oncelot::BoxLazy<'static, u32>));
    assert!(
        !is!(Send: oncelot::LocalBoxLazy<'static, u32>) && !is!(Sync: oncelot::LocalBoxLazy<'static, u32>)
    );
    assert!(is!(Unpin: oncelot::LocalBoxLazy<'static, PhantomPinned>));
}

#[cfg(feature = "alloc")]
#[test]
fn a_box_lazy_is_send_and_sync_with_its_value_and_its_backend() {
    use oncelot::BoxLazy;
    assert!(is!(Send: BoxLazy<'static, SendOnly>));
    assert!(!is!(Send: BoxLazy<'static, SyncOnly>));
    assert!(!is!(Sync: BoxLazy<'static, SendOnly>));
    assert!(!is!(Sync: BoxLazy<'static, SyncOnly>));
    assert!(!is!(Send: BoxLazy<'static, u32, Local>) && !is!(Sync: BoxLazy<'static, u32, Local>));
}

#[cfg(feature = "alloc")]
#[test]
fn a_get_of_a_box_lazy_is_send_if_the_lazy_is_sync() {
    type Get<T> = oncelot::GetBoxLazy<'static, T, dyn Future<Output = T> + Send>;
    type LocalGet<T> = oncelot::GetBoxLazy<'static, T, dyn Future<Output = T>>;
    assert!(is!(Send: Get<u32>) && is!(Sync: Get<u32>) && !is!(Unpin: Get<u32>));
    assert!(!is!(Send: Get<SendOnly>) && !is!(Send: Get<SyncOnly>));
    assert!(!is!(Send: LocalGet<u32>) && !is!(Sync: LocalGet<u32>));
    assert!(!is!(UnwindSafe: Get<u32>) && !is!(RefUnwindSafe: Get<u32>));
}

// Of futures that have been made: these need only compile.

fn assert_unwind_safe<T: UnwindSafe>(_: &T) {}

#[allow(dead_code, reason = "compiling is the test")]
fn a_future_of_an_async_block_is_unwind_safe(cell: &OnceCell<String>, lazy: &Lazy<u32, Ready<u32>>) {
    let text = String::from("text");
    assert_unwind_safe(&cell.get_or_init(async || {
        std::future::ready(()).await;
        text.clone()
    }));
    assert_unwind_safe(&cell.get_or_try_init(async || Err(text.clone())));
    assert_unwind_safe(&cell.wait());
    assert_unwind_safe(&cell.insert(text.clone()));
    assert_unwind_safe(&lazy.get_unpin());
}

// In generic code: these need only compile.

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
fn generic_code_can_do_so_with_any_backend<T, B, F, Fut>(cell: &OnceCell<T, B>, init: F)
where
    T: Send + Sync,
    B: Backend<Waiter: Send> + Sync,
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = T> + Send,
{
    assert_send(&cell.get_or_init(init));
    assert_send(&cell.wait());
}

#[allow(dead_code, reason = "compiling is the test")]
fn generic_code_can_name_the_futures<'a, T, F, Fut>(
    cell: &'a OnceCell<T>,
    init: F,
) -> GetOrInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    cell.get_or_init(init)
}

#[allow(dead_code, reason = "compiling is the test")]
fn generic_code_can_share_the_cell<T: Send + Sync>(cell: OnceCell<T>) {
    assert_send(&cell);
    assert_sync(&cell);
    assert_sync(&cell.wait());
}

/// A future may be taken for one with a shorter borrow of the cell.
#[allow(dead_code, reason = "compiling is the test")]
fn the_initializing_future_is_covariant_in_the_borrow_of_the_cell<'short, 'long: 'short, F>(
    init: GetOrInit<'long, u32, F, Ready<u32>>,
) -> GetOrInit<'short, u32, F, Ready<u32>> {
    init
}

/// A future may be taken for one with a shorter borrow of the cell.
#[allow(dead_code, reason = "compiling is the test")]
fn the_waiting_futures_are_covariant_in_the_borrow_of_the_cell<'short, 'long: 'short>(
    wait: Wait<'long, u32>,
    insert: Insert<'long, u32>,
    wait_attempt: WaitAttempt<'long, u32>,
    get_or_claim: GetOrClaim<'long, u32>,
) -> (
    Wait<'short, u32>,
    Insert<'short, u32>,
    WaitAttempt<'short, u32>,
    GetOrClaim<'short, u32>,
) {
    (wait, insert, wait_attempt, get_or_claim)
}
