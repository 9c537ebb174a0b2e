//! The spans and events of initializers and waiters, and subscribers that use the same cell or panic (feature `tracing`).
//!
//! The subscriber is global, not scoped: `tracing` does not call a scoped subscriber from inside itself, which would hide
//! a recursion. It is that of `tracing_subscriber`, whose calls are recorded for the [`Recorder`] of the thread, if any.

mod util;

use std::{
    cell::{Cell, RefCell},
    fmt::Debug,
    future::{Ready, pending, poll_fn, ready},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    str,
    sync::Once,
    task::Poll,
    thread,
};

use futures_lite::future::{block_on, yield_now};
use oncelot::{
    Lazy, OnceCell,
    runtime::{OnceCellExt, Runtime},
};
use tracing::{
    Instrument, Level, Subscriber,
    span::{Attributes, Id},
    subscriber::set_global_default,
};
use tracing_subscriber::{
    filter::dynamic_filter_fn,
    layer::{Context, Layer, SubscriberExt},
};
use util::{
    BoxFuture, Counted, Drops, OnDrop, Panicking, Task, With, message, now, panic_of, poll, poll_with,
    static_cell,
};

/// Whether a wait that cannot end is detected.
const IS_DETECTED: bool = cfg!(any(debug_assertions, feature = "deadlock-detection"));

/// A call of the subscriber. It calls the writer of a line inside the call for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Callback {
    NewSpan,
    Enter,
    Exit,
    Write,
    Event,
    Close,
}

use Callback::{Close, Enter, Event, Exit, NewSpan, Write};

const CALLBACKS: [Callback; 6] = [NewSpan, Enter, Exit, Write, Event, Close];

impl Callback {
    /// Returns whether the claim is held during this call.
    fn is_during_the_attempt(self) -> bool {
        self < Write
    }
}

thread_local! {
    static RECORDER: RefCell<Option<Rc<Recorder>>> = const { RefCell::new(None) };
}

/// Records the calls of the subscriber on one thread, and runs a hook in each.
struct Recorder {
    hook: Box<dyn Fn(Callback) -> String>,
    are_spans_enabled: bool,
    is_called: Cell<bool>,
    callbacks: RefCell<Vec<Callback>>,
    /// What the hook returned.
    outcomes: RefCell<Vec<String>>,
    /// The lines that were written. The durations are removed.
    lines: RefCell<Vec<String>>,
}

impl Recorder {
    fn new(are_spans_enabled: bool, hook: impl Fn(Callback) -> String + 'static) -> Rc<Self> {
        Rc::new(Self {
            hook: Box::new(hook),
            are_spans_enabled,
            is_called: Cell::new(false),
            callbacks: RefCell::default(),
            outcomes: RefCell::default(),
            lines: RefCell::default(),
        })
    }

    /// Returns a recorder whose hook panics at some callbacks.
    fn panicking(is_panicking: impl Fn(Callback) -> bool + 'static) -> Rc<Self> {
        Self::new(true, move |callback| {
            assert!(!is_panicking(callback), "at {callback:?}");
            String::new()
        })
    }

    /// Runs `program` while this is the recorder of the thread.
    fn run<R>(self: &Rc<Self>, program: impl FnOnce() -> R) -> R {
        static GLOBAL: Once = Once::new();

        GLOBAL.call_once(|| {
            let lines = tracing_subscriber::fmt().without_time().with_ansi(false);
            let lines = lines.with_max_level(Level::TRACE).with_writer(|| {
                Recorder::call(Write);
                Line
            });
            let is_enabled = dynamic_filter_fn(|metadata, _| {
                let recorder = Recorder::of_thread();
                recorder.is_some_and(|recorder| recorder.are_spans_enabled || metadata.is_event())
            });
            set_global_default(lines.finish().with(Calls).with(is_enabled)).expect("no other one is set");
        });
        RECORDER.set(Some(Rc::clone(self)));
        let _ended = OnDrop(|| RECORDER.set(None));
        program()
    }

    fn of_thread() -> Option<Rc<Self>> {
        RECORDER.with_borrow(Clone::clone)
    }

