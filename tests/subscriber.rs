//! A subscriber that uses the same cell whose initializer emits the event (feature `tracing`).
//!
//! The subscriber is global, not scoped: `tracing` does not call a scoped subscriber from inside itself, which would hide
//! a recursion. Each test registers a subscriber for its thread, and the global one forwards each call to it.

mod util;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt::Debug,
    future::{pending, poll_fn, ready},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    task::Poll,
    thread,
    time::Duration,
};

use futures_lite::future::block_on;
use oncelot::{
    Lazy, OnceCell,
    runtime::{OnceCellExt, Runtime},
};
use tracing::{
    Event, Metadata, Subscriber,
    span::{self, Id},
    subscriber::{Interest, set_global_default},
};
use tracing_subscriber::fmt::format::FmtSpan;
use util::{BoxFuture, OnDrop, Task, With, message, now, panic_of, poll, poll_with, static_cell};

/// Whether a wait that cannot end is detected.
const IS_WATCHED: bool = cfg!(any(debug_assertions, feature = "deadlock-detection"));

thread_local! {
    static SUBSCRIBER: RefCell<Option<Arc<dyn Subscriber>>> = const { RefCell::new(None) };
}

/// Passes each call to the subscriber of the thread.
struct PerThread;

fn with_subscriber<R>(call: impl FnOnce(&dyn Subscriber) -> R) -> Option<R> {
    let subscriber = SUBSCRIBER.with_borrow(Clone::clone);
    subscriber.map(|subscriber| call(&*subscriber))
}

impl Subscriber for PerThread {
    fn register_callsite(&self, _metadata: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        with_subscriber(|subscriber| subscriber.enabled(metadata)).unwrap_or(false)
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> Id {
        with_subscriber(|subscriber| subscriber.new_span(span)).expect("the span is enabled")
    }

    fn record(&self, id: &Id, values: &span::Record<'_>) {
        with_subscriber(|subscriber| subscriber.record(id, values));
    }

    fn record_follows_from(&self, id: &Id, follows: &Id) {
        with_subscriber(|subscriber| subscriber.record_follows_from(id, follows));
    }

    fn event(&self, event: &Event<'_>) {
        with_subscriber(|subscriber| subscriber.event(event));
    }

    fn enter(&self, id: &Id) {
        with_subscriber(|subscriber| subscriber.enter(id));
    }

    fn exit(&self, id: &Id) {
        with_subscriber(|subscriber| subscriber.exit(id));
    }

    fn clone_span(&self, id: &Id) -> Id {
        with_subscriber(|subscriber| subscriber.clone_span(id)).unwrap_or_else(|| id.clone())
    }

    fn try_close(&self, id: Id) -> bool {
        with_subscriber(|subscriber| subscriber.try_close(id)).unwrap_or(false)
    }
}

/// Runs `program` on a thread whose subscriber is `subscriber`. Fails if the program hangs.
#[track_caller]
fn run_with<R: Send + 'static>(
    name: &str,
    subscriber: impl Subscriber + Send,
    program: impl FnOnce() -> R + Send + 'static,
) -> R {
    static GLOBAL: Once = Once::new();
    GLOBAL.call_once(|| set_global_default(PerThread).expect("no test sets another one"));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        SUBSCRIBER.set(Some(Arc::new(subscriber)));
        let result = catch_unwind(AssertUnwindSafe(program));
        let _ = sender.send(result);
    });
    match receiver.recv_timeout(Duration::from_secs(20)) {
        Ok(Ok(result)) => result,
        Ok(Err(payload)) => panic!("{name}: {}", message(&*payload)),
        Err(_) => panic!("{name}: hangs"),
    }
}

/// What a subscriber is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Callback {
    NewSpan,
    Enter,
    Exit,
    Event,
    Close,
}

const CALLBACKS: [Callback; 5] = [
    Callback::NewSpan,
    Callback::Enter,
    Callback::Exit,
    Callback::Event,
    Callback::Close,
];

