//! The subjects of programs: the crate's cells and lazies, behind one interface.

use std::{
    cell::Cell,
    fmt::Debug,
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use oncelot::{
    __private::FutureStorage,
    Backend, BoxLazy, InitGuard, Intrusive, Lazy, OnceCell, SetError, SharedInitError, State, StaticLazy,
    backend::{AtomicWaker, EventListener, Local},
};

use crate::{
    model::{Actor, Found, Id, Stage, THE_WAKER},
    parts::poll_with,
    program::{Exclusive, Kind, Script},
    run::Run,
    user::{LazyFuture, Value, call_closure, closure, value_closure, with_task},
};

/// A type of subjects.
#[derive(Clone, Copy)]
pub(crate) struct Type {
    pub(crate) family: Family,
    pub(crate) backend: &'static str,
    /// Creates an empty subject, or one that has a value.
    pub(crate) new: New,
}

type New = fn(Option<Value>) -> Box<dyn Subject>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    OnceCell,
    Lazy,
    BoxLazy,
    StaticLazy,
}

impl Type {
    const fn new(family: Family, backend: &'static str, new: New) -> Self {
        Self { family, backend, new }
    }

    /// Returns whether the future of the lazy has a waker of its own.
    pub(crate) fn is_self_waking(self) -> bool {
        matches!(self.family, Family::BoxLazy | Family::StaticLazy)
    }

    /// Returns whether the backend is `AtomicWaker`, which has a slot for one waiter: waiters wake each other, in any order.
    pub(crate) fn has_one_slot(self) -> bool {
        self.backend == "AtomicWaker"
    }

    /// Returns whether the backend is `EventListener`, which uses wakers under a lock. It promises nothing for wakers that use the
    /// cell or panic, and its queue would never be freed if a future was leaked.
    pub(crate) fn uses_lock(self) -> bool {
        self.backend == "EventListener"
    }

    /// Returns whether panics of wakers are discarded while the thread unwinds.
    pub(crate) fn discards_panics(self) -> bool {
        matches!(self.backend, "Intrusive" | "Local")
    }
}

pub(crate) const CELLS: [Type; 4] = [
    Type::new(Family::OnceCell, "Intrusive", cell::<Intrusive>),
    Type::new(Family::OnceCell, "Local", cell::<Local>),
    Type::new(Family::OnceCell, "AtomicWaker", cell::<AtomicWaker>),
    Type::new(Family::OnceCell, "EventListener", cell::<EventListener>),
];

pub(crate) const LAZIES: [Type; 8] = [
    Type::new(Family::Lazy, "Intrusive", lazy::<Intrusive>),
    Type::new(Family::Lazy, "Local", lazy::<Local>),
    Type::new(Family::Lazy, "AtomicWaker", lazy::<AtomicWaker>),
    Type::new(Family::Lazy, "EventListener", lazy::<EventListener>),
    Type::new(Family::BoxLazy, "Intrusive", box_lazy::<Intrusive>),
    Type::new(Family::BoxLazy, "AtomicWaker", box_lazy::<AtomicWaker>),
    Type::new(Family::BoxLazy, "EventListener", box_lazy::<EventListener>),
    Type::new(Family::StaticLazy, "Intrusive", static_lazy),
];

/// The result of a future or a method.
pub(crate) enum Outcome {
    /// A reference to the value.
    Value(Id),
    /// The error of the initializer.
    Error(Value),
    /// The attempt ended without a value.
    Nothing,
    /// A reference to the value, and the value that was not inserted.
    Rejected(Id, Value),
    /// The method did not get the claim: an attempt is in progress, or there is a value.
    Refused(State),
    /// The future that owns the guard, and the value that it would set.
    Claimed(Id, SubjectFuture),
}

pub(crate) type SubjectFuture = Pin<Box<dyn Future<Output = Outcome>>>;

/// A cell or a lazy.
pub(crate) trait Subject {
    fn observe(&self) -> Found;

