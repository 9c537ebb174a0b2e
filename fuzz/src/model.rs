//! A simple form of the crate's cells and lazies, for one thread, with the same interface.
//!
//! The fields of futures, and the variables of functions, are in the order in which the crate drops their contents.

use std::{
    cell::{Cell, OnceCell as Storage, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker, ready},
};

use oncelot::SetError;

use self::waiters::Waiters;
use crate::{
    backend::{State, WaiterKind},
    user::{LazyFuture, Output, Value},
};

pub(crate) mod waiters;

pub(crate) struct OnceCell<W: Waiters> {
    state: Cell<State>,
    /// Contains a value if and only if the state is READY.
    value: Storage<Value>,
    waiters: W,
    /// The data of the wakers of the initializers in progress, outermost first.
    initializing: RefCell<Vec<*const ()>>,
}

impl<W: Waiters> OnceCell<W> {
    pub(crate) fn with_backend() -> Self {
        Self {
            state: Cell::new(State::Uninit),
            value: Storage::new(),
            waiters: W::default(),
            initializing: RefCell::default(),
        }
    }

    pub(crate) fn with_backend_and_value(value: Value) -> Self {
        let mut cell = Self::with_backend();
        cell.state = Cell::new(State::Ready);
        cell.value = value.into();
        cell
    }

    pub(crate) fn get(&self) -> Option<&Value> {
        self.value.get()
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut Value> {
        self.value.get_mut()
    }

    pub(crate) fn set(&self, value: Value) -> Result<(), SetError<Value>> {
        self.try_insert(value).map(|_| ())
    }

    pub(crate) fn try_insert(&self, value: Value) -> Result<&Value, SetError<Value>> {
        match self.try_acquire() {
            None => Err(SetError::InitializingError(value)),
            Some(Acquired::Ready(_)) => Err(SetError::AlreadyInitializedError(value)),
            Some(Acquired::Claimed(claim)) => Ok(claim.publish(value)),
        }
    }

    pub(crate) fn take(&mut self) -> Option<Value> {
        self.state.set(State::Uninit);
        self.waiters.reset();
        self.value.take()
    }

    pub(crate) fn into_inner(mut self) -> Option<Value> {
        self.take()
    }

    pub(crate) fn get_or_init<F: FnOnce() -> I, I>(&self, closure: F) -> GetOrInit<'_, W, F, I> {
        GetOrInit {
            waiter: Waiter::new(self, WaiterKind::Claimant),
            closure: Some(closure),
            initializer: None,
            claim: None,
            is_exclusive: false,
        }
    }

    pub(crate) fn get_or_try_init<F: FnOnce() -> I, I>(&self, closure: F) -> GetOrInit<'_, W, F, I> {
        self.get_or_init(closure)
    }

    pub(crate) fn get_mut_or_try_init<F: FnOnce() -> I, I>(&mut self, closure: F) -> GetOrInit<'_, W, F, I> {
        GetOrInit {
            is_exclusive: true,
            ..self.get_or_init(closure)
        }
    }

    pub(crate) fn insert(&self, value: Value) -> Insert<'_, W> {
        Insert {
            waiter: Waiter::new(self, WaiterKind::Claimant),
            value: Some(value),
        }
    }

    pub(crate) fn wait(&self) -> Wait<'_, W> {
        Wait(Waiter::new(self, WaiterKind::Passive))
    }

    /// Claims the cell if it is empty. Returns `None` while an initializer is running.
    fn try_acquire(&self) -> Option<Acquired<'_, W>> {
        match self.state.get() {
            State::Initializing => None,
            State::Ready => self.get().map(Acquired::Ready),
            State::Uninit => {
                self.state.set(State::Initializing);
                Some(Acquired::Claimed(Claim::new(self, false)))
            }
        }
    }

    /// Claims the cell if it has no value, even if a leaked future has the claim.
    fn acquire_exclusively(&self) -> Acquired<'_, W> {
        let claimed = || Acquired::Claimed(Claim::new(self, true));
        self.get().map_or_else(claimed, Acquired::Ready)
    }

    /// Runs user code of the initializer that is polled with `waker`.
    fn initialize<R>(&self, waker: &Waker, run: impl FnOnce() -> R) -> R {
        struct Pop<'a>(&'a RefCell<Vec<*const ()>>);

        impl Drop for Pop<'_> {
            fn drop(&mut self) {
                self.0.borrow_mut().pop();
            }
        }

        self.initializing.borrow_mut().push(waker.data());
        let _pop = Pop(&self.initializing);
        run()
    }
}

