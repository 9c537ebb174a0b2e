//! The tests that every runtime must pass.

use std::{
    future::pending,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use futures_lite::{
    FutureExt,
    future::{Boxed, poll_once, yield_now},
};
use oncelot::{
    OnceCell,
    runtime::{OnceCellExt, Runtime},
};

use crate::util::{Drops, message, static_cell};

/// Calls a macro with the names of all tests.
macro_rules! for_each_test {
    ($callback:ident! { $($argument:tt)* }) => {
        $callback!(@ [
            makes_the_value_once
            finds_a_value_without_calling_anything
            works_with_a_cell_in_an_arc
            survives_its_caller
            goes_on_while_its_caller_is_not_polled
            keeps_its_cell_alive
            an_error_reaches_the_one_that_started_it
            a_panic_reaches_the_one_that_started_it
            a_panic_of_the_closure_reaches_it_too
            an_abandoned_failure_leaves_the_cell_to_the_next
            an_abandoned_panic_leaves_the_cell_to_the_next
            is_one_among_many
            waits_for_an_initializer_of_another_kind
            can_be_cancelled_while_it_waits
            blocks_a_thread_of_the_pool
            blocking_work_survives_its_caller
            an_error_of_blocking_work_reaches_its_caller
            a_panic_of_blocking_work_reaches_its_caller
            the_initializer_is_gone_before_the_value_is_there
        ] $($argument)*);
    };
}
pub(crate) use for_each_test;

/// Opened by the test, for an initializer that waits until then.
type Gate = Arc<OnceCell<()>>;

/// Polls once, so that an initializer is started, and drops.
async fn abandon<F: Future>(future: F) {
    let polled = poll_once(pin!(future)).await;
    assert!(polled.is_none(), "the initializer has not waited");
}

/// An initializer that waits for a gate.
fn gated<T: Send + 'static>(gate: &Gate, value: T) -> impl FnOnce() -> Boxed<T> + use<T> {
    let gate = gate.clone();
    move || {
        Box::pin(async move {
            gate.wait().await;
            value
        })
    }
}

/// The message of the panic that `future` ends in.
async fn panic_of<F: Future>(future: F) -> String {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(_) => panic!("a panic was expected"),
        Err(payload) => message(&*payload),
    }
}

pub(crate) async fn makes_the_value_once(runtime: impl Runtime) {
    let cell = static_cell();
    assert_eq!(cell.get_or_init_spawned(&runtime, async || 1).await, &1);
    assert_eq!(cell.get_or_init_spawned(&runtime, async || 2).await, &1);
    assert_eq!(
        cell.get_or_try_init_spawned::<()>(&runtime, async || Ok(3)).await,
        Ok(&1)
    );
    assert_eq!(cell.get_or_init_spawned_blocking(&runtime, || 4).await, &1);
    assert_eq!(
        cell.get_or_try_init_spawned_blocking::<()>(&runtime, || Ok(5))
            .await,
        Ok(&1)
    );
}

pub(crate) async fn finds_a_value_without_calling_anything(runtime: impl Runtime) {
    let cell = static_cell();
    cell.set(1).unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    cell.get_or_init_spawned(&runtime, async move || counted.fetch_add(1, SeqCst) as u32)
        .await;
    let counted = calls.clone();
    cell.get_or_init_spawned_blocking(&runtime, move || counted.fetch_add(1, SeqCst) as u32)
        .await;
    assert_eq!(calls.load(SeqCst), 0);
    assert_eq!(Arc::strong_count(&calls), 1, "both closures were dropped");
}

pub(crate) async fn works_with_a_cell_in_an_arc(runtime: impl Runtime) {
    let cell = Arc::new(OnceCell::new());
    assert_eq!(
        cell.get_or_try_init_spawned(&runtime, async || Err("first"))
            .await,
        Err("first")
    );
    assert_eq!(
        cell.get_or_try_init_spawned_blocking(&runtime, || Err("second"))
            .await,
        Err("second")
    );
    assert_eq!(cell.get_or_init_spawned(&runtime, async || 1).await, &1);
    assert_eq!(cell.get_or_init_spawned_blocking(&runtime, || 2).await, &1);
}

pub(crate) async fn survives_its_caller(runtime: impl Runtime) {
    let cell = static_cell();
    let gate = Gate::default();
    abandon(cell.get_or_init_spawned(&runtime, gated(&gate, 1))).await;
    gate.set(()).unwrap();
    assert_eq!(cell.wait().await, &1);
}