    /// Returns a future of a cell, or the one kind of future that a lazy has.
    fn future(&'static self, kind: Kind, actor: Actor, script: Script) -> SubjectFuture;

    /// Runs an operation that does not replace the subject, and returns its value.
    fn exclusive(&mut self, _operation: Exclusive) -> Option<Id> {
        unreachable!("a static has no such operations")
    }
}

fn cell<B: Backend + 'static>(value: Option<Value>) -> Box<dyn Subject> {
    let empty = OnceCell::<Value, B>::with_backend;
    Box::new(value.map_or_else(empty, OnceCell::with_backend_and_value))
}

fn found(value: &Value) -> Outcome {
    Outcome::Value(value.id())
}

fn claimed<B: Backend>(guard: InitGuard<'static, Value, B>) -> Outcome {
    let value = Value::new();
    Outcome::Claimed(value.id(), method(move || found(guard.set(value))))
}

fn refused(error: SetError<Value>) -> Outcome {
    Outcome::Refused(match error {
        SetError::InitializingError(_) => State::Initializing,
        SetError::AlreadyInitializedError(_) => State::Ready,
    })
}

/// Returns a future that calls a method in its first poll.
fn method(call: impl FnOnce() -> Outcome + 'static) -> SubjectFuture {
    let mut call = Some(call);
    Box::pin(poll_fn(move |_| {
        let call = call.take().expect("polled after completion");
        Poll::Ready(call())
    }))
}

impl<B: Backend + 'static> Subject for OnceCell<Value, B> {
    fn observe(&self) -> Found {
        match (self.state(), self.get()) {
            (State::Uninit, None) => Found::Uninit,
            (State::Initializing, None) => Found::Initializing(()),
            (_, value) => Found::Ready(value.expect("it is ready").id()),
        }
    }

    fn future(&'static self, kind: Kind, actor: Actor, script: Script) -> SubjectFuture {
        let fallible = closure::<Result<Value, Value>>;
        match kind {
            Kind::GetOrInit => boxed(self.get_or_init(closure::<Value>(actor, script)), found),
            Kind::GetOrTryInit => {
                let future = self.get_or_try_init(fallible(actor, script));
                boxed(future, |result| result.map_or_else(Outcome::Error, found))
            }
            Kind::GetOrTryInitShared => {
                let future = self.get_or_try_init_shared(fallible(actor, script));
                boxed(future, |result| match result {
                    Ok(value) => found(value),
                    Err(SharedInitError::Failed(error)) => Outcome::Error(error),
                    Err(SharedInitError::OtherFailed) => Outcome::Nothing,
                })
            }
            Kind::GetOrClaim => boxed(self.get_or_claim(), |result| result.map_or_else(claimed, found)),
            Kind::Insert => {
                let rejected = |(present, own): (&Value, _)| Outcome::Rejected(present.id(), own);
                let future = self.insert(Value::of(actor));
                boxed(future, move |result| result.map_or_else(rejected, found))
            }
            Kind::Wait => boxed(self.wait(), found),
            Kind::Set => {
                let value = Value::of(actor);
                let get = || self.get().map_or(Outcome::Nothing, found);
                method(move || self.set(value).map_or_else(refused, |()| get()))
            }
            Kind::TryInsert => {
                let value = Value::of(actor);
                method(move || self.try_insert(value).map_or_else(refused, found))
            }
            Kind::TryGetOrInit => method({
                let closure = value_closure(actor, script);
                let refused = |_| Outcome::Refused(State::Initializing);
                move || self.try_get_or_init(closure).map_or_else(refused, found)
            }),
            Kind::TryClaim => method(|| self.try_claim().map_or_else(Outcome::Refused, claimed)),
            Kind::WaitAttempt => boxed(self.wait_attempt(), |value| value.map_or(Outcome::Nothing, found)),
        }
    }

    fn exclusive(&mut self, operation: Exclusive) -> Option<Id> {
        let taken = match operation {
            Exclusive::Take => self.take(),
            Exclusive::IntoInner => mem::replace(self, Self::with_backend()).into_inner(),
            Exclusive::Initialize(scripts) => {
                let closure = closure::<Result<Value, Value>>(THE_WAKER, scripts[0]);
                let mut future = Box::pin(self.get_mut_or_try_init(closure));
                let mut results = scripts.into_iter().map(|script| {
                    Run::current().script.set(script);
                    with_task(0, |_, waker| poll_with(&mut future, waker))
                });
                let result = results.find_map(|poll| match poll {
                    Poll::Ready(result) => Some(result),
                    Poll::Pending => None,
                });
                return result?.ok().map(|value| value.id());
            }
            _ => return self.get_mut().map(|value| value.id()),
        };
        taken.as_ref().map(Value::id)
    }
}

