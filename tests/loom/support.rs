//! The test harness of the loom models.

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
use loom::{cell::UnsafeCell, model::Builder, sync::Notify, thread};

/// Why an initializer does not return a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

/// The result of an initializer.
pub(crate) type Outcome = Result<u32, Failed>;

/// Explores every schedule.
pub(crate) fn exhaustive(model: impl Fn(&'static Harness) + Send + Sync + 'static) {
    exhaustive_on(model);
}

/// Does the same with the backend that the model's `Harness` names.
pub(crate) fn exhaustive_on<B: ModelBackend>(model: impl Fn(&'static Harness<B>) + Send + Sync + 'static) {
    explore(Builder::new(), model);
}

/// Explores every schedule with at most `preemptions` preemptions. `LOOM_MAX_PREEMPTIONS` overrides the number.
pub(crate) fn bounded(preemptions: usize, model: impl Fn(&'static Harness) + Send + Sync + 'static) {
    bounded_on(preemptions, model);
}

/// Does the same with the backend that the model's `Harness` names.
pub(crate) fn bounded_on<B: ModelBackend>(
    preemptions: usize,
    model: impl Fn(&'static Harness<B>) + Send + Sync + 'static,
) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    explore(builder, model);
}

/// Explores a model to the end, and prints the number of executions.
fn explore<B: ModelBackend, P>(builder: Builder, model: P)
where
    P: Fn(&'static Harness<B>) + Send + Sync + 'static,
{
    assert!(
        builder.max_permutations.is_none() && builder.max_duration.is_none(),
        "a model that is cut short is not explored to its bound"
    );
    let bound = builder.preemption_bound;
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    builder.check(move || {
        counted.fetch_add(1, SeqCst);
        // SAFETY: the threads of a model have ended when it returns.
        let harness = unsafe { with_lasting(Harness::new(), &model) };
        (*harness).close();
    });
    report::<P>(bound, executions.load(SeqCst));
}

/// Calls `model` with a reference to `value`, which stays in its place, and returns the value.
///
/// # Safety
///
/// No copy of the reference is used after `model` has returned.
pub(crate) unsafe fn with_lasting<T: 'static>(value: T, model: impl FnOnce(&'static T)) -> Box<T> {
    let value = Box::into_raw(Box::new(value));
    // SAFETY: the value lives until `model` has returned.
    model(unsafe { &*value });
    // SAFETY: the pointer comes from `Box::into_raw`, and the caller guarantees that no reference is used any more.
    unsafe { Box::from_raw(value) }
}

/// Runs `this` on the thread of the model and `other` on a second thread, and returns what the two return.
pub(crate) fn both<A, B: 'static>(
    this: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send + 'static,
) -> (A, B) {
    let other = thread::spawn(other);
    let returned = this();
    (returned, other.join().unwrap())
}

/// Prints what was explored, in the format that `.ci/loom` parses. The name of the model is that of the function
/// around the closure.
fn report<P>(preemption_bound: Option<usize>, executions: usize) {
    let name = type_name::<P>();
    let (_, model) = name.split_once("::loom_models::").expect("models are in here");
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

/// A backend that a `Harness` can have.
pub(crate) trait ModelBackend: Backend<Waiter: Send> + Send + Sync + 'static {
    /// Whether loom may switch threads while a waker is called, because no lock is held that loom does not
    /// instrument. If not, wakers only set a flag, and tasks cannot sleep.
    const WAKERS_SWITCH: bool = true;

    /// Creates loom's atomics before the threads start, and leaves the cell as new.
    fn create_atomics(cell: &OnceCell<u32, Self>) {
        assert!(!cell.initialized());
    }
}

impl ModelBackend for Intrusive {}

/// A cell with the data that its initializers access, and with the wakers of its tasks.
pub(crate) struct Harness<B: Backend = Intrusive> {
    pub(crate) cell: OnceCell<u32, B>,
    /// The data of the initializers: how many have run. Only the cell keeps them from racing.
    data: UnsafeCell<usize>,
    /// All wakers that tasks have had.
    wakers: Mutex<Vec<Arc<TestWaker>>>,
}

// SAFETY: the data is used by the holders of the claim of the cell; that they are ordered is a claim of the models,
// which loom checks.
unsafe impl<B: ModelBackend> Sync for Harness<B> {}

impl<B: ModelBackend> Harness<B> {
    fn new() -> Self {
        let cell = OnceCell::with_backend();
        B::create_atomics(&cell);
        Self {
            cell,
            data: UnsafeCell::new(0),
            wakers: Mutex::default(),
        }
    }

    /// A task that has not been polled.
    pub(crate) fn task<F: Future>(&'static self, future: F) -> Task<F, B> {
        Task {
            harness: self,
            future: Box::pin(future),
            test_waker: TestWaker::new(self),
            wakes_before: 0,
        }
    }

    /// A task that is waiting, registered with the cell.
    pub(crate) fn waiting<F: Future>(&'static self, future: F) -> Task<F, B> {
        let mut task = self.task(future);
        assert!(task.poll().is_pending(), "there is nothing to wait for");
        task
    }

    /// Two waiting tasks that initialize with 2 and 3 if they have the claim, in the order in which they registered.
    pub(crate) fn two_claimants(&'static self) -> [Task<impl Future<Output = u32>, B>; 2] {
        [2, 3].map(|value| self.waiting(self.get_or_init(value)))
    }

    /// A waiting task whose waker calls `hook` the first time it is woken, on the waking thread.
    pub(crate) fn waiting_with_hook<F: Future>(
        &'static self,
        future: F,
        hook: impl FnOnce() + Send + 'static,
    ) -> Task<F, B> {
        let task = self.waiting(future);
        *task.test_waker.hook.lock().unwrap() = Some(Box::new(hook));
        task
    }

    /// Runs `future` as a task of its own, which sleeps while it is pending.
    pub(crate) fn run<F: Future>(&'static self, future: F) -> F::Output {
        self.task(future).run()
    }

    /// Returns the output of `future`, a task that begins on a second thread while the initializer of this one ends.
    pub(crate) fn newcomer_against<F>(&'static self, outcome: Outcome, future: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let ended = self
            .claim()
            .end_beside(outcome, || self.task(future).run_beside_others());
        ended.unwrap_or_else(Task::end)
    }

    /// Returns the output of `future`, a task that waits for the initializer of this thread, and runs on a second thread
    /// while that ends.
    pub(crate) fn waiter_against<F>(&'static self, outcome: Outcome, future: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let claim = self.claim();
        let waiting = self.waiting(future);
        let ended = claim.end_beside(outcome, || waiting.run_beside_others());
        ended.unwrap_or_else(Task::end)
    }

    /// An initializer that ends in its first poll.
    pub(crate) async fn initialize(&self, outcome: Outcome) -> Outcome {
        self.work();
        outcome
    }

    /// Returns the value, or initializes the cell with `value`.
    pub(crate) async fn get_or_init(&self, value: u32) -> u32 {
        *self
            .cell
            .get_or_init(async || {
                self.work();
                value
            })
            .await
    }

    /// Returns the value, or runs an initializer that fails.
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

    /// Takes the claim for an initializer that runs until [`Claimed::end`] ends it.
    pub(crate) fn claim(&'static self) -> Claimed {
        self.try_claim().expect("the cell is empty")
    }

    /// Does the same if no other initializer is running.
    pub(crate) fn try_claim(&'static self) -> Option<Claimed> {
        let ending = Arc::new(Ending::default());
        let wanted = ending.clone();
        let mut initializing: Pin<Box<Initializing>> = Box::pin(self.cell.get_or_try_init(move || {
            wanted.has_claim.store(true, SeqCst);
            poll_fn(move |_| match wanted.outcome.lock().unwrap().take() {
                Some(outcome) => {
                    self.work();
                    Poll::Ready(outcome)
                }
                None => Poll::Pending,
            })
        }));
        let _ = initializing.as_mut().poll(&mut unwoken());
        ending
            .has_claim
            .load(SeqCst)
            .then_some(Claimed { initializing, ending })
    }

    pub(crate) fn work(&self) {
        // SAFETY: this code is the running initializer.
        self.data.with_mut(|runs| unsafe { *runs += 1 });
    }

    /// Returns how many initializers have ended. For the end of a model.
    pub(crate) fn runs(&self) -> usize {
        // SAFETY: no initializer is running.
        self.data.with(|runs| unsafe { *runs })
    }

    fn close(self) {
        for test_waker in self.wakers.into_inner().unwrap() {
            assert_eq!(Arc::strong_count(&test_waker), 1, "a waker was left behind");
            test_waker.is_retired.store(true, SeqCst);
        }
    }
}

type Initializing = dyn Future<Output = Result<&'static u32, Failed>> + Send;

/// How an initializer is to end.
#[derive(Default)]
struct Ending {
    has_claim: AtomicBool,
    outcome: Mutex<Option<Outcome>>,
}

/// The claim of the cell, held by a model. Dropping it cancels the initializer.
pub(crate) struct Claimed {
    initializing: Pin<Box<Initializing>>,
    ending: Arc<Ending>,
}

impl Claimed {
    /// Ends the initializer.
    pub(crate) fn end(mut self, outcome: Outcome) {
        *self.ending.outcome.lock().unwrap() = Some(outcome);
        let ended = self.initializing.as_mut().poll(&mut unwoken());
        assert_eq!(ended.map_ok(|value| *value), Poll::Ready(outcome));
    }

    pub(crate) fn cancel(self) {}

    /// Ends the initializer while `other` runs on a second thread, and returns what `other` returns.
    pub(crate) fn end_beside<R: 'static>(
        self,
        outcome: Outcome,
        other: impl FnOnce() -> R + Send + 'static,
    ) -> R {
        both(|| self.end(outcome), other).1
    }

    /// Cancels the initializer while `other` runs on a second thread, and returns what `other` returns.
    pub(crate) fn cancel_beside<R: 'static>(self, other: impl FnOnce() -> R + Send + 'static) -> R {
        both(|| self.cancel(), other).1
    }
}

