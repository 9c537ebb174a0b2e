//! The user's code: values, errors, initializers and wakers. Each of their functions is a point.

use std::{
    fmt,
    mem::ManuallyDrop,
    pin::Pin,
    ptr,
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
};

use crate::run::{self, Kind, Sort, TaskId, Wakers, point, point_of, require, require_claim, with};

/// A value, or another thing of the user's. Counts its drops, and owns memory, so that a second drop is also a double free.
pub(crate) struct Thing {
    sort: Sort,
    id: Box<usize>,
    created_by: TaskId,
    /// Whether the cell must be claimed when it is dropped.
    needs_claim: bool,
}

pub(crate) type Value = Thing;
pub(crate) type Error = Thing;

impl Thing {
    pub(crate) fn new(sort: Sort) -> Self {
        with(|run| run.things.push((sort, 0)));
        Self {
            sort,
            id: Box::new(with(|run| run.things.len() - 1)),
            created_by: run::current(),
            needs_claim: sort == Sort::Future,
        }
    }

    pub(crate) fn value() -> Self {
        Self::new(Sort::Value)
    }

    pub(crate) fn id(&self) -> usize {
        *self.id
    }

    /// It was found in the cell.
    pub(crate) fn see(&self) {
        let first = with(|run| *run.seen.get_or_insert(self.id()));
        require(first == self.id(), "all tasks see the same value");
    }

    /// Returns whether the initializer of the current task has created it.
    pub(crate) fn is_own(&self) -> bool {
        let current = run::current();
        self.created_by == current || run::spawner(self.created_by) == Some(current)
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        // A spawned task starts with the claim, and releases it last. Other tasks have the closure while they wait.
        let is_spawned = || run::spawner(run::current()).is_some();
        if self.needs_claim || self.sort == Sort::Closure && is_spawned() {
            require_claim();
        }
        let is_of_run = with(|run| {
            let thing = run.things.get_mut(*self.id);
            thing.map(|(_, drops)| *drops += 1).is_some()
        });
        require(is_of_run, "nothing outlives its run");
        if self.sort != Sort::Payload {
            point(Kind::Drop(self.sort));
        }
    }
}

impl Clone for Thing {
    fn clone(&self) -> Self {
        point(Kind::Clone);
        Self::new(self.sort)
    }
}

impl PartialEq for Thing {
    /// All values are equal.
    fn eq(&self, other: &Self) -> bool {
        point(Kind::Eq);
        self.sort == other.sort
    }
}

impl fmt::Debug for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        point(Kind::Debug);
        self.sort.fmt(f)
    }
}

/// What an initializer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Init {
    Value(Ready),
    Error(Ready),
}

/// When an initializer is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ready {
    AtOnce,
    /// At its second poll, for which it wakes its task.
    Later,
    /// When the gate is open.
    AtGate,
}

pub(crate) const VALUE: Init = Init::Value(Ready::AtOnce);
pub(crate) const ERROR: Init = Init::Error(Ready::AtOnce);

impl Init {
    pub(crate) fn ready(self) -> Ready {
        match self {
            Self::Value(ready) | Self::Error(ready) => ready,
        }
    }

    pub(crate) fn fails(self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// Returns a closure that returns a future.
    pub(crate) fn fallible(self) -> impl FnOnce() -> Initializer<Result<Value, Error>> + Send + 'static {
        self.closure(move || Initializer::new(self, Self::result, Sort::Future))
    }

    pub(crate) fn infallible(self) -> impl FnOnce() -> Initializer<Value> + Send + 'static {
        self.closure(move || Initializer::new(self, Self::value, Sort::Future))
    }

    /// Returns a closure that returns the result.
    pub(crate) fn blocking(self) -> impl FnOnce() -> Result<Value, Error> + Send + 'static {
        self.closure(move || self.result())
    }

    /// Returns a closure that returns a value.
    pub(crate) fn blocking_value() -> impl FnOnce() -> Value + Send + 'static {
        VALUE.closure(|| VALUE.value())
    }

    fn closure<R>(self, f: impl FnOnce() -> R + Send + 'static) -> impl FnOnce() -> R + Send + 'static {
        let captured = Thing::new(Sort::Closure);
        move || {
            require_claim();
            point(Kind::Call(Sort::Future));
            drop(captured);
            f()
        }
    }

    fn value(self) -> Value {
        Thing::value()
    }

    fn result(self) -> Result<Value, Error> {
        if self.fails() {
            Err(Thing::new(Sort::Error))
        } else {
            Ok(Thing::value())
        }
    }
}

