//! What a spawned initializer does on every runtime. `tests/spawned.rs` and `tests/faults` check what does not
//! depend on the runtime.

use std::{
    future::pending,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
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

pub(crate) async fn every_scenario(runtime: impl Runtime + Clone + 'static) {
    macro_rules! run {
        ($($scenario:ident)*) => {$(
            println!("{}", stringify!($scenario));
            $scenario(&runtime).await;
        )*};
    }

    run! {
        makes_the_value_once
        returns_errors_until_there_is_a_value
        survives_its_caller
        goes_on_while_its_caller_is_not_polled
        keeps_its_cell_alive
        a_failure_reaches_the_call_that_started_it
        a_panic_of_a_closure_reaches_its_caller
        is_one_among_many
        waits_for_an_initializer_of_another_kind
        blocks_a_thread_of_the_pool
    }
}

/// Opened by the test, for an initializer that waits until then. Unlike the gate of `util`, it wakes the initializer.
type Gate = Arc<OnceCell<()>>;

/// Polls a future once, so that an initializer is started, and drops the future.
async fn abandon<F: Future>(future: F) {
    let polled = poll_once(pin!(future)).await;
    assert!(polled.is_none(), "the call did not wait for an initializer");
}

/// Returns an initializer that waits for a gate.
fn gated<T: Send + 'static>(gate: &Gate, value: T) -> impl FnOnce() -> Boxed<T> + use<T> {
    let gate = gate.clone();
    move || {
        Box::pin(async move {
            gate.wait().await;
            value
        })
    }
}

/// Returns the message of the panic of `future`, which must panic.
async fn panic_of<F: Future>(future: F) -> String {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(_) => panic!("a panic was expected"),
        Err(payload) => message(&*payload),
    }
}

async fn makes_the_value_once(runtime: &impl Runtime) {
    let cell = static_cell();
    let calls = Arc::new(AtomicUsize::new(1));
    let init = || {
        let calls = calls.clone();
        move || calls.fetch_add(1, SeqCst) as u32
    };
    let [first, second, third] = [init(), init(), init()];
    let made = cell.get_or_init_spawned(runtime, async move || first()).await;
    assert_eq!(made, &1);
    let found = cell.get_or_init_spawned(runtime, async move || second()).await;
    assert_eq!(found, made);
    let found = cell.get_or_try_init_spawned::<()>(runtime, async move || Ok(third()));
    assert_eq!(found.await, Ok(made));
    let found = cell.get_or_init_spawned_blocking(runtime, init()).await;
    assert_eq!(found, made);
    let fourth = init();
    let found = cell.get_or_try_init_spawned_blocking::<()>(runtime, move || Ok(fourth()));
    assert_eq!(found.await, Ok(made));
    assert_eq!(calls.load(SeqCst), 2, "one initializer was called");
    assert_eq!(Arc::strong_count(&calls), 1, "the others were dropped");
}

async fn returns_errors_until_there_is_a_value(runtime: &impl Runtime) {
    let cell = Arc::new(OnceCell::new());
    let failed = cell.get_or_try_init_spawned(runtime, async || Err("first"));
    assert_eq!(failed.await, Err("first"));
    let failed = cell.get_or_try_init_spawned_blocking(runtime, || Err("second"));
    assert_eq!(failed.await, Err("second"));
    let made = cell.get_or_try_init_spawned_blocking::<()>(runtime, || Ok(1));
    assert_eq!(made.await, Ok(&1));
    assert_eq!(cell.get_or_init_spawned(runtime, async || 2).await, &1);
}

async fn survives_its_caller(runtime: &impl Runtime) {
    let cells = [static_cell(), static_cell()];
    let gate = Gate::default();
    abandon(cells[0].get_or_init_spawned(runtime, gated(&gate, 1))).await;
    let opened = gate.clone();
    let blocking = move || {
        opened.wait_blocking();
        1
    };
    abandon(cells[1].get_or_init_spawned_blocking(runtime, blocking)).await;
    gate.set(()).unwrap();
    assert_eq!(cells[0].wait().await, &1);
    assert_eq!(cells[1].wait().await, &1);
}

/// The futurelock program: the future that has started the initializer is alive and not polled, while the same task
/// awaits the cell.
async fn goes_on_while_its_caller_is_not_polled(runtime: &impl Runtime) {
    let cell = static_cell();
    let gate = Gate::default();
    let mut unpolled = pin!(cell.get_or_init_spawned(runtime, gated(&gate, 1)));
    assert!(poll_once(unpolled.as_mut()).await.is_none());
    gate.set(()).unwrap();
    assert_eq!(cell.get_or_init(async || 2).await, &1);
    assert_eq!(unpolled.await, &1);
}

