//! Initializers that run as tasks of their own, on a runtime that the test controls.
#![cfg(feature = "std")]

mod util;

use std::{
    cell::{Cell, RefCell},
    future::pending,
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use oncelot::{
    OnceCell, SharedInitError,
    runtime::{ArcField, OnceCellExt, Runtime},
};
use util::{
    BoxFuture, Counted, Drops, Log, OnDrop, Op, Panicking, Task, With, panic_of, poll, poll_with, static_cell,
};

type Work = Box<dyn FnOnce() + Send>;

thread_local! {
    static TASKS: RefCell<Vec<BoxFuture<'static, ()>>> = const { RefCell::new(Vec::new()) };
    static WORK: RefCell<Vec<Work>> = const { RefCell::new(Vec::new()) };
}

/// Keeps its tasks until the test takes them.
struct ByHand;

impl Runtime for ByHand {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        TASKS.with_borrow_mut(|tasks| tasks.push(Box::pin(task)));
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        WORK.with_borrow_mut(|all| all.push(Box::new(work)));
    }
}

/// The task that was spawned last.
fn spawned() -> BoxFuture<'static, ()> {
    TASKS.take().pop().expect("a task was spawned")
}

fn run_spawned() {
    assert!(poll(&mut spawned()).is_ready());
}

/// Polls a caller, which then waits.
fn waiting<F: Future>(caller: F) -> Pin<Box<F>> {
    waiting_with(caller, &Task::new())
}

fn waiting_with<F: Future>(caller: F, task: &Arc<Task>) -> Pin<Box<F>> {
    let mut caller = Box::pin(caller);
    assert!(poll_with(&mut caller, &task.waker()).is_pending());
    caller
}

fn assert_lost<F: Future>(mut caller: Pin<Box<F>>) {
    let lost = panic_of(|| poll(&mut caller).is_ready());
    assert!(lost.contains("dropped a spawned initializer"), "{lost}");
}

// What happens before what.

type Noted = OnDrop<Box<dyn FnMut() + Send>>;

/// Notes when it is dropped.
fn noted(log: &Log<&'static str>) -> Noted {
    let log = log.clone();
    OnDrop(Box::new(move || log.note("dropped")))
}

#[test]
fn a_panicked_initializer_is_dropped_before_its_panic_is_reported() {
    let (cell, log) = (static_cell(), Log::new());
    let contents = noted(&log);
    // Not an async block, which would drop its variables while it panics.
    let init = move || With::new(Panicking("out of luck"), contents);
    let caller = cell.get_or_init_spawned(ByHand, init);
    let mut caller = waiting_with(caller, &log.task("caller woken"));
    run_spawned();
    assert_eq!(log.take(), ["dropped", "caller woken"]);
    assert_eq!(panic_of(|| poll(&mut caller).is_ready()), "out of luck");
}