    fn call(callback: Callback) {
        let Some(recorder) = Self::of_thread() else {
            return;
        };
        let was_called = recorder.is_called.replace(true);
        assert!(
            !was_called,
            "the subscriber is called from inside itself: {callback:?}"
        );
        let _returns = OnDrop(|| recorder.is_called.set(false));
        recorder.callbacks.borrow_mut().push(callback);
        let outcome = (recorder.hook)(callback);
        recorder.outcomes.borrow_mut().push(outcome);
    }
}

/// Returns the lines that are written while `program` runs.
fn lines<R>(program: impl FnOnce() -> R) -> Vec<String> {
    let recorder = Recorder::panicking(|_| false);
    recorder.run(program);
    recorder.lines.take()
}

struct Line;

impl io::Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_duration = |word: &str| word.starts_with("duration=");
        let words = str::from_utf8(line).unwrap().split_whitespace();
        let words = words.map(|word| if is_duration(word) { "duration" } else { word });
        let words: Vec<_> = words.collect();
        let recorder = Recorder::of_thread().unwrap();
        recorder.lines.borrow_mut().push(words.join(" "));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Calls;

impl<S: Subscriber> Layer<S> for Calls {
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        Recorder::call(NewSpan);
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        Recorder::call(Enter);
    }

    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        Recorder::call(Exit);
    }

    fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
        Recorder::call(Event);
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        Recorder::call(Close);
    }
}

/// Returns the outcome of a use of a cell: its result, or the kind of its panic.
fn outcome<R: Debug>(act: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(result) => format!("{result:?}"),
        Err(payload) => match message(&*payload) {
            text if text.starts_with("deadlock: a `tracing` subscriber waits for a cell while the span") => {
                "deadlock".into()
            }
            text if text.contains("is poisoned") => "poisoned".into(),
            text => text,
        },
    }
}

/// What a runtime does with its tasks.
enum Tasks {
    /// Runs them immediately on this thread, so that its subscriber is called for them.
    Run,
    PollOnce,
    Drop,
    Leak,
}

impl Runtime for Tasks {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        match self {
            Self::Run => block_on(task),
            Self::PollOnce => _ = poll(&mut Box::pin(task)),
            Self::Drop => (),
            Self::Leak => util::leak(Box::pin(task)),
        }
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        if let Self::Run = self {
            work();
        }
    }
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    /// The initializer returns 1.
    Success,
    Error,
    Cancellation,
    Panic,
}

use Ending::{Cancellation, Error, Panic, Success};

impl Ending {
    /// Returns the line of the event.
    fn line(self, attempt: u32) -> String {
        let (level, message) = match self {
            Success => ("DEBUG", "initialized duration"),
            Error => ("WARN", "the initializer failed duration error=\"&str\""),
            Cancellation => ("WARN", "the initializer was cancelled duration"),
            Panic => ("ERROR", "the initializer panicked duration"),
        };
        format!("{level} initialize{{value=\"u32\" attempt={attempt}}}: oncelot: {message}")
    }
}

type Program = fn(&'static OnceCell<u32>);

fn fail() -> Result<u32, &'static str> {
    Err("no route")
}

fn panic_in_destructor<F: Future + Unpin>(future: F) -> With<F, impl Drop + Unpin> {
    With::new(future, OnDrop(|| panic!("in the destructor")))
}

// Every way in which an attempt can end.

const SUCCESSES: &[Program] = &[
    |cell| _ = now(cell.get_or_init(async || 1)),
    |cell| _ = now(cell.get_or_try_init_shared(async || Ok::<_, ()>(1))),
    |cell| _ = cell.try_get_or_init(|| 1).unwrap(),
    |cell| _ = cell.get_or_init_blocking(|| 1),
    |cell| _ = now(cell.get_or_init_spawned(Tasks::Run, async || 1)),
    |cell| _ = now(cell.get_or_init_spawned_blocking(Tasks::Run, || 1)),
    |cell| _ = cell.try_claim().unwrap().set(1),
    |cell| _ = now(cell.get_or_claim()).unwrap_err().set(1),
];

const ERRORS: &[Program] = &[
    |cell| _ = now(cell.get_or_try_init(async || fail())).unwrap_err(),
    |cell| _ = now(cell.get_or_try_init_shared(async || fail())).unwrap_err(),
    |cell| _ = cell.get_or_try_init_blocking(fail).unwrap_err(),
    |cell| _ = now(cell.get_or_try_init_spawned(Tasks::Run, async || fail())).unwrap_err(),
    |cell| _ = now(cell.get_or_try_init_spawned_blocking(Tasks::Run, fail)).unwrap_err(),
];

