//! A simple form of the crate's cells and lazies, for one thread, with the same interface.
//!
//! The fields of futures, and the variables of functions, are in the order in which the crate drops their contents.

use std::{
    cell::{Cell, RefCell},
    convert,
    future::poll_fn,
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
    value: std::cell::OnceCell<Value>,
    waiters: W,
    /// The data of the wakers of the initializers in progress, outermost first.
    initializing: RefCell<Vec<*const ()>>,
}

impl<W: Waiters> OnceCell<W> {
    pub(crate) fn with_backend() -> Self {
        Self {
            state: Cell::new(State::Uninit),
            value: std::cell::OnceCell::new(),
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

    pub(crate) fn get_or_init<F: FnOnce() -> I, I>(&self, closure: F) -> GetOrInit<'_, W, F, I, &Value> {
        let no_error = |result: Result<_, Value>| result.expect("the initializer cannot fail");
        GetOrInit::new(self, closure, false, no_error)
    }

    pub(crate) fn get_or_try_init<'a, F: FnOnce() -> I, I>(
        &'a self,
        closure: F,
    ) -> GetOrTryInit<'a, W, F, I> {
        GetOrInit::new(self, closure, false, convert::identity)
    }

    pub(crate) fn get_mut_or_try_init<'a, F: FnOnce() -> I, I>(
        &'a mut self,
        closure: F,
    ) -> GetOrTryInit<'a, W, F, I> {
        GetOrInit::new(self, closure, true, convert::identity)
    }

    pub(crate) fn insert(&self, value: Value) -> impl Future<Output = Result<&Value, (&Value, Value)>> {
        let (mut waiter, mut value) = (Waiter::new(self, WaiterKind::Claimant), Some(value));
        // The closure drops the waiter first, which it uses first.
        poll_fn(move |cx| {
            let acquired = ready!(waiter.poll(cx, || self.try_acquire()));
            let value = value.take().expect("kept until completion");
            Poll::Ready(match acquired {
                Acquired::Ready(present) => Err((present, value)),
                Acquired::Claimed(claim) => Ok(claim.publish(value)),
            })
        })
    }

    pub(crate) fn wait(&self) -> impl Future<Output = &Value> {
        let mut waiter = Waiter::new(self, WaiterKind::Passive);
        poll_fn(move |cx| waiter.poll(cx, || self.get()))
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

    /// Waits until `look` returns a result, and stays registered.
    fn poll_registered<R>(&self, cx: &mut Context<'_>, look: impl Fn() -> Option<R>) -> Poll<R> {
        assert!(!self.is_finished, "polled after completion");
        if let Some(result) = look() {
            return Poll::Ready(result);
        }
        let is_own = self.cell.initializing.borrow().contains(&cx.waker().data());
        assert!(
            !cfg!(debug_assertions) || !is_own,
            "deadlock: an initializer awaits its own cell"
        );
        while !(self.cell.waiters).register(self.id, self.kind, cx.waker(), &self.cell.state) {
            if let Some(result) = look() {
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    }

    /// Waits until `look` returns a result.
    fn poll<R>(&mut self, cx: &mut Context<'_>, look: impl Fn() -> Option<R>) -> Poll<R> {
        let result = ready!(self.poll_registered(cx, look));
        self.finish();
        Poll::Ready(result)
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
pub(crate) struct GetOrInit<'a, W: Waiters, F, I, R> {
    waiter: Waiter<'a, W>,
    closure: Option<F>,
    initializer: Option<I>,
    claim: Option<Claim<'a, W>>,
    is_exclusive: bool,
    convert: fn(Result<&'a Value, Value>) -> R,
}

type GetOrTryInit<'a, W, F, I> = GetOrInit<'a, W, F, I, Result<&'a Value, Value>>;

impl<W: Waiters, F, I, R> Unpin for GetOrInit<'_, W, F, I, R> {}

impl<'a, W: Waiters, F, I, R> GetOrInit<'a, W, F, I, R> {
    fn new(
        cell: &'a OnceCell<W>,
        closure: F,
        is_exclusive: bool,
        convert: fn(Result<&'a Value, Value>) -> R,
    ) -> Self {
        Self {
            waiter: Waiter::new(cell, WaiterKind::Claimant),
            closure: Some(closure),
            initializer: None,
            claim: None,
            is_exclusive,
            convert,
        }
    }
}

impl<'a, W: Waiters, F: FnOnce() -> I, I, R> Future for GetOrInit<'a, W, F, I, R>
where
    I: Future<Output: Output> + Unpin,
{
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let this = &mut *self;
        let cell = this.waiter.cell;
        let claim = match this.claim.take() {
            Some(claim) => claim,
            None => {
                let acquired = ready!(this.waiter.poll_registered(cx, || match this.is_exclusive {
                    true => Some(cell.acquire_exclusively()),
                    false => cell.try_acquire(),
                }));
                let closure = this.closure.take().expect("the closure was not called");
                this.waiter.finish();
                let claim = match acquired {
                    Acquired::Ready(value) => {
                        drop(closure);
                        return Poll::Ready((this.convert)(Ok(value)));
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
        Poll::Ready((this.convert)(match output.into_result() {
            Ok(value) => Ok(claim.publish(value)),
            Err(error) => {
                // If this panics, the error is dropped.
                drop(claim);
                Err(error)
            }
        }))
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

    pub(crate) fn get_unpin(&self) -> impl Future<Output = &Value> {
        /// Drops the future that panicked. Its own panic is discarded.
        struct DropPoisoned<'a>(&'a Computation);

        impl Drop for DropPoisoned<'_> {
            fn drop(&mut self) {
                if self.0.is_poisoned.get() {
                    let future = self.0.future.take();
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
                }
            }
        }

        let (mut waiter, mut running) = (Waiter::new(&self.cell, WaiterKind::Claimant), None);
        poll_fn(move |cx| {
            let claim = match running.take() {
                Some(claim) => claim,
                None => {
                    let acquired = ready!(waiter.poll(cx, || self.cell.try_acquire()));
                    match acquired {
                        Acquired::Ready(value) => return Poll::Ready(value),
                        Acquired::Claimed(claim) => claim,
                    }
                }
            };
            let guard = DropPoisoned(&self.computation);
            let no_future = || unreachable!("a lazy starts with its future");
            let polled = self.computation.poll(&self.cell, cx, no_future);
            drop(guard);
            match polled {
                Poll::Ready(value) => Poll::Ready(claim.publish(value)),
                Poll::Pending => {
                    running = Some(claim);
                    Poll::Pending
                }
            }
        })
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

    pub(crate) fn get(&'static self) -> impl Future<Output = &'static Value> {
        let mut waiter = Waiter::new(&self.cell, WaiterKind::Claimant);
        poll_fn(move |cx| {
            loop {
                let acquired = ready!(waiter.poll(cx, || self.cell.try_acquire()));
                let driven = match acquired {
                    Acquired::Ready(value) => return Poll::Ready(value),
                    Acquired::Claimed(claim) => self.drive(claim),
                };
                if let Poll::Ready(Some(value)) = driven {
                    return Poll::Ready(value);
                }
                waiter.is_finished = false;
                if driven.is_pending() {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        })
    }

    /// Polls the future with a waker of the static. Returns `None` if the future falls asleep, and the waker has the
    /// claim, and `Pending` if the future was woken while it was polled.
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
