//! The user code that subjects call: values, closures, initializers and the wakers of tasks.
//!
//! Each call checks what the contract promises at that moment, and then acts as the program says: it runs further operations, or
//! panics.

use std::{
    marker::PhantomData,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    model::{Actor, Id, Stage},
    parts::{OnDrop, Task},
    program::{Script, ScriptEnd, ScriptWaker},
    run::Run,
};

/// A value, or an error.
#[derive(Debug)]
pub(crate) struct Value(Id);

impl Value {
    pub(crate) fn new() -> Self {
        Self(Run::current().model().new_value())
    }

    /// Creates the value that a future would publish.
    pub(crate) fn of(actor: Actor) -> Self {
        let value = Self::new();
        Run::current().model().owns_value(actor, value.0);
        value
    }

    pub(crate) fn id(&self) -> Id {
        self.0
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        Run::current().model().drops_value(self.0);
    }
}

/// An initializer whose output is a value, or a `Result`.
pub(crate) struct Initializer<O> {
    id: Id,
    output: PhantomData<fn() -> O>,
}

/// The future of a lazy.
pub(crate) type LazyFuture = Initializer<Value>;

pub(crate) trait Output: Sized {
    /// Returns the output, and whether it is an error.
    fn new(value: Value, is_error: bool) -> (Self, bool);
}

impl Output for Value {
    fn new(value: Self, _is_error: bool) -> (Self, bool) {
        (value, false)
    }
}

impl Output for Result<Value, Value> {
    fn new(value: Value, is_error: bool) -> (Self, bool) {
        (if is_error { Err(value) } else { Ok(value) }, is_error)
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
        let script = run.script.get();
        initialize(self.id, || {
            run.model().changes_stage(self.id, Stage::Running, Stage::Running);
            run.act(script.on_poll, false);
            match script.waker {
                ScriptWaker::Unused => {}
                ScriptWaker::Keep => run.keep(cx.waker()),
                ScriptWaker::Wake => {
                    run.model().wakes_initializer();
                    cx.waker().wake_by_ref();
                }
            }
        });
        let is_error = match script.end {
            ScriptEnd::Pending => return Poll::Pending,
            ScriptEnd::Value => false,
            ScriptEnd::Error => true,
        };
        let value = Value::new();
        let id = value.id();
        let (output, is_error) = O::new(value, is_error);
        run.model().returns(self.id, id, is_error);
        Poll::Ready(output)
    }
}

impl<O> Drop for Initializer<O> {
    fn drop(&mut self) {
        let run = Run::current();
        run.observe();
        let has_returned = run.model().drops_initializer(self.id);
        let act = || run.drops(self.id);
        if has_returned {
            // The claim is released, or the value published, afterwards.
            initialize(self.id, act);
        } else {
            act();
        }
    }
}

/// Returns the closure of a new initializer.
pub(crate) fn closure<O>(owner: Actor, script: Script) -> impl FnOnce() -> Initializer<O> {
    let id = Run::current()
        .model()
        .new_initializer(owner, Stage::Uncalled, script);
    let uncalled = OnDrop(move || {
        let run = Run::current();
        run.model().changes_stage(id, Stage::Uncalled, Stage::Dropped);
        run.drops(id);
    });
    move || {
        mem::forget(uncalled);
        call_closure(id)
    }
}

pub(crate) fn call_closure<O>(id: Id) -> Initializer<O> {
    let run = Run::current();
    let action = run.model().script(id).on_call;
    initialize(id, || run.act(action, false));
    run.model().changes_stage(id, Stage::Uncalled, Stage::Running);
    Initializer::new(id)
}

/// Returns the closure of `try_get_or_init`, which drops its initializer as soon as that has returned.
pub(crate) fn value_closure(owner: Actor, script: Script) -> impl FnOnce() -> Value {
    let closure = closure::<Value>(owner, script);
    move || {
        let initializer = closure();
        let value = Value::new();
        Run::current().model().returns(initializer.id, value.id(), false);
        drop(initializer);
        value
    }
}

/// Runs a part of an initializer, which has the claim before and afterwards.
fn initialize(id: Id, part: impl FnOnce()) {
    let run = Run::current();
    run.observe();
    run.model().initializes(true);
    let panicked = OnDrop(|| Run::current().model().panics(id));
    part();
    mem::forget(panicked);
    run.observe();
    run.model().initializes(false);
}

/// The number of tasks.
pub(crate) const TASKS: usize = 8;

thread_local! {
    /// Each task with a waker. They are never dropped: a program may have leaked another waker.
    static TASKS_OF_THREAD: &'static [(Arc<Task>, Waker)] = (0..TASKS)
        .map(|number| {
            let task = Task::on_each(move |op| Run::current().uses_waker(number, op));
            let waker = task.waker();
            (task, waker)
        })
        .collect::<Vec<_>>()
        .leak();
}

/// Calls `work` with a task and its waker.
pub(crate) fn with_task<R>(number: usize, work: impl FnOnce(&Task, &Waker) -> R) -> R {
    TASKS_OF_THREAD.with(|tasks| work(&tasks[number].0, &tasks[number].1))
}