/// The futurelock program: the future that has started the initializer is alive and not polled, while the same task
/// awaits the cell.
pub(crate) async fn goes_on_while_its_caller_is_not_polled(runtime: impl Runtime) {
    let cell = static_cell();
    let gate = Gate::default();
    let mut unpolled = pin!(cell.get_or_init_spawned(&runtime, gated(&gate, 1)));
    assert!(poll_once(unpolled.as_mut()).await.is_none());
    gate.set(()).unwrap();
    assert_eq!(cell.get_or_init(async || 2).await, &1);
    assert_eq!(unpolled.await, &1);
}

pub(crate) async fn keeps_its_cell_alive(runtime: impl Runtime) {
    let drops = Arc::new(Drops::new());
    let cell = Arc::new(OnceCell::new());
    let gate = Gate::default();
    let ended = Gate::default();
    let init = {
        let (gate, ended, drops) = (gate.clone(), ended.clone(), drops.clone());
        async move || {
            let _ended = OnDrop(Some(move || ended.set(()).unwrap()));
            gate.wait().await;
            drops.counted()
        }
    };
    abandon(cell.get_or_init_spawned(&runtime, init)).await;
    let weak = Arc::downgrade(&cell);
    drop(cell);
    assert!(weak.upgrade().is_some(), "the task has the cell");
    gate.set(()).unwrap();
    ended.wait().await;
    // The task drops the cell after the initializer, and the value a moment after the last `Arc` is counted out.
    while drops.count() == 0 {
        thread::yield_now();
        yield_now().await;
    }
    assert_eq!(weak.strong_count(), 0);
}

pub(crate) async fn an_error_reaches_the_one_that_started_it(runtime: impl Runtime) {
    let cell = static_cell();
    let gate = Gate::default();
    let mut failing = pin!(cell.get_or_try_init_spawned(&runtime, gated(&gate, Err("no route"))));
    assert!(poll_once(failing.as_mut()).await.is_none());
    let mut other = pin!(cell.get_or_init_spawned(&runtime, async || 1));
    assert!(poll_once(other.as_mut()).await.is_none());
    gate.set(()).unwrap();
    assert_eq!(failing.await, Err("no route"));
    assert_eq!(other.await, &1);
}

pub(crate) async fn a_panic_reaches_the_one_that_started_it(runtime: impl Runtime) {
    let cell = static_cell();
    let gate = Gate::default();
    let opened = gate.clone();
    let init = async move || -> u32 {
        opened.wait().await;
        panic!("out of luck")
    };
    let mut panicking = pin!(panic_of(cell.get_or_init_spawned(&runtime, init)));
    assert!(poll_once(panicking.as_mut()).await.is_none());
    let mut other = pin!(cell.get_or_init_spawned(&runtime, async || 1));
    assert!(poll_once(other.as_mut()).await.is_none());
    gate.set(()).unwrap();
    assert_eq!(panicking.await, "out of luck");
    assert_eq!(other.await, &1);
}

pub(crate) async fn a_panic_of_the_closure_reaches_it_too(runtime: impl Runtime) {
    let cell = static_cell();
    let init = || -> Boxed<u32> { panic!("at once") };
    assert_eq!(
        panic_of(cell.get_or_init_spawned(&runtime, init)).await,
        "at once"
    );
    assert_eq!(cell.get_or_init_spawned(&runtime, async || 1).await, &1);
}

pub(crate) async fn an_abandoned_failure_leaves_the_cell_to_the_next(runtime: impl Runtime) {
    let cell = static_cell();
    let gate = Gate::default();
    let drops = Drops::new();
    abandon(cell.get_or_try_init_spawned(&runtime, gated(&gate, Err(drops.counted())))).await;
    gate.set(()).unwrap();
    assert_eq!(cell.get_or_init(async || 1).await, &1);
    // Dropped after the claim was given up, by the task.
    while drops.count() == 0 {
        thread::yield_now();
        yield_now().await;
    }
}

pub(crate) async fn an_abandoned_panic_leaves_the_cell_to_the_next(runtime: impl Runtime) {
    let cell = static_cell();
    let gate = Gate::default();
    let opened = gate.clone();
    let init = async move || -> u32 {
        opened.wait().await;
        panic!("no caller sees this panic")
    };
    abandon(cell.get_or_init_spawned(&runtime, init)).await;
    gate.set(()).unwrap();
    assert_eq!(cell.get_or_init(async || 1).await, &1);
}

