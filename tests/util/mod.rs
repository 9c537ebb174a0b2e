//! Test support: tasks that count their wakes, wakers that call hooks, initializers that wait for the test, and
//! values that record when they are dropped.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    any::Any,
    fmt::Debug,
    future::poll_fn,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    ptr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering},
    },
    task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker},
};

use oncelot::OnceCell;

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Numbers of waiters that cover one batch of wakes, its edges, several batches, and many.
pub(crate) const CROWDS: [usize; 8] = [1, 2, 15, 16, 17, 32, 33, 130];

pub(crate) fn poll_with<F: Future + ?Sized>(future: &mut Pin<Box<F>>, waker: &Waker) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(waker))
}

/// Polls without caring for the wake.
pub(crate) fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

/// The output of a future that is expected to be ready at its first poll.
#[track_caller]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match poll(&mut Box::pin(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is still pending"),
    }
}

/// The message of the panic that `f` is expected to end in.
#[track_caller]
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("a panic was expected"),
        Err(payload) => message(&*payload),
    }
}

pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a payload that is no text".to_owned(),
    }
}

/// What was leaked on purpose: kept where a leak checker finds it.
static LEAKED: Mutex<Vec<AtomicPtr<()>>> = Mutex::new(Vec::new());

pub(crate) fn leak_box<T>(leaked: Box<T>) -> *mut T {
    let leaked = Box::into_raw(leaked);
    (LEAKED.lock().unwrap_or_else(PoisonError::into_inner)).push(AtomicPtr::new(leaked.cast()));
    leaked
}

/// Never drops the future.
pub(crate) fn leak<F>(future: Pin<Box<F>>) {
    // SAFETY: the future is never touched again, so it is never moved.
    leak_box(unsafe { Pin::into_inner_unchecked(future) });
}

/// A cell like those in a `static`, where one test needs several.
pub(crate) fn static_cell() -> &'static OnceCell<u32> {
    let cell = leak_box(Box::new(OnceCell::new()));
    // SAFETY: it is not dropped or borrowed exclusively.
    unsafe { &*cell }
}

/// A task that counts its wakes.
#[derive(Debug, Default)]
pub(crate) struct Task {
    wakes: AtomicUsize,
}

impl Task {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }

    /// Returns how many wakers of this task exist.
    pub(crate) fn wakers(self: &Arc<Self>) -> usize {
        Arc::strong_count(self) - 1
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
    }
}

/// What can be done to a waker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Clone,
    Wake,
    WakeByRef,
    Drop,
}

/// The task of a waker that counts its operations and calls a hook for each, which may panic.
pub(crate) struct Hooked {
    hook: Box<dyn Fn(Op) + Send + Sync>,
    armed: AtomicBool,
    counts: [AtomicUsize; 4],
}

/// A `static`, as a constant may have several addresses, and wakers are compared by address.
static HOOKED: RawWakerVTable = RawWakerVTable::new(
    Hooked::clone_raw,
    Hooked::wake_raw,
    Hooked::wake_by_ref_raw,
    Hooked::drop_raw,
);

impl Hooked {
    /// Runs `hook` each time that `op` is done to a waker, until it is disarmed.
    pub(crate) fn on(op: Op, hook: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            hook: Box::new(move |done| {
                if done == op {
                    hook();
                }
            }),
            armed: AtomicBool::new(true),
            counts: [const { AtomicUsize::new(0) }; 4],
        })
    }

    pub(crate) fn panicking_on(op: Op, message: &'static str) -> Arc<Self> {
        Self::on(op, move || panic!("{message}"))
    }

    /// Only counts.
    pub(crate) fn new() -> Arc<Self> {
        Self::on(Op::Wake, || ())
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        let data = Arc::into_raw(Arc::clone(self)).cast();
        // SAFETY: the functions below take `data` for an `Arc<Self>` that the waker owns, and `Self` is
        // `Send` and `Sync`.
        unsafe { Waker::new(data, &HOOKED) }
    }

    /// No hook runs from now on, and nothing is counted.
    pub(crate) fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }

    pub(crate) fn count(&self, op: Op) -> usize {
        self.counts[op as usize].load(Ordering::SeqCst)
    }

    fn run(&self, op: Op) {
        if self.armed.load(Ordering::SeqCst) {
            self.counts[op as usize].fetch_add(1, Ordering::SeqCst);
            (self.hook)(op);
        }
    }

    unsafe fn clone_raw(data: *const ()) -> RawWaker {
        // SAFETY: `waker` made the pointer, and the waker keeps its share.
        let task = ManuallyDrop::new(unsafe { Arc::from_raw(data.cast::<Self>()) });
        task.run(Op::Clone);
        RawWaker::new(Arc::into_raw(Arc::clone(&task)).cast(), &HOOKED)
    }

    unsafe fn wake_raw(data: *const ()) {
        // SAFETY: `waker` made the pointer, and the waker gives its share up.
        let task = unsafe { Arc::from_raw(data.cast::<Self>()) };
        task.run(Op::Wake);
    }

    unsafe fn wake_by_ref_raw(data: *const ()) {
        // SAFETY: `waker` made the pointer, and the waker keeps its share.
        let task = ManuallyDrop::new(unsafe { Arc::from_raw(data.cast::<Self>()) });
        task.run(Op::WakeByRef);
    }

    unsafe fn drop_raw(data: *const ()) {
        // SAFETY: `waker` made the pointer, and the waker gives its share up.
        let task = unsafe { Arc::from_raw(data.cast::<Self>()) };
        task.run(Op::Drop);
    }
}

/// What happened, in order.
#[derive(Debug)]
pub(crate) struct Log<E>(Arc<Mutex<Vec<E>>>);