/// Runs a hook at each callback.
struct Hooks<F>(F);

impl<F: Fn(Callback) + Send + Sync + 'static> Hooks<F> {
    fn call(&self, callback: Callback) {
        thread_local! {
            static IS_CALLED: Cell<bool> = const { Cell::new(false) };
        }

        assert!(
            !IS_CALLED.replace(true),
            "the subscriber was called from inside itself: {callback:?}"
        );
        let _returns = OnDrop(|| IS_CALLED.set(false));
        (self.0)(callback);
    }
}

impl<F: Fn(Callback) + Send + Sync + 'static> Subscriber for Hooks<F> {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> Id {
        static IDS: AtomicU64 = AtomicU64::new(1);

        self.call(Callback::NewSpan);
        Id::from_u64(IDS.fetch_add(1, SeqCst))
    }

    fn record(&self, _id: &Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _id: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {
        self.call(Callback::Event);
    }

    fn enter(&self, _id: &Id) {
        self.call(Callback::Enter);
    }

    fn exit(&self, _id: &Id) {
        self.call(Callback::Exit);
    }

    fn try_close(&self, _id: Id) -> bool {
        self.call(Callback::Close);
        true
    }
}

/// Returns the outcome of a use of a cell: its result, or the kind of its panic.
fn outcome<R: Debug>(act: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(result) => format!("{result:?}"),
        Err(payload) => match message(&*payload) {
            text if text.starts_with("deadlock: a `tracing` subscriber") => "deadlock".into(),
            text if text.contains("is poisoned") => "poisoned".into(),
            text => text,
        },
    }
}

/// What a subscriber does with a cell at a callback.
#[derive(Debug, Clone, Copy)]
enum Act {
    Get,
    Set,
    Wait,
    Insert,
    Initialize,
    InitializeBlocking,
}

const ACTS: [Act; 6] = [
    Act::Get,
    Act::Set,
    Act::Wait,
    Act::Insert,
    Act::Initialize,
    Act::InitializeBlocking,
];

impl Act {
    fn on(self, cell: &OnceCell<u32>) -> String {
        match self {
            Self::Get => outcome(|| cell.get()),
            Self::Set => outcome(|| cell.set(9)),
            Self::Wait => outcome(|| poll(&mut Box::pin(cell.wait()))),
            Self::Insert => outcome(|| poll(&mut Box::pin(cell.insert(9)))),
            Self::Initialize => outcome(|| poll(&mut Box::pin(cell.get_or_init(async || 9)))),
            Self::InitializeBlocking => outcome(|| cell.get_or_init_blocking(|| 9)),
        }
    }

    /// Returns the expected outcome while the attempt that emits the event holds the claim.
    fn during_the_attempt(self) -> &'static str {
        match self {
            Self::Get => "None",
            Self::Set => "Err(InitializingError(9))",
            _ if IS_WATCHED => "deadlock",
            _ => "Pending",
        }
    }

    /// Returns the expected outcomes at the event and at the close of an attempt that has left the value 1, or none.
    fn after_the_attempt(self, has_value: bool) -> [&'static str; 2] {
        match (self, has_value) {
            (Self::Get, true) => ["Some(1)"; 2],
            (Self::Get, false) => ["None"; 2],
            (Self::Set, true) => ["Err(AlreadyInitializedError(9))"; 2],
            (Self::Set, false) => ["Ok(())", "Err(AlreadyInitializedError(9))"],
            (Self::Wait, true) => ["Ready(1)"; 2],
            // For a value that no task makes.
            (Self::Wait, false) => ["Pending"; 2],
            (Self::Insert, true) => ["Ready(Err((1, 9)))"; 2],
            (Self::Insert, false) => ["Ready(Ok(9))", "Ready(Err((9, 9)))"],
            (Self::Initialize, true) => ["Ready(1)"; 2],
            (Self::Initialize, false) => ["Ready(9)"; 2],
            (Self::InitializeBlocking, true) => ["1"; 2],
            (Self::InitializeBlocking, false) => ["9"; 2],
        }
    }
}