pub(crate) async fn is_one_among_many(runtime: impl Runtime + Clone + 'static) {
    static CALLS: Mutex<Vec<&'static OnceCell<u32>>> = Mutex::new(Vec::new());
    const TASKS: u32 = 100;
    let cell = static_cell();
    let gate = Gate::default();
    let done = Arc::new(AtomicUsize::new(0));
    let all_done = Gate::default();
    for _ in 0..TASKS {
        let (gate, done, all_done) = (gate.clone(), done.clone(), all_done.clone());
        let own_runtime = runtime.clone();
        runtime.spawn(async move {
            let init = async move || {
                CALLS.lock().unwrap().push(cell);
                gate.wait().await;
                7
            };
            assert_eq!(cell.get_or_init_spawned(own_runtime, init).await, &7);
            if done.fetch_add(1, SeqCst) + 1 == TASKS as usize {
                all_done.set(()).unwrap();
            }
        });
    }
    gate.set(()).unwrap();
    all_done.wait().await;
    let calls = CALLS.lock().unwrap();
    assert_eq!(calls.iter().filter(|of| std::ptr::eq(**of, cell)).count(), 1);
}

pub(crate) async fn waits_for_an_initializer_of_another_kind(runtime: impl Runtime) {
    let cell = static_cell();
    let mut cancelled = Box::pin(cell.get_or_init(pending));
    assert!(poll_once(&mut cancelled).await.is_none());
    let mut spawned = pin!(cell.get_or_init_spawned(&runtime, async || 1));
    assert!(poll_once(spawned.as_mut()).await.is_none());
    let mut unblocked = pin!(cell.get_or_init_spawned_blocking(&runtime, || 1));
    assert!(poll_once(unblocked.as_mut()).await.is_none());
    drop(cancelled);
    assert_eq!(spawned.await, &1);
    assert_eq!(unblocked.await, &1);
}

pub(crate) async fn can_be_cancelled_while_it_waits(runtime: impl Runtime) {
    let cell = static_cell();
    let mut first = Box::pin(cell.get_or_init(pending));
    assert!(poll_once(&mut first).await.is_none());
    abandon(cell.get_or_init_spawned(&runtime, async || 1)).await;
    abandon(cell.get_or_init_spawned_blocking(&runtime, || 1)).await;
    drop(first);
    assert!(!cell.initialized());
    cell.set(2).unwrap();
}

pub(crate) async fn blocks_a_thread_of_the_pool(runtime: impl Runtime) {
    let cell: &'static OnceCell<thread::ThreadId> = Box::leak(Box::new(OnceCell::new()));
    let gate = Gate::default();
    let opened = gate.clone();
    let mut unblocked = pin!(cell.get_or_init_spawned_blocking(&runtime, move || {
        opened.wait_blocking();
        thread::current().id()
    }));
    assert!(poll_once(unblocked.as_mut()).await.is_none());
    gate.set(()).unwrap();
    assert_ne!(unblocked.await, &thread::current().id());
}

pub(crate) async fn blocking_work_survives_its_caller(runtime: impl Runtime) {
    let cell = Arc::new(OnceCell::new());
    let gate = Gate::default();
    let opened = gate.clone();
    abandon(cell.get_or_init_spawned_blocking(&runtime, move || {
        opened.wait_blocking();
        1
    }))
    .await;
    gate.set(()).unwrap();
    assert_eq!(cell.wait().await, &1);
}

pub(crate) async fn an_error_of_blocking_work_reaches_its_caller(runtime: impl Runtime) {
    let cell = static_cell();
    assert_eq!(
        cell.get_or_try_init_spawned_blocking(&runtime, || Err("no file"))
            .await,
        Err("no file")
    );
    assert_eq!(
        cell.get_or_try_init_spawned_blocking::<()>(&runtime, || Ok(1))
            .await,
        Ok(&1)
    );
}

pub(crate) async fn a_panic_of_blocking_work_reaches_its_caller(runtime: impl Runtime) {
    let cell = static_cell();
    let message = panic_of(cell.get_or_init_spawned_blocking(&runtime, || panic!("out of luck"))).await;
    assert_eq!(message, "out of luck");
    assert_eq!(cell.get_or_init_spawned_blocking(&runtime, || 1).await, &1);
}

pub(crate) async fn the_initializer_is_gone_before_the_value_is_there(runtime: impl Runtime) {
    let cell = static_cell();
    let seen = Arc::new(OnceCell::new());
    let init = {
        let seen = seen.clone();
        async move || {
            let _looks = OnDrop(Some(move || seen.set(cell.initialized()).unwrap()));
            1
        }
    };
    cell.get_or_init_spawned(&runtime, init).await;
    assert_eq!(seen.get(), Some(&false));
}

/// Does something when it is dropped.
struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done();
        }
    }
}