const CANCELLATIONS: &[Program] = &[
    |cell| _ = poll(&mut Box::pin(cell.get_or_init(pending))),
    |cell| _ = poll(&mut Box::pin(cell.get_or_init(|| panic_in_destructor(pending())))),
    |cell| _ = now(cell.get_or_init_spawned(Tasks::PollOnce, pending)),
    |cell| _ = now(cell.get_or_init_spawned(Tasks::Drop, async || 1)),
    |cell| _ = now(cell.get_or_init_spawned_blocking(Tasks::Drop, || 1)),
    |cell| drop(cell.try_claim()),
    |cell| {
        let _guard = cell.try_claim();
        panic!("in the holder")
    },
];

const PANICS: &[Program] = &[
    |cell| _ = now(cell.get_or_init(|| -> Ready<u32> { panic!("in the closure") })),
    |cell| _ = now(cell.get_or_init(|| Panicking("in the future"))),
    |cell| _ = now(cell.get_or_init(|| panic_in_destructor(ready(1)))),
    |cell| _ = cell.try_get_or_init(|| panic!("in the closure")),
    |cell| _ = cell.get_or_init_blocking(|| panic!("in the closure")),
    |cell| _ = now(cell.get_or_init_spawned(Tasks::Run, || Panicking("in the future"))),
    |cell| _ = now(cell.get_or_init_spawned_blocking(Tasks::Run, || panic!("in the closure"))),
];

/// Returns each attempt with its end and a name.
fn attempts() -> impl Iterator<Item = (String, Ending, Program)> {
    let ends = [Success, Error, Cancellation, Panic];
    let programs = [SUCCESSES, ERRORS, CANCELLATIONS, PANICS];
    ends.into_iter().zip(programs).flat_map(|(end, programs)| {
        let programs = programs.iter().enumerate();
        programs.map(move |(number, program)| (format!("{end:?} {number}"), end, *program))
    })
}

/// The attempts that no subscriber sees are counted too. The event of a span that is disabled has no duration.
#[test]
fn each_attempt_has_a_span_and_ends_with_one_event() {
    for (name, end, attempt) in attempts() {
        for are_spans_enabled in [true, false] {
            let cell = static_cell();
            now(cell.get_or_try_init(async || fail())).unwrap_err();
            let recorder = Recorder::new(are_spans_enabled, |_| String::new());
            recorder.run(|| outcome(|| attempt(cell)));
            let callbacks = recorder.callbacks.take();
            if are_spans_enabled {
                assert_eq!(recorder.lines.take(), [end.line(2)], "{name}");
                let entered = callbacks.strip_prefix(&[NewSpan]);
                let entered = entered.and_then(|rest| rest.strip_suffix(&[Write, Event, Close]));
                let mut pairs = entered.expect("it is one span").chunks(2);
                assert!(pairs.all(|pair| pair == [Enter, Exit]), "{name}: {callbacks:?}");
            } else {
                let line = end.line(2).replace(" initialize{value=\"u32\" attempt=2}:", "");
                assert_eq!(recorder.lines.take(), [line.replace(" duration", "")], "{name}");
                assert_eq!(callbacks, [Write, Event], "{name}");
            }
        }
    }
}

/// The event is emitted when the initializer panics, and not when its future is dropped.
#[test]
fn the_event_of_a_panic_is_emitted_at_once() {
    let cell = static_cell();
    let mut future = Box::pin(cell.get_or_init(|| Panicking("the future")));
    assert_eq!(lines(|| outcome(|| poll(&mut future))), [Panic.line(1)]);
    assert_eq!(lines(|| drop(future)), [""; 0]);
}