pub(crate) fn unwoken() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// A future with its waker.
pub(crate) struct Task<F, B: Backend + 'static = Intrusive> {
    harness: &'static Harness<B>,
    future: Pin<Box<F>>,
    test_waker: Arc<TestWaker>,
    /// How often the current waker had been woken at the last poll.
    wakes_before: usize,
}

impl<F: Future, B: ModelBackend> Task<F, B> {
    /// Polls once, woken or not.
    pub(crate) fn poll(&mut self) -> Poll<F::Output> {
        self.wakes_before = self.wakes();
        let waker = TestWaker::waker(&self.test_waker);
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Polls once, with a waker that calls `hook` when it is cloned. Its clones are the ordinary waker.
    pub(crate) fn poll_with_hook(&mut self, hook: impl FnOnce()) -> Poll<F::Output> {
        self.wakes_before = self.wakes();
        let hooked = Hooked {
            waker: TestWaker::waker(&self.test_waker),
            hook: Cell::new(Some(hook)),
        };
        self.future
            .as_mut()
            .poll(&mut Context::from_waker(&hooked.waker()))
    }

    /// Returns the output of a poll, or runs if the future is pending.
    pub(crate) fn finish(self, polled: Poll<F::Output>) -> F::Output {
        match polled {
            Poll::Ready(output) => output,
            Poll::Pending => self.run(),
        }
    }

    /// Sleeps until it is woken and polls, until the future has completed.
    ///
    /// loom's `Notify` wakes once spuriously, which the cell must tolerate.
    pub(crate) fn run(mut self) -> F::Output {
        loop {
            if let Poll::Ready(output) = self.poll() {
                return output;
            }
            self.test_waker.notify.wait();
        }
    }

    /// Does the same for at most `polls` polls, as two tasks that wake each other could run forever. A task that is
    /// still pending, or that cannot sleep, is returned, for [`end`](Self::end).
    pub(crate) fn run_for(mut self, polls: usize) -> Result<F::Output, Self> {
        for polled in 1..=polls {
            if let Poll::Ready(output) = self.poll() {
                return Ok(output);
            }
            if B::WAKERS_SWITCH && polled < polls {
                self.test_waker.notify.wait();
            } else if !self.is_woken() {
                break;
            }
        }
        Err(self)
    }

    /// Runs to the end, or polls at most three times if its waker cannot wake a thread that sleeps.
    pub(crate) fn run_beside_others(self) -> Result<F::Output, Self> {
        if B::WAKERS_SWITCH {
            Ok(self.run())
        } else {
            self.run_for(3)
        }
    }

    /// Runs to the end after all other threads have stopped: a task that is pending must have been woken.
    pub(crate) fn end(mut self) -> F::Output {
        loop {
            assert!(self.is_woken(), "a wake-up was lost");
            if let Poll::Ready(output) = self.poll() {
                return output;
            }
        }
    }

    /// Returns whether it has been woken since it was last polled.
    pub(crate) fn is_woken(&self) -> bool {
        self.wakes() > self.wakes_before
    }

    /// Moves the future to another task, with another waker. The earlier waker is no longer used.
    pub(crate) fn migrate(mut self) -> Self {
        self.test_waker = TestWaker::new(self.harness);
        self.wakes_before = 0;
        self
    }

    /// Returns how often its current waker was woken.
    pub(crate) fn wakes(&self) -> usize {
        self.test_waker.wakes.load(SeqCst)
    }

    pub(crate) fn cancel(self) {}
}

/// Calls a hook before a waker is cloned.
struct Hooked<I> {
    waker: Waker,
    hook: Cell<Option<I>>,
}

impl<I: FnOnce()> Hooked<I> {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        |hooked| {
            // SAFETY: see `waker`.
            let hooked = unsafe { &*hooked.cast::<Self>() };
            if let Some(hook) = hooked.hook.take() {
                hook();
            }
            let clone = ManuallyDrop::new(hooked.waker.clone());
            RawWaker::new(clone.data(), clone.vtable())
        },
        |_| unreachable!("the waker of a poll is not woken by value"),
        |_| unreachable!("initializers of the models do not wake themselves"),
        |_| {},
    );