/// Runs tasks immediately on this thread, so that its subscriber is called for them.
struct AtOnce;

impl Runtime for AtOnce {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        block_on(task);
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        work();
    }
}

/// Drops tasks unstarted.
struct DropsTasks;

impl Runtime for DropsTasks {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, _task: F) {}

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, _work: F) {}
}

/// Polls tasks once.
struct PollsOnce;

impl Runtime for PollsOnce {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        assert!(poll(&mut Box::pin(task)).is_pending());
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, _work: F) {}
}

/// What a program does with a cell.
type Program = fn(&'static OnceCell<u32>);

/// Every way in which an attempt can end, whether it leaves the value 1, and a program that does it.
const ATTEMPTS: [(&str, bool, Program); 25] = [
    ("success", true, |cell| {
        now(cell.get_or_init(async || 1));
    }),
    ("error", false, |cell| {
        now(cell.get_or_try_init(async || Err(()))).unwrap_err();
    }),
    ("cancellation", false, |cell| {
        let mut init = Box::pin(cell.get_or_init(pending));
        assert!(poll(&mut init).is_pending());
    }),
    ("panic in the closure", false, |cell| {
        panic_of(|| now(cell.get_or_init(|| -> std::future::Ready<u32> { panic!("the closure") })));
    }),
    ("panic in the future", false, |cell| {
        panic_of(|| now(cell.get_or_init(async || panic!("the future"))));
    }),
    ("panic in the destructor", false, |cell| {
        let panics = || OnDrop(|| panic!("the destructor"));
        panic_of(|| now(cell.get_or_init(|| With::new(ready(1), panics()))));
    }),
    ("panic in the destructor of a cancelled one", false, |cell| {
        let panics = || OnDrop(|| panic!("the destructor"));
        let mut init = Box::pin(cell.get_or_init(|| With::new(pending(), panics())));
        assert!(poll(&mut init).is_pending());
        panic_of(|| drop(init));
    }),
    ("success of a plain closure", true, |cell| {
        cell.try_get_or_init(|| 1).unwrap();
    }),
    ("panic in a plain closure", false, |cell| {
        panic_of(|| cell.try_get_or_init(|| panic!("the closure")).copied());
    }),
    ("success of a shared attempt", true, |cell| {
        now(cell.get_or_try_init_shared(async || Ok::<_, ()>(1))).unwrap();
    }),
    ("error of a shared attempt", false, |cell| {
        now(cell.get_or_try_init_shared(async || Err(()))).unwrap_err();
    }),
    ("value of a guard", true, |cell| {
        cell.try_claim().unwrap().set(1);
    }),
    ("drop of a guard", false, |cell| drop(cell.try_claim())),
    ("value of a guard that was waited for", true, |cell| {
        now(cell.get_or_claim()).unwrap_err().set(1);
    }),
    ("drop of a guard in a panic", false, |cell| {
        panic_of(|| {
            let _guard = cell.try_claim();
            panic!("the holder")
        });
    }),
    ("success on a thread", true, |cell| {
        cell.get_or_init_blocking(|| 1);
    }),
    ("error on a thread", false, |cell| {
        cell.get_or_try_init_blocking(|| Err(())).unwrap_err();
    }),
    ("panic on a thread", false, |cell| {
        panic_of(|| cell.get_or_init_blocking(|| panic!("the closure")));
    }),
    ("success of a task", true, |cell| {
        now(cell.get_or_init_spawned(AtOnce, async || 1));
    }),
    ("panic of a task", false, |cell| {
        panic_of(|| now(cell.get_or_init_spawned(AtOnce, async || panic!("the task"))));
    }),
    ("cancellation of a task", false, |cell| {
        panic_of(|| now(cell.get_or_init_spawned(PollsOnce, pending)));
    }),
    ("drop of a task that has not started", false, |cell| {
        panic_of(|| now(cell.get_or_init_spawned(DropsTasks, async || 1)));
    }),
    ("success of blocking work", true, |cell| {
        now(cell.get_or_init_spawned_blocking(AtOnce, || 1));
    }),
    ("panic of blocking work", false, |cell| {
        panic_of(|| now(cell.get_or_init_spawned_blocking(AtOnce, || panic!("the work"))));
    }),
    ("drop of blocking work that has not started", false, |cell| {
        panic_of(|| now(cell.get_or_init_spawned_blocking(DropsTasks, || 1)));
    }),
];

type Noted = BTreeMap<Callback, Vec<String>>;

/// Returns the distinct outcomes of `act` at each callback while `program` runs.
#[track_caller]
fn noted(
    name: &str,
    act: impl Fn(Callback) -> Option<String> + Send + Sync + 'static,
    program: impl FnOnce() + Send + 'static,
) -> Noted {
    let noted = Arc::new(Mutex::new(Noted::new()));
    let notes = noted.clone();
    let hooks = Hooks(move |callback| {
        let Some(result) = act(callback) else { return };
        let mut notes = notes.lock().unwrap();
        let results = notes.entry(callback).or_default();
        if !results.contains(&result) {
            results.push(result);
        }
    });
    run_with(name, hooks, program);
    std::mem::take(&mut *noted.lock().unwrap())
}

/// Checks what was noted of an attempt: the subscriber was called for its span and its event, and acted as expected.
#[track_caller]
fn assert_noted(name: &str, noted: &Noted, during: &str, [at_event, at_close]: [&str; 2]) {
    for (callback, results) in noted {
        let expected = match callback {
            Callback::Event => at_event,
            Callback::Close => at_close,
            _ => during,
        };
        assert_eq!(*results, [expected], "{name}, at {callback:?}");
    }
    for callback in [Callback::Event, Callback::Close] {
        assert!(
            noted.contains_key(&callback),
            "{name}: not called for {callback:?}"
        );
    }
}

/// Returns whether `callback` is called while the claim is taken.
fn is_during_the_attempt(callback: Callback) -> bool {
    matches!(callback, Callback::NewSpan | Callback::Enter | Callback::Exit)
}

/// Whichever way it ends, the subscriber can read, set, wait for and initialize the cell when the event is emitted and when
/// the span is closed. Before, it can read it, and a wait is reported.
#[test]
fn a_subscriber_can_use_the_cell_after_each_attempt() {
    for (end, has_value, attempt) in ATTEMPTS {
        for act in ACTS {
            let name = format!("{end}, {act:?}");
            let cell = static_cell();
            let act_on_cell = move |callback| {
                let hangs =
                    !IS_WATCHED && is_during_the_attempt(callback) && matches!(act, Act::InitializeBlocking);
                (!hangs).then(|| act.on(cell))
            };
            let noted = noted(&name, act_on_cell, move || attempt(cell));
            let (during, after) = (act.during_the_attempt(), act.after_the_attempt(has_value));
            assert_noted(&name, &noted, during, after);
        }
    }
}

type AnyLazy = Lazy<u32, BoxFuture<'static, u32>>;

/// Returns the outcomes of `look`, which returns an existing value of a lazy, and of `get`, which polls for it.
fn look_and_get(look: impl Fn() -> Option<u32>, get: impl Fn() -> Poll<u32>) -> [String; 2] {
    [outcome(look), outcome(get)]
}

fn expected_of_lazy(has_value: bool) -> [String; 2] {
    let during = if IS_WATCHED { "deadlock" } else { "Pending" };
    let after = if has_value {
        ["Some(1)", "Ready(1)"]
    } else {
        ["None", "poisoned"]
    };
    let (during, after) = (format!("{:?}", ["None", during]), format!("{after:?}"));
    [during, after]
}

/// The future of a `Lazy` or a static, by the way it ends.
fn ending(end: &str) -> BoxFuture<'static, u32> {
    match end {
        "success" => Box::pin(async { 1 }),
        "panic" => Box::pin(async { panic!("the future") }),
        "panic in the destructor" => Box::pin(With::new(ready(1), OnDrop(|| panic!("the destructor")))),
        _ => unreachable!("no such end: {end}"),
    }
}