#[test]
fn events_of_the_initializer_are_inside_its_span() {
    let log = |message| tracing::info!(target: "user", message);
    let lines = lines(|| {
        let cell = OnceCell::<u32>::new();
        let mut future = Box::pin(cell.get_or_init(|| {
            log("closure");
            async {
                yield_now().await;
                log("future");
                1
            }
        }));
        assert!(poll(&mut future).is_pending());
        log("between two polls");
        assert!(poll(&mut future).is_ready());
        let cell = OnceCell::<u32>::new();
        let guard = cell.try_claim().unwrap();
        log("while a guard is held");
        guard.set(1);
        let spawned = static_cell().get_or_init_spawned(Tasks::Run, async || 1);
        now(spawned.instrument(tracing::error_span!("request")));
    });
    let span = "initialize{value=\"u32\" attempt=1}:";
    assert_eq!(
        lines,
        [
            format!("INFO {span} user: closure"),
            "INFO user: between two polls".into(),
            format!("INFO {span} user: future"),
            Success.line(1),
            "INFO user: while a guard is held".into(),
            Success.line(1),
            format!("DEBUG request:{span} oncelot: initialized duration"),
        ]
    );
}

#[test]
fn calls_without_an_attempt_of_their_own_emit_nothing() {
    let lines = lines(|| {
        let cell = OnceCell::new();
        now(cell.insert(1)).unwrap();
        cell.set(2).unwrap_err();
        cell.get();
        now(cell.wait());
        now(cell.get_or_init(async || 3));
        cell.try_claim().unwrap_err();
        now(OnceCell::<u32>::new().get_mut_or_init(async || 1));
        drop(Box::pin(Lazy::new(async { 1_u32 })));
        // The caller of a spawned initializer is not a waiter.
        let mut caller = Box::pin(static_cell().get_or_init_spawned(Tasks::Leak, async || 1));
        assert!(poll(&mut caller).is_pending());
    });
    assert_eq!(lines, [""; 0]);
}

type Wait = BoxFuture<'static, Box<dyn Debug + Send>>;

fn start<R: Debug + Send + 'static>(wait: impl Future<Output = R> + Send + 'static) -> Wait {
    let mut wait = Box::pin(wait);
    Box::pin(poll_fn(move |cx| {
        let poll = wait.as_mut().poll(cx);
        poll.map(|result| -> Box<dyn Debug + Send> { Box::new(result) })
    }))
}