/// The future of an initializer.
pub(crate) struct Initializer<O> {
    init: Init,
    output: fn(Init) -> O,
    has_yielded: bool,
    thing: Thing,
}

impl<O> Initializer<O> {
    fn new(init: Init, output: fn(Init) -> O, sort: Sort) -> Self {
        Self {
            init,
            output,
            has_yielded: false,
            thing: Thing::new(sort),
        }
    }

    fn is_ready(&mut self, waker: &Waker) -> bool {
        match self.init.ready() {
            Ready::Later if !self.has_yielded => {
                self.has_yielded = true;
                waker.wake_by_ref();
                false
            }
            Ready::AtOnce | Ready::Later => true,
            Ready::AtGate => gate::is_open(waker),
        }
    }
}

impl Initializer<Value> {
    /// The future of a `Lazy`.
    pub(crate) fn of_lazy(ready: Ready) -> Self {
        Self::new(Init::Value(ready), Init::value, Sort::LazyFuture)
    }
}

impl<O> Future for Initializer<O> {
    type Output = O;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        require_claim();
        // If this poll panics, the claim is released first, and the future is dropped when its owner is.
        let needs_claim = std::mem::take(&mut self.thing.needs_claim);
        let polled = run::in_poll(self.thing.sort, || {
            point(Kind::Poll);
            if self.is_ready(cx.waker()) {
                Poll::Ready((self.output)(self.init))
            } else {
                Poll::Pending
            }
        });
        self.thing.needs_claim = needs_claim;
        polled
    }
}

/// What initializers wait for. Like a timer, it keeps the newest waker.
pub(crate) mod gate {
    use std::task::Waker;

    use crate::run::{with, without_points};

    /// Returns whether it is open. If it is not, `waker` is woken when it opens.
    pub(super) fn is_open(waker: &Waker) -> bool {
        if with(|run| run.gate_is_open) {
            return true;
        }
        let is_kept = with(|run| run.gate_waker.as_ref().is_some_and(|kept| kept.will_wake(waker)));
        if !is_kept {
            let newer = waker.clone();
            let older = with(|run| run.gate_waker.replace(newer));
            drop(older);
        }
        false
    }

    pub(crate) fn drop_waker() {
        let waker = with(|run| run.gate_waker.take());
        without_points(|| drop(waker));
    }

    pub(crate) fn open() {
        with(|run| run.gate_is_open = true);
        if let Some(waker) = with(|run| run.gate_waker.take()) {
            waker.wake();
        }
    }
}

/// Gives a task new wakers. Its older wakers have no effect any more.
pub(crate) fn renew_wakers(task: TaskId) {
    with(|run| {
        let older = run.wakers.iter_mut().filter(|wakers| wakers.task == task);
        older.for_each(|wakers| wakers.is_old = true);
        let (live, is_old) = (0, false);
        run.wakers.push(Wakers { task, live, is_old });
    });
}

/// Returns a waker of a task, which is not counted itself, but whose clones are.
pub(crate) fn waker(task: TaskId) -> ManuallyDrop<Waker> {
    let number = with(|run| run.wakers.iter().rposition(|wakers| wakers.task == task));
    let number = number.expect("each task has wakers");
    // SAFETY: the functions of the table take any number.
    ManuallyDrop::new(unsafe { Waker::new(ptr::without_provenance(number), &WAKERS) })
}

/// A `static`, as a constant may have several addresses, and wakers are compared by address.
static WAKERS: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // A clone that panics makes no waker.
        waker_point(Kind::CloneWaker, data, 0);
        with(|run| run.wakers[data.addr()].live += 1);
        RawWaker::new(data, &WAKERS)
    },
    |data| wake(Kind::Wake, data, -1),
    |data| wake(Kind::WakeByRef, data, 0),
    |data| waker_point(Kind::DropWaker, data, -1),
);

fn waker_point(kind: Kind, data: *const (), change: i32) {
    let (task, live) = with(|run| {
        let wakers = &mut run.wakers[data.addr()];
        wakers.live += change;
        (wakers.task, wakers.live)
    });
    require(live >= 0, "a waker is used up once");
    point_of(kind, Some(task));
}

fn wake(kind: Kind, data: *const (), change: i32) {
    waker_point(kind, data, change);
    let (task, is_old) = with(|run| (run.wakers[data.addr()].task, run.wakers[data.addr()].is_old));
    if !is_old {
        run::wake(task);
    }
}
