//! Tests of the newtypes of `oncelot::compat`, beyond the documentation tests of the crates that they replace.

mod util;

use std::{
    cell::Cell,
    future::{Ready, ready},
    marker::PhantomPinned,
    mem::{size_of, size_of_val},
    pin::{Pin, pin},
    task::Poll,
};

use futures_lite::future::{block_on, poll_once, yield_now};
use oncelot::compat::{async_lock, async_once_cell, asyncband, embassy_sync};
use util::{Task, panic_of, poll_with};

#[test]
fn newtypes_and_their_futures_are_as_large_as_the_cell_and_its_futures() {
    let size = size_of::<oncelot::OnceCell<u64>>();
    assert_eq!(size_of::<async_lock::OnceCell<u64>>(), size);
    assert_eq!(size_of::<async_once_cell::OnceCell<u64>>(), size);
    assert_eq!(size_of::<asyncband::OnceCell<u64>>(), size);
    assert_eq!(size_of::<embassy_sync::OnceLock<u64>>(), size);
    assert_eq!(
        size_of::<async_once_cell::Lazy<u64, [u64; 4]>>(),
        size_of::<oncelot::Lazy<u64, [u64; 4]>>()
    );

    let size = size_of_val(&oncelot::OnceCell::new().insert(1_u64));
    assert_eq!(size_of_val(&async_lock::OnceCell::new().set(1_u64)), size);
    assert_eq!(size_of_val(&asyncband::OnceCell::new().set(1_u64)), size);

    let init = async || [1_u64; 8];
    let size = size_of_val(&oncelot::OnceCell::new().get_or_init(init));
    assert_eq!(size_of_val(&async_lock::OnceCell::new().get_or_init(init)), size);
    assert_eq!(size_of_val(&asyncband::OnceCell::new().get_or_init(init)), size);
}

#[test]
fn turbofish_names_the_error_first_and_one_more_type() {
    block_on(async {
        let init = async || Err("no");
        let cell = async_lock::OnceCell::<u32>::new();
        assert_eq!(cell.get_or_try_init::<&str, _>(init).await, Err("no"));
        let cell = async_once_cell::OnceCell::<u32>::new();
        assert_eq!(cell.get_or_try_init::<&str>(init()).await, Err("no"));
        let cell = asyncband::OnceCell::<u32>::new();
        assert_eq!(cell.get_or_try_init::<&str, _>(init).await, Err("no"));
    });
}

#[test]
fn methods_of_the_cell_are_available_through_deref() {
    block_on(async {
        assert_eq!(async_lock::OnceCell::new().insert(1).await, Ok(&1));
        assert_eq!(async_once_cell::OnceCell::new().insert(1).await, Ok(&1));
        assert_eq!(asyncband::OnceCell::from_value(1).wait().await, &1);
        assert_eq!(embassy_sync::OnceLock::new().insert(1).await, Ok(&1));
    });
}

#[test]
fn set_waits_for_an_initializer_and_try_set_does_not() {
    async fn assert_waits<'a, S>(
        init: impl Future<Output = &'a u32>,
        set: impl Future<Output = Result<S, u32>>,
    ) {
        let (mut init, mut set) = (pin!(init), pin!(set));
        assert_eq!(poll_once(init.as_mut()).await, None);
        assert!(poll_once(set.as_mut()).await.is_none());
        assert_eq!(init.await, &1);
        assert_eq!(set.await.err(), Some(2));
    }

    block_on(async {
        let cell = async_lock::OnceCell::new();
        let init = async || {
            assert_eq!(cell.try_set(3), Err(3));
            yield_now().await;
            1
        };
        assert_waits(cell.get_or_init(init), cell.set(2)).await;
        let cell = asyncband::OnceCell::new();
        let init = async || {
            yield_now().await;
            1
        };
        assert_waits(cell.get_or_init(init), cell.set(2)).await;
    });
}

/// Returns a future that is not `Unpin`, and whose value is not.
async fn pinned() -> PhantomPinned {
    PhantomPinned
}

#[test]
fn async_once_cell_lazy_pins_its_value() {
    block_on(async {
        let mut lazy = pin!(async_once_cell::Lazy::new(pinned()));
        assert!(lazy.as_mut().try_get_mut().is_none());
        let value: Pin<&PhantomPinned> = lazy.as_ref().await;
        let value: *const PhantomPinned = &*value;
        let again: Pin<&mut PhantomPinned> = lazy.as_mut().try_get_mut().unwrap();
        assert!(std::ptr::eq(value, &*again));
    });
}

