//! What the integration tests have in common: the parts of `src/testing/parts`, and helpers for cells of the default backend.

#![allow(dead_code, reason = "each test binary uses a part of it")]

#[path = "../../src/testing/parts/mod.rs"]
mod parts;

use std::{pin::Pin, ptr, sync::Arc, task::Poll};

use oncelot::OnceCell;

#[allow(unused_imports, reason = "each test binary uses a part of it")]
pub(crate) use self::parts::*;

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Numbers of waiters that cover one batch of wakes, its edges, several batches, and many.
pub(crate) const CROWDS: [usize; 8] = [1, 2, 15, 16, 17, 32, 33, 130];

/// Leaks a value, so that a test can use it like the value of a `static`.
pub(crate) fn leaked<T>(value: T) -> &'static T {
    let value = leak_box(Box::new(value));
    // SAFETY: the value is never dropped or borrowed exclusively.
    unsafe { &*value }
}

pub(crate) fn static_cell() -> &'static OnceCell<u32> {
    leaked(OnceCell::new())
}

/// A gate that ends an initializer with a value or an error.
pub(crate) type ResultGate<T> = Gate<Result<T, &'static str>>;

/// Starts an initializer that ends when its gate is opened.
pub(crate) fn start<T: Send + Sync>(
    cell: &OnceCell<T>,
) -> (ResultGate<T>, BoxFuture<'_, Result<&T, &'static str>>) {
    let gate = Gate::new();
    let mut running: BoxFuture<'_, _> = Box::pin(cell.get_or_try_init({
        let gate = gate.clone();
        || gate
    }));
    assert!(poll(&mut running).is_pending());
    (gate, running)
}

/// A future that waits for a cell, and the task that polls it.
pub(crate) struct Waiter<'a> {
    pub(crate) future: BoxFuture<'a, &'a u32>,
    pub(crate) task: Arc<Task>,
}

impl<'a> Waiter<'a> {
    fn new(future: impl Future<Output = &'a u32> + Send + 'a) -> Self {
        let mut waiter = Self {
            future: Box::pin(future),
            task: Task::new(),
        };
        assert!(waiter.poll().is_pending());
        waiter
    }

    /// Returns a claimant that has been polled, and that would initialize with `value`.
    pub(crate) fn claimant(cell: &'a OnceCell<u32>, value: u32) -> Self {
        Self::new(cell.get_or_init(async move || value))
    }

    /// Returns a passive waiter that has been polled.
    pub(crate) fn passive(cell: &'a OnceCell<u32>) -> Self {
        Self::new(cell.wait())
    }

    pub(crate) fn poll(&mut self) -> Poll<&'a u32> {
        poll_with(&mut self.future, &self.task.waker())
    }

    pub(crate) fn wakes(&self) -> usize {
        self.task.wakes()
    }
}

/// Returns a future that initializes with `value`, or one that only waits.
pub(crate) fn claimant_or_passive(
    cell: &OnceCell<u32>,
    is_claimant: bool,
    value: u32,
) -> BoxFuture<'_, &u32> {
    if is_claimant {
        Box::pin(cell.get_or_init(async move || value))
    } else {
        Box::pin(cell.wait())
    }
}

/// Returns whether two references point to the same value.
pub(crate) fn is_same<T>(a: &T, b: &T) -> bool {
    ptr::eq(a, b)
}
