//! Cells whose initializers await JavaScript promises.
//!
//! With the feature `tracing`, a subscriber checks the spans and events of the cells, on a target without a clock.
//!
//! [`executor`] runs tasks from JavaScript's microtasks, [`promise`] awaits timers of JavaScript, and `host.mjs` is
//! the JavaScript side of both.

use std::{
    cell::Cell,
    panic, ptr,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
};

use oncelot::OnceCell;

use crate::{executor::spawn, promise::timer};

mod executor;
mod host;
mod promise;
#[cfg(feature = "tracing")]
mod subscriber;

/// What JavaScript calls first.
#[unsafe(no_mangle)]
pub extern "C" fn start() {
    panic::set_hook(Box::new(|panic| host::fail(&panic.to_string())));
    spawn(async {
        #[cfg(feature = "tracing")]
        trace_from_here().await;
        one_initializer().await;
        host::report("three tasks waited for one promise; one was cancelled, two got its value");
        cancelled_initializer().await;
        host::report("an initializer was cancelled before its promise came; a waiter took over");
        failed_initializer().await;
        host::report("a promise was rejected; a waiter took over");
        #[cfg(feature = "tracing")]
        assert_traced();
        host::succeed();
    });
}

/// Initializes a cell while there is no subscriber, and installs one.
#[cfg(feature = "tracing")]
async fn trace_from_here() {
    assert_eq!(OnceCell::new().get_or_init(async || 1).await, &1);
    subscriber::install();
}

/// Checks what the subscriber was called for.
#[cfg(feature = "tracing")]
fn assert_traced() {
    let messages = subscriber::messages();
    assert_eq!(
        messages,
        [
            "waiting",
            "waiting",
            "initialized",
            "waiting",
            "the initializer was cancelled",
            "initialized",
            "waiting",
            "waiting",
            "the initializer failed",
            "initialized",
        ]
    );
    host::report("a subscriber was called for all of it, on a target without a clock");
}

async fn one_initializer() {
    static CELL: OnceCell<u32> = OnceCell::new();
    static STARTS: AtomicU32 = AtomicU32::new(0);
    let init = async || {
        STARTS.fetch_add(1, Ordering::Relaxed);
        timer(20).await.expect("this promise is kept")
    };
    let initializer = spawn(async move { CELL.get_or_init(init).await });
    let cancelled = spawn(async {
        CELL.get_or_init(async || unreachable!("another initializer is running"))
            .await
    });
    let waiter = spawn(async { CELL.wait().await });

    // The promise has not been kept yet.
    timer(5).await.expect("this promise is kept");
    assert_eq!(CELL.get(), None);
    assert!(cancelled.cancel(), "it was still waiting");
    let (one, other) = (initializer.join().await, waiter.join().await);
    assert_eq!(*one, 20);
    assert!(ptr::eq(one, other));
    assert_eq!(STARTS.load(Ordering::Relaxed), 1);
}

async fn cancelled_initializer() {
    let cell = Rc::new(OnceCell::new());
    let drops = Rc::new(Cell::new(0));

    let (shared, held) = (cell.clone(), DropCount(drops.clone()));
    let initializer = spawn(async move {
        let init = async move || {
            let _held = held;
            timer(10).await.expect("this promise is kept")
        };
        *shared.get_or_init(init).await
    });
    let shared = cell.clone();
    let waiter = spawn(async move {
        let init = async || timer(15).await.expect("this promise is kept");
        *shared.get_or_init(init).await
    });

    timer(5).await.expect("this promise is kept");
    assert_eq!(drops.get(), 0);
    assert!(initializer.cancel(), "its promise was still to come");
    assert_eq!(drops.get(), 1, "the initializer is gone with what it held");
    assert_eq!(waiter.join().await, 15);
    assert_eq!(
        Rc::strong_count(&cell),
        1,
        "no other task holds the cell any more"
    );
}

async fn failed_initializer() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let failing = spawn(async { CELL.get_or_try_init(async || timer(0).await).await.copied() });
    let waiter = spawn(async { CELL.get_or_try_init(async || timer(1).await).await.copied() });
    let passive = spawn(async { *CELL.wait().await });
    assert_eq!(failing.join().await, Err(promise::Rejected));
    assert_eq!(waiter.join().await, Ok(1));
    assert_eq!(passive.join().await, 1);
}

struct DropCount(Rc<Cell<u32>>);

impl Drop for DropCount {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}
