//! Instrumented user types: values, errors, initializers and wakers, each of whose functions can be made to panic.

use std::{
    fmt,
    mem::ManuallyDrop,
    pin::Pin,
    ptr,
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
};

use crate::world::{self, Kind, Thing, Token, Who, wakers};

#[derive(Debug)]
pub(crate) struct Error {
    maker: Who,
    _token: Token,
}

impl Error {
    fn new() -> Self {
        Self {
            maker: world::who(),
            _token: Token::new(Thing::Error),
        }
    }

    /// Returns whether the error is that of the initializer of `who`.
    pub(crate) fn is_of(&self, who: Who) -> bool {
        world::acts_for(self.maker, who)
    }
}

pub(crate) struct Value(Token);

impl Value {
    pub(crate) fn new() -> Self {
        Self(Token::new(Thing::Value))
    }

    pub(crate) fn id(&self) -> usize {
        self.0.id()
    }

    /// It was found in the cell.
    pub(crate) fn see(&self) {
        world::see(&self.0);
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        world::call(Kind::Clone);
        Self::new()
    }
}

impl PartialEq for Value {
    /// All are.
    fn eq(&self, _other: &Self) -> bool {
        world::call(Kind::Eq);
        true
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        world::call(Kind::Debug);
        write!(f, "Value")
    }
}

/// What an initializer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) waits: Waits,
    pub(crate) fails: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    No,
    /// Wakes its task, and is ready at the next poll.
    Yields,
    /// Until the gate is open.
    AtTheGate,
}

impl Script {
    pub(crate) const VALUE: Self = Self {
        waits: Waits::No,
        fails: false,
    };
    pub(crate) const ERROR: Self = Self {
        waits: Waits::No,
        fails: true,
    };

    pub(crate) const fn waiting(self, waits: Waits) -> Self {
        Self { waits, ..self }
    }

    /// A closure that makes the initializer of a cell.
    pub(crate) fn fallible(self) -> impl FnOnce() -> Fallible + Send + 'static {
        let captured = Captured::new();
        move || {
            world::initializer_runs();
            world::call(Kind::Call);
            drop(captured);
            Fallible::new(self, false)
        }
    }

    pub(crate) fn infallible(self) -> impl FnOnce() -> Infallible + Send + 'static {
        let fallible = self.fallible();
        || Infallible(fallible())
    }

    /// Returns an initializer that is a plain closure.
    pub(crate) fn at_once(self) -> impl FnOnce() -> Result<Value, Error> + Send + 'static {
        let captured = Captured::new();
        move || {
            world::initializer_runs();
            world::call(Kind::Call);
            drop(captured);
            self.end()
        }
    }

    fn end(self) -> Result<Value, Error> {
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
}

impl Drop for Captured {
    fn drop(&mut self) {
        // A task is started with the claim, and gives it up last. Others have the closure while they wait.
        if world::is_task() {
            world::initializer_runs();
        }
    }
}

/// The future of an initializer.
pub(crate) struct Fallible {
    script: Script,
    has_yielded: bool,
    is_computation: bool,
    /// Whether a poll has panicked: the claim is given up then, and the future dropped when its owner is.
    has_panicked: bool,
    _token: Token,
}

impl Fallible {
    fn new(script: Script, is_computation: bool) -> Self {
        Self {
            script,
            has_yielded: false,
            is_computation,
            has_panicked: false,
            _token: if is_computation {
                Token::of_computation()
            } else {
                Token::new(Thing::Future)
            },
        }
    }

    fn is_done_waiting(&mut self, waker: &Waker) -> bool {
        match self.script.waits {
            Waits::Yields if !self.has_yielded => {
                self.has_yielded = true;
                waker.wake_by_ref();
                false
            }
            Waits::No | Waits::Yields => true,
            Waits::AtTheGate => world::gate::is_open_or_wakes(waker),
        }
    }
}

impl Future for Fallible {
    type Output = Result<Value, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        world::initializer_runs();
        self.has_panicked = true;
        let polled = world::inside_poll(self.is_computation, || {
            world::call(Kind::Poll);
            if !self.is_done_waiting(cx.waker()) {
                return Poll::Pending;
            }
            Poll::Ready(self.script.end())
        });
        self.has_panicked = false;
        polled
    }
}

impl Drop for Fallible {
    fn drop(&mut self) {
        if !self.has_panicked {
            world::initializer_runs();
        }
    }
}

/// One that makes a value.
pub(crate) struct Infallible(Fallible);

impl Infallible {
    /// The future of a `Lazy`.
    pub(crate) fn computation(waits: Waits) -> Self {
        Self(Fallible::new(Script::VALUE.waiting(waits), true))
    }
}

impl Future for Infallible {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Value> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|result| result.expect("the outcome is that of the script"))
    }
}

/// A `static`, as a constant may have several addresses, and wakers are compared by address.
static WAKERS: RawWakerVTable = RawWakerVTable::new(
    |data| {
        wakers::clone(data.addr());
        RawWaker::new(data, &WAKERS)
    },
    |data| wakers::wake(data.addr()),
    |data| wakers::wake_by_ref(data.addr()),
    |data| wakers::drop(data.addr()),
);

/// The waker of this number, which is not counted itself, but whose clones are.
pub(crate) fn waker(number: usize) -> ManuallyDrop<Waker> {
    // SAFETY: the functions of the table take any number.
    ManuallyDrop::new(unsafe { Waker::new(ptr::without_provenance(number), &WAKERS) })
}
