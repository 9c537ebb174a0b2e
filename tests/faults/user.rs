//! The user's code: values, errors, initializers and wakers. Each of their functions is a point.

use std::{
    fmt,
    mem::ManuallyDrop,
    pin::Pin,
    ptr,
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
};

use crate::{
    check::Wrong,
    run::{self, Kind, Polled, TaskId, Thing, Wakers, point, point_of, require, require_claim, with},
};

/// A part of a user's type, which counts its drops. Owns memory, so that a second drop is also a double free.
#[derive(Debug)]
pub(crate) struct Token {
    thing: Thing,
    id: Box<usize>,
    is_lazy: bool,
}

impl Token {
    pub(crate) fn new(thing: Thing) -> Self {
        Self::with(thing, false)
    }

    fn with(thing: Thing, is_lazy: bool) -> Self {
        let id = with(|run| {
            run.things.push((thing, 0));
            run.things.len() - 1
        });
        let id = Box::new(id);
        Self { thing, id, is_lazy }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        with(|run| match run.things.get_mut(*self.id) {
            Some((thing, drops)) if *thing == self.thing => *drops += 1,
            _ => run
                .wrong
                .push(Wrong::Broken(format!("{self:?} is none of this run"))),
        });
        if self.thing != Thing::Payload {
            point_of(Kind::Drop(self.thing), None, self.is_lazy);
        }
    }
}

pub(crate) struct Value(Token);

impl Value {
    pub(crate) fn new() -> Self {
        Self(Token::new(Thing::Value))
    }

    pub(crate) fn id(&self) -> usize {
        *self.0.id
    }

    /// It was found in the cell.
    pub(crate) fn see(&self) {
        let first = with(|run| *run.seen.get_or_insert(self.id()));
        require(first == self.id(), "all tasks see the same value");
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        point(Kind::Clone);
        Self::new()
    }
}

impl PartialEq for Value {
    /// All values are equal.
    fn eq(&self, _other: &Self) -> bool {
        point(Kind::Eq);
        true
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        point(Kind::Debug);
        f.write_str("Value")
    }
}

#[derive(Debug)]
pub(crate) struct Error {
    task: TaskId,
    _token: Token,
}

impl Error {
    fn new() -> Self {
        Self {
            task: run::current(),
            _token: Token::new(Thing::Error),
        }
    }

    /// Returns whether the error is that of the current task's initializer.
    pub(crate) fn is_own(&self) -> bool {
        let current = run::current();
        self.task == current || run::spawner(self.task) == Some(current)
    }
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

/// What an initializer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Init {
    pub(crate) ready: Ready,
    pub(crate) fails: bool,
}

pub(crate) const VALUE: Init = Init {
    ready: Ready::AtOnce,
    fails: false,
};
pub(crate) const ERROR: Init = VALUE.failing();

impl Init {
    pub(crate) const fn ready(self, ready: Ready) -> Self {
        Self { ready, ..self }
    }

    pub(crate) const fn failing(self) -> Self {
        Self { fails: true, ..self }
    }

    /// Returns a closure that returns a future.
    pub(crate) fn fallible(self) -> impl FnOnce() -> Fallible + Send + 'static {
        let captured = Captured::new();
        move || {
            captured.call();
            Fallible::new(self, Polled::OfCell)
        }
    }

    pub(crate) fn infallible(self) -> impl FnOnce() -> Infallible + Send + 'static {
        let fallible = self.fallible();
        || Infallible(fallible())
    }

    /// Returns a closure that returns the result.
    pub(crate) fn blocking(self) -> impl FnOnce() -> Result<Value, Error> + Send + 'static {
        let captured = Captured::new();
        move || {
            captured.call();
            self.result()
        }
    }

    /// Returns a closure that returns a value.
    pub(crate) fn blocking_value() -> impl FnOnce() -> Value + Send + 'static {
        let init = VALUE.blocking();
        || init().expect("this initializer does not fail")
    }

    fn result(self) -> Result<Value, Error> {
        if self.fails {
            Err(Error::new())
        } else {
            Ok(Value::new())
        }
    }
}