#[test]
fn a_subscriber_can_use_a_lazy_value_after_its_attempt() {
    for (end, has_value) in [
        ("success", true),
        ("panic", false),
        ("panic in the destructor", false),
    ] {
        // SAFETY: it is leaked, and never borrowed exclusively.
        let lazy: &'static AnyLazy = unsafe { &*util::leak_box(Box::new(Lazy::new(ending(end)))) };
        let act = move |_| {
            let used = look_and_get(
                || lazy.try_get().copied(),
                || poll(&mut Box::pin(lazy.get_unpin())).map(|value| *value),
            );
            Some(format!("{used:?}"))
        };
        let noted = noted(end, act, move || _ = outcome(|| now(lazy.get_unpin())));
        let [during, after] = expected_of_lazy(has_value);
        assert_noted(end, &noted, &during, [&after, &after]);
    }
}

#[test]
fn a_subscriber_can_use_a_lazy_static_after_its_attempt() {
    oncelot::lazy! {
        static SUCCESS: u32 = ending("success");
        static PANIC: u32 = ending("panic");
        static PANIC_IN_DESTRUCTOR: u32 = ending("panic in the destructor");
    }
    for (end, lazy, has_value) in [
        ("success", &SUCCESS, true),
        ("panic", &PANIC, false),
        ("panic in the destructor", &PANIC_IN_DESTRUCTOR, false),
    ] {
        let act = move |_| {
            let used = look_and_get(
                || lazy.try_get().copied(),
                || poll(&mut Box::pin(lazy.get())).map(|value| *value),
            );
            Some(format!("{used:?}"))
        };
        let noted = noted(end, act, move || _ = outcome(|| now(lazy.get())));
        let [during, after] = expected_of_lazy(has_value);
        assert_noted(end, &noted, &during, [&after, &after]);
    }
}