#[test]
fn async_once_cell_lazy_lends_its_value_unpinned() {
    block_on(async {
        let mut lazy = async_once_cell::Lazy::new(ready(1));
        assert_eq!(lazy.try_get_mut_unpin(), None);
        assert_eq!((&lazy).await, &1);
        *lazy.try_get_mut_unpin().unwrap() = 2;
        assert_eq!(lazy.get_unpin().await, &2);
        assert_eq!(lazy.into_parts().ok(), Some(2));
    });
}

#[test]
fn replace_and_take_starts_the_replacement() {
    async fn computed(runs: &Cell<u32>, value: u32) -> u32 {
        runs.set(runs.get() + 1);
        value
    }
    block_on(async {
        let runs = Cell::new(0);
        let lazy = |value| async_once_cell::Lazy::new(computed(&runs, value));
        let mut cell = pin!(lazy(1));
        assert_eq!(cell.as_mut().replace_and_take(lazy(2)), None);
        assert_eq!(*cell.as_ref().await, 2);
        assert_eq!(cell.as_mut().replace_and_take(lazy(3)), Some(2));
        assert_eq!(cell.try_get(), None);
        assert_eq!(*cell.as_ref().await, 3);
        assert_eq!(runs.get(), 2);
    });
}

#[test]
fn asyncband_lazy_keeps_its_future_when_the_driver_is_cancelled() {
    block_on(async {
        let calls = Cell::new(0);
        let lazy = pin!(asyncband::LazyCell::new(async || {
            calls.set(calls.get() + 1);
            yield_now().await;
            calls.get()
        }));
        let lazy = lazy.as_ref();
        assert_eq!(poll_once(asyncband::LazyCell::force_pin(lazy)).await, None);
        assert_eq!(calls.get(), 1);
        assert_eq!(asyncband::LazyCell::force_pin(lazy).await, &1);
    });
}

#[test]
fn asyncband_lazy_is_poisoned_by_a_panic_of_its_closure() {
    let lazy = asyncband::LazyCell::new(|| -> Ready<u32> { panic!("no future") });
    for message in [
        "no future",
        "lazy value is poisoned: its future panicked; create another lazy value to retry",
    ] {
        assert_eq!(panic_of(|| block_on(asyncband::LazyCell::force(&lazy))), message);
    }
    assert_eq!(asyncband::LazyCell::get(&lazy), None);
}

#[test]
fn asyncband_lazy_lends_its_value_mutably() {
    use asyncband::LazyCell;

    block_on(async {
        let mut lazy = pin!(LazyCell::new(|| async {
            yield_now().await;
            1
        }));
        *LazyCell::force_pin_mut(lazy.as_mut()).await += 1;
        assert_eq!(LazyCell::get(&lazy), Some(&2));
        let mut lazy = LazyCell::from_future(ready(1));
        assert_eq!(LazyCell::get_mut(&mut lazy), None);
        *LazyCell::force_mut(&mut lazy).await += 1;
        assert_eq!(LazyCell::get_mut(&mut lazy), Some(&mut 2));
        assert_eq!(LazyCell::force(&LazyCell::<u32, _>::default()).await, &0);
        assert_eq!(LazyCell::get(&LazyCell::from_value(1)), Some(&1));
    });
}

/// In embassy-sync, the inner call stores a value and lends it, and the outer call overwrites it.
#[test]
fn embassy_sync_init_within_an_initializer_stores_nothing() {
    let lock = embassy_sync::OnceLock::new();
    let value = lock.get_or_init(|| {
        assert_eq!(lock.init(2), Err(2));
        assert_eq!(lock.try_get(), None);
        1
    });
    assert_eq!(value, &1);
}

#[cfg(not(feature = "blocking"))]
#[test]
fn embassy_sync_get_or_init_panics_while_another_initializer_runs() {
    let lock = embassy_sync::OnceLock::new();
    let panic = lock.get_or_init(|| panic_of(|| lock.get_or_init(String::new)));
    assert!(
        panic.starts_with(
            "another initializer is running, and `OnceLock::get_or_init` waits only with the feature `blocking`; enable \
             that feature, or await `get`: "
        ),
        "{panic}"
    );
}

// A call blocks until the initializer ends, or until its critical section does.
#[cfg(any(feature = "blocking", feature = "critical-section"))]
#[test]
fn embassy_sync_get_or_init_waits_while_another_initializer_runs() {
    let lock = embassy_sync::OnceLock::new();
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            lock.get_or_init(|| {
                barrier.wait();
                std::thread::sleep(std::time::Duration::from_millis(20));
                1
            })
        });
        barrier.wait();
        assert_eq!(lock.get_or_init(|| 2), &1);
    });
}

