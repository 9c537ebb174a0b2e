//! A stress test: tasks on threads, and on the executors whose features are enabled, race for the same cells, generation after
//! generation. The variable `STRESS_SECONDS` sets how long each backend is tested. Under the sanitizers, that is longer than the
//! second of `cargo test`.
//!
//! Initializers fail, panic and are cancelled, and tasks migrate from one executor to another while they wait or initialize. In
//! each generation, every cell must get one value, all tasks must see that value, every task must end, and everything must be
//! dropped once. Then `take` empties the cells, and the next generation begins.

use std::cell::UnsafeCell;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use std::{array, env, mem, process, thread};

use futures_lite::future::{block_on, poll_fn, poll_once};
use oncelot::backend::Intrusive;
use oncelot::{Backend, OnceCell};
#[cfg(feature = "std")]
use oncelot::{
    BoxLazy,
    runtime::{ArcField, OnceCellExt, Runtime},
};

const CELLS: usize = 3;
/// How long a generation may take. It usually takes milliseconds: this is for sanitizers on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// A number of polls that no task reaches.
const ALL: usize = usize::MAX;

#[cfg(feature = "tokio")]
static TOKIO: std::sync::LazyLock<tokio::runtime::Runtime> =
    std::sync::LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

/// Runs a task on one of the executors, or on a thread of its own.
fn execute(task: impl Future<Output = ()> + Send + 'static) {
    match fastrand::u8(..4) {
        #[cfg(feature = "tokio")]
        0 => Runtime::spawn(TOKIO.handle(), task),
        #[cfg(feature = "smol")]
        1 => oncelot::runtime::Smol.spawn(task),
        #[cfg(feature = "async-std")]
        2 => oncelot::runtime::AsyncStd.spawn(task),
        _ => drop(thread::spawn(|| block_on(task))),
    }
}

#[cfg(feature = "std")]
struct AnyExecutor;

#[cfg(feature = "std")]
impl Runtime for AnyExecutor {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        execute(task);
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        thread::spawn(work);
    }
}

#[cfg(not(feature = "std"))]
type BoxLazy<'a, T, B> = oncelot::Lazy<T, Pin<Box<dyn Future<Output = T> + Send + 'a>>, B>;

/// Aborts the process when an assertion fails, because executors would catch the panic of a task. The panics of initializers do not
/// call the hook.
fn abort_if_an_assertion_fails() {
    panic::set_hook(Box::new(|info| {
        // Not by `eprintln!`, whose output the test harness would capture.
        let _ = writeln!(io::stderr(), "{info}");
        process::abort();
    }));
}

/// A value or an error: its number, the number again in memory that is freed with the token, and a reference that counts it.
struct Token(
    usize,
    Box<usize>,
    #[expect(dead_code, reason = "it is counted")] Arc<Record>,
);

/// The record of a cell in one generation. All of its atomics are Relaxed: they must not order what the cell has to order.
#[derive(Default)]
struct Record {
    /// The number of steps of all initializers. Only the cell keeps them from racing with each other and with the readers of the value.
    scratch: UnsafeCell<usize>,
    steps: AtomicUsize,
    is_initializing: AtomicBool,
    made: AtomicUsize,
    stored: AtomicUsize,
    /// The number of the value that tasks have seen, or 0.
    seen: AtomicUsize,
}

// SAFETY: `scratch` is written by the running initializer, and read by tasks that have the cell's value. Whether the cell orders
// these accesses is what the test is about.
unsafe impl Sync for Record {}

impl Record {
    fn token(self: &Arc<Self>) -> Token {
        let number = 1 + self.made.fetch_add(1, Relaxed);
        Token(number, Box::new(number), Arc::clone(self))
    }

    fn step(&self) {
        // SAFETY: this is called by the running initializer, before there is a value.
        unsafe { *self.scratch.get() += 1 };
        self.steps.fetch_add(1, Relaxed);
    }

