//! A backend as somebody outside of the crate would write one: a mutex around the state and the waiters.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread,
};

use oncelot::backend::{Backend, State, WaiterKind};

/// The state and the waiters behind a mutex.
#[derive(Debug)]
pub(crate) struct Locked(pub(crate) Mutex<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) state: State,
    /// Oldest first.
    pub(crate) waiters: Vec<Entry>,
    next_id: u64,
}

#[derive(Debug)]
pub(crate) struct Entry {
    id: u64,
    pub(crate) kind: WaiterKind,
    pub(crate) waker: Waker,
}

/// What a future keeps: the name of its entry.
#[derive(Debug)]
pub(crate) struct Ticket {
    kind: WaiterKind,
    /// `None` until it has registered for the first time.
    pub(crate) id: Option<u64>,
}

impl Locked {
    pub(crate) const fn starting_as(state: State) -> Self {
        Self(Mutex::new(Inner {
            state,
            waiters: Vec::new(),
            next_id: 0,
        }))
    }

    /// No code that could panic runs under the lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends INITIALIZING, and wakes whom it concerns when the lock is released.
    fn settle(&self, outcome: State) {
        let mut inner = self.lock();
        inner.state = outcome;
        let woken = inner.remove(|entry| entry.kind.is_settled_by(outcome));
        drop(inner);
        wake_all(woken);
    }
}

// SAFETY: the numbers are those of the trait's documentation.
// 1. The state is changed under the lock only, from UNINIT to INITIALIZING by `try_claim`, and from there by
//    the holder of the claim.
// 2., 3. Whoever unlocks happens before whoever locks next.
// 4. A waiter is a name: nobody has its address.
unsafe impl Backend for Locked {
    const UNINIT: Self = Self::starting_as(State::Uninit);
    const READY: Self = Self::starting_as(State::Ready);

    type Waiter = Ticket;

    fn waiter(kind: WaiterKind) -> Ticket {
        Ticket { kind, id: None }
    }

    fn state(&self) -> State {
        self.lock().state
    }

    fn try_claim(&self) -> Result<(), State> {
        let mut inner = self.lock();
        match inner.state {
            State::Uninit => {
                inner.state = State::Initializing;
                Ok(())
            }
            found => Err(found),
        }
    }

    unsafe fn publish(&self) {
        self.settle(State::Ready);
    }

    unsafe fn release(&self) {
        self.settle(State::Uninit);
    }

    unsafe fn poll_wait(&self, mut ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
        // Before the lock is taken, as this is code of the user.
        let waker = cx.waker().clone();
        let mut inner = self.lock();
        if ticket.kind.is_settled_by(inner.state) {
            let older = inner.take(&ticket);
            drop(inner);
            // Older wakers are code of the user too.
            drop(older);
            return Poll::Ready(());
        }
        let older = inner.put(&mut ticket, waker);
        drop(inner);
        drop(older);
        Poll::Pending
    }

    unsafe fn poll_attempt(&self, mut ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut inner = self.lock();
        // `settle` removes the entries of the attempt that it ends.
        let (poll, spare) = if inner.place_of(&ticket).is_some() {
            (Poll::Pending, inner.put(&mut ticket, waker))
        } else {
            (Poll::Ready(()), Some(waker))
        };
        drop(inner);
        drop(spare);
        poll
    }

    unsafe fn cancel(&self, ticket: Pin<&mut Ticket>) {
        if ticket.id.is_some() {
            let older = self.lock().take(&ticket);
            drop(older);
        }
    }
}

impl Inner {
    /// Registers a waiter, or gives its waker in exchange for a newer one.
    pub(crate) fn put(&mut self, ticket: &mut Ticket, waker: Waker) -> Option<Waker> {
        if let Some(place) = self.place_of(ticket) {
            return Some(mem::replace(&mut self.waiters[place].waker, waker));
        }
        ticket.id = Some(self.next_id);
        self.waiters.push(Entry {
            id: self.next_id,
            kind: ticket.kind,
            waker,
        });
        self.next_id += 1;
        None
    }

    /// Takes a waiter out, if it is in there.
    fn take(&mut self, ticket: &Ticket) -> Option<Waker> {
        let place = self.place_of(ticket)?;
        Some(self.waiters.remove(place).waker)
    }

    pub(crate) fn place_of(&self, ticket: &Ticket) -> Option<usize> {
        self.waiters.iter().position(|entry| Some(entry.id) == ticket.id)
    }

    /// Takes out whom it concerns, oldest first.
    pub(crate) fn remove(&mut self, is_concerned: impl Fn(&Entry) -> bool) -> Vec<Waker> {
        let (concerned, rest) = mem::take(&mut self.waiters).into_iter().partition(is_concerned);
        self.waiters = rest;
        let concerned: Vec<Entry> = concerned;
        concerned.into_iter().map(|entry| entry.waker).collect()
    }
}

/// Wakes all, whether some of them panic or not, and then lets the first panic go on.
pub(crate) fn wake_all(wakers: Vec<Waker>) {
    let mut first_panic: Option<Box<dyn Any + Send>> = None;
    for waker in wakers {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            first_panic.get_or_insert(panic);
        }
    }
    match first_panic {
        Some(panic) if !thread::panicking() => resume_unwind(panic),
        _ => (),
    }
}
