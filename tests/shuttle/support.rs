//! The stage that every model plays on.

use std::{
    env,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
};

use shuttle::{
    Config, Runner,
    future::{block_on, yield_now},
    rand::{Rng, thread_rng},
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
    thread,
};

use crate::{
    OnceCell,
    backend::{Backend, Intrusive},
};

/// Why an initializer yields no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

/// A backend that models play with.
pub(crate) trait Modelled: Backend<Waiter: Send> + Send + Sync + 'static {
    /// Whether a task that waits is asleep until something happens. Where waiters wake each other instead, priorities
    /// would keep the others from running for ever.
    const SLEEPS: bool = true;
}

impl Modelled for Intrusive {}

#[cfg(feature = "event-listener")]
impl Modelled for crate::backend::EventListener {}

#[cfg(feature = "atomic-waker")]
impl Modelled for crate::backend::AtomicWaker {
    const SLEEPS: bool = false;
}

/// How many orders are tried by each scheduler.
fn schedules() -> usize {
    let set = env::var("SHUTTLE_SCHEDULES");
    set.map_or(5_000, |set| set.parse().expect("SHUTTLE_SCHEDULES is a number"))
}

/// Plays in many orders: any, and then such that few threads have priority over others.
pub(crate) fn in_many_orders<B: Modelled>(play: impl Fn(Arc<Stage<B>>) + Send + Sync + 'static) {
    let play = Arc::new(play);
    run(RandomScheduler::new(schedules()), play.clone());
    if B::SLEEPS {
        run(PctScheduler::new(3, schedules()), play);
    }
}

fn run<B: Modelled>(
    scheduler: impl Scheduler + 'static,
    play: Arc<impl Fn(Arc<Stage<B>>) + Send + Sync + 'static>,
) {
    let mut config = Config::new();
    // It would say that it knows no weak orderings.
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(move || {
        let stage = Arc::new(Stage::new());
        play(stage.clone());
        assert_eq!(Arc::strong_count(&stage), 1, "the threads of a play are joined");
    });
}

/// Starts a thread for each of so many players, and waits for them.
pub(crate) fn cast<R: Send + 'static>(
    players: usize,
    play: impl Fn(usize) -> R + Clone + Send + 'static,
) -> Vec<R> {
    let threads: Vec<_> = (0..players)
        .map(|player| {
            let play = play.clone();
            thread::spawn(move || play(player))
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// A number from 0 to `bound - 1`, which shuttle chooses.
pub(crate) fn choose(bound: usize) -> usize {
    thread_rng().gen_range(0..bound)
}

/// A cell, and what its initializers work on. What is atomic here is so for the compiler: shuttle does not switch
/// threads at it.
pub(crate) struct Stage<B: Backend> {
    pub(crate) cell: OnceCell<usize, B>,
    is_occupied: AtomicBool,
    /// How many initializers have begun.
    runs: AtomicUsize,
    /// How many values were put into the cell.
    values: AtomicUsize,
}

/// An initializer at work.
struct Work<'a, B: Backend>(&'a Stage<B>);

impl<B: Modelled> Stage<B> {
    fn new() -> Self {
        Self {
            cell: OnceCell::with_backend(),
            is_occupied: AtomicBool::new(false),
            runs: AtomicUsize::new(0),
            values: AtomicUsize::new(0),
        }
    }

    fn begin(&self) -> Work<'_, B> {
        let was_occupied = self.is_occupied.swap(true, SeqCst);
        assert!(!was_occupied, "two initializers are at work");
        self.runs.fetch_add(1, SeqCst);
        Work(self)
    }

    /// A value was made, or put in.
    fn note_value(&self) {
        let before = self.values.fetch_add(1, SeqCst);
        assert_eq!(before, 0, "a second value has come");
    }

    /// An initializer that pauses so often.
    pub(crate) async fn initialize(
        &self,
        pauses: usize,
        outcome: Result<usize, Failed>,
    ) -> Result<usize, Failed> {
        let _work = self.begin();
        for _ in 0..pauses {
            yield_now().await;
        }
        if outcome.is_ok() {
            self.note_value();
        }
        outcome
    }

    /// The value; if there is none, what an initializer of ours yields.
    pub(crate) async fn get_or_try(
        &self,
        pauses: usize,
        outcome: Result<usize, Failed>,
    ) -> Result<usize, Failed> {
        let value = self
            .cell
            .get_or_try_init(|| self.initialize(pauses, outcome))
            .await;
        value.copied()
    }

    /// The same on a thread that blocks.
    #[cfg(feature = "blocking")]
    pub(crate) fn get_or_try_blocking(&self, outcome: Result<usize, Failed>) -> Result<usize, Failed> {
        let init = || {
            let _work = self.begin();
            thread::yield_now();
            if outcome.is_ok() {
                self.note_value();
            }
            outcome
        };
        self.cell.get_or_try_init_blocking(init).copied()
    }

    /// Puts a value in at once, if that can be done.
    pub(crate) fn set(&self, value: usize) {
        if self.cell.set(value).is_ok() {
            self.note_value();
        }
    }

    /// Puts a value in, or gets the one that is there.
    pub(crate) async fn insert(&self, value: usize) -> usize {
        let inserted = self.cell.insert(value).await;
        self.inserted(inserted)
    }

    /// What an insertion has ended in.
    pub(crate) fn inserted(&self, result: Result<&usize, (&usize, usize)>) -> usize {
        match result {
            Ok(value) => {
                self.note_value();
                *value
            }
            Err((present, _)) => *present,
        }
    }

    /// How many initializers have begun.
    pub(crate) fn runs(&self) -> usize {
        self.runs.load(SeqCst)
    }

    /// All have seen the one value that was made.
    pub(crate) fn assert_agreed(&self, seen: impl IntoIterator<Item = usize>) {
        let value = *self.cell.get().expect("there is a value");
        assert!(
            seen.into_iter().all(|seen| seen == value),
            "not everybody sees {value}"
        );
        assert_eq!(self.values.load(SeqCst), 1);
    }
}

impl<B: Backend> Drop for Work<'_, B> {
    fn drop(&mut self) {
        self.0.is_occupied.store(false, SeqCst);
    }
}

/// Polls so often, called for or not, and drops the future.
pub(crate) fn poll_times<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    block_on(poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = future.as_mut().poll(cx).map(Some);
        if polled.is_pending() {
            cx.waker().wake_by_ref();
        }
        polled
    }))
}
