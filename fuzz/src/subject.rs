//! The subjects of programs: cells and lazies of the crate, and those of the model, which have the same interface.

use std::{
    cell::Cell,
    fmt::Debug,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use oncelot::{
    __private::FutureStorage,
    Backend as RealBackend, Intrusive,
    backend::{AtomicWaker, EventListener, Local},
};

use crate::{
    model::{self, waiters},
    program::{Backend, Exclusive, Kind, Program, SubjectKind},
    run::{Event, Run, call},
    user::{Id, Initializer, LazyFuture, Value, closure, waker},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Implementation {
    Model,
    Crate,
}

/// A future of the text of its output.
pub(crate) type TextFuture = Pin<Box<dyn Future<Output = String>>>;

pub(crate) trait Subject {
    fn future(&'static self, kind: Kind, id: Id) -> TextFuture;

    /// Calls `try_insert` or `set` of a cell.
    fn put(&self, _run: &Run, _insert: bool) {
        unreachable!("only a cell has `set`")
    }

    /// Runs an operation that does not replace the subject.
    fn exclusive(&mut self, _run: &Run, _op: Exclusive) {
        unreachable!("a static has no such operations")
    }

    fn get(&self) -> Option<Id>;
}

/// Creates an empty subject, or one that has a value.
pub(crate) fn new(program: &Program, implementation: Implementation, is_ready: bool) -> Box<dyn Subject> {
    match program.backend {
        Backend::Intrusive => {
            new_on::<Intrusive, waiters::List<16>>(program.subject, implementation, is_ready)
        }
        Backend::Local => new_on::<Local, waiters::List<1>>(program.subject, implementation, is_ready),
        Backend::AtomicWaker => {
            new_on::<AtomicWaker, waiters::Slot>(program.subject, implementation, is_ready)
        }
        Backend::EventListener => {
            new_on::<EventListener, waiters::Queues>(program.subject, implementation, is_ready)
        }
    }
}

fn new_on<B: RealBackend + 'static, W: waiters::Waiters>(
    subject: SubjectKind,
    implementation: Implementation,
    is_ready: bool,
) -> Box<dyn Subject> {
    type RealCell<B> = oncelot::OnceCell<Value, B>;
    type RealLazy<B> = oncelot::Lazy<Value, LazyFuture, B>;
    type ModelCell<W> = model::OnceCell<W>;
    type ModelLazy<W> = model::Lazy<W>;
    match (subject, implementation, is_ready) {
        (SubjectKind::Cell, Implementation::Crate, false) => Box::new(RealCell::<B>::with_backend()),
        (SubjectKind::Cell, Implementation::Crate, true) => {
            Box::new(RealCell::<B>::with_backend_and_value(Value::new()))
        }
        (SubjectKind::Cell, Implementation::Model, false) => Box::new(ModelCell::<W>::with_backend()),
        (SubjectKind::Cell, Implementation::Model, true) => {
            Box::new(ModelCell::<W>::with_backend_and_value(Value::new()))
        }
        (SubjectKind::Lazy, Implementation::Crate, false) => {
            Box::new(RealLazy::<B>::with_backend(lazy_future()))
        }
        (SubjectKind::Lazy, Implementation::Crate, true) => {
            Box::new(RealLazy::<B>::with_backend_and_value(Value::new()))
        }
        (SubjectKind::Lazy, Implementation::Model, false) => {
            Box::new(ModelLazy::<W>::with_backend(lazy_future()))
        }
        (SubjectKind::Lazy, Implementation::Model, true) => {
            Box::new(ModelLazy::<W>::with_backend_and_value(Value::new()))
        }
        (SubjectKind::StaticLazy, _, _) => {
            STATIC_FUTURE.set(Run::current().new_lazy_future());
            match implementation {
                // SAFETY: only the static that was created last uses the storage.
                Implementation::Crate => Box::new(unsafe {
                    oncelot::StaticLazy::__new(STORAGE.with(|storage| *storage), start_static)
                }),
                Implementation::Model => Box::new(model::StaticLazy::new(start_static)),
            }
        }
    }
}

fn lazy_future() -> LazyFuture {
    LazyFuture::new(Run::current().new_lazy_future())
}

macro_rules! impl_for_cell {
    ($cell:ty, $($parameter:tt)*) => {
        impl<$($parameter)*> Subject for $cell {
            fn future(&'static self, kind: Kind, id: Id) -> TextFuture {
                match kind {
                    Kind::GetOrInit => boxed(self.get_or_init(closure::<Value>(id))),
                    Kind::GetOrTryInit => boxed(self.get_or_try_init(closure::<Result<Value, Value>>(id))),
                    Kind::Insert => boxed(self.insert(Value::new())),
                    Kind::Wait => boxed(self.wait()),
                }
            }

            fn put(&self, run: &Run, insert: bool) {
                let value = Value::new();
                if insert {
                    run.end(|| self.try_insert(value));
                } else {
                    run.end(|| self.set(value));
                }
            }

            fn exclusive(&mut self, run: &Run, op: Exclusive) {
                match op {
                    Exclusive::Take => run.end(|| self.take()),
                    Exclusive::IntoInner => run.end(|| mem::replace(self, Self::with_backend()).into_inner()),
                    Exclusive::Initialize { plan, steps } => {
                        let id = run.new_initializer(plan);
                        let mut future = Box::pin(self.get_mut_or_try_init(closure::<Result<Value, Value>>(id)));
                        for step in steps {
                            run.step.set(step);
                            run.end(|| future.as_mut().poll(&mut Context::from_waker(&waker(0))));
                        }
                        run.end(|| drop(future));
                    }
                    _ => run.end(|| format!("{:?}", self.get_mut())),
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
            fn future(&'static self, _kind: Kind, _id: Id) -> TextFuture {
                boxed(self.get_unpin())
            }

            fn exclusive(&mut self, run: &Run, op: Exclusive) {
                let mut replace = || mem::replace(self, Self::with_backend(lazy_future()));
                match op {
                    Exclusive::Take => {
                        let lazy = replace();
                        run.end(|| lazy.into_parts().map_err(|future| *self = Self::with_backend(future)));
                    }
                    Exclusive::IntoInner => run.end(|| replace().into_inner()),
                    _ => run.end(|| format!("{:?}", Pin::new(self).try_get_mut())),
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

macro_rules! impl_for_static {
    ($lazy:ty) => {
        impl Subject for $lazy {
            fn future(&'static self, _kind: Kind, _id: Id) -> TextFuture {
                boxed(self.get())
            }

            fn get(&self) -> Option<Id> {
                self.try_get().map(Value::id)
            }
        }
    };
}

impl_for_static!(oncelot::StaticLazy<Value>);
impl_for_static!(model::StaticLazy);

type Storage = FutureStorage<{ size_of::<LazyFuture>() }, { align_of::<LazyFuture>() }>;

thread_local! {
    /// The future of the static that was created last.
    static STATIC_FUTURE: Cell<Id> = const { Cell::new(0) };
    static STORAGE: &'static Storage = Box::leak(Box::new(Storage::new()));
}

fn start_static() -> LazyFuture {
    let id = STATIC_FUTURE.get();
    call(Event::Called(id));
    Initializer::new(id)
}

fn boxed<F>(future: F) -> TextFuture
where
    F: Future<Output: Debug> + 'static,
{
    struct Formatted<F>(F);

    impl<F: Future<Output: Debug>> Future for Formatted<F> {
        type Output = String;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<String> {
            // SAFETY: the field is pinned, and nothing moves it.
            let future = unsafe { self.map_unchecked_mut(|formatted| &mut formatted.0) };
            future.poll(cx).map(|output| format!("{output:?}"))
        }
    }

    Box::pin(Formatted(future))
}
