//! The stage that every model plays on, and the tasks that play.

use std::{
    any::type_name,
    cell::Cell,
    future::poll_fn,
    mem::ManuallyDrop,
    ops::Deref,
    pin::Pin,
    ptr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker},
};

use crate::{
    OnceCell, SharedInitError,
    backend::{Backend, Intrusive},
};
use loom::{cell::UnsafeCell, model::Builder, sync::Notify};

/// Why an initializer yields no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

/// What initializers yield.
pub(crate) type Outcome = Result<u32, Failed>;

/// Plays in every order.
pub(crate) fn exhaustive(play: impl Fn(&'static Stage) + Send + Sync + 'static) {
    exhaustive_on(play);
}

/// The same with the backend that the stage of the play names.
pub(crate) fn exhaustive_on<B: Staged>(play: impl Fn(&'static Stage<B>) + Send + Sync + 'static) {
    explore(Builder::new(), play);
}

/// Plays in every order in which no more than `preemptions` times a thread is stopped that could go on.
/// `LOOM_MAX_PREEMPTIONS` changes the number.
pub(crate) fn bounded(preemptions: usize, play: impl Fn(&'static Stage) + Send + Sync + 'static) {
    bounded_on(preemptions, play);
}

/// The same with the backend that the stage of the play names.
pub(crate) fn bounded_on<B: Staged>(
    preemptions: usize,
    play: impl Fn(&'static Stage<B>) + Send + Sync + 'static,
) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    explore(builder, play);
}

/// Plays to the end, and says how often that was.
fn explore<B: Staged, P>(builder: Builder, play: P)
where
    P: Fn(&'static Stage<B>) + Send + Sync + 'static,
{
    assert!(
        builder.max_permutations.is_none() && builder.max_duration.is_none(),
        "what is cut short is not explored as far as the model says"
    );
    let bound = builder.preemption_bound;
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    builder.check(move || {
        counted.fetch_add(1, SeqCst);
        let stage = Box::into_raw(Box::new(Stage::new()));
        // SAFETY: the stage lives until this closure ends, which the threads of the play do not outlive.
        play(unsafe { &*stage });
        // SAFETY: the pointer comes from `Box::into_raw`, and the play is over.
        unsafe { Box::from_raw(stage) }.close();
    });
    report::<P>(bound, executions.load(SeqCst));
}

/// Prints what was explored, as `.ci/loom` reads it. A play is a closure in the function that is its model.
fn report<P>(preemption_bound: Option<usize>, executions: usize) {
    let play = type_name::<P>();
    let (_, model) = play.split_once("::loom_models::").expect("models are in here");
    let model = model.trim_end_matches("::{{closure}}");
    let bound = match preemption_bound {
        None => "exhaustive".into(),
        Some(1) => "1 preemption".into(),
        Some(bound) => format!("{bound} preemptions"),
    };
    println!("{model}: {bound}, {} executions", with_commas(executions));
}

fn with_commas(number: usize) -> String {
    match number / 1000 {
        0 => number.to_string(),
        thousands => format!("{},{:03}", with_commas(thousands), number % 1000),
    }
}

/// A backend that can be put on a stage.
pub(crate) trait Staged: Backend<Waiter: Send> + Send + Sync + 'static {
    /// Whether threads may be switched while a waker is called: whether nothing is held then that loom does
    /// not know of. If not, wakers only set a flag, and tasks cannot sleep.
    const WAKERS_SWITCH: bool = true;

    /// Has loom's atomics made, before everything that the threads do, and leaves the cell as new.
    fn rehearse(cell: &OnceCell<u32, Self>) {
        assert!(!cell.initialized());
    }
}

impl Staged for Intrusive {}

/// A cell, and what has to be looked after around it.
pub(crate) struct Stage<B: Backend = Intrusive> {
    pub(crate) cell: OnceCell<u32, B>,
    /// What initializers work on: how many did so. Nothing but the cell keeps them from racing.
    bench: UnsafeCell<usize>,
    /// Everything that tasks have been woken by.
    alarms: Mutex<Vec<Arc<Alarm>>>,
}

// SAFETY: the bench is used by those who hold the claim of the cell; that they are ordered is a claim of the
// models, which loom checks.
unsafe impl<B: Staged> Sync for Stage<B> {}

impl<B: Staged> Stage<B> {
    fn new() -> Self {
        let cell = OnceCell::with_backend();
        B::rehearse(&cell);
        Self {
            cell,
            bench: UnsafeCell::new(0),
            alarms: Mutex::default(),
        }
    }

    /// A task that has not been polled.
    pub(crate) fn task<F: Future>(&'static self, future: F) -> Task<F, B> {
        Task {
            stage: self,
            future: Box::pin(future),
            alarm: Alarm::new(self),
            wakes_before: 0,
        }
    }

    /// A task that is waiting, registered with the cell.
    pub(crate) fn waiting<F: Future>(&'static self, future: F) -> Task<F, B> {
        let mut task = self.task(future);
        assert!(task.poll().is_pending(), "there is nothing to wait for");
        task
    }

    /// A waiting task whose waker has `incident` happen when it is first woken, on the thread that wakes it.
    pub(crate) fn waiting_for_trouble<F: Future>(
        &'static self,
        future: F,
        incident: impl FnOnce() + Send + 'static,
    ) -> Task<F, B> {
        let task = self.waiting(future);
        *task.alarm.incident.lock().unwrap() = Some(Box::new(incident));
        task
    }

    /// Runs `future` as a task of its own, asleep whenever it has nothing to do.
    pub(crate) fn run<F: Future>(&'static self, future: F) -> F::Output {
        self.task(future).run()
    }

    /// What an initializer does that ends at once.
    pub(crate) async fn initialize(&self, outcome: Outcome) -> Outcome {
        self.work();
        outcome
    }

    /// The value; if there is none, `value` by an initializer of ours.
    pub(crate) async fn get_or_init(&self, value: u32) -> u32 {
        *self
            .cell
            .get_or_init(async || {
                self.work();
                value
            })
            .await
    }

    /// The value; if there is none, the end of an initializer of ours that fails.
    pub(crate) async fn get_or_fail(&self) -> Outcome {
        let fail = || self.initialize(Err(Failed));
        self.cell.get_or_try_init(fail).await.copied()
    }

    /// Makes or waits for one attempt; the initializer of this call yields `value`.
    pub(crate) async fn get_or_init_shared(&self, value: u32) -> Result<u32, SharedInitError<Failed>> {
        let init = || self.initialize(Ok(value));
        self.cell.get_or_try_init_shared(init).await.copied()
    }

    /// Makes or waits for one attempt; the initializer of this call fails.
    pub(crate) async fn get_or_fail_shared(&self) -> Result<u32, SharedInitError<Failed>> {
        let fail = || self.initialize(Err(Failed));
        self.cell.get_or_try_init_shared(fail).await.copied()
    }

    /// Takes the claim for an initializer that goes on until it is told how to end.
    pub(crate) fn claim(&'static self) -> Claimed {
        self.try_claim().expect("the cell is empty")
    }

    /// The same if nobody else is initializing.
    pub(crate) fn try_claim(&'static self) -> Option<Claimed> {
        let director = Arc::new(Director::default());
        let directed = director.clone();
        let mut initializing: Pin<Box<Initializing>> = Box::pin(self.cell.get_or_try_init(move || {
            directed.has_claim.store(true, SeqCst);
            poll_fn(move |_| match directed.outcome.lock().unwrap().take() {
                Some(outcome) => {
                    self.work();
                    Poll::Ready(outcome)
                }
                None => Poll::Pending,
            })
        }));
        let _ = initializing.as_mut().poll(&mut unwoken());
        director.has_claim.load(SeqCst).then_some(Claimed {
            initializing,
            director,
        })
    }

    pub(crate) fn work(&self) {
        // SAFETY: we are the initializer at work.
        self.bench.with_mut(|runs| unsafe { *runs += 1 });
    }

    /// How many initializers have come to their end. For the end of a play.
    pub(crate) fn runs(&self) -> usize {
        // SAFETY: no initializer is at work.
        self.bench.with(|runs| unsafe { *runs })
    }

    fn close(self) {
        for alarm in self.alarms.into_inner().unwrap() {
            assert_eq!(Arc::strong_count(&alarm), 1, "a waker was left behind");
            alarm.is_retired.store(true, SeqCst);
        }
    }
}

type Initializing = dyn Future<Output = Result<&'static u32, Failed>> + Send;

/// What tells an initializer how to end.
#[derive(Default)]
struct Director {
    has_claim: AtomicBool,
    outcome: Mutex<Option<Outcome>>,
}

/// The claim of the cell, in the hands of a play. Dropping it cancels the initializer.
pub(crate) struct Claimed {
    initializing: Pin<Box<Initializing>>,
    director: Arc<Director>,
}

impl Claimed {
    /// Ends the initializer.
    pub(crate) fn end(mut self, outcome: Outcome) {
        *self.director.outcome.lock().unwrap() = Some(outcome);
        let ended = self.initializing.as_mut().poll(&mut unwoken());
        assert_eq!(ended.map_ok(|value| *value), Poll::Ready(outcome));
    }

    pub(crate) fn cancel(self) {}
}

pub(crate) fn unwoken() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// A future with what wakes it.
pub(crate) struct Task<F, B: Backend + 'static = Intrusive> {
    stage: &'static Stage<B>,
    future: Pin<Box<F>>,
    alarm: Arc<Alarm>,
    /// How often the present waker had been woken when it was last polled.
    wakes_before: usize,
}

impl<F: Future, B: Staged> Task<F, B> {
    /// Polls once, called for or not.
    pub(crate) fn poll(&mut self) -> Poll<F::Output> {
        self.wakes_before = self.wakes();
        let waker = Alarm::waker(&self.alarm);
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Polls once, with a waker that has `incident` happen when it is cloned. Its clones are the usual waker.
    pub(crate) fn poll_for_trouble(&mut self, incident: impl FnOnce()) -> Poll<F::Output> {
        self.wakes_before = self.wakes();
        let troubled = Troubled {
            waker: Alarm::waker(&self.alarm),
            incident: Cell::new(Some(incident)),
        };
        self.future
            .as_mut()
            .poll(&mut Context::from_waker(&troubled.waker()))
    }

    /// Sleeps until it is woken, polls, and so on until the future has completed.
    ///
    /// loom's `Notify` wakes once without a reason, which the cell has to put up with.
    pub(crate) fn run(mut self) -> F::Output {
        loop {
            if let Poll::Ready(output) = self.poll() {
                return output;
            }
            self.alarm.notify.wait();
        }
    }

    /// The same for `polls` polls at most, as two tasks that wake each other could go on for ever. Who is
    /// pending still, and who cannot sleep, gives the task back, for [`end`](Self::end).
    #[allow(dead_code, reason = "for backends that features add")]
    pub(crate) fn run_for(mut self, polls: usize) -> Result<F::Output, Self> {
        for polled in 1..=polls {
            if let Poll::Ready(output) = self.poll() {
                return Ok(output);
            }
            if B::WAKERS_SWITCH && polled < polls {
                self.alarm.notify.wait();
            } else if !self.is_woken() {
                break;
            }
        }
        Err(self)
    }

    /// Runs to the end, when all the others have stopped and there is nothing to wait for any more: who is
    /// pending must have been woken.
    #[allow(dead_code, reason = "for backends that features add")]
    pub(crate) fn end(mut self) -> F::Output {
        loop {
            assert!(self.is_woken(), "a wake-up was lost");
            if let Poll::Ready(output) = self.poll() {
                return output;
            }
        }
    }

    /// Whether it has been woken since it was last polled.
    pub(crate) fn is_woken(&self) -> bool {
        self.wakes() > self.wakes_before
    }

    /// Moves to where another waker wakes it. The earlier one is of no use from now on.
    pub(crate) fn migrate(mut self) -> Self {
        self.alarm = Alarm::new(self.stage);
        self.wakes_before = 0;
        self
    }

    /// How often its present waker was woken.
    pub(crate) fn wakes(&self) -> usize {
        self.alarm.wakes.load(SeqCst)
    }

    pub(crate) fn cancel(self) {}
}

/// What has something happen before a waker is cloned.
struct Troubled<I> {
    waker: Waker,
    incident: Cell<Option<I>>,
}

impl<I: FnOnce()> Troubled<I> {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        |troubled| {
            // SAFETY: see `waker`.
            let troubled = unsafe { &*troubled.cast::<Self>() };
            if let Some(incident) = troubled.incident.take() {
                incident();
            }
            let clone = ManuallyDrop::new(troubled.waker.clone());
            RawWaker::new(clone.data(), clone.vtable())
        },
        |_| unreachable!("the waker of a poll is not woken by value"),
        |_| unreachable!("initializers of the plays do not wake themselves"),
        |_| {},
    );

    /// For the time of the borrow, and this thread.
    fn waker(&self) -> impl Deref<Target = Waker> + use<'_, I> {
        // SAFETY: `data` stays borrowed as long as this waker is used, as it is neither moved out nor sent away.
        ManuallyDrop::new(unsafe { Waker::new(ptr::from_ref(self).cast(), &Self::VTABLE) })
    }
}

/// What a waker wakes. The play keeps count outside of loom, so that the counting orders nothing.
struct Alarm {
    notify: Notify,
    is_silent: bool,
    wakes: AtomicUsize,
    /// What happens at the first wake.
    incident: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    is_retired: AtomicBool,
}

impl Alarm {
    fn new<B: Staged>(stage: &Stage<B>) -> Arc<Self> {
        let alarm = Arc::new(Self {
            notify: Notify::new(),
            is_silent: !B::WAKERS_SWITCH,
            wakes: AtomicUsize::new(0),
            incident: Mutex::default(),
            is_retired: AtomicBool::new(false),
        });
        stage.alarms.lock().unwrap().push(alarm.clone());
        alarm
    }

    /// A waker that is equal to its clones. One made of an `Arc` need not be: the two may come from different
    /// copies of the same functions.
    fn waker(self: &Arc<Self>) -> Waker {
        let waker = Waker::from(self.clone()).clone();
        assert!(waker.will_wake(&waker.clone()));
        waker
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, SeqCst);
        // The lock is free again when it happens, as loom does not know of it.
        let incident = self.incident.lock().unwrap().take();
        if let Some(incident) = incident {
            incident();
        }
        if !self.is_silent {
            self.notify.notify();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        assert!(
            self.is_retired.load(SeqCst) || std::thread::panicking(),
            "a waker was dropped twice"
        );
    }
}