type StartWait = fn(&'static OnceCell<u32>) -> Wait;

/// The methods that may wait for an attempt, except those that spawn an initializer.
const WAITS: [StartWait; 7] = [
    |cell| start(cell.wait()),
    |cell| start(cell.wait_attempt()),
    |cell| start(cell.insert(9)),
    |cell| start(cell.get_or_claim()),
    |cell| start(cell.get_or_init(async || 9)),
    |cell| start(cell.get_or_try_init(async || Ok::<_, ()>(9))),
    |cell| start(cell.get_or_try_init_shared(async || Ok::<_, ()>(9))),
];

const SPAWNING_WAITS: [StartWait; 5] = [
    |cell| start(cell.get_or_init_spawned(Tasks::Run, async || 9)),
    |cell| start(cell.get_or_try_init_spawned(Tasks::Run, async || fail())),
    |cell| start(cell.get_or_try_init_shared_spawned(Tasks::Run, async || fail())),
    |cell| start(cell.get_or_init_spawned_blocking(Tasks::Run, || 9)),
    |cell| start(cell.get_or_try_init_spawned_blocking(Tasks::Run, fail)),
];

#[test]
fn a_waiter_emits_one_event_when_it_begins_to_wait() {
    for start in WAITS.into_iter().chain(SPAWNING_WAITS) {
        let cell = static_cell();
        let first = cell.try_claim().unwrap();
        let mut waiter = start(cell);
        let mut poll_twice = || lines(|| [(); 2].map(|()| outcome(|| poll(&mut waiter))));
        assert_eq!(poll_twice(), ["TRACE oncelot: waiting value=\"u32\""]);
        drop(first);
        let _next = cell.try_claim();
        assert_eq!(poll_twice(), [""; 0]);
    }
}

/// The waiter is registered when the subscriber panics, and stays registered in that attempt.
#[test]
fn a_wait_that_a_subscriber_interrupts_when_it_begins_can_be_resumed() {
    for (number, start) in WAITS.into_iter().chain(SPAWNING_WAITS).enumerate() {
        for is_followed in [false, true] {
            let [resumed, not_interrupted] = ["at Event", "Pending"].map(|begun| {
                let cell = static_cell();
                let first = cell.try_claim().unwrap();
                let mut waiter = start(cell);
                let recorder = Recorder::panicking(move |callback| begun == "at Event" && callback == Event);
                assert_eq!(recorder.run(|| outcome(|| poll(&mut waiter))), begun);
                drop(first);
                let _next = is_followed.then(|| cell.try_claim().unwrap());
                outcome(|| poll(&mut waiter))
            });
            let expected = match number < WAITS.len() {
                true => &not_interrupted,
                false => "`async fn` resumed after panicking",
            };
            assert_eq!(
                resumed, expected,
                "wait {number}, followed by another attempt: {is_followed}"
            );
        }
    }
}

/// No lock is held when the event of a waiter is emitted: the waiter is registered, and is woken if the subscriber settles
/// the cell.
#[test]
fn a_subscriber_can_settle_the_cell_when_a_waiter_begins_to_wait() {
    let settles: [Program; 3] = [
        |cell| cell.set(9).unwrap(),
        |cell| _ = now(cell.get_or_init(async || 9)),
        |cell| _ = cell.get_or_init_blocking(|| 9),
    ];
    for (settle, is_claimant) in settles
        .into_iter()
        .flat_map(|settle| [(settle, false), (settle, true)])
    {
        let cell = static_cell();
        let running = RefCell::new(cell.try_claim().ok());
        let recorder = Recorder::new(true, move |callback| {
            if callback == Event {
                // Dropped on a thread without a recorder.
                let running = running.take();
                thread::spawn(|| drop(running)).join().unwrap();
                settle(cell);
            }
            String::new()
        });
        recorder.run(|| {
            let task = Task::new();
            let mut waiter = util::claimant_or_passive(cell, is_claimant, 1);
            assert!(poll_with(&mut waiter, &task.waker()).is_pending());
            assert!(task.wakes() >= 1);
            assert_eq!(poll(&mut waiter), Poll::Ready(&9));
        });
    }
}

/// Whether a use of a cell by a subscriber waits for the attempt in progress, and the use, which returns its outcome.
type Act = (bool, fn(&'static OnceCell<u32>) -> String);

const ACTS: [Act; 8] = [
    (false, |cell| outcome(|| cell.get())),
    (false, |cell| outcome(|| cell.set(9))),
    (true, |cell| outcome(|| poll(&mut Box::pin(cell.wait())))),
    (true, |cell| outcome(|| poll(&mut Box::pin(cell.insert(9))))),
    (true, |cell| {
        outcome(|| poll(&mut Box::pin(cell.get_or_init(async || 9))))
    }),
    (true, |cell| outcome(|| cell.get_or_init_blocking(|| 9))),
    (true, |cell| outcome(|| cell.get_or_try_init_blocking(fail))),
    (false, |_| {
        outcome(|| static_cell().get_or_try_init_blocking(fail))
    }),
];

/// Returns a recorder of the outcomes of `act`, which is left out where its wait would never end.
fn acting(waits_during_the_attempt: bool, act: impl Fn() -> String + 'static) -> Rc<Recorder> {
    Recorder::new(true, move |callback| {
        let hangs = callback.is_during_the_attempt() && waits_during_the_attempt && !IS_DETECTED;
        if hangs { "deadlock".into() } else { act() }
    })
}

/// Checks the outcomes of an act in the calls during an attempt, and in the three calls after it.
#[track_caller]
fn assert_outcomes(name: &str, recorder: &Recorder, during: &str, after: [&str; 3]) {
    let callbacks = recorder.callbacks.borrow();
    let count = callbacks.partition_point(|callback| callback.is_during_the_attempt());
    let mut expected = vec![during; count];
    expected.extend(after);
    assert_eq!(*recorder.outcomes.borrow(), expected, "{name}, at {callbacks:?}");
}

/// However the attempt ends, the subscriber can read, set, wait for and initialize the cell when the event is emitted and when
/// the span is closed, as tasks can, and is not called from inside itself. During the attempt, it can read the cell, and a wait
/// is reported.
#[test]
fn a_subscriber_can_use_the_cell_after_each_attempt() {
    for (name, end, attempt) in attempts() {
        for (number, (waits, act)) in ACTS.into_iter().enumerate() {
            let cell = static_cell();
            let recorder = acting(waits, move || act(cell));
            recorder.run(|| outcome(|| attempt(cell)));
            // A cell with the same history, without a subscriber.
            let model = static_cell();
            let claim = model.try_claim().unwrap();
            let during = if waits { "deadlock".into() } else { act(model) };
            match end {
                Success => _ = claim.set(1),
                _ => drop(claim),
            }
            let after = [(); 3].map(|()| act(model));
            let after = after.each_ref().map(|outcome| &**outcome);
            assert_outcomes(&format!("{name}, act {number}"), &recorder, &during, after);
        }
    }
}

type BoxedLazy = Lazy<u32, BoxFuture<'static, u32>>;

fn leaked(future: BoxFuture<'static, u32>) -> &'static BoxedLazy {
    util::leaked(Lazy::new(future))
}

fn pending_once(init: fn() -> u32) -> BoxFuture<'static, u32> {
    Box::pin(async move {
        yield_now().await;
        init()
    })
}

fn success() -> BoxFuture<'static, u32> {
    pending_once(|| 1)
}

fn panics() -> BoxFuture<'static, u32> {
    pending_once(|| panic!("in the future"))
}

fn panics_in_destructor() -> BoxFuture<'static, u32> {
    Box::pin(panic_in_destructor(success()))
}

