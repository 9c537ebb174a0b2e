//! Cells whose initializers await JavaScript promises.
//!
//! With the feature `tracing`, the events of the cells are checked, on a target without a clock.

use std::{
    ptr,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
};

use oncelot::OnceCell;

use crate::host::{Rejected, report, spawn, timer};

mod host;
#[cfg(feature = "tracing")]
mod lines;

async fn run() {
    #[cfg(feature = "tracing")]
    lines::collect_from_here().await;
    one_initializer().await;
    report("three tasks waited for one promise; one was cancelled, two got its value");
    cancelled_initializer().await;
    report("an initializer was cancelled before its promise came; a waiter took over");
    failed_initializer().await;
    report("a promise was rejected; a waiter took over");
    #[cfg(feature = "tracing")]
    lines::check();
}

async fn one_initializer() {
    static CELL: OnceCell<u32> = OnceCell::new();
    static STARTS: AtomicU32 = AtomicU32::new(0);
    let init = async || {
        STARTS.fetch_add(1, Ordering::Relaxed);
        timer(20).await.expect("this promise is kept")
    };
    let initializer = spawn(async move { CELL.get_or_init(init).await });
    let cancelled = spawn(CELL.get_or_init(async || unreachable!("another initializer is running")));
    let waiter = spawn(CELL.wait());

    // The promise has not been kept yet.
    timer(5).await.expect("this promise is kept");
    assert_eq!(CELL.get(), None);
    assert_eq!(cancelled.cancel().await, None, "it was still waiting");
    let (one, other) = (initializer.await, waiter.await);
    assert_eq!(*one, 20);
    assert!(ptr::eq(one, other));
    assert_eq!(STARTS.load(Ordering::Relaxed), 1);
}

async fn cancelled_initializer() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let held = Rc::new(());
    let init = {
        let held = held.clone();
        async move || {
            let _held = held;
            timer(10).await.expect("this promise is kept")
        }
    };
    let initializer = spawn(async move { CELL.get_or_init(init).await });
    let init = async || timer(15).await.expect("this promise is kept");
    let waiter = spawn(async move { CELL.get_or_init(init).await });

    timer(5).await.expect("this promise is kept");
    assert_eq!(Rc::strong_count(&held), 2);
    assert_eq!(initializer.cancel().await, None, "its promise was still to come");
    assert_eq!(
        Rc::strong_count(&held),
        1,
        "the initializer is gone with what it held"
    );
    assert_eq!(*waiter.await, 15);
}

async fn failed_initializer() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let failing = spawn(CELL.get_or_try_init(|| timer(0)));
    let waiter = spawn(CELL.get_or_try_init(|| timer(1)));
    let passive = spawn(CELL.wait());
    assert_eq!(failing.await, Err(Rejected));
    assert_eq!(waiter.await, Ok(&1));
    assert_eq!(*passive.await, 1);
}