#[test]
fn embassy_sync_get_does_not_wake_its_own_task() {
    let lock = embassy_sync::OnceLock::new();
    let mut get = Box::pin(lock.get());
    let task = Task::new();
    assert!(poll_with(&mut get, &task.waker()).is_pending());
    assert_eq!(task.wakes(), 0);
    assert_eq!(lock.init(1), Ok(()));
    assert_eq!(task.wakes(), 1);
    assert_eq!(poll_with(&mut get, &task.waker()), Poll::Ready(&1));
}

#[test]
fn embassy_sync_debug_needs_no_debug_of_the_value() {
    struct Opaque;
    let lock = embassy_sync::OnceLock::new();
    assert_eq!(format!("{lock:?}"), "OnceLock { state: Uninit, .. }");
    assert!(lock.init(Opaque).is_ok());
    assert_eq!(format!("{lock:?}"), "OnceLock { state: Ready, .. }");
}

#[test]
fn async_lock_has_the_methods_of_its_original() {
    block_on(async {
        let mut cell = async_lock::OnceCell::new();
        assert_eq!((cell.is_initialized(), cell.get()), (false, None));
        assert_eq!(cell.get_mut(), None);
        assert_eq!(cell.try_set(1), Ok(()));
        assert_eq!((cell.is_initialized(), cell.get()), (true, Some(&1)));
        assert_eq!(cell.get_mut(), Some(&mut 1));
        // SAFETY: the cell holds a value.
        assert_eq!(unsafe { cell.get_unchecked() }, &1);
        assert_eq!(cell.wait().await, &1);
        assert_eq!(format!("{cell:?}"), "OnceCell(1)");
        assert_eq!(cell.take(), Some(1));
        assert_eq!(cell.set(2).await, Ok(&2));
        assert_eq!(cell.into_inner(), Some(2));
        assert_eq!(async_lock::OnceCell::from(3).get(), Some(&3));
        assert_eq!(async_lock::OnceCell::<u32>::default().get(), None);
    });
}

#[cfg(feature = "blocking")]
#[test]
fn async_lock_has_the_blocking_methods_of_its_original() {
    let cell = async_lock::OnceCell::<u32>::new();
    assert_eq!(cell.get_or_try_init_blocking::<&str>(|| Err("no")), Err("no"));
    assert_eq!(cell.get_or_init_blocking(|| 1), &1);
    assert_eq!(cell.wait_blocking(), &1);
    assert_eq!(cell.set_blocking(2), Err(2));
    assert_eq!(async_lock::OnceCell::new().set_blocking(2), Ok(&2));
}

#[test]
fn async_once_cell_has_the_methods_of_its_original() {
    block_on(async {
        let cell = async_once_cell::OnceCell::new_with(1);
        assert_eq!(cell.get_or_init(async { 2 }).await, &1);
        let lazy = async_once_cell::Lazy::<u32, Ready<u32>>::with_value(1);
        assert_eq!(format!("{lazy:?}"), "Lazy(1)");
        assert_eq!(lazy.try_get(), Some(&1));
        assert_eq!(lazy.into_inner(), Some(1));
        let mut lazy = async_once_cell::Lazy::<u32, Ready<u32>>::from_future(ready(2));
        // The lazies inside.
        assert_eq!(oncelot::Lazy::try_get(&lazy), None);
        assert_eq!(Pin::new(&mut *lazy).try_get_mut(), None);
        assert!(lazy.into_parts().is_err());
    });
}

#[test]
fn asyncband_has_the_methods_of_its_original() {
    block_on(async {
        let mut cell = asyncband::OnceCell::new();
        assert_eq!(cell.get_mut_or_try_init(async || Err("no")).await, Err("no"));
        assert_eq!(cell.get_mut_or_init(async || 1).await, &mut 1);
        assert_eq!(cell.clone().try_insert(2).await, Err((&1, 2)));
        assert!(cell == asyncband::OnceCell::from_value(1));
        let lazy = asyncband::LazyCell::from_value(1);
        assert_eq!(format!("{lazy:?}"), "Lazy(1)");
    });
}

#[test]
fn embassy_sync_has_the_methods_of_its_original() {
    let mut lock = embassy_sync::OnceLock::new();
    assert_eq!(lock.get_or_init(|| 1), &1);
    assert_eq!(lock.get_or_init(|| 2), &1);
    assert!(lock.is_set());
    assert_eq!(lock.take(), Some(1));
    assert!(!lock.is_set());
    // The cell inside.
    assert_eq!(block_on(lock.get_mut_or_init(async || 3)), &mut 3);
    assert_eq!(lock.into_inner(), Some(3));
}
