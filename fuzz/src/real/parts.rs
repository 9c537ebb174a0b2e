//! Numbered values, closures and initializers: each operation on them is recorded, and may run user code.

use std::{
    marker::PhantomData,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use super::{KEPT, current, run};
use crate::{
    program::{End, Use},
    stage::{Event, Id, Stage},
};

pub(super) struct Value(Id);

impl Value {
    pub(super) fn new(stage: &Stage<'_>) -> Self {
        Self(stage.new_value())
    }

    pub(super) fn id(&self) -> Id {
        self.0
    }

    /// Takes a value that was given back.
    pub(super) fn into_id(self) -> Id {
        let id = self.0;
        mem::forget(self);
        id
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        run(Event::ValueDropped(self.0));
    }
}

/// An initializer, or the future of a lazy.
pub(super) struct Initializer<O> {
    id: Id,
    _output: PhantomData<fn() -> O>,
}

/// The future of a lazy.
pub(super) type Computation = Initializer<Value>;

/// What an initializer can end with.
pub(super) trait Output {
    fn of(ending: Result<Value, Value>) -> Self;
}

impl Output for Value {
    fn of(ending: Result<Value, Value>) -> Self {
        ending.unwrap_or_else(|error| error)
    }
}

impl Output for Result<Value, Value> {
    fn of(ending: Self) -> Self {
        ending
    }
}

impl<O> Initializer<O> {
    pub(super) fn new(id: Id) -> Self {
        Self {
            id,
            _output: PhantomData,
        }
    }
}

impl<O: Output> Future for Initializer<O> {
    type Output = O;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        let step = current(|stage| stage.step());
        run(Event::Polled(self.id));
        match step.waker {
            Use::Nothing => {}
            Use::Keep => {
                let waker = cx.waker().clone();
                drop(KEPT.replace(Some(waker)));
            }
            Use::Wake => cx.waker().wake_by_ref(),
        }
        let output = || Value(current(|stage| stage.new_value()));
        match step.end {
            End::Pending => Poll::Pending,
            End::Value => Poll::Ready(O::of(Ok(output()))),
            End::Error => Poll::Ready(O::of(Err(output()))),
        }
    }
}

impl<O> Drop for Initializer<O> {
    fn drop(&mut self) {
        run(Event::InitializerDropped(self.id));
    }
}

/// What is dropped with a closure that was not called.
struct Uncalled(Id);

impl Drop for Uncalled {
    fn drop(&mut self) {
        run(Event::ClosureDropped(self.0));
    }
}

pub(super) fn closure<O>(id: Id) -> impl FnOnce() -> Initializer<O> {
    let uncalled = Uncalled(id);
    move || {
        mem::forget(uncalled);
        run(Event::Called(id));
        Initializer::new(id)
    }
}