/// No lock is held when the event of a waiter is emitted: the waiter is registered, and is woken if the subscriber settles
/// the cell.
#[test]
fn a_subscriber_can_settle_the_cell_when_a_waiter_begins_to_wait() {
    let settles: [(&str, Program); 3] = [
        ("set", |cell| cell.set(9).unwrap()),
        ("initialize", |cell| _ = now(cell.get_or_init(async || 9))),
        ("block", |cell| _ = cell.get_or_init_blocking(|| 9)),
    ];
    for (name, settle) in settles {
        for is_claimant in [false, true] {
            let cell = static_cell();
            // Begun on a thread that has no subscriber, and so without a span.
            let mut running: BoxFuture<'_, _> = Box::pin(cell.get_or_init(pending));
            assert!(poll(&mut running).is_pending());
            let running = Mutex::new(Some(running));
            let hooks = Hooks(move |callback| {
                assert_eq!(callback, Callback::Event);
                // Dropped where no subscriber is called for it.
                let running = running.lock().unwrap().take();
                thread::spawn(|| drop(running)).join().unwrap();
                settle(cell);
            });
            run_with(name, hooks, move || {
                let task = Task::new();
                let mut waiter = util::claimant_or_passive(cell, is_claimant, 1);
                assert!(poll_with(&mut waiter, &task.waker()).is_pending());
                assert!(task.wakes() >= 1);
                assert_eq!(poll(&mut waiter), Poll::Ready(&9));
            });
        }
    }
}

/// Otherwise a subscriber that initializes a cell at each callback, and fails to, would call itself without end.
#[test]
fn an_initialization_by_a_subscriber_has_no_span() {
    let others = static_cell();
    let act = |_| Some(outcome(|| others.get_or_try_init_blocking(|| Err("no space"))));
    let cell = static_cell();
    let noted = noted("another cell", act, move || {
        now(cell.get_or_try_init(async || Err(()))).unwrap_err();
        now(cell.get_or_init(async || 1));
    });
    let result = r#"Err("no space")"#;
    assert_noted("another cell", &noted, result, [result; 2]);
    assert_eq!(noted.len(), 5);
}

