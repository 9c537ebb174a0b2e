//! The subjects of programs: cells and lazies of the crate and of the model, which have the same interface.

use std::{
    cell::Cell,
    mem,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use oncelot::{
    __private::FutureStorage,
    Backend as RealBackend, Intrusive, SetError,
    backend::{AtomicWaker, EventListener, Local},
};

use crate::{
    model::{self, waiters},
    program::{Backend, Exclusive, Kind, Program, Subject as Name},
    run::{Event, Outcome, Run, call},
    user::{Id, Initializer, LazyFuture, Value, closure, waker},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Model,
    Crate,
}

pub(crate) type OutcomeFuture = Pin<Box<dyn Future<Output = Outcome>>>;

pub(crate) trait Subject {
    fn future(&'static self, kind: Kind, id: Id) -> OutcomeFuture;

    /// Calls `try_insert` or `set` of a cell.
    fn put(&self, _insert: bool) -> Outcome {
        unreachable!("only a cell has `set`")
    }

    /// Runs an operation other than the replacements.
    fn exclusive(&mut self, _op: Exclusive) -> Outcome {
        unreachable!("a static has no such operations")
    }

    fn get(&self) -> Option<Id>;
}

/// Creates an empty subject, or one that has a value.
pub(crate) fn new(program: &Program, which: Which, is_ready: bool) -> Box<dyn Subject> {
    match program.backend {
        Backend::Intrusive => new_on::<Intrusive, waiters::List<16>>(program.subject, which, is_ready),
        Backend::Local => new_on::<Local, waiters::List<1>>(program.subject, which, is_ready),
        Backend::AtomicWaker => new_on::<AtomicWaker, waiters::Slot>(program.subject, which, is_ready),
        Backend::EventListener => new_on::<EventListener, waiters::Queues>(program.subject, which, is_ready),
    }
}

fn new_on<B: RealBackend + 'static, W: waiters::Waiters>(
    subject: Name,
    which: Which,
    is_ready: bool,
) -> Box<dyn Subject> {
    type RealCell<B> = oncelot::OnceCell<Value, B>;
    type RealLazy<B> = oncelot::Lazy<Value, LazyFuture, B>;
    type ModelCell<W> = model::OnceCell<W>;
    type ModelLazy<W> = model::Lazy<W>;
    match (subject, which, is_ready) {
        (Name::Cell, Which::Crate, false) => Box::new(RealCell::<B>::with_backend()),
        (Name::Cell, Which::Crate, true) => Box::new(RealCell::<B>::with_backend_and_value(Value::new())),
        (Name::Cell, Which::Model, false) => Box::new(ModelCell::<W>::with_backend()),
        (Name::Cell, Which::Model, true) => Box::new(ModelCell::<W>::with_backend_and_value(Value::new())),
        (Name::Lazy, Which::Crate, false) => Box::new(RealLazy::<B>::with_backend(lazy_future())),
        (Name::Lazy, Which::Crate, true) => Box::new(RealLazy::<B>::with_backend_and_value(Value::new())),
        (Name::Lazy, Which::Model, false) => Box::new(ModelLazy::<W>::with_backend(lazy_future())),
        (Name::Lazy, Which::Model, true) => Box::new(ModelLazy::<W>::with_backend_and_value(Value::new())),
        (Name::StaticLazy, Which::Crate, _) => Box::new(RealStatic::new()),
        (Name::StaticLazy, Which::Model, _) => {
            STATIC_FUTURE.set(Run::current().new_lazy_future());
            Box::new(model::StaticLazy::new(start_static))
        }
    }
}

fn lazy_future() -> LazyFuture {
    LazyFuture::new(Run::current().new_lazy_future())
}

macro_rules! impl_for_cell {
    ($cell:ty, $($parameter:tt)*) => {
        impl<$($parameter)*> Subject for $cell {
            fn future(&'static self, kind: Kind, id: Id) -> OutcomeFuture {
                match kind {
                    Kind::GetOrInit => boxed(self.get_or_init(closure::<Value>(id))),
                    Kind::GetOrTryInit => boxed(self.get_or_try_init(closure::<Result<Value, Value>>(id))),
                    Kind::Insert => boxed(self.insert(Value::new())),
                    Kind::Wait => boxed(self.wait()),
                }
            }

            fn put(&self, insert: bool) -> Outcome {
                let value = Value::new();
                if insert {
                    self.try_insert(value).into_outcome()
                } else {
                    self.set(value).into_outcome()
                }
            }

            fn exclusive(&mut self, op: Exclusive) -> Outcome {
                match op {
                    Exclusive::Take => self.take().into_outcome(),
                    Exclusive::IntoInner => mem::replace(self, Self::with_backend()).into_inner().into_outcome(),
                    Exclusive::Initialize { plan, steps } => {
                        let run = Run::current();
                        let id = run.new_initializer(plan);
                        let mut future = pin!(self.get_mut_or_try_init(closure::<Result<Value, Value>>(id)));
                        for step in steps {
                            run.step.set(step);
                            run.end(|| match future.as_mut().poll(&mut Context::from_waker(&waker(0))) {
                                Poll::Ready(result) => result.into_outcome(),
                                Poll::Pending => Outcome::Pending,
                            });
                        }
                        Outcome::Done
                    }
                    _ => self.get_mut().into_outcome(),
                }
            }

            fn get(&self) -> Option<Id> {
                self.get().map(Value::id)
            }
        }
    };
}

impl_for_cell!(oncelot::OnceCell<Value, B>, B: RealBackend + 'static);
impl_for_cell!(model::OnceCell<W>, W: waiters::Waiters);

macro_rules! impl_for_lazy {
    ($lazy:ty, $($parameter:tt)*) => {
        impl<$($parameter)*> Subject for $lazy {
            fn future(&'static self, _kind: Kind, _id: Id) -> OutcomeFuture {
                boxed(self.get_unpin())
            }

            fn exclusive(&mut self, op: Exclusive) -> Outcome {
                match op {
                    Exclusive::Take => {
                        let lazy = mem::replace(self, Self::with_backend(lazy_future()));
                        match lazy.into_parts() {
                            Ok(value) => Some(value).into_outcome(),
                            Err(future) => {
                                *self = Self::with_backend(future);
                                Outcome::Unfinished
                            }
                        }
                    }
                    Exclusive::IntoInner => {
                        let lazy = mem::replace(self, Self::with_backend(lazy_future()));
                        lazy.into_inner().into_outcome()
                    }
                    _ => Pin::new(self).try_get_mut().into_outcome(),
                }
            }

            fn get(&self) -> Option<Id> {
                self.try_get().map(Value::id)
            }
        }
    };
}

impl_for_lazy!(oncelot::Lazy<Value, LazyFuture, B>, B: RealBackend + 'static);
impl_for_lazy!(model::Lazy<W>, W: waiters::Waiters);

/// A `StaticLazy` outside a `static`, so that it can be dropped.
struct RealStatic {
    lazy: oncelot::StaticLazy<Value>,
    _storage: Storage,
}

type InnerStorage = FutureStorage<{ size_of::<LazyFuture>() }, { align_of::<LazyFuture>() }>;

/// From a box.
struct Storage(&'static InnerStorage);

impl Drop for Storage {
    fn drop(&mut self) {
        // SAFETY: the reference comes from a box, and the lazy that used it was dropped.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self.0).cast_mut()) });
    }
}

impl RealStatic {
    fn new() -> Self {
        STATIC_FUTURE.set(Run::current().new_lazy_future());
        let storage = Storage(Box::leak(Box::new(InnerStorage::new())));
        Self {
            // SAFETY: the storage is for this static only, and outlives it.
            lazy: unsafe { oncelot::StaticLazy::__new(storage.0, start_static) },
            _storage: storage,
        }
    }
}

impl Subject for RealStatic {
    fn future(&'static self, _kind: Kind, _id: Id) -> OutcomeFuture {
        boxed(self.lazy.get())
    }

    fn get(&self) -> Option<Id> {
        self.lazy.try_get().map(Value::id)
    }
}

impl Subject for model::StaticLazy {
    fn future(&'static self, _kind: Kind, _id: Id) -> OutcomeFuture {
        boxed(self.get())
    }

    fn get(&self) -> Option<Id> {
        self.try_get().map(Value::id)
    }
}

thread_local! {
    /// The future of the static that was created last.
    static STATIC_FUTURE: Cell<Id> = const { Cell::new(0) };
}

fn start_static() -> LazyFuture {
    let id = STATIC_FUTURE.get();
    call(Event::Called(id));
    Initializer::new(id)
}

fn boxed<F>(future: F) -> OutcomeFuture
where
    F: Future<Output: IntoOutcome> + 'static,
{
    struct Converted<F>(F);

    impl<F: Future<Output: IntoOutcome>> Future for Converted<F> {
        type Output = Outcome;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
            // SAFETY: the field is pinned, and nothing moves it.
            unsafe { self.map_unchecked_mut(|converted| &mut converted.0) }
                .poll(cx)
                .map(IntoOutcome::into_outcome)
        }
    }

    Box::pin(Converted(future))
}

/// What methods of a subject return.
trait IntoOutcome {
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Done
    }
}

impl IntoOutcome for &Value {
    fn into_outcome(self) -> Outcome {
        Outcome::Value(self.id())
    }
}

impl IntoOutcome for &mut Value {
    fn into_outcome(self) -> Outcome {
        Outcome::Value(self.id())
    }
}

impl IntoOutcome for Option<Value> {
    fn into_outcome(self) -> Outcome {
        Outcome::Found(self.map(Value::into_id))
    }
}

impl IntoOutcome for Option<&mut Value> {
    fn into_outcome(self) -> Outcome {
        Outcome::Found(self.map(|value| value.id()))
    }
}

impl<R: IntoOutcome> IntoOutcome for Result<R, Value> {
    fn into_outcome(self) -> Outcome {
        self.map_or_else(|error| Outcome::Failed(error.into_id()), R::into_outcome)
    }
}

/// Of `insert`.
impl IntoOutcome for Result<&Value, (&Value, Value)> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => value.into_outcome(),
            Err((present, value)) => Outcome::Occupied(present.id(), value.into_id()),
        }
    }
}

impl<R: IntoOutcome> IntoOutcome for Result<R, SetError<Value>> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(result) => result.into_outcome(),
            Err(SetError::AlreadyInitializedError(value)) => Outcome::AlreadyInitialized(value.into_id()),
            Err(SetError::InitializingError(value)) => Outcome::Initializing(value.into_id()),
        }
    }
}