impl<W: Waiters> Drop for OnceCell<W> {
    fn drop(&mut self) {
        drop(self.value.take());
        self.waiters.reset();
    }
}

enum Acquired<'a, W: Waiters> {
    Ready(&'a Value),
    Claimed(Claim<'a, W>),
}

/// The right to initialize the cell. Dropping it releases the cell.
struct Claim<'a, W: Waiters> {
    cell: &'a OnceCell<W>,
    /// No waiter is woken, and only a value changes the state.
    is_exclusive: bool,
}

impl<'a, W: Waiters> Claim<'a, W> {
    fn new(cell: &'a OnceCell<W>, is_exclusive: bool) -> Self {
        Self { cell, is_exclusive }
    }

    fn publish(self, value: Value) -> &'a Value {
        self.cell.value.get_or_init(|| value)
    }
}

impl<W: Waiters> Drop for Claim<'_, W> {
    fn drop(&mut self) {
        let Self { cell, is_exclusive } = *self;
        let outcome = match cell.get() {
            Some(_) => State::Ready,
            None => State::Uninit,
        };
        match (is_exclusive, outcome) {
            (false, _) => {
                cell.state.set(outcome);
                cell.waiters.wake(outcome);
            }
            (true, State::Ready) => {
                cell.state.set(outcome);
                cell.waiters.reset();
            }
            (true, _) => {}
        }
    }
}

/// A wait for a cell.
struct Waiter<'a, W: Waiters> {
    cell: &'a OnceCell<W>,
    kind: WaiterKind,
    id: usize,
    is_finished: bool,
}

impl<'a, W: Waiters> Waiter<'a, W> {
    fn new(cell: &'a OnceCell<W>, kind: WaiterKind) -> Self {
        Self {
            cell,
            kind,
            id: waiters::new_id(),
            is_finished: false,
        }
    }

    /// Waits until `look` returns a result.
    fn poll<R>(&self, cx: &mut Context<'_>, look: impl Fn() -> Option<R>) -> Poll<R> {
        assert!(!self.is_finished, "polled after completion");
        if let Some(result) = look() {
            return Poll::Ready(result);
        }
        let is_own = self.cell.initializing.borrow().contains(&cx.waker().data());
        assert!(
            !cfg!(debug_assertions) || !is_own,
            "deadlock: an initializer awaits its own cell"
        );
        let is_settled = || self.kind.is_settled_by(self.cell.state.get());
        while !(self.cell.waiters).register(self.id, self.kind, cx.waker(), &is_settled) {
            if let Some(result) = look() {
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    }

    fn poll_acquire(&self, cx: &mut Context<'_>) -> Poll<Acquired<'a, W>> {
        self.poll(cx, || self.cell.try_acquire())
    }

    fn finish(&mut self) {
        self.is_finished = true;
        self.cell.waiters.cancel(self.id);
    }
}

impl<W: Waiters> Drop for Waiter<'_, W> {
    fn drop(&mut self) {
        self.cell.waiters.cancel(self.id);
    }
}

/// The future of all methods that take an initializer.
pub(crate) struct GetOrInit<'a, W: Waiters, F, I> {
    waiter: Waiter<'a, W>,
    closure: Option<F>,
    initializer: Option<I>,
    claim: Option<Claim<'a, W>>,
    is_exclusive: bool,
}

impl<W: Waiters, F, I> Unpin for GetOrInit<'_, W, F, I> {}

impl<'a, W: Waiters, F: FnOnce() -> I, I> Future for GetOrInit<'a, W, F, I>
where
    I: Future<Output: Output> + Unpin,
{
    type Output = Result<&'a Value, Value>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let cell = this.waiter.cell;
        let claim = match this.claim.take() {
            Some(claim) => claim,
            None => {
                let acquired = if this.is_exclusive {
                    ready!(this.waiter.poll(cx, || Some(cell.acquire_exclusively())))
                } else {
                    ready!(this.waiter.poll_acquire(cx))
                };
                let closure = this.closure.take().expect("the closure was not called");
                this.waiter.finish();
                let claim = match acquired {
                    Acquired::Ready(value) => {
                        drop(closure);
                        return Poll::Ready(Ok(value));
                    }
                    Acquired::Claimed(claim) => claim,
                };
                this.initializer = Some(cell.initialize(cx.waker(), closure));
                claim
            }
        };
        let initializer = this.initializer.as_mut().expect("the closure was called");
        let polled = cell.initialize(cx.waker(), || Pin::new(initializer).poll(cx));
        let Poll::Ready(output) = polled else {
            this.claim = Some(claim);
            return Poll::Pending;
        };
        let initializer = this.initializer.take();
        cell.initialize(cx.waker(), || drop(initializer));
        Poll::Ready(match output.into_result() {
            Ok(value) => Ok(claim.publish(value)),
            Err(error) => {
                drop(claim);
                Err(error)
            }
        })
    }
}

