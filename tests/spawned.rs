//! Initializers that run as tasks of their own, on a runtime that the test controls.
#![cfg(feature = "std")]

mod util;

use std::{
    cell::{Cell, RefCell},
    future::{pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use oncelot::{
    OnceCell, SharedInitError,
    runtime::{ArcField, OnceCellExt, Runtime},
};
use util::{
    BoxFuture, Counted, Drops, Log, OnDrop, Op, Task, With, message, panic_of, poll, poll_with, static_cell,
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

/// The one that was spawned.
fn spawned() -> Pin<Box<dyn Future<Output = ()> + Send>> {
    TASKS.take().pop().expect("a task was spawned")
}

/// A waiter that notes `event` when it is woken.
fn note_the_wake<'a>(
    log: &Log<&'static str>,
    waiter: impl Future<Output = &'a u32> + Send + 'a,
    event: &'static str,
) -> BoxFuture<'a, &'a u32> {
    let mut waiter: BoxFuture<'a, _> = Box::pin(waiter);
    assert!(poll_with(&mut waiter, &log.waker(event)).is_pending());
    waiter
}

/// Something that notes when it is dropped.
fn noted(log: &Log<&'static str>) -> impl Send + use<> {
    let log = log.clone();
    OnDrop(move || log.note("the initializer is dropped"))
}

#[test]
fn a_panicked_initializer_is_dropped_before_its_panic_is_reported() {
    let (cell, log) = (static_cell(), Log::new());
    let remains = noted(&log);
    // Not an async block, which would drop its variables while it panics.
    let panicking = poll_fn(|_| -> Poll<Result<u32, ()>> { panic!("out of luck") });
    let init = move || With::new(panicking, remains);
    let mut caller = Box::pin(cell.get_or_try_init_spawned(ByHand, init));
    assert!(poll_with(&mut caller, &log.waker("the caller is woken")).is_pending());
    assert!(poll(&mut spawned()).is_ready());
    assert_eq!(log.take(), ["the initializer is dropped", "the caller is woken"]);
    assert_eq!(panic_of(|| poll(&mut caller).is_ready()), "out of luck");
}

#[test]
fn an_initializer_that_never_started_is_dropped_before_the_cell_is_empty() {
    let (cell, log) = (static_cell(), Log::new());
    let remains = noted(&log);
    let init = async move || {
        let _remains = remains;
        pending().await
    };
    let mut caller = note_the_wake(
        &log,
        cell.get_or_init_spawned(ByHand, init),
        "the caller is woken",
    );
    let _other = note_the_wake(&log, cell.get_or_init(async || 1), "another is woken");
    drop(spawned());
    assert_eq!(
        log.take(),
        [
            "the initializer is dropped",
            "another is woken",
            "the caller is woken"
        ]
    );
    let lost = panic_of(|| poll(&mut caller).is_ready());
    assert!(lost.contains("dropped a spawned initializer"), "{lost}");
}

#[test]
fn blocking_work_that_never_started_is_dropped_before_the_cell_is_empty() {
    let (cell, log) = (static_cell(), Log::new());
    let remains = noted(&log);
    let init = move || {
        let _remains = remains;
        1
    };
    let _caller = note_the_wake(
        &log,
        cell.get_or_init_spawned_blocking(ByHand, init),
        "the caller is woken",
    );
    let _other = note_the_wake(&log, cell.get_or_init(async || 1), "another is woken");
    drop(WORK.take());
    assert_eq!(
        log.take(),
        [
            "the initializer is dropped",
            "another is woken",
            "the caller is woken"
        ]
    );
}

#[test]
fn an_unfinished_initializer_is_dropped_before_the_cell_is_empty() {
    let (cell, log) = (static_cell(), Log::new());
    let remains = noted(&log);
    let init = async move || {
        let _remains = remains;
        pending().await
    };
    let _caller = note_the_wake(
        &log,
        cell.get_or_init_spawned(ByHand, init),
        "the caller is woken",
    );
    let _other = note_the_wake(&log, cell.get_or_init(async || 1), "another is woken");
    let mut task = spawned();
    assert!(poll(&mut task).is_pending());
    drop(task);
    assert_eq!(
        log.take(),
        [
            "the initializer is dropped",
            "another is woken",
            "the caller is woken"
        ]
    );
}

#[test]
fn a_waker_of_another_that_panics_does_not_undo_the_value() {
    let cell = static_cell();
    let mut caller = Box::pin(cell.get_or_init_spawned(ByHand, async || 1));
    assert!(poll(&mut caller).is_pending());
    let mut other: BoxFuture<'_, _> = Box::pin(cell.wait());
    let explosive = Task::panicking_on(Op::Wake, "the waker panics");
    assert!(poll_with(&mut other, &explosive.waker()).is_pending());
    assert!(poll(&mut spawned()).is_ready());
    assert_eq!(cell.get(), Some(&1));
    // The task that received the panic reports it.
    let panic = catch_unwind(AssertUnwindSafe(|| poll(&mut caller).is_ready())).unwrap_err();
    assert_eq!(message(&*panic), "the waker panics");
}

/// The waker is dropped when its task claims during the drain of the failure before, which has not reached the
/// waiter.
#[test]
fn a_waker_that_panics_when_it_is_dropped_leaks_no_error() {
    let (cell, drops) = (static_cell(), Drops::new());
    let mut failing = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut failing).is_pending());

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
    let mut batch = Vec::new();
    for _ in 0..16 {
        let mut waiter = Box::pin(cell.get_or_init(pending));
        assert!(poll_with(&mut waiter, &hook.waker()).is_pending());
        batch.push(waiter);
    }
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
    _remains: util::Counted,
}