    /// Checks a value that a task has found, and returns whether there is one.
    fn inspect(&self, value: Option<&Token>) -> bool {
        let Some(&Token(number, ref echo, _)) = value else {
            return false;
        };
        assert_eq!(number, **echo, "a part of the value is not visible");
        let seen = self.seen.swap(number, Relaxed);
        assert!([0, number].contains(&seen), "tasks see two values");
        let is_initializing = self.is_initializing.load(Relaxed);
        assert!(!is_initializing, "an initializer runs next to a value");
        // SAFETY: the cell has a value, so that no initializer runs.
        let scratch = unsafe { *self.scratch.get() };
        let steps = self.steps.load(Relaxed);
        assert_eq!(scratch, steps, "a step of an initializer is not visible");
        true
    }

    /// Returns the value in the cell after an insertion, and counts the insertion if it has succeeded.
    fn inserted<'a>(&self, result: Result<&'a Token, (&'a Token, Token)>) -> &'a Token {
        self.stored.fetch_add(result.is_ok().into(), Relaxed);
        result.unwrap_or_else(|(present, _)| present)
    }
}

/// A running initializer.
struct Running(Arc<Record>);

impl Running {
    fn begin(record: &Arc<Record>) -> Self {
        let was_initializing = record.is_initializing.swap(true, Relaxed);
        assert!(!was_initializing, "two initializers run at the same time");
        record.step();
        Self(Arc::clone(record))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.step();
        self.0.is_initializing.store(false, Relaxed);
    }
}

/// The payload of the panics of initializers.
struct PlannedPanic;

/// Returns a value once in `odds` calls on average. Otherwise, it returns an error or panics.
async fn initialize(record: Arc<Record>, odds: u32) -> Result<Token, Token> {
    let running = Running::begin(&record);
    for _ in 0..fastrand::u32(..6) {
        pause().await;
        record.step();
    }
    drop(running);
    match fastrand::u32(..odds) {
        0 => record.stored.fetch_add(1, Relaxed),
        number if number % 4 == 1 => resume_unwind(Box::new(PlannedPanic)),
        _ => return Err(record.token()),
    };
    Ok(record.token())
}

/// The wakers of the tasks that pause until the thread of a test wakes them, behind many locks, because each lock orders what its
/// tasks do.
static PAUSED: [Mutex<Vec<Waker>>; 64] = [const { Mutex::new(Vec::new()) }; 64];

/// Returns `Pending` once. The task is woken at once, or later by the thread of a test.
async fn pause() {
    let mut has_begun = false;
    poll_fn(|cx| {
        if mem::replace(&mut has_begun, true) {
            return Poll::Ready(());
        }
        let paused = &PAUSED[fastrand::usize(..PAUSED.len())];
        match fastrand::bool() {
            true => cx.waker().wake_by_ref(),
            false => paused.lock().unwrap().push(cx.waker().clone()),
        }
        Poll::Pending
    })
    .await;
}

async fn ok<T>(future: impl Future<Output = T>) -> Result<T, ()> {
    Ok(future.await)
}

/// Polls a future at most `polls` times, whether it was woken or not, and then drops it. For [`ALL`], polls it to its end, each
/// time that it is woken. Returns the value, or `None` if there is none. Catches the panics of initializers.
async fn poll_at_most<T, E>(future: impl Future<Output = Result<T, E>>, mut polls: usize) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        if polls < ALL {
            polls -= 1;
            cx.waker().wake_by_ref();
        }
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Result::ok),
            Err(payload) if payload.is::<PlannedPanic>() => Poll::Ready(None),
            Err(payload) => resume_unwind(payload),
        }
    })
    .await
}

struct Generation<B: Backend> {
    cells: [OnceCell<Token, B>; CELLS],
    lazy: BoxLazy<'static, Token, B>,
    /// Those of the cells, followed by that of the lazy.
    records: [Arc<Record>; CELLS + 1],
    ended: AtomicUsize,
}

