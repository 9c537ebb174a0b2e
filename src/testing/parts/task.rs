//! A task that never runs, whose wakers count their operations and can run a hook.

use core::{
    cell::RefCell,
    task::{RawWaker, RawWakerVTable, Waker},
};
use std::{
    collections::HashMap,
    mem::{self, ManuallyDrop},
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    vec::Vec,
};

/// An operation on a waker. Waking by reference counts as waking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    Clone,
    Wake,
    Drop,
}

/// Identifies a hook among those of all threads.
type HookId = usize;

type Hook = Rc<dyn Fn(Op)>;

std::thread_local! {
    /// The hooks that this thread has created. Another thread may use a waker, but does not run its hook, which may refer to a
    /// cell that is not `Sync`.
    static HOOKS: RefCell<HashMap<HookId, Hook>> = RefCell::default();
}

/// A task whose wakers count their operations, and can run a hook in one of them, or in each.
#[derive(Debug)]
pub(crate) struct Task {
    /// The operation that runs the hook, or `None` if each does.
    hook: Option<(Option<Op>, HookId)>,
    /// Whether the hook runs.
    is_armed: AtomicBool,
    /// The number of times that the hook has run.
    runs: AtomicUsize,
    wakes: AtomicUsize,
    clones: AtomicUsize,
    /// The number of wakers of this task.
    wakers: AtomicUsize,
}

/// A `static`, as a constant may have several addresses, and wakers are compared by address.
static VTABLE: RawWakerVTable = RawWakerVTable::new(
    Task::clone_raw,
    Task::wake_raw,
    Task::wake_by_ref_raw,
    Task::drop_raw,
);

impl Task {
    /// Creates a task without a hook.
    pub(crate) fn new() -> Arc<Self> {
        Self::with(None)
    }

    /// Creates a task that runs `hook` each time that `op` is done to one of its wakers on this thread, until it is disarmed.
    pub(crate) fn on(op: Op, hook: impl Fn() + 'static) -> Arc<Self> {
        let task = Self::disarmed_on(op, hook);
        task.arm();
        task
    }

    /// Creates a task that runs `hook` each time that `op` is done to one of its wakers on this thread, while it is armed.
    pub(crate) fn disarmed_on(op: Op, hook: impl Fn() + 'static) -> Arc<Self> {
        Self::hooked(Some(op), move |_| hook())
    }

    /// Creates a task that runs `hook` each time that any operation is done to one of its wakers on this thread.
    ///
    /// If the hook panics in a clone, no waker was created. If it panics in a wake, the task was woken. If it panics in a drop, the
    /// waker is gone.
    pub(crate) fn on_each(hook: impl Fn(Op) + 'static) -> Arc<Self> {
        let task = Self::hooked(None, hook);
        task.arm();
        task
    }

    /// Creates a task that panics each time that `op` is done to one of its wakers on this thread, until it is disarmed.
    pub(crate) fn panicking_on(op: Op, message: &'static str) -> Arc<Self> {
        Self::on(op, move || panic!("{message}"))
    }

    fn hooked(op: Option<Op>, hook: impl Fn(Op) + 'static) -> Arc<Self> {
        static NEXT_ID: AtomicUsize = AtomicUsize::new(0);

        let id = NEXT_ID.fetch_add(1, SeqCst);
        HOOKS.with_borrow_mut(|hooks| hooks.insert(id, Rc::new(hook)));
        Self::with(Some((op, id)))
    }

    fn with(hook: Option<(Option<Op>, HookId)>) -> Arc<Self> {
        Arc::new(Self {
            hook,
            is_armed: AtomicBool::new(false),
            runs: AtomicUsize::new(0),
            wakes: AtomicUsize::new(0),
            clones: AtomicUsize::new(0),
            wakers: AtomicUsize::new(0),
        })
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        let data = self.raw();
        // SAFETY: the functions below take `data` for an `Arc<Self>` that the waker owns, and `Self` is
        // `Send` and `Sync`.
        unsafe { Waker::new(data, &VTABLE) }
    }

    /// Returns the waker that an executor polls the task with. It is not counted, but its clones are.
    pub(crate) fn executor_waker(self: &Arc<Self>) -> ManuallyDrop<Waker> {
        // SAFETY: a waker that is never dropped needs no share of the task, which outlives the poll.
        ManuallyDrop::new(unsafe { Waker::new(Arc::as_ptr(self).cast(), &VTABLE) })
    }

