//! A task that never runs, whose wakers count their operations and can run a hook.

use core::{
    cell::RefCell,
    task::{RawWaker, RawWakerVTable, Waker},
};
use std::{
    collections::HashMap,
    mem::ManuallyDrop,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

/// An operation on a waker. Waking by reference counts as waking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Clone,
    Wake,
    Drop,
}

/// Identifies a hook among those of all threads.
type HookId = usize;

std::thread_local! {
    /// The hooks that this thread has made. Wakers can be sent to other threads; a hook that uses a backend that is not
    /// `Sync` must not be.
    static HOOKS: RefCell<HashMap<HookId, Rc<dyn Fn()>>> = RefCell::default();
}

/// A task whose wakers count their operations, and can run a hook in each of them.
pub(super) struct Task {
    hook: Option<(Op, HookId)>,
    /// Whether the hook runs.
    is_armed: AtomicBool,
    /// The number of times that the hook has run.
    runs: AtomicUsize,
    wakes: AtomicUsize,
    /// The number of wakers of this task.
    wakers: AtomicUsize,
}

impl Task {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        Self::clone_raw,
        Self::wake_raw,
        Self::wake_by_ref_raw,
        Self::drop_raw,
    );

    /// Creates a task without a hook.
    pub(super) fn new() -> Arc<Self> {
        Self::hooked(None)
    }

    /// Runs `hook` each time that `op` is done to a waker on this thread, while it is armed.
    pub(super) fn on(op: Op, hook: impl Fn() + 'static) -> Arc<Self> {
        static NEXT_ID: AtomicUsize = AtomicUsize::new(0);

        let id = NEXT_ID.fetch_add(1, SeqCst);
        HOOKS.with_borrow_mut(|hooks| hooks.insert(id, Rc::new(hook)));
        Self::hooked(Some((op, id)))
    }

    fn hooked(hook: Option<(Op, HookId)>) -> Arc<Self> {
        Arc::new(Self {
            hook,
            is_armed: AtomicBool::new(false),
            runs: AtomicUsize::new(0),
            wakes: AtomicUsize::new(0),
            wakers: AtomicUsize::new(0),
        })
    }

    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        let data = self.raw();
        // SAFETY: the functions below take `data` for an `Arc<Self>` that the waker owns, and `Self` is
        // `Send` and `Sync`.
        unsafe { Waker::new(data, &Self::VTABLE) }
    }

    /// Lets the hook run during `call`.
    pub(super) fn armed<R>(&self, call: impl FnOnce() -> R) -> R {
        self.is_armed.store(true, SeqCst);
        let _disarmed = Disarmed(self);
        call()
    }

    /// Lets the hook run from now on.
    pub(super) fn arm(&self) {
        self.is_armed.store(true, SeqCst);
    }

    pub(super) fn disarm(&self) {
        self.is_armed.store(false, SeqCst);
    }

    /// Returns the number of times that the hook has run.
    pub(super) fn runs(&self) -> usize {
        self.runs.load(SeqCst)
    }

    pub(super) fn wakes(&self) -> usize {
        self.wakes.load(SeqCst)
    }

    /// Returns the number of wakers of this task.
    pub(super) fn wakers(&self) -> usize {
        self.wakers.load(SeqCst)
    }

    fn run(&self, done: Op) {
        let Some((_, id)) = self
            .hook
            .filter(|(op, _)| *op == done && self.is_armed.load(SeqCst))
        else {
            return;
        };
        if let Some(hook) = HOOKS.with_borrow(|hooks| hooks.get(&id).cloned()) {
            self.runs.fetch_add(1, SeqCst);
            hook();
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
        task.run(Op::Clone);
        RawWaker::new(task.raw(), &Self::VTABLE)
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