impl Client {
    fn new(drops: &Drops) -> Arc<Self> {
        Arc::new(Self {
            token: OnceCell::new(),
            _remains: drops.counted(),
        })
    }

    fn token(self: &Arc<Self>) -> ArcField<'_, Self, u32> {
        ArcField::new(self, |client| &client.token)
    }
}

#[test]
fn a_field_is_initialized_in_a_task() {
    let client = Client::new(&Drops::new());
    let mut caller = Box::pin(client.token().get_or_init_spawned(ByHand, async || 1));
    let task = Task::new();
    assert!(poll_with(&mut caller, &task.waker()).is_pending());
    assert!(poll(&mut spawned()).is_ready());
    assert_eq!(task.wakes(), 1);
    assert_eq!(poll(&mut caller), Poll::Ready(&1));
    assert_eq!(client.token.get(), Some(&1));
}

#[test]
fn debug_of_a_field_shows_its_name() {
    let client = Client::new(&Drops::new());
    assert_eq!(format!("{:?}", client.token()), "ArcField { .. }");
}

#[test]
fn a_closure_that_captures_finds_one_cell_of_many() {
    let pages: Arc<[OnceCell<u32>]> = Arc::from_iter([(); 3].map(|()| OnceCell::new()));
    for number in [2, 0] {
        let page = ArcField::new(&pages, |pages| &pages[number]);
        let mut caller = Box::pin(page.get_or_init_spawned(ByHand, async move || number as u32));
        assert!(poll(&mut caller).is_pending());
        assert!(poll(&mut spawned()).is_ready());
        assert_eq!(poll(&mut caller), Poll::Ready(&(number as u32)));
    }
    assert_eq!(
        [0, 1, 2].map(|number| pages[number].get()),
        [Some(&0), None, Some(&2)]
    );
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
fn a_task_keeps_a_trait_object_that_its_cell_is_a_part_of() {
    let drops = Drops::new();
    let service: Arc<dyn Service> = Client::new(&drops);
    {
        let version = ArcField::new(&service, |service| service.version());
        let mut caller = Box::pin(version.get_or_init_spawned(ByHand, async || 1));
        assert!(poll(&mut caller).is_pending());
    }
    drop(service);
    assert_eq!(drops.count(), 0);
    assert!(poll(&mut spawned()).is_ready());
    assert_eq!(drops.count(), 1);
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
    let mut callers = [token, copy].map(|token| Box::pin(token.get_or_init_spawned(ByHand, async || 1)));
    assert!(poll(&mut callers[0]).is_pending());
    assert!(poll(&mut callers[1]).is_pending());
    assert!(poll(&mut spawned()).is_ready());
    assert_eq!(callers.each_mut().map(poll), [Poll::Ready(&1); 2]);
    assert_eq!(called.get(), 1);
}

#[test]
fn a_field_may_be_a_static_that_is_no_part_of_its_owner() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let client = Client::new(&Drops::new());
    {
        let token = ArcField::new(&client, |_| &CELL);
        let mut caller = Box::pin(token.get_or_init_spawned(ByHand, async || 1));
        assert!(poll(&mut caller).is_pending());
    }
    drop(client);
    assert!(poll(&mut spawned()).is_ready());
    assert_eq!(CELL.get(), Some(&1));
}