/// `$future` creates the future of a new lazy.
macro_rules! impl_for_lazy {
    ($new:ident, $lazy:ty, $future:expr, $($bounds:tt)*) => {
        fn $new<B: $($bounds)* + 'static>(value: Option<Value>) -> Box<dyn Subject> {
            let unfinished = || <$lazy>::with_backend($future);
            Box::new(value.map_or_else(unfinished, <$lazy>::with_backend_and_value))
        }

        impl<B: $($bounds)* + 'static> Subject for $lazy {
            fn observe(&self) -> Found {
                observe_lazy(self.try_get(), self)
            }

            fn future(&'static self, _kind: Kind, _actor: Actor, _script: Script) -> SubjectFuture {
                boxed(self.get_unpin(), found)
            }

            fn exclusive(&mut self, operation: Exclusive) -> Option<Id> {
                let taken = match operation {
                    Exclusive::Take => match mem::replace(self, Self::with_backend($future)).into_parts() {
                        Ok(value) => Some(value),
                        Err(future) => {
                            *self = Self::with_backend(future);
                            None
                        }
                    },
                    Exclusive::IntoInner => mem::replace(self, Self::with_backend($future)).into_inner(),
                    _ => return Pin::new(self).try_get_mut().map(|value| value.id()),
                };
                taken.as_ref().map(Value::id)
            }
        }
    };
}

impl_for_lazy!(lazy, Lazy<Value, LazyFuture, B>, lazy_future(), Backend);
impl_for_lazy!(
    box_lazy,
    BoxLazy<'static, Value, B>,
    Box::pin(lazy_future()),
    Backend + Send + Sync
);

fn lazy_future() -> LazyFuture {
    LazyFuture::new(Run::current().new_lazy_future(Stage::Running))
}

impl Subject for StaticLazy<Value> {
    fn observe(&self) -> Found {
        observe_lazy(self.try_get(), self)
    }

    fn future(&'static self, _kind: Kind, _actor: Actor, _script: Script) -> SubjectFuture {
        boxed(self.get(), found)
    }
}

type Storage = FutureStorage<{ size_of::<LazyFuture>() }, { align_of::<LazyFuture>() }>;

thread_local! {
    /// The future of the static that was created last.
    static STATIC_FUTURE: Cell<Id> = const { Cell::new(0) };
    static STORAGE: &'static Storage = Box::leak(Box::new(Storage::new()));
}

fn static_lazy(_value: Option<Value>) -> Box<dyn Subject> {
    STATIC_FUTURE.set(Run::current().new_lazy_future(Stage::Uncalled));
    let start = || call_closure(STATIC_FUTURE.get());
    // SAFETY: only the static that was created last uses the storage.
    Box::new(unsafe { StaticLazy::__new(STORAGE.with(|storage| *storage), start) })
}

/// Reads the state of a lazy, which only its `Debug` shows.
fn observe_lazy(value: Option<&Value>, lazy: &impl Debug) -> Found {
    match value {
        Some(value) => Found::Ready(value.id()),
        None if format!("{lazy:?}").contains("<uninit>") => Found::Uninit,
        None => Found::Initializing(()),
    }
}

/// Boxes a future once, so that a leaked one can be freed without being dropped.
fn boxed<F: Future + 'static>(future: F, convert: impl Fn(F::Output) -> Outcome + 'static) -> SubjectFuture {
    struct Converted<F, C>(F, C);

    impl<F: Future, C: Fn(F::Output) -> Outcome> Future for Converted<F, C> {
        type Output = Outcome;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
            // SAFETY: the future is pinned with `self`, and nothing moves it. The function is not pinned.
            let Self(future, convert) = unsafe { self.get_unchecked_mut() };
            // SAFETY: as above.
            unsafe { Pin::new_unchecked(future) }.poll(cx).map(convert)
        }
    }

    Box::pin(Converted(future, convert))
}