pub(crate) struct Insert<'a, W: Waiters> {
    waiter: Waiter<'a, W>,
    value: Option<Value>,
}

impl<'a, W: Waiters> Future for Insert<'a, W> {
    type Output = Result<&'a Value, (&'a Value, Value)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let acquired = ready!(self.waiter.poll_acquire(cx));
        self.waiter.finish();
        let value = self.value.take().expect("kept until completion");
        Poll::Ready(match acquired {
            Acquired::Ready(present) => Err((present, value)),
            Acquired::Claimed(claim) => Ok(claim.publish(value)),
        })
    }
}

pub(crate) struct Wait<'a, W: Waiters>(Waiter<'a, W>);

impl<'a, W: Waiters> Future for Wait<'a, W> {
    type Output = &'a Value;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a Value> {
        let cell = self.0.cell;
        let value = ready!(self.0.poll(cx, || cell.get()));
        self.0.finish();
        Poll::Ready(value)
    }
}

pub(crate) struct Lazy<W: Waiters> {
    cell: OnceCell<W>,
    computation: Computation,
}

/// The future of a lazy, until it has completed or panicked.
struct Computation {
    future: RefCell<Option<LazyFuture>>,
    is_poisoned: Cell<bool>,
}

impl Computation {
    fn new(future: Option<LazyFuture>) -> Self {
        Self {
            future: RefCell::new(future),
            is_poisoned: Cell::new(false),
        }
    }

    /// Polls the future, which `start` creates if there is none. A panic poisons the lazy.
    fn poll<W: Waiters>(
        &self,
        cell: &OnceCell<W>,
        cx: &mut Context<'_>,
        start: impl FnOnce() -> LazyFuture,
    ) -> Poll<Value> {
        assert!(!self.is_poisoned.replace(true), "the lazy is poisoned");
        let polled = cell.initialize(cx.waker(), || {
            let mut future = self.future.borrow_mut();
            let value = ready!(Pin::new(future.get_or_insert_with(start)).poll(cx));
            drop(future.take());
            Poll::Ready(value)
        });
        self.is_poisoned.set(false);
        polled
    }
}

impl<W: Waiters> Lazy<W> {
    pub(crate) fn with_backend(future: LazyFuture) -> Self {
        Self {
            cell: OnceCell::with_backend(),
            computation: Computation::new(Some(future)),
        }
    }

    pub(crate) fn with_backend_and_value(value: Value) -> Self {
        Self {
            cell: OnceCell::with_backend_and_value(value),
            computation: Computation::new(None),
        }
    }

    pub(crate) fn get_unpin(&self) -> GetLazy<'_, W> {
        GetLazy {
            waiter: Waiter::new(&self.cell, WaiterKind::Claimant),
            claim: None,
            computation: &self.computation,
        }
    }

    pub(crate) fn try_get(&self) -> Option<&Value> {
        self.cell.get()
    }

    pub(crate) fn try_get_mut(self: Pin<&mut Self>) -> Option<&mut Value> {
        self.get_mut().cell.get_mut()
    }

    pub(crate) fn into_inner(mut self) -> Option<Value> {
        drop(self.computation.future.take());
        self.cell.take()
    }

    pub(crate) fn into_parts(mut self) -> Result<Value, LazyFuture> {
        match self.cell.take() {
            Some(value) => Ok(value),
            None => Err(self.computation.future.take().expect("the lazy is poisoned")),
        }
    }
}

impl<W: Waiters> Drop for Lazy<W> {
    fn drop(&mut self) {
        self.cell.waiters.reset();
        drop(self.computation.future.take());
    }
}

pub(crate) struct GetLazy<'a, W: Waiters> {
    waiter: Waiter<'a, W>,
    claim: Option<Claim<'a, W>>,
    computation: &'a Computation,
}