/// What the closure of an initializer has captured.
struct Captured {
    _token: Token,
}

impl Captured {
    fn new() -> Self {
        Self {
            _token: Token::new(Thing::Closure),
        }
    }

    fn call(self) {
        require_claim();
        point(Kind::Call);
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        // A spawned task starts with the claim, and releases it last. Other tasks have the closure while they wait.
        if run::spawner(run::current()).is_some() {
            require_claim();
        }
    }
}

/// The future of an initializer.
pub(crate) struct Fallible {
    init: Init,
    of: Polled,
    has_yielded: bool,
    /// After a panic, the claim is released first, and the future is dropped when its owner is.
    has_panicked: bool,
    _token: Token,
}

impl Fallible {
    fn new(init: Init, of: Polled) -> Self {
        Self {
            init,
            of,
            has_yielded: false,
            has_panicked: false,
            _token: Token::with(Thing::Future, of == Polled::OfLazy),
        }
    }

    fn is_ready(&mut self, waker: &Waker) -> bool {
        match self.init.ready {
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

impl Future for Fallible {
    type Output = Result<Value, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        require_claim();
        self.has_panicked = true;
        let polled = run::in_poll(self.of, || {
            point(Kind::Poll);
            if self.is_ready(cx.waker()) {
                Poll::Ready(self.init.result())
            } else {
                Poll::Pending
            }
        });
        self.has_panicked = false;
        polled
    }
}

impl Drop for Fallible {
    fn drop(&mut self) {
        if !self.has_panicked {
            require_claim();
        }
    }
}

/// The future of an initializer that does not fail.
pub(crate) struct Infallible(Fallible);

impl Infallible {
    /// The future of a `Lazy`.
    pub(crate) fn of_lazy(ready: Ready) -> Self {
        Self(Fallible::new(VALUE.ready(ready), Polled::OfLazy))
    }
}

impl Future for Infallible {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Value> {
        let polled = Pin::new(&mut self.0).poll(cx);
        polled.map(|result| result.expect("this initializer does not fail"))
    }
}

/// What initializers wait for. Like a timer, it keeps the newest waker.
pub(crate) mod gate {
    use std::task::Waker;

    use crate::run::{in_destructor, with, without_points};

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
        let waker = with(|run| {
            run.gate_is_open = true;
            run.gate_waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Opens the gate even if there is a panic before.
    pub(crate) fn open_in_destructor() {
        in_destructor(open);
    }
}

/// Returns the number of new wakers of a task. Its older wakers have no effect any more.
pub(crate) fn new_wakers(task: TaskId) -> usize {
    with(|run| {
        for wakers in &mut run.wakers {
            wakers.is_old |= wakers.task == task;
        }
        run.wakers.push(Wakers {
            task,
            live: 0,
            is_old: false,
        });
        run.wakers.len() - 1
    })
}

/// Returns a waker, which is not counted itself, but whose clones are.
pub(crate) fn waker(number: usize) -> ManuallyDrop<Waker> {
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
    |data| {
        waker_point(Kind::Wake, data, -1);
        wake(data);
    },
    |data| {
        waker_point(Kind::WakeByRef, data, 0);
        wake(data);
    },
    |data| waker_point(Kind::DropWaker, data, -1),
);

fn waker_point(kind: Kind, data: *const (), change: i32) {
    let task = with(|run| {
        let wakers = &mut run.wakers[data.addr()];
        wakers.live += change;
        if wakers.live < 0 {
            run.wrong
                .push(Wrong::Broken("a waker was used up twice".to_owned()));
        }
        run.wakers[data.addr()].task
    });
    point_of(kind, Some(task), false);
}

fn wake(data: *const ()) {
    let task = with(|run| {
        let wakers = &run.wakers[data.addr()];
        (!wakers.is_old).then_some(wakers.task)
    });
    if let Some(task) = task {
        run::wake(task);
    }
}