    /// Valid for the time of the borrow, on this thread.
    fn waker(&self) -> impl Deref<Target = Waker> + use<'_, I> {
        // SAFETY: `data` stays borrowed as long as this waker is used, as it is neither moved out nor sent away.
        ManuallyDrop::new(unsafe { Waker::new(ptr::from_ref(self).cast(), &Self::VTABLE) })
    }
}

/// The target of a waker. Wakes are counted outside loom, so that the counter orders nothing.
struct TestWaker {
    notify: Notify,
    is_silent: bool,
    wakes: AtomicUsize,
    /// The hook of the first wake.
    hook: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    is_retired: AtomicBool,
}

impl TestWaker {
    fn new<B: ModelBackend>(harness: &Harness<B>) -> Arc<Self> {
        let test_waker = Arc::new(Self {
            notify: Notify::new(),
            is_silent: !B::WAKERS_SWITCH,
            wakes: AtomicUsize::new(0),
            hook: Mutex::default(),
            is_retired: AtomicBool::new(false),
        });
        harness.wakers.lock().unwrap().push(test_waker.clone());
        test_waker
    }

    /// A waker that is equal to its clones. One made of an `Arc` need not be: the two may come from different
    /// copies of the same functions.
    fn waker(self: &Arc<Self>) -> Waker {
        let waker = Waker::from(self.clone()).clone();
        assert!(waker.will_wake(&waker.clone()));
        waker
    }
}

impl Wake for TestWaker {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, SeqCst);
        // The lock is released before the hook is called, as loom does not instrument the lock.
        let hook = self.hook.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        if !self.is_silent {
            self.notify.notify();
        }
    }
}

impl Drop for TestWaker {
    fn drop(&mut self) {
        assert!(
            self.is_retired.load(SeqCst) || std::thread::panicking(),
            "a waker was dropped twice"
        );
    }
}