#[test]
fn a_wait_in_a_subscriber_that_cannot_end_is_reported() {
    if !IS_WATCHED {
        return;
    }
    for waits_at in [Callback::NewSpan, Callback::Enter, Callback::Exit] {
        let cell = static_cell();
        let hooks = Hooks(move |callback| {
            if callback == waits_at {
                cell.get_or_init_blocking(|| 9);
            }
        });
        let reported = run_with("reported", hooks, move || {
            panic_of(|| now(cell.get_or_init(async || 1)))
        });
        assert!(
            reported.starts_with("deadlock: a `tracing` subscriber waits for a cell while the span"),
            "{reported}"
        );
        assert_eq!(now(cell.get_or_init(async || 2)), &2);
    }
}

/// The panic of the initializer propagates, and that of the subscriber does not abort.
#[test]
fn a_subscriber_that_panics_while_the_initializer_panics_does_not_abort() {
    for panics_at in [Callback::Exit, Callback::Event, Callback::Close] {
        let cell = static_cell();
        let hooks = Hooks(move |callback| assert_ne!(callback, panics_at, "the subscriber"));
        let message = run_with("a panic", hooks, move || {
            panic_of(|| now(cell.get_or_init(|| -> std::future::Ready<u32> { panic!("the initializer") })))
        });
        assert_eq!(message, "the initializer");
        assert_eq!(now(cell.get_or_init(async || 2)), &2);
    }
}

#[test]
fn a_subscriber_that_panics_at_the_event_and_the_close_does_not_abort() {
    let cell = static_cell();
    let hooks = Hooks(|callback| assert!(callback < Callback::Event, "at {callback:?}"));
    let message = run_with("panics", hooks, move || {
        panic_of(|| now(cell.get_or_init(async || 1)))
    });
    assert_eq!(message, "at Event");
    assert_eq!(cell.get(), Some(&1));
}

/// Returns a subscriber that panics when it is first called for a callback, and whether it has panicked.
fn panics_once_at(panics_at: Callback) -> (Hooks<impl Fn(Callback)>, Arc<AtomicBool>) {
    let has_panicked = Arc::new(AtomicBool::new(false));
    let hook = {
        let has_panicked = Arc::clone(&has_panicked);
        move |callback| {
            if callback == panics_at && !has_panicked.swap(true, SeqCst) {
                panic!("at {callback:?}");
            }
        }
    };
    (Hooks(hook), has_panicked)
}

/// The cell is empty or ready, as the subscriber was called before or after the value was published. No waiter is lost.
#[test]
fn a_subscriber_that_panics_at_any_call_of_an_attempt_ends_the_attempt() {
    for panics_at in CALLBACKS {
        let mut has_panicked_at_all = false;
        for (end, has_value, attempt) in ATTEMPTS {
            // A destructor that panics while the panic of the subscriber unwinds aborts, as any does.
            if end.contains("destructor") && is_during_the_attempt(panics_at) {
                continue;
            }
            let name = format!("{end}, at {panics_at:?}");
            let cell = static_cell();
            // The waiter is registered by this thread, which has no subscriber.
            let (mut waiter, task) = (Box::pin(cell.wait()), Task::new());
            assert!(poll_with(&mut waiter, &task.waker()).is_pending());
            let (hooks, has_panicked) = panics_once_at(panics_at);
            run_with(&name, hooks, move || _ = outcome(|| attempt(cell)));
            has_panicked_at_all |= has_panicked.load(SeqCst);
            let has_ended_early = has_panicked.load(SeqCst) && is_during_the_attempt(panics_at);
            let is_ready = has_value && !has_ended_early;
            assert_eq!(cell.get(), is_ready.then_some(&1), "{name}");
            assert_eq!(now(cell.get_or_init(async || 1)), &1, "{name}");
            assert_eq!(task.wakes(), 1, "{name}");
            assert_eq!(poll(&mut waiter), Poll::Ready(&1), "{name}");
        }
        assert!(has_panicked_at_all, "no attempt calls {panics_at:?}");
    }
}

