//! A backend that keeps the state and the waiters behind a mutex.
//!
//! | rule of `Backend` | how it is kept |
//! |---|---|
//! | 1 exclusion | the state changes under the mutex only: from UNINIT to INITIALIZING in `try_claim`, from there by the holder of the claim |
//! | 2 publication, 3 succession | the thread that unlocks the mutex happens before the thread that locks it next |
//! | 4 pinning | a waiter is the number of an entry, so the backend has no pointer to it, and it may be moved or leaked |
//! | 5 no lost wakeup | `poll_wait` reads the state and registers under one lock; `settle` changes the state and removes the waiters under one lock |
//! | 6 no user code under a lock | wakers are cloned before the mutex is locked, and woken and dropped after it is unlocked; `wake_all` wakes every waiter before a panic propagates |
//! | 7 nothing is left behind | `cancel` removes the entry, and its waker is dropped |
//! | 8 cheap failures | a failure walks over the passive waiters, but neither wakes nor clones them |

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

/// The state and the waiters, behind a mutex.
#[derive(Debug)]
pub(crate) struct Locked(pub(crate) Mutex<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) state: State,
    /// Oldest first.
    pub(crate) waiters: Vec<Entry>,
    next_id: u64,
}

/// A registered waiter.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) kind: WaiterKind,
    pub(crate) waker: Waker,
}

/// What a future stores: the number of its entry.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) kind: WaiterKind,
    /// `None` until the waiter is registered for the first time. It stays `Some` when the waiter has been woken, and its
    /// entry was removed.
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

    /// Locks the mutex. No code that can panic runs while it is locked, so it is never left in between.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state from INITIALIZING to `outcome`, and wakes the waiters that wait for it.
    fn settle(&self, outcome: State) {
        let mut inner = self.lock();
        inner.state = outcome;
        let woken = inner.remove(|entry| entry.kind.is_settled_by(outcome));
        drop(inner);
        wake_all(woken);
    }
}

// SAFETY: the table above states how rules 1 to 4 are kept.
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
        // Before the mutex is locked: `clone` is code of the user.
        let waker = cx.waker().clone();
        let mut inner = self.lock();
        let (older, poll) = if ticket.kind.is_settled_by(inner.state) {
            (inner.take(&ticket), Poll::Ready(()))
        } else {
            (inner.put(&mut ticket, waker), Poll::Pending)
        };
        // In this order: the destructor of a waker is code of the user, too.
        drop(inner);
        drop(older);
        poll
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
        // Most futures never wait, and need no lock here.
        if ticket.id.is_some() {
            let waker = self.lock().take(&ticket);
            drop(waker);
        }
    }
}

impl Inner {
    /// Registers a waiter, or replaces the waker of a registered one and returns the older waker.
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

    /// Removes a waiter and returns its waker, or `None` if it is not registered.
    fn take(&mut self, ticket: &Ticket) -> Option<Waker> {
        let place = self.place_of(ticket)?;
        Some(self.waiters.remove(place).waker)
    }

    pub(crate) fn place_of(&self, ticket: &Ticket) -> Option<usize> {
        self.waiters.iter().position(|entry| Some(entry.id) == ticket.id)
    }

    /// Removes the waiters that `is_removed` chooses, and returns their wakers, oldest first.
    pub(crate) fn remove(&mut self, is_removed: impl Fn(&Entry) -> bool) -> Vec<Waker> {
        let (removed, rest) = mem::take(&mut self.waiters).into_iter().partition(is_removed);
        self.waiters = rest;
        let removed: Vec<Entry> = removed;
        removed.into_iter().map(|entry| entry.waker).collect()
    }
}

/// Wakes every waker, even if some of them panic, and resumes the first panic then.
pub(crate) fn wake_all(wakers: Vec<Waker>) {
    let mut first_panic: Option<Box<dyn Any + Send>> = None;
    for waker in wakers {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            first_panic.get_or_insert(panic);
        }
    }
    match first_panic {
        // A second panic while the thread unwinds would abort the process.
        Some(panic) if !thread::panicking() => resume_unwind(panic),
        _ => (),
    }
}