/// The tasks that poll the future, one after the other, make one attempt together.
#[test]
fn a_subscriber_can_use_a_lazy_value_after_its_attempt() {
    oncelot::lazy! {
        static SUCCESS: u32 = success();
        static PANIC: u32 = panics();
        static PANIC_IN_DESTRUCTOR: u32 = panics_in_destructor();
    }

    fn check<G: Future<Output = &'static u32>>(
        end: Ending,
        try_get: impl Fn() -> Option<&'static u32> + 'static,
        get: impl Fn() -> G + Copy + 'static,
    ) {
        let act = move || outcome(&try_get) + ", " + &outcome(|| poll(&mut Box::pin(get())));
        let recorder = acting(true, act);
        recorder.run(|| {
            assert!(poll(&mut Box::pin(get())).is_pending());
            [(); 2].map(|()| outcome(|| now(get())))
        });
        assert_eq!(recorder.lines.take(), [end.line(1)]);
        let after = match end {
            Success => "Some(1), Ready(1)",
            _ => "None, poisoned",
        };
        assert_outcomes(&format!("{end:?}"), &recorder, "None, deadlock", [after; 3]);
    }

    for (end, lazy) in [
        (Success, leaked(success())),
        (Panic, leaked(panics())),
        (Panic, leaked(panics_in_destructor())),
    ] {
        check(end, || lazy.try_get(), || lazy.get_unpin());
    }
    for (end, lazy) in [
        (Success, &SUCCESS),
        (Panic, &PANIC),
        (Panic, &PANIC_IN_DESTRUCTOR),
    ] {
        check(end, || lazy.try_get(), || lazy.get());
    }
}

#[test]
fn a_lazy_value_that_is_dropped_is_cancelled() {
    let lines = lines(|| {
        let lazy = pin!(Lazy::new(pending::<u32>()));
        assert!(poll(&mut Box::pin(lazy.as_ref().get())).is_pending());
        let mut driver = Box::pin(lazy.as_ref().get());
        assert!(poll(&mut driver).is_pending());
        assert!(poll(&mut Box::pin(lazy.as_ref().get())).is_pending());
    });
    let waiting = "TRACE oncelot: waiting value=\"u32\"";
    assert_eq!(lines, [waiting, &*Cancellation.line(1)]);
}