impl<B: Backend<Waiter: Send> + Send + Sync + 'static> Generation<B> {
    fn new(cells: [OnceCell<Token, B>; CELLS]) -> Self {
        let records: [Arc<Record>; CELLS + 1] = array::from_fn(|_| Arc::default());
        let init = initialize(Arc::clone(&records[CELLS]), 1);
        Self {
            cells,
            lazy: BoxLazy::with_backend(Box::pin(async { init.await.unwrap_or_else(|error| error) })),
            records,
            ended: AtomicUsize::new(0),
        }
    }

    /// Uses the cell with this number in a random way, which may end without a value.
    async fn try_operation(self: &Arc<Self>, number: usize) {
        let (cell, record) = (&self.cells[number], &self.records[number]);
        let init = || initialize(Arc::clone(record), 16);
        let polls = fastrand::usize(..5);
        let value = match fastrand::u8(..16) {
            0 => poll_at_most(cell.get_or_try_init(init), ALL).await,
            1 | 2 => poll_at_most(cell.get_or_try_init(init), polls).await,
            3 => poll_at_most(cell.get_or_try_init_shared(init), polls * 20).await,
            4 | 5 => poll_at_most(ok(cell.wait()), polls).await,
            6 => cell.wait_attempt().await,
            #[cfg(feature = "std")]
            7..=9 => self.spawn(number, 20 * polls).await,
            10 => {
                // This future waits, and may be woken, but is not polled while its task uses the cell in another way.
                let mut wait = pin!(cell.get_or_claim());
                drop(poll_once(wait.as_mut()).await);
                poll_at_most(cell.get_or_try_init(init), ALL).await
            }
            11 => {
                let Ok(guard) = cell.try_claim() else { return };
                let running = Running::begin(record);
                pause().await;
                drop(running);
                (polls == 0).then(|| record.inserted(Ok(guard.set(record.token()))))
            }
            12 => (poll_at_most(ok(cell.insert(record.token())), polls).await)
                .map(|result| record.inserted(result)),
            13 => {
                record
                    .stored
                    .fetch_add(cell.set(record.token()).is_ok().into(), Relaxed);
                cell.get()
            }
            14 => {
                for _ in 0..50 {
                    let (passive, claimant) = (pin!(cell.wait()), pin!(cell.get_or_claim()));
                    let _ = poll_once(passive).await;
                    drop(poll_once(claimant).await);
                }
                cell.get()
            }
            _ => return pause().await,
        };
        record.inspect(value);
    }

    #[cfg(feature = "std")]
    async fn spawn(self: &Arc<Self>, number: usize, polls: usize) -> Option<&Token> {
        let field = ArcField::new(self, |this| &this.cells[number]);
        let record = Arc::clone(&self.records[number]);
        if fastrand::bool() {
            let init = move || initialize(record, 16);
            poll_at_most(field.get_or_try_init_spawned(AnyExecutor, init), polls).await
        } else {
            let init = move || block_on(initialize(record, 16));
            poll_at_most(field.get_or_try_init_spawned_blocking(AnyExecutor, init), polls).await
        }
    }

    /// Uses every cell and the lazy, as a task. The first task initializes the cells, so that other tasks need only wait.
    async fn run(self: Arc<Self>, task: usize) {
        for step in 0..CELLS {
            let number = (task + step) % CELLS;
            for _ in 0..fastrand::u8(..6) {
                self.try_operation(number).await;
            }
            let (cell, record) = (&self.cells[number], &self.records[number]);
            if task > 0 && fastrand::bool() {
                record.inspect(Some(cell.wait().await));
            } else {
                let init = || initialize(Arc::clone(record), 8);
                while !record.inspect(poll_at_most(cell.get_or_try_init(init), ALL).await) {}
            }
        }
        self.records[CELLS].inspect(Some(self.lazy.get_unpin().await));
        self.ended.fetch_add(1, Relaxed);
    }

    /// Uses every cell and the lazy, as a thread that blocks.
    #[cfg(feature = "blocking")]
    fn run_blocking(&self) {
        for (cell, record) in self.cells.iter().zip(&self.records) {
            record.inspect(cell.wait_timeout(Duration::from_micros(fastrand::u64(..200))));
            let init = || block_on(initialize(Arc::clone(record), 8));
            record.inspect(block_on(poll_at_most(
                async { cell.get_or_try_init_blocking(init) },
                ALL,
            )));
            if fastrand::bool() {
                record.inspect(Some(record.inserted(cell.insert_blocking(record.token()))));
            }
            record.inspect(Some(cell.wait_blocking()));
        }
        self.records[CELLS].inspect(Some(self.lazy.get_blocking()));
        self.ended.fetch_add(1, Relaxed);
    }
}