#[test]
fn a_task_keeps_the_owner_of_its_cell() {
    let drops = Drops::new();
    let client = Client::new(&drops);
    {
        let mut caller = Box::pin(client.token().get_or_init_spawned(ByHand, async || 1));
        assert!(poll(&mut caller).is_pending());
    }
    drop(client);
    assert_eq!(drops.count(), 0);
    assert!(poll(&mut spawned()).is_ready());
    assert_eq!(drops.count(), 1);
}

#[test]
fn so_does_blocking_work() {
    let drops = Drops::new();
    let client = Client::new(&drops);
    {
        let mut caller = Box::pin(client.token().get_or_init_spawned_blocking(ByHand, || 1));
        assert!(poll(&mut caller).is_pending());
    }
    drop(client);
    assert_eq!(drops.count(), 0);
    WORK.take().pop().expect("work was spawned")();
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_shared_call_spawns_its_initializer_and_returns_its_error() {
    let cell = static_cell();
    let init = async || Err::<u32, _>("no route");
    let mut caller = Box::pin(cell.get_or_try_init_shared_spawned(ByHand, init));
    assert!(poll(&mut caller).is_pending());
    let mut other = Box::pin(cell.get_or_try_init_shared_spawned(ByHand, init));
    let mut plain = Box::pin(cell.get_or_try_init_shared(init));
    assert!(poll(&mut other).is_pending() && poll(&mut plain).is_pending());
    assert!(poll(&mut spawned()).is_ready());
    assert_eq!(
        poll(&mut caller),
        Poll::Ready(Err(SharedInitError::Failed("no route")))
    );
    assert_eq!(poll(&mut other), Poll::Ready(Err(SharedInitError::OtherFailed)));
    assert_eq!(poll(&mut plain), Poll::Ready(Err(SharedInitError::OtherFailed)));
    assert!(TASKS.take().is_empty(), "a second initializer was spawned");
}

#[test]
fn a_shared_call_that_is_cancelled_leaves_its_attempt_to_the_others() {
    let cell = static_cell();
    let init = async || Ok::<_, ()>(1);
    let mut cancelled = Box::pin(cell.get_or_try_init_shared_spawned(ByHand, init));
    assert!(poll(&mut cancelled).is_pending());
    let mut other = Box::pin(cell.get_or_try_init_shared_spawned(ByHand, init));
    assert!(poll(&mut other).is_pending());
    drop(cancelled);
    assert!(poll(&mut spawned()).is_ready());
    assert_eq!(poll(&mut other), Poll::Ready(Ok(&1)));
}

#[test]
fn a_spawned_shared_call_does_not_wait_for_the_next_attempt() {
    let cell = static_cell();
    let guard = cell.try_claim();
    let mut caller = Box::pin(cell.get_or_try_init_shared_spawned(ByHand, async || Ok::<_, ()>(1)));
    assert!(poll(&mut caller).is_pending() && poll(&mut caller).is_pending());
    drop(guard);
    let _next = cell.try_claim();
    assert_eq!(poll(&mut caller), Poll::Ready(Err(SharedInitError::OtherFailed)));
    assert!(TASKS.take().is_empty(), "an initializer was spawned");
}

#[test]
fn a_task_that_is_lost_is_a_failure_to_shared_calls() {
    let cell = static_cell();
    let mut caller = Box::pin(cell.get_or_try_init_shared_spawned(ByHand, pending::<Result<u32, ()>>));
    assert!(poll(&mut caller).is_pending());
    let mut other = Box::pin(cell.get_or_try_init_shared_spawned(ByHand, pending::<Result<u32, ()>>));
    assert!(poll(&mut other).is_pending());
    drop(spawned());
    assert_eq!(poll(&mut other), Poll::Ready(Err(SharedInitError::OtherFailed)));
    let lost = panic_of(|| poll(&mut caller).is_ready());
    assert!(lost.contains("dropped a spawned initializer"), "{lost}");
}
