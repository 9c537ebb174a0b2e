//! Tests of the conformance suite: it must reject each of these backends, which make one mistake each.
//!
//! Each backend is in a module named after the module of the suite that detects it. The suite's module `cells`, which
//! tests what users see of a cell, detects some of them too.

#[path = "../../examples/custom_backend/locked.rs"]
mod outsider;
#[path = "../util/mod.rs"]
mod util;

mod liveness;
mod optional;
mod soundness;

use std::{
    marker::PhantomData,
    pin::Pin,
    ptr,
    sync::atomic::{AtomicPtr, AtomicUsize},
    task::{Context, Poll, Waker},
};

use oncelot::backend::{Backend, State, WaiterKind};
use outsider::{Locked, Ticket};
use util::panic_of;

/// The backend of an outsider, except for what `M` does in its own way.
struct Broken<M> {
    inner: Locked,
    /// For the mistakes that need a place of their own.
    cancelled: AtomicPtr<Ticket>,
    attempts: AtomicUsize,
    mistake: PhantomData<M>,
}

/// Without changes it does what [`Locked`] does.
///
/// # Safety
///
/// None is kept: this is what the suite is to find out.
trait Mistake: Sized {
    const READY: State = State::Ready;

    fn state(backend: &Broken<Self>) -> State {
        backend.inner.state()
    }

    fn try_claim(backend: &Broken<Self>) -> Result<(), State> {
        backend.inner.try_claim()
    }

    fn publish(backend: &Broken<Self>) {
        // SAFETY: the caller has the claim.
        unsafe { backend.inner.publish() };
    }

    fn release(backend: &Broken<Self>) {
        // SAFETY: the caller has the claim.
        unsafe { backend.inner.release() };
    }

    fn poll_wait(backend: &Broken<Self>, ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the caller keeps the contract.
        unsafe { backend.inner.poll_wait(ticket, cx) }
    }

    fn poll_attempt(backend: &Broken<Self>, ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the caller keeps the contract.
        unsafe { backend.inner.poll_attempt(ticket, cx) }
    }

    fn cancel(backend: &Broken<Self>, ticket: Pin<&mut Ticket>) {
        // SAFETY: the caller keeps the contract.
        unsafe { backend.inner.cancel(ticket) };
    }
}

impl<M: Mistake> Broken<M> {
    const fn starting_as(state: State) -> Self {
        Self {
            inner: Locked::starting_as(state),
            cancelled: AtomicPtr::new(ptr::null_mut()),
            attempts: AtomicUsize::new(0),
            mistake: PhantomData,
        }
    }
}

// SAFETY: for `NoMistake`, it is `Locked`. The others are there to be found out.
unsafe impl<M: Mistake> Backend for Broken<M> {
    const UNINIT: Self = Self::starting_as(State::Uninit);
    const READY: Self = Self::starting_as(M::READY);

    type Waiter = Ticket;

    fn waiter(kind: WaiterKind) -> Ticket {
        Locked::waiter(kind)
    }

    fn state(&self) -> State {
        M::state(self)
    }

    fn try_claim(&self) -> Result<(), State> {
        M::try_claim(self)
    }

    unsafe fn publish(&self) {
        M::publish(self);
    }

    unsafe fn release(&self) {
        M::release(self);
    }

    unsafe fn poll_wait(&self, ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
        M::poll_wait(self, ticket, cx)
    }

    unsafe fn poll_attempt(&self, ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
        M::poll_attempt(self, ticket, cx)
    }

    unsafe fn cancel(&self, ticket: Pin<&mut Ticket>) {
        M::cancel(self, ticket);
    }
}

/// Settles the state, and passes the wakers of all waiters that the outcome concerns to `wake`.
fn settle<M>(backend: &Broken<M>, outcome: State, wake: impl FnOnce(Vec<Waker>)) {
    let mut inner = backend.inner.lock();
    inner.state = outcome;
    let woken = inner.remove(|entry| entry.kind.is_settled_by(outcome));
    drop(inner);
    wake(woken);
}

/// Runs a property that must fail, because of this rule, and for what `how` is a part of.
#[track_caller]
fn assert_caught(property: fn(), rule: &str, how: &str) {
    let message = panic_of(property);
    let (broken, found) = message.split_once(" is broken: ").unwrap_or((&message, ""));
    assert!(broken.starts_with(rule), "not {rule}: {message}");
    assert!(found.contains(how), "not {how:?}: {message}");
}

/// Runs a property in which the backend itself must panic, with a message that begins like this.
#[track_caller]
fn assert_panics(property: fn(), with: &str) {
    let message = panic_of(property);
    assert!(message.starts_with(with), "not {with:?}: {message}");
}

/// What the mistakes are made in passes.
mod no_mistake {
    struct NoMistake;

    impl super::Mistake for NoMistake {}

    oncelot::conformance_tests!(crate::Broken<NoMistake>);
}