    /// Lets the hook run during `call`.
    pub(crate) fn armed<R>(&self, call: impl FnOnce() -> R) -> R {
        self.arm();
        let _disarmed = Disarmed(self);
        call()
    }

    /// Lets the hook run from now on.
    pub(crate) fn arm(&self) {
        self.is_armed.store(true, SeqCst);
    }

    pub(crate) fn disarm(&self) {
        self.is_armed.store(false, SeqCst);
    }

    /// Returns the number of times that the hook has run.
    pub(crate) fn runs(&self) -> usize {
        self.runs.load(SeqCst)
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(SeqCst)
    }

    /// Returns the number of times that a waker was cloned.
    pub(crate) fn clones(&self) -> usize {
        self.clones.load(SeqCst)
    }

    /// Returns the number of wakers of this task.
    pub(crate) fn wakers(&self) -> usize {
        self.wakers.load(SeqCst)
    }

    fn run(&self, done: Op) {
        let Some((_, id)) = self
            .hook
            .filter(|(op, _)| op.is_none_or(|op| op == done) && self.is_armed.load(SeqCst))
        else {
            return;
        };
        if let Some(hook) = HOOKS.with_borrow(|hooks| hooks.get(&id).cloned()) {
            self.runs.fetch_add(1, SeqCst);
            hook(done);
        }
    }

    /// Returns the data of a new waker, and counts the waker.
    fn raw(self: &Arc<Self>) -> *const () {
        self.wakers.fetch_add(1, SeqCst);
        Arc::into_raw(Arc::clone(self)).cast()
    }

    fn lose_waker(&self) {
        self.wakers.fetch_sub(1, SeqCst);
    }

    unsafe fn clone_raw(data: *const ()) -> RawWaker {
        // SAFETY: `raw` made the pointer, and the waker keeps its share.
        let task = ManuallyDrop::new(unsafe { Arc::from_raw(data.cast::<Self>()) });
        task.clones.fetch_add(1, SeqCst);
        task.run(Op::Clone);
        RawWaker::new(task.raw(), &VTABLE)
    }

    unsafe fn wake_raw(data: *const ()) {
        // SAFETY: `raw` made the pointer, and the waker gives its share up.
        let task = unsafe { Arc::from_raw(data.cast::<Self>()) };
        task.lose_waker();
        task.wakes.fetch_add(1, SeqCst);
        task.run(Op::Wake);
    }

    unsafe fn wake_by_ref_raw(data: *const ()) {
        // SAFETY: `raw` made the pointer, and the waker keeps its share.
        let task = ManuallyDrop::new(unsafe { Arc::from_raw(data.cast::<Self>()) });
        task.wakes.fetch_add(1, SeqCst);
        task.run(Op::Wake);
    }

    unsafe fn drop_raw(data: *const ()) {
        // SAFETY: `raw` made the pointer, and the waker gives its share up.
        let task = unsafe { Arc::from_raw(data.cast::<Self>()) };
        task.lose_waker();
        task.run(Op::Drop);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // The hook is dropped afterwards: it may be the last to refer to a backend, which may drop other tasks.
        let _hook = self.hook.and_then(|(_, id)| {
            // When the thread ends, its hooks are dropped, and with them tasks.
            let removed = HOOKS.try_with(|hooks| hooks.borrow_mut().remove(&id));
            removed.ok().flatten()
        });
    }
}

struct Disarmed<'a>(&'a Task);

impl Drop for Disarmed<'_> {
    fn drop(&mut self) {
        self.0.disarm();
    }
}

/// The events that have happened, in order.
#[derive(Debug)]
pub(crate) struct Log<E>(Arc<Mutex<Vec<E>>>);

impl<E> Clone for Log<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: 'static> Log<E> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn note(&self, event: E) {
        self.events().push(event);
    }

    pub(crate) fn take(&self) -> Vec<E> {
        mem::take(&mut self.events())
    }

    /// Returns a task that notes `event` each time that it is woken on this thread.
    pub(crate) fn task(&self, event: E) -> Arc<Task>
    where
        E: Clone,
    {
        let log = self.clone();
        Task::on(Op::Wake, move || log.note(event.clone()))
    }

    /// Returns a waker that notes `event` each time that it is woken on this thread.
    pub(crate) fn waker(&self, event: E) -> Waker
    where
        E: Clone,
    {
        self.task(event).waker()
    }

    fn events(&self) -> MutexGuard<'_, Vec<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