impl<'a, W: Waiters> Future for GetLazy<'a, W> {
    type Output = &'a Value;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a Value> {
        /// Drops the future that panicked. Its own panic is swallowed.
        struct DropPoisoned<'a>(&'a Computation);

        impl Drop for DropPoisoned<'_> {
            fn drop(&mut self) {
                if self.0.is_poisoned.get() {
                    let future = self.0.future.take();
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
                }
            }
        }

        let claim = match self.claim.take() {
            Some(claim) => claim,
            None => {
                let acquired = ready!(self.waiter.poll_acquire(cx));
                self.waiter.finish();
                match acquired {
                    Acquired::Ready(value) => return Poll::Ready(value),
                    Acquired::Claimed(claim) => claim,
                }
            }
        };
        let polled = {
            let _guard = DropPoisoned(self.computation);
            let no_future = || unreachable!("a lazy starts with its future");
            self.computation.poll(self.waiter.cell, cx, no_future)
        };
        match polled {
            Poll::Ready(value) => Poll::Ready(claim.publish(value)),
            Poll::Pending => {
                self.claim = Some(claim);
                Poll::Pending
            }
        }
    }
}

pub(crate) struct StaticLazy {
    cell: OnceCell<waiters::List<16>>,
    start: fn() -> LazyFuture,
    computation: Computation,
    phase: Cell<Phase>,
}

/// Which part of a static has the claim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Free,
    Polling,
    /// As `Polling`, and the future was woken meanwhile.
    Woken,
    /// The waker of the future has the claim.
    Asleep,
}

impl StaticLazy {
    pub(crate) fn new(start: fn() -> LazyFuture) -> Self {
        Self {
            cell: OnceCell::with_backend(),
            start,
            computation: Computation::new(None),
            phase: Cell::new(Phase::Free),
        }
    }

    pub(crate) fn try_get(&self) -> Option<&Value> {
        self.cell.get()
    }

    pub(crate) fn get(&'static self) -> GetStatic {
        GetStatic {
            lazy: self,
            waiter: Waiter::new(&self.cell, WaiterKind::Claimant),
        }
    }

    /// Polls the future with a waker of the static.
    fn drive(&'static self, claim: Claim<'static, waiters::List<16>>) -> Poll<Option<&'static Value>> {
        /// Before the claim is released.
        struct Free<'a>(&'a Cell<Phase>);

        impl Drop for Free<'_> {
            fn drop(&mut self) {
                self.0.set(Phase::Free);
            }
        }

        self.phase.set(Phase::Polling);
        let free = Free(&self.phase);
        // SAFETY: the functions of the table use the static, and each static is on one thread.
        let waker = unsafe { Waker::from_raw(self.raw_waker()) };
        let polled = self
            .computation
            .poll(&self.cell, &mut Context::from_waker(&waker), self.start);
        match polled {
            Poll::Ready(value) => {
                drop(free);
                Poll::Ready(Some(claim.publish(value)))
            }
            Poll::Pending if self.phase.get() == Phase::Woken => Poll::Pending,
            Poll::Pending => {
                std::mem::forget((free, claim));
                self.phase.set(Phase::Asleep);
                Poll::Ready(None)
            }
        }
    }

    fn wake(&'static self) {
        match self.phase.get() {
            Phase::Free => {}
            Phase::Polling | Phase::Woken => self.phase.set(Phase::Woken),
            Phase::Asleep => {
                self.phase.set(Phase::Free);
                drop(Claim::new(&self.cell, false));
            }
        }
    }

    fn raw_waker(&'static self) -> RawWaker {
        static TABLE: RawWakerVTable = RawWakerVTable::new(
            |data| of(data).raw_waker(),
            |data| of(data).wake(),
            |data| of(data).wake(),
            |_| (),
        );
        fn of(data: *const ()) -> &'static StaticLazy {
            // SAFETY: the data is the address of a static, whose wakers are dropped before it is.
            unsafe { &*data.cast() }
        }
        RawWaker::new(std::ptr::from_ref(self).cast(), &TABLE)
    }
}

impl Drop for StaticLazy {
    fn drop(&mut self) {
        // A static never drops a future that has not completed.
        std::mem::forget(self.computation.future.take());
    }
}

pub(crate) struct GetStatic {
    lazy: &'static StaticLazy,
    waiter: Waiter<'static, waiters::List<16>>,
}

impl Future for GetStatic {
    type Output = &'static Value;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static Value> {
        loop {
            let acquired = ready!(self.waiter.poll_acquire(cx));
            self.waiter.finish();
            let driven = match acquired {
                Acquired::Ready(value) => return Poll::Ready(value),
                Acquired::Claimed(claim) => self.lazy.drive(claim),
            };
            if let Poll::Ready(Some(value)) = driven {
                return Poll::Ready(value);
            }
            self.waiter.is_finished = false;
            if driven.is_pending() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}