async fn keeps_its_cell_alive(runtime: &impl Runtime) {
    let (cell, gate, drops) = (Arc::new(OnceCell::new()), Gate::default(), Drops::new());
    abandon(cell.get_or_init_spawned(runtime, gated(&gate, drops.counted()))).await;
    let weak = Arc::downgrade(&cell);
    drop(cell);
    assert!(weak.upgrade().is_some(), "the task has the cell");
    gate.set(()).unwrap();
    let began = Instant::now();
    while drops.count() == 0 {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the value was not dropped"
        );
        thread::yield_now();
        yield_now().await;
    }
    assert_eq!(weak.strong_count(), 0);
}

async fn a_failure_reaches_the_call_that_started_it(runtime: &impl Runtime) {
    for panics in [false, true] {
        let (cell, gate) = (static_cell(), Gate::default());
        let opened = gate.clone();
        let init = async move || -> Result<u32, &str> {
            opened.wait().await;
            assert!(!panics, "out of luck");
            Err("no route")
        };
        let mut failing = pin!(AssertUnwindSafe(cell.get_or_try_init_spawned(runtime, init)).catch_unwind());
        assert!(poll_once(failing.as_mut()).await.is_none());
        let mut other = pin!(cell.get_or_init_spawned(runtime, async || 1));
        assert!(poll_once(other.as_mut()).await.is_none());
        gate.set(()).unwrap();
        match failing.await {
            Ok(failed) => assert_eq!((panics, failed), (false, Err("no route"))),
            Err(payload) => assert_eq!((panics, &*message(&*payload)), (true, "out of luck")),
        }
        assert_eq!(other.await, &1);
    }
}

async fn a_panic_of_a_closure_reaches_its_caller(runtime: &impl Runtime) {
    let cell = static_cell();
    let init = || -> Boxed<u32> { panic!("at once") };
    let panic = panic_of(cell.get_or_init_spawned(runtime, init)).await;
    assert_eq!(panic, "at once");
    let panic = panic_of(cell.get_or_init_spawned_blocking(runtime, || panic!("out of luck"))).await;
    assert_eq!(panic, "out of luck");
    assert_eq!(cell.get_or_init_spawned_blocking(runtime, || 1).await, &1);
}

async fn is_one_among_many(runtime: &(impl Runtime + Clone + 'static)) {
    const TASKS: usize = 100;
    let (cell, gate, all_done) = (static_cell(), Gate::default(), Gate::default());
    let calls = Arc::new(AtomicUsize::new(0));
    let values = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..TASKS {
        let (gate, all_done) = (gate.clone(), all_done.clone());
        let (calls, values) = (calls.clone(), values.clone());
        let own_runtime = runtime.clone();
        runtime.spawn(async move {
            let init = async move || {
                calls.fetch_add(1, SeqCst);
                gate.wait().await;
                7
            };
            let value = *cell.get_or_init_spawned(own_runtime, init).await;
            let mut values = values.lock().unwrap();
            values.push(value);
            if values.len() == TASKS {
                all_done.set(()).unwrap();
            }
        });
    }
    gate.set(()).unwrap();
    all_done.wait().await;
    assert_eq!(*values.lock().unwrap(), [7; TASKS]);
    assert_eq!(calls.load(SeqCst), 1);
}

async fn waits_for_an_initializer_of_another_kind(runtime: &impl Runtime) {
    let cell = static_cell();
    let mut first = Box::pin(cell.get_or_init(pending));
    assert!(poll_once(&mut first).await.is_none());
    abandon(cell.get_or_init_spawned(runtime, async || 1)).await;
    abandon(cell.get_or_init_spawned_blocking(runtime, || 1)).await;
    drop(first);
    assert!(!cell.initialized(), "a cancelled call initialized the cell");

    let mut second = Box::pin(cell.get_or_init(pending));
    assert!(poll_once(&mut second).await.is_none());
    let mut spawned = pin!(cell.get_or_init_spawned(runtime, async || 2));
    assert!(poll_once(spawned.as_mut()).await.is_none());
    let mut blocking = pin!(cell.get_or_init_spawned_blocking(runtime, || 2));
    assert!(poll_once(blocking.as_mut()).await.is_none());
    drop(second);
    assert_eq!((spawned.await, blocking.await), (&2, &2));
}

async fn blocks_a_thread_of_the_pool(runtime: &impl Runtime) {
    let (cell, gate) = (Arc::new(OnceCell::new()), Gate::default());
    let opened = gate.clone();
    let mut blocking = pin!(cell.get_or_init_spawned_blocking(runtime, move || {
        opened.wait_blocking();
        thread::current().id()
    }));
    assert!(poll_once(blocking.as_mut()).await.is_none());
    gate.set(()).unwrap();
    assert_ne!(blocking.await, &thread::current().id());
}
