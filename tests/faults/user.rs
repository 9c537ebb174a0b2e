//! The user's code: values, errors, initializers and a runtime. Each of their functions is a point.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use oncelot::runtime::Runtime;

use crate::run::{Kind, Sort, add_spawned, in_poll, point, require, require_claim, with};

/// A value, or another thing of the user's. Counts its drops, and owns memory, so that a second drop is also a double free.
pub(crate) struct Thing {
    sort: Sort,
    id: Box<usize>,
    /// Whether the cell must be claimed when it is dropped.
    needs_claim: bool,
}

pub(crate) type Value = Thing;

impl Thing {
    pub(crate) fn new(sort: Sort) -> Self {
        let id = with(|run| {
            run.things.push((sort, 0));
            run.things.len() - 1
        });
        Self {
            sort,
            id: Box::new(id),
            needs_claim: sort == Sort::Future,
        }
    }

    pub(crate) fn value() -> Self {
        Self::new(Sort::Value)
    }

    pub(crate) fn id(&self) -> usize {
        *self.id
    }

    /// Records that a task has found this value in the cell.
    pub(crate) fn see(&self) {
        let first = with(|run| *run.seen.get_or_insert(self.id()));
        require(first == self.id(), "all tasks see the same value");
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        // A spawned task starts with the claim, and releases it last. Other tasks have the closure while they wait.
        let is_spawned = with(|run| run.tasks[run.context.task].spawned_by.is_some());
        if self.needs_claim || self.sort == Sort::Closure && is_spawned {
            require_claim();
        }
        with(|run| run.things[*self.id].1 += 1);
        if self.sort != Sort::Payload {
            point(Kind::Drop(self.sort));
        }
    }
}

impl Clone for Thing {
    fn clone(&self) -> Self {
        point(Kind::Call("clone"));
        Self::new(self.sort)
    }
}

/// What an initializer does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Init {
    pub(crate) fails: bool,
    ready: Ready,
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

pub(crate) const VALUE: Init = Init::new(false, Ready::AtOnce);
pub(crate) const ERROR: Init = Init::new(true, Ready::AtOnce);

impl Init {
    pub(crate) const fn new(fails: bool, ready: Ready) -> Self {
        Self { fails, ready }
    }

    /// Returns a closure that returns a future of `output`: [`Init::value`] or [`Init::result`].
    pub(crate) fn future<O>(self, output: fn(Self) -> O) -> impl FnOnce() -> Initializer<O> + Send + 'static
    where
        O: 'static,
    {
        self.blocking(move |init| Initializer::new(init, output, Sort::Future))
    }

    /// Returns a closure that returns what `f` does: [`Init::value`] or [`Init::result`].
    pub(crate) fn blocking<R>(
        self,
        f: impl FnOnce(Self) -> R + Send + 'static,
    ) -> impl FnOnce() -> R + Send + 'static {
        let captured = Thing::new(Sort::Closure);
        move || {
            require_claim();
            point(Kind::Call("initializer"));
            drop(captured);
            f(self)
        }
    }

    pub(crate) fn value(self) -> Value {
        Thing::value()
    }

    pub(crate) fn result(self) -> Result<Value, Thing> {
        if self.fails {
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

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.init.ready {
            Ready::Later if !mem::replace(&mut self.has_yielded, true) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Ready::AtOnce | Ready::Later => Poll::Ready(()),
            Ready::AtGate => {
                let gate = with(|run| Arc::clone(&run.gate));
                gate.poll(cx)
            }
        }
    }
}

impl Initializer<Value> {
    /// The future of a `Lazy`.
    pub(crate) fn of_lazy(ready: Ready) -> Self {
        Self::new(Init::new(false, ready), Init::value, Sort::LazyFuture)
    }
}

impl<O> Future for Initializer<O> {
    type Output = O;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        require_claim();
        // If this poll panics, the claim is released first, and the future is dropped when its owner is.
        let needs_claim = mem::take(&mut self.thing.needs_claim);
        let polled = in_poll(self.thing.sort, || {
            point(Kind::Call("poll"));
            self.poll_ready(cx).map(|()| (self.output)(self.init))
        });
        self.thing.needs_claim = needs_claim;
        polled
    }
}

/// A runtime that spawns tasks of the run.
pub(crate) struct Spawner;

impl Runtime for Spawner {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        point(Kind::Call("spawn"));
        let spawner = with(|run| run.context.task);
        add_spawned(Some(spawner), || Box::pin(task));
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        self.spawn(async { work() });
    }

    fn poll_coop<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        point(Kind::Call("poll_coop"));
        poll(cx)
    }
}