impl<E> Clone for Log<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: Send + 'static> Log<E> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn note(&self, event: E) {
        self.events().push(event);
    }

    pub(crate) fn take(&self) -> Vec<E> {
        std::mem::take(&mut self.events())
    }

    /// A waker that notes when it is woken.
    pub(crate) fn waker(&self, event: E) -> Waker
    where
        E: Clone + Sync,
    {
        let log = self.clone();
        Hooked::on(Op::Wake, move || log.note(event.clone())).waker()
    }

    fn events(&self) -> std::sync::MutexGuard<'_, Vec<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future that is ready once the test opens it.
#[derive(Debug)]
pub(crate) struct Gate<T>(Arc<Mutex<Option<T>>>);

impl<T> Clone for Gate<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Gate<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    pub(crate) fn open(&self, output: T) {
        *self.0.lock().unwrap() = Some(output);
    }
}

impl<T> Future for Gate<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<T> {
        match self.0.lock().unwrap().take() {
            Some(output) => Poll::Ready(output),
            None => Poll::Pending,
        }
    }
}

/// What a future waits for that has a waker of its own. Counts its polls, and keeps the waker of the last one.
pub(crate) struct Event {
    inner: Mutex<(bool, Option<Waker>)>,
    polls: AtomicUsize,
}

impl Event {
    pub(crate) const fn new() -> Self {
        Self {
            inner: Mutex::new((false, None)),
            polls: AtomicUsize::new(0),
        }
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        let mut inner = self.inner.lock().unwrap();
        inner.1 = Some(cx.waker().clone());
        if inner.0 { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(crate) async fn wait(&self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    pub(crate) fn polls(&self) -> usize {
        self.polls.load(Ordering::SeqCst)
    }

    /// Returns the future's waker.
    pub(crate) fn waker(&self) -> Waker {
        self.inner.lock().unwrap().1.clone().unwrap()
    }

    /// Lets the future finish when it is polled next.
    pub(crate) fn come(&self) {
        self.inner.lock().unwrap().0 = true;
    }

    /// Lets the future finish, and wakes it.
    pub(crate) fn announce(&self) {
        self.come();
        self.waker().wake();
    }
}

/// A future that panics when it is polled.
#[derive(Debug)]
pub(crate) struct Panicking(pub(crate) &'static str);

impl Future for Panicking {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u32> {
        panic!("{}", self.0)
    }
}

/// Runs a function when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A future with something that lives exactly as long as the future itself: not only until it completes.
pub(crate) struct With<F, D> {
    future: F,
    _companion: D,
}

impl<F: Future + Unpin, D> With<F, D> {
    pub(crate) fn new(future: F, companion: D) -> Self {
        Self {
            future,
            _companion: companion,
        }
    }
}

impl<F: Future + Unpin, D: Unpin> Future for With<F, D> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        Pin::new(&mut self.future).poll(cx)
    }
}

/// Makes things that count their drops together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn counted(&self) -> Counted {
        Counted {
            drops: self.clone(),
            heap: Box::new(7),
        }
    }
}

/// Counts when it is dropped. Owns memory, so that a second drop is also a double free.
pub(crate) struct Counted {
    drops: Drops,
    heap: Box<u32>,
}

impl Counted {
    /// Reads its memory.
    pub(crate) fn look(&self) -> u32 {
        *self.heap
    }
}

impl Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counted")
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// What opens to end an initializer with a value or an error.
pub(crate) type ResultGate<T> = Gate<Result<T, &'static str>>;

/// Starts an initializer that ends when its gate is opened.
pub(crate) fn start<T: Send + Sync>(
    cell: &OnceCell<T>,
) -> (ResultGate<T>, BoxFuture<'_, Result<&T, &'static str>>) {
    let gate = Gate::new();
    let mut running: BoxFuture<'_, _> = Box::pin(cell.get_or_try_init({
        let gate = gate.clone();
        || gate
    }));
    assert!(poll(&mut running).is_pending());
    (gate, running)
}

/// A future that waits for a cell, and the task that it was last polled by.
pub(crate) struct Waiter<'a> {
    pub(crate) future: BoxFuture<'a, &'a u32>,
    pub(crate) task: Arc<Task>,
}

impl<'a> Waiter<'a> {
    fn new(future: impl Future<Output = &'a u32> + Send + 'a) -> Self {
        let mut waiter = Self {
            future: Box::pin(future),
            task: Task::new(),
        };
        assert!(waiter.poll().is_pending());
        waiter
    }

    /// Returns a claimant that has been polled, and that would initialize with `value`.
    pub(crate) fn claimant(cell: &'a OnceCell<u32>, value: u32) -> Self {
        Self::new(cell.get_or_init(async move || value))
    }

    /// Returns a passive waiter that has been polled.
    pub(crate) fn passive(cell: &'a OnceCell<u32>) -> Self {
        Self::new(cell.wait())
    }

    pub(crate) fn poll(&mut self) -> Poll<&'a u32> {
        poll_with(&mut self.future, &self.task.waker())
    }

    pub(crate) fn wakes(&self) -> usize {
        self.task.wakes()
    }
}

/// A future that initializes with `value`, or one that only waits.
pub(crate) fn claimant_or_passive(
    cell: &OnceCell<u32>,
    is_claimant: bool,
    value: u32,
) -> BoxFuture<'_, &u32> {
    if is_claimant {
        Box::pin(cell.get_or_init(async move || value))
    } else {
        Box::pin(cell.wait())
    }
}

/// The address of a reference, to see that two are one.
pub(crate) fn is_same<T>(a: &T, b: &T) -> bool {
    ptr::eq(a, b)
}