/// A lazy is poisoned if its future may have been interrupted: the span is entered and exited around its polls.
#[test]
fn a_subscriber_that_panics_in_the_span_of_a_lazy_poisons_it() {
    for panics_at in CALLBACKS {
        // SAFETY: it is leaked, and never borrowed exclusively.
        let lazy: &'static AnyLazy = unsafe { &*util::leak_box(Box::new(Lazy::new(ending("success")))) };
        let (hooks, _) = panics_once_at(panics_at);
        let outcomes = run_with("lazy", hooks, move || {
            let get = || outcome(|| now(lazy.get_unpin()));
            [get(), get()]
        });
        let later = match panics_at {
            Callback::Enter | Callback::Exit => "poisoned",
            _ => "1",
        };
        assert_eq!(outcomes, [&*format!("at {panics_at:?}"), later]);
    }
}

/// What a waiter's future returns after an attempt has ended.
#[derive(Debug, Clone, Copy)]
enum Waits {
    /// For a value, while attempts fail.
    ForValue,
    /// For a value, and initializes the cell if it is empty.
    ForClaim(&'static str),
    /// For the end of the attempt.
    ForAttempt(&'static str),
    /// For a value or the claim. It is an `async fn`, which does not resume after a panic.
    NotAgain,
}

type StartWait = fn(&'static OnceCell<u32>) -> BoxFuture<'static, String>;

/// Each operation that may wait.
const WAITS: [(&str, Waits, StartWait); 12] = [
    ("wait", Waits::ForValue, |cell| shown(cell.wait())),
    ("wait_attempt", Waits::ForAttempt("None"), |cell| {
        shown(cell.wait_attempt())
    }),
    ("insert", Waits::ForClaim("Ok(9)"), |cell| shown(cell.insert(9))),
    ("get_or_claim", Waits::ForClaim("Err(InitGuard { .. })"), |cell| {
        shown(cell.get_or_claim())
    }),
    ("get_or_init", Waits::ForClaim("9"), |cell| {
        shown(cell.get_or_init(async || 9))
    }),
    ("get_or_try_init", Waits::ForClaim("Ok(9)"), |cell| {
        shown(cell.get_or_try_init(async || Ok::<_, ()>(9)))
    }),
    (
        "get_or_try_init_shared",
        Waits::ForAttempt("Err(OtherFailed)"),
        |cell| shown(cell.get_or_try_init_shared(async || Ok::<_, ()>(9))),
    ),
    ("get_or_init_spawned", Waits::NotAgain, |cell| {
        shown(cell.get_or_init_spawned(AtOnce, async || 9))
    }),
    ("get_or_try_init_spawned", Waits::NotAgain, |cell| {
        shown(cell.get_or_try_init_spawned(AtOnce, async || Ok::<_, ()>(9)))
    }),
    ("get_or_try_init_shared_spawned", Waits::NotAgain, |cell| {
        shown(cell.get_or_try_init_shared_spawned(AtOnce, async || Ok::<_, ()>(9)))
    }),
    ("get_or_init_spawned_blocking", Waits::NotAgain, |cell| {
        shown(cell.get_or_init_spawned_blocking(AtOnce, || 9))
    }),
    ("get_or_try_init_spawned_blocking", Waits::NotAgain, |cell| {
        shown(cell.get_or_try_init_spawned_blocking(AtOnce, || Ok::<_, ()>(9)))
    }),
];

fn shown<R: Debug>(wait: impl Future<Output = R> + Send + 'static) -> BoxFuture<'static, String> {
    let mut wait = Box::pin(wait);
    Box::pin(poll_fn(move |cx| {
        wait.as_mut().poll(cx).map(|result| format!("{result:?}"))
    }))
}

/// The waiter is registered when the subscriber panics, and stays registered in that attempt.
#[test]
fn a_wait_that_a_subscriber_interrupts_when_it_begins_can_be_resumed() {
    for (name, waits, start) in WAITS {
        for is_followed in [false, true] {
            let cell = static_cell();
            // Without a subscriber, as this thread has none.
            let first = cell.try_claim().unwrap();
            let (hooks, _) = panics_once_at(Callback::Event);
            let (mut waiter, task) = run_with(name, hooks, move || {
                let (mut waiter, task) = (start(cell), Task::new());
                assert_eq!(panic_of(|| poll_with(&mut waiter, &task.waker())), "at Event");
                (waiter, task)
            });
            drop(first);
            let next = is_followed.then(|| cell.try_claim().unwrap());
            let expected = match waits {
                Waits::ForAttempt(result) => format!("Ready({result:?})"),
                Waits::ForClaim(result) if !is_followed => format!("Ready({result:?})"),
                Waits::NotAgain => "`async fn` resumed after panicking".into(),
                _ => "Pending".into(),
            };
            let resumed = outcome(|| poll_with(&mut waiter, &task.waker()));
            assert_eq!(
                resumed, expected,
                "{name}, followed by another attempt: {is_followed}"
            );
            drop(next);
        }
    }
}

/// Returns the output of `tracing_subscriber` in a file that a cell opens, by `open`.
#[track_caller]
fn written(name: &str, open: fn(&OnceCell<Text>) -> Text, program: fn(&OnceCell<Text>)) -> String {
    // SAFETY: it is leaked, and never borrowed exclusively.
    let file: &'static OnceCell<Text> = unsafe { &*util::leak_box(Box::new(OnceCell::new())) };
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || open(file))
        .finish();
    let text = run_with(name, subscriber, move || {
        program(file);
        file.get().cloned().unwrap_or_default()
    });
    let bytes = text.0.lock().unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A file in memory.
#[derive(Debug, Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_can_be_opened_through_the_cell_that_is_written_of() {
    let open = |file: &OnceCell<Text>| file.get_or_init_blocking(Text::default).clone();
    let initialized = written("initialized", open, |file| {
        now(file.get_or_init(async || Text::default()));
    });
    assert!(initialized.contains("oncelot: initialized"), "{initialized}");

    let cancelled = written("cancelled", open, |file| {
        let mut init = Box::pin(file.get_or_init(pending));
        assert!(poll(&mut init).is_pending());
    });
    assert!(cancelled.contains("the initializer was cancelled"), "{cancelled}");
    assert!(cancelled.contains("close"), "{cancelled}");

    let failed = written("failed", open, |file| {
        now(file.get_or_try_init(async || Err(()))).unwrap_err();
    });
    assert!(failed.contains("the initializer failed"), "{failed}");

    let panicked = written("panicked", open, |file| {
        panic_of(|| now(file.get_or_init(async || panic!("the initializer"))));
    });
    assert!(panicked.contains("the initializer panicked"), "{panicked}");
}

#[test]
fn a_writer_that_cannot_be_opened_is_tried_once_for_each_event() {
    thread_local! {
        static ATTEMPTS: Cell<u32> = const { Cell::new(0) };
    }

    let open = |file: &OnceCell<Text>| {
        let opened = file.get_or_try_init_blocking(|| {
            ATTEMPTS.set(ATTEMPTS.get() + 1);
            Err("no space")
        });
        opened.cloned().unwrap_or_default()
    };
    let nothing = written("cannot be opened", open, |file| {
        now(file.get_or_try_init(async || Err(()))).unwrap_err();
        // For the event, and for the close of the span.
        assert_eq!(ATTEMPTS.get(), 2);
    });
    assert_eq!(nothing, "");
}