#[test]
fn an_initializer_that_the_runtime_drops_is_dropped_before_the_cell_is_empty() {
    type Caller = BoxFuture<'static, &'static u32>;
    type Call = fn(&'static OnceCell<u32>, Noted) -> Caller;

    let task: Call = |cell, contents| {
        Box::pin(cell.get_or_init_spawned(ByHand, async move || {
            let _contents = contents;
            pending().await
        }))
    };
    let blocking: Call = |cell, contents| {
        Box::pin(cell.get_or_init_spawned_blocking(ByHand, move || {
            let _contents = contents;
            1
        }))
    };
    let cases: [(Call, fn()); 3] = [
        (task, || drop(spawned())),
        (task, || {
            let mut task = spawned();
            assert!(poll(&mut task).is_pending());
        }),
        (blocking, || WORK.take().clear()),
    ];
    for (call, drop_spawned) in cases {
        let (cell, log) = (static_cell(), Log::new());
        let caller = waiting_with(call(cell, noted(&log)), &log.task("caller woken"));
        let _other = waiting_with(cell.get_or_init(async || 1), &log.task("other woken"));
        drop_spawned();
        assert_eq!(log.take(), ["dropped", "other woken", "caller woken"]);
        assert_lost(caller);
    }
}

#[test]
fn a_waker_of_another_that_panics_does_not_undo_the_value() {
    let cell = static_cell();
    let mut caller = waiting(cell.get_or_init_spawned(ByHand, async || 1));
    let explosive = Task::panicking_on(Op::Wake, "the waker panics");
    let _other = waiting_with(cell.wait(), &explosive);
    run_spawned();
    assert_eq!(cell.get(), Some(&1));
    // The task that received the panic reports it.
    assert_eq!(panic_of(|| poll(&mut caller).is_ready()), "the waker panics");
}

/// The waker is dropped when its task claims during the drain of the failure before, which has not reached the
/// waiter.
#[test]
fn a_waker_that_panics_when_it_is_dropped_leaks_no_error() {
    let (cell, drops) = (static_cell(), Drops::new());
    let failing = waiting(cell.get_or_init(pending));

    // The first waiter of a batch polls the caller, which is linked behind that batch.
    let behind = Arc::new(Mutex::new(None::<BoxFuture<'static, Result<&u32, Counted>>>));
    let hook = Task::on(Op::Wake, {
        let behind = behind.clone();
        move || {
            let taken = behind.lock().unwrap().take();
            if let Some(mut caller) = taken {
                let message = panic_of(|| poll(&mut caller).is_ready());
                assert_eq!(message, "the waker panics");
            }
        }
    });
    let _batch = [(); 16].map(|()| waiting_with(cell.get_or_init(pending), &hook));
    let explosive = Task::panicking_on(Op::Drop, "the waker panics");
    let waker = explosive.waker();
    let error = drops.counted();
    let mut caller: BoxFuture<'_, _> = Box::pin(cell.get_or_try_init_spawned(ByHand, async || Err(error)));
    assert!(poll_with(&mut caller, &waker).is_pending());
    *behind.lock().unwrap() = Some(caller);

    drop(failing);
    assert!(behind.lock().unwrap().is_none());
    explosive.disarm();
    for mut task in TASKS.take() {
        assert!(poll(&mut task).is_ready());
    }
    assert_eq!(drops.count(), 1);
}

// A cell in a field of what an `Arc` holds.

struct Client {
    token: OnceCell<u32>,
    _contents: Counted,
}

impl Client {
    fn new(drops: &Drops) -> Arc<Self> {
        Arc::new(Self {
            token: OnceCell::new(),
            _contents: drops.counted(),
        })
    }

    fn token(self: &Arc<Self>) -> ArcField<'_, Self, u32> {
        ArcField::new(self, |client| &client.token)
    }
}

trait Service: Send + Sync {
    fn version(&self) -> &OnceCell<u32>;
}

impl Service for Client {
    fn version(&self) -> &OnceCell<u32> {
        &self.token
    }
}

#[test]
fn a_field_calls_its_closure_once_and_can_be_copied() {
    let client = Client::new(&Drops::new());
    // A closure that can be called only once.
    let (calls, called) = (vec![1], Cell::new(0));
    let token = ArcField::new(&client, |client| {
        called.set(called.get() + calls.into_iter().sum::<u32>());
        &client.token
    });
    let copy = token;
    assert_eq!(format!("{copy:?}"), "ArcField { .. }");
    let task = Task::new();
    let callers = [token, copy].map(|token| token.get_or_init_spawned(ByHand, async || 1));
    let mut callers = callers.map(|caller| waiting_with(caller, &task));
    run_spawned();
    assert_eq!(task.wakes(), 2);
    assert_eq!(callers.each_mut().map(poll), [Poll::Ready(&1); 2]);
    assert_eq!((client.token.get(), called.get()), (Some(&1), 1));
}

#[test]
fn a_closure_that_captures_finds_one_cell_of_many() {
    let pages: Arc<[OnceCell<u32>]> = Arc::from_iter([(); 3].map(|()| OnceCell::new()));
    for number in [2, 0] {
        let page = ArcField::new(&pages, |pages| &pages[number]);
        let mut caller = waiting(page.get_or_init_spawned(ByHand, async move || number as u32));
        run_spawned();
        assert_eq!(poll(&mut caller), Poll::Ready(&(number as u32)));
    }
    let values = [0, 1, 2].map(|number| pages[number].get());
    assert_eq!(values, [Some(&0), None, Some(&2)]);
}

#[test]
fn a_task_and_blocking_work_keep_the_owner_of_the_cell() {
    let calls: [fn(Arc<Client>); 3] = [
        |client| drop(waiting(client.token().get_or_init_spawned(ByHand, async || 1))),
        |client| drop(waiting(client.token().get_or_init_spawned_blocking(ByHand, || 1))),
        |client| {
            let service: Arc<dyn Service> = client;
            let version = ArcField::new(&service, |service| service.version());
            drop(waiting(version.get_or_init_spawned(ByHand, async || 1)));
        },
    ];
    for call in calls {
        let drops = Drops::new();
        call(Client::new(&drops));
        assert_eq!(drops.count(), 0);
        match WORK.take().pop() {
            Some(work) => work(),
            None => run_spawned(),
        }
        assert_eq!(drops.count(), 1);
    }
}

#[test]
fn a_field_may_be_a_static_that_is_no_part_of_its_owner() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let client = Client::new(&Drops::new());
    let token = ArcField::new(&client, |_| &CELL);
    drop(waiting(token.get_or_init_spawned(ByHand, async || 1)));
    drop(client);
    run_spawned();
    assert_eq!(CELL.get(), Some(&1));
}

// Calls that make one attempt together.

#[test]
fn a_shared_call_spawns_its_initializer_and_returns_its_error() {
    let cell = static_cell();
    let init = async || Err::<u32, _>("no route");
    let mut caller = waiting(cell.get_or_try_init_shared_spawned(ByHand, init));
    let mut other = waiting(cell.get_or_try_init_shared_spawned(ByHand, init));
    let mut plain = waiting(cell.get_or_try_init_shared(init));
    run_spawned();
    let failed = SharedInitError::Failed("no route");
    assert_eq!(poll(&mut caller), Poll::Ready(Err(failed)));
    assert_eq!(poll(&mut other), Poll::Ready(Err(SharedInitError::OtherFailed)));
    assert_eq!(poll(&mut plain), Poll::Ready(Err(SharedInitError::OtherFailed)));
    assert!(TASKS.take().is_empty(), "a second initializer was spawned");
}

#[test]
fn a_shared_call_that_is_cancelled_leaves_its_attempt_to_the_others() {
    let cell = static_cell();
    let init = async || Ok::<_, ()>(1);
    let cancelled = waiting(cell.get_or_try_init_shared_spawned(ByHand, init));
    let mut other = waiting(cell.get_or_try_init_shared_spawned(ByHand, init));
    drop(cancelled);
    run_spawned();
    assert_eq!(poll(&mut other), Poll::Ready(Ok(&1)));
}

#[test]
fn a_spawned_shared_call_does_not_wait_for_the_next_attempt() {
    let cell = static_cell();
    let guard = cell.try_claim();
    let mut caller = waiting(cell.get_or_try_init_shared_spawned(ByHand, async || Ok::<_, ()>(1)));
    assert!(poll(&mut caller).is_pending());
    drop(guard);
    let _next = cell.try_claim();
    assert_eq!(poll(&mut caller), Poll::Ready(Err(SharedInitError::OtherFailed)));
    assert!(TASKS.take().is_empty(), "an initializer was spawned");
}

#[test]
fn a_task_that_is_lost_is_a_failure_to_shared_calls() {
    let cell = static_cell();
    let call = || cell.get_or_try_init_shared_spawned(ByHand, pending::<Result<u32, ()>>);
    let (caller, mut other) = (waiting(call()), waiting(call()));
    drop(spawned());
    assert_eq!(poll(&mut other), Poll::Ready(Err(SharedInitError::OtherFailed)));
    assert_lost(caller);
}
