//! The user code that subjects call: values, closures, initializers and wakers. Each call is an [`Event`].

use std::{
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    pin::Pin,
    ptr,
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
};

use crate::{
    program::{StepEnd, StepWaker},
    run::{Event, Run, call},
};

/// The number of an initializer or of a value. Both are counted from zero.
pub(crate) type Id = usize;

/// A value, or an error.
#[derive(Debug)]
pub(crate) struct Value(Id);

impl Value {
    pub(crate) fn new() -> Self {
        Self(Run::current().new_value())
    }

    pub(crate) fn id(&self) -> Id {
        self.0
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        call(Event::ValueDropped(self.0));
    }
}

/// An initializer whose output is a value, or a `Result`.
pub(crate) struct Initializer<O> {
    id: Id,
    output: PhantomData<fn() -> O>,
}

/// The future of a lazy.
pub(crate) type LazyFuture = Initializer<Value>;

pub(crate) trait Output {
    fn from_result(result: Result<Value, Value>) -> Self;
    fn into_result(self) -> Result<Value, Value>;
}

impl Output for Value {
    fn from_result(result: Result<Value, Value>) -> Self {
        result.unwrap_or_else(|error| error)
    }

    fn into_result(self) -> Result<Value, Value> {
        Ok(self)
    }
}

impl Output for Result<Value, Value> {
    fn from_result(result: Self) -> Self {
        result
    }

    fn into_result(self) -> Self {
        self
    }
}

impl<O> Initializer<O> {
    pub(crate) fn new(id: Id) -> Self {
        let output = PhantomData;
        Self { id, output }
    }
}

impl<O: Output> Future for Initializer<O> {
    type Output = O;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        let run = Run::current();
        let step = run.step.get();
        call(Event::Polled(self.id));
        match step.waker {
            StepWaker::Unused => {}
            StepWaker::Keep => {
                let waker = cx.waker().clone();
                drop(run.kept.replace(Some(waker)));
            }
            StepWaker::Wake => cx.waker().wake_by_ref(),
        }
        match step.end {
            StepEnd::Pending => Poll::Pending,
            StepEnd::Value => Poll::Ready(O::from_result(Ok(Value::new()))),
            StepEnd::Error => Poll::Ready(O::from_result(Err(Value::new()))),
        }
    }
}

impl<O> Drop for Initializer<O> {
    fn drop(&mut self) {
        call(Event::InitializerDropped(self.id));
    }
}

/// Returns the closure that creates the initializer `id`.
pub(crate) fn closure<O>(id: Id) -> impl FnOnce() -> Initializer<O> {
    struct Uncalled(Id);

    impl Drop for Uncalled {
        fn drop(&mut self) {
            call(Event::ClosureDropped(self.0));
        }
    }

    let uncalled = Uncalled(id);
    move || {
        mem::forget(uncalled);
        call(Event::Called(id));
        Initializer::new(id)
    }
}

/// Returns the waker of a task. Its own drop is not an event.
pub(crate) fn waker(task: usize) -> ManuallyDrop<Waker> {
    // SAFETY: the functions of the table follow no pointer, and may be called on any thread.
    ManuallyDrop::new(unsafe { Waker::from_raw(raw_waker(task)) })
}

/// Its data is the number of the task plus 1.
fn raw_waker(task: usize) -> RawWaker {
    // A `static`, because wakers are compared by the address of their table.
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            call(Event::WakerCloned(task_of(data)));
            raw_waker(task_of(data))
        },
        |data| call(Event::Woken(task_of(data))),
        |data| call(Event::WokenByRef(task_of(data))),
        |data| call(Event::WakerDropped(task_of(data))),
    );
    fn task_of(data: *const ()) -> usize {
        data.addr() - 1
    }
    RawWaker::new(ptr::without_provenance(task + 1), &TABLE)
}