/// The cell is empty or ready, as the subscriber was called before or after the value was published. No waiter is lost. The
/// panic of the subscriber propagates, unless the panic of the initializer does.
#[test]
fn a_subscriber_that_panics_at_any_call_of_an_attempt_ends_the_attempt() {
    for panics_at in CALLBACKS {
        let mut has_panicked_at_all = false;
        for (name, end, attempt) in attempts() {
            let own = outcome(|| attempt(static_cell()));
            // A destructor that panics while the panic of the subscriber unwinds aborts the program, as in any Rust program.
            if own == "in the destructor" && panics_at.is_during_the_attempt() {
                continue;
            }
            let name = format!("{name}, at {panics_at:?}");
            let cell = static_cell();
            let (mut waiter, task) = (Box::pin(cell.wait()), Task::new());
            assert!(poll_with(&mut waiter, &task.waker()).is_pending());
            let recorder = Recorder::panicking(move |callback| callback == panics_at);
            let ended = recorder.run(|| outcome(|| attempt(cell)));
            let has_panicked = recorder.callbacks.borrow().contains(&panics_at);
            has_panicked_at_all |= has_panicked;
            // The span is exited for the first time when the closure returns or panics.
            let is_unwinding = own.starts_with("in the")
                && (!panics_at.is_during_the_attempt() || panics_at == Exit && own == "in the closure");
            if has_panicked && !is_unwinding {
                assert_eq!(ended, format!("at {panics_at:?}"), "{name}");
            } else {
                assert_eq!(ended, own, "{name}");
            }
            let has_ended_early = has_panicked && panics_at.is_during_the_attempt();
            let is_ready = end == Success && !has_ended_early;
            assert_eq!(cell.get(), is_ready.then_some(&1), "{name}");
            assert_eq!(now(cell.get_or_init(async || 1)), &1, "{name}");
            assert_eq!(task.wakes(), 1, "{name}");
            assert_eq!(poll(&mut waiter), Poll::Ready(&1), "{name}");
        }
        assert!(has_panicked_at_all, "no attempt calls {panics_at:?}");
    }
}

#[test]
fn a_subscriber_that_panics_at_the_event_and_the_close_does_not_abort() {
    let cell = static_cell();
    let recorder = Recorder::panicking(|callback| callback >= Event);
    let ended = recorder.run(|| outcome(|| now(cell.get_or_init(async || 1))));
    assert_eq!(ended, "at Event");
    assert_eq!(cell.get(), Some(&1));
}

/// A lazy is poisoned if its future may have been interrupted: the span is entered and exited around its polls.
#[test]
fn a_subscriber_that_panics_in_the_span_of_a_lazy_poisons_it() {
    oncelot::lazy! {
        static LAZY: u32 = success();
    }
    for panics_at in CALLBACKS {
        let lazy = leaked(success());
        let recorder = Recorder::panicking(move |callback| callback == panics_at);
        let ended = recorder.run(|| outcome(|| block_on(lazy.get_unpin())));
        assert_eq!(ended, format!("at {panics_at:?}"));
        let later = match panics_at {
            Enter | Exit => "poisoned",
            _ => "1",
        };
        assert_eq!(outcome(|| block_on(lazy.get_unpin())), later);
    }
    let recorder = Recorder::panicking(|callback| callback == Event);
    assert_eq!(recorder.run(|| outcome(|| block_on(LAZY.get()))), "at Event");
    assert_eq!(LAZY.try_get(), Some(&1));
}

/// Neither the future of the closure nor its value or error is leaked.
#[test]
fn a_subscriber_that_panics_as_a_span_is_exited_leaks_nothing() {
    let drops = Drops::new();
    let cell = OnceCell::new();
    let attempts: [fn(&OnceCell<Counted>, Counted); 3] = [
        |cell, value| _ = now(cell.get_or_init(|| ready(value))),
        |cell, error| _ = now(cell.get_or_try_init(|| ready(Err(error)))),
        |cell, value| _ = cell.get_or_init_blocking(|| value),
    ];
    // The exits are after the closure, and after its future.
    for (exit, number) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)] {
        let exits = Cell::new(0);
        let recorder = Recorder::panicking(move |callback| {
            exits.set(exits.get() + u32::from(callback == Exit));
            callback == Exit && exits.get() == exit
        });
        let (before, counted) = (drops.count(), drops.counted());
        let ended = recorder.run(|| outcome(|| attempts[number](&cell, counted)));
        assert_eq!(ended, "at Exit", "attempt {number}, exit {exit}");
        assert_eq!(drops.count(), before + 1, "attempt {number}, exit {exit}");
    }
}

#[test]
fn a_subscriber_that_panics_as_a_lazy_value_is_taken_apart_leaks_nothing() {
    let drops = Drops::new();
    let lazy = Lazy::new(With::new(pending::<u32>(), drops.counted()));
    assert!(
        Recorder::panicking(|_| false)
            .run(|| poll(&mut Box::pin(lazy.get_unpin())))
            .is_pending()
    );
    let recorder = Recorder::panicking(|callback| callback == Event);
    assert_eq!(recorder.run(|| panic_of(|| lazy.into_parts())), "at Event");
    assert_eq!(drops.count(), 1);
}