/// Spawns a task that migrates to another executor after a number of polls.
fn spawn(mut task: Pin<Box<dyn Future<Output = ()> + Send>>, mut polls: usize) {
    let migrating = poll_fn(move |cx| {
        let poll = task.as_mut().poll(cx);
        polls -= 1;
        if poll.is_ready() || polls > 0 {
            return poll;
        }
        // From now on, the wakers that the task has left on this executor wake nothing.
        let task = mem::replace(&mut task, Box::pin(async {}));
        spawn(task, fastrand::choice([1, 2, 5, ALL]).unwrap());
        Poll::Ready(())
    });
    execute(migrating);
}

/// Wakes the tasks that pause, until `left` returns 0. Panics if this takes too long.
fn wait_for(what: &str, left: impl Fn() -> usize) {
    let deadline = Instant::now() + PATIENCE;
    let mut count = usize::MAX;
    while count > 0 {
        for paused in &PAUSED {
            let paused = mem::take(&mut *paused.lock().unwrap());
            paused.into_iter().for_each(Waker::wake);
        }
        count = left();
        assert!(Instant::now() < deadline, "{what}, after {PATIENCE:?}: {count}");
        thread::sleep(Duration::from_micros(50));
    }
}

fn stress<B: Backend<Waiter: Send> + Send + Sync + 'static>(most_tasks: usize) {
    abort_if_an_assertion_fails();
    let seconds = env::var("STRESS_SECONDS").map_or(1, |seconds| seconds.parse().unwrap());
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut cells = [const { OnceCell::with_backend() }; CELLS];
    while Instant::now() < until {
        let generation = Arc::new(Generation::<B>::new(cells));
        let tasks = fastrand::usize(1..=most_tasks);
        for task in 0..tasks {
            let generation = Arc::clone(&generation);
            #[cfg(feature = "blocking")]
            if task > 0 && fastrand::u8(..8) == 0 {
                thread::spawn(move || generation.run_blocking());
                continue;
            }
            spawn(Box::pin(generation.run(task)), 1 + fastrand::usize(..4));
        }
        wait_for("tasks that have not ended", || Arc::strong_count(&generation) - 1);
        let generation = Arc::into_inner(generation).unwrap();
        assert_eq!(generation.ended.into_inner(), tasks, "tasks that have ended");
        drop(generation.lazy);
        cells = generation.cells;
        for (cell, record) in cells.iter_mut().zip(&generation.records) {
            assert!(record.inspect(cell.take().as_ref()), "a cell has no value");
        }
        for record in generation.records {
            assert_eq!(record.stored.load(Relaxed), 1, "values that were stored");
            let left = || Arc::strong_count(&record) - 1;
            wait_for("values, errors and initializers that were not dropped", left);
        }
    }
}

#[test]
fn intrusive() {
    stress::<Intrusive>(64);
}

#[cfg(feature = "event-listener")]
#[test]
fn event_listener() {
    stress::<oncelot::backend::EventListener>(64);
}

/// With fewer tasks, because those that wait keep waking each other.
#[cfg(feature = "atomic-waker")]
#[test]
fn atomic_waker() {
    stress::<oncelot::backend::AtomicWaker>(16);
}
