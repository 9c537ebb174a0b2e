//! The backend of `examples/custom_backend`, changed by one fault.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    thread::{self, ThreadId},
};

use oncelot::backend::{Backend, State, WaiterKind};

use crate::{
    Fault,
    locked::{Entry, Locked, Ticket, wake_all},
};

/// The backend of `examples/custom_backend` with a fault: the element of [`Fault::ALL`] at the index `FAULT`.
pub(crate) struct Broken<const FAULT: usize> {
    inner: Locked,
    // Each of the other fields is used by one fault or a few.
    is_locked: AtomicBool,
    claims: AtomicUsize,
    claimant: Mutex<Option<ThreadId>>,
    reserved_for: Mutex<Option<u64>>,
    was_emptied: AtomicBool,
    older_ticket: AtomicPtr<Ticket>,
    kept: Mutex<Vec<Waker>>,
}

/// Waits for another thread for a bounded time, to let a race happen. Each thread does so in its first calls only.
fn wait_until(condition: impl Fn() -> bool) {
    const PATIENCE: usize = 300;

    thread_local! {
        static CALLS: Cell<usize> = const { Cell::new(0) };
    }
    if CALLS.replace(CALLS.get() + 1) < PATIENCE {
        (0..PATIENCE)
            .take_while(|_| !condition())
            .for_each(|_| thread::yield_now());
    }
}

thread_local! {
    /// Wakers of cancelled waiters, or of leaked ones.
    static OUTSIDE: RefCell<Vec<Waker>> = RefCell::default();
}

impl<const FAULT: usize> Broken<FAULT> {
    const FAULT: Fault = Fault::ALL[FAULT];

    const fn starting_as(state: State) -> Self {
        Self {
            inner: Locked::starting_as(state),
            is_locked: AtomicBool::new(false),
            claims: AtomicUsize::new(0),
            claimant: Mutex::new(None),
            reserved_for: Mutex::new(None),
            was_emptied: AtomicBool::new(false),
            older_ticket: AtomicPtr::new(ptr::null_mut()),
            kept: Mutex::new(Vec::new()),
        }
    }

    /// Runs code of the user as if under a lock.
    fn locked<R>(&self, user_code: impl FnOnce() -> R) -> R {
        self.is_locked.store(true, SeqCst);
        let result = user_code();
        self.is_locked.store(false, SeqCst);
        result
    }

    /// Panics where a call that needs the lock would hang.
    fn enter(&self) {
        assert!(!self.is_locked.load(SeqCst) || thread::panicking(), "a deadlock");
    }

    fn is_registered(&self, ticket: &Ticket) -> bool {
        self.inner.lock().place_of(ticket).is_some()
    }

    /// Removes a waiter and returns its waker.
    fn unregister(&self, ticket: &Ticket) -> Option<Waker> {
        let mut inner = self.inner.lock();
        let place = inner.place_of(ticket)?;
        Some(inner.waiters.remove(place).waker)
    }

    /// Registers a waiter in any state.
    fn register(&self, ticket: &mut Ticket, waker: Waker) -> Poll<()> {
        let older = self.inner.lock().put(ticket, waker);
        drop(older);
        Poll::Pending
    }

    fn settle(&self, outcome: State) {
        self.enter();
        let mut settled_as = outcome;
        match (Self::FAULT, outcome) {
            (Fault::PublishIsRelease, State::Ready) => settled_as = State::Uninit,
            (Fault::PublishWakesLeaked, State::Ready) => wake_all(OUTSIDE.take()),
            (Fault::WakesBeforeState, State::Ready) => self.wake_others(None),
            (Fault::ReleaseKeepsClaim, State::Uninit) => return,
            (Fault::ReleaseReservesClaim, State::Uninit) => {
                let oldest = self.inner.lock().waiters.first().map(|entry| entry.id);
                let mut reserved_for = self.reserved_for.lock().unwrap();
                *reserved_for = oldest.or(*reserved_for);
            }
            (Fault::ClaimStaysOnThread, _)
                if *self.claimant.lock().unwrap() != Some(thread::current().id()) =>
            {
                return;
            }
            (Fault::SettleWritesToCancelled, _) => {
                wait_until(|| !self.older_ticket.load(SeqCst).is_null());
                self.write_to_older_ticket();
            }
            _ => (),
        }
        let is_woken = |entry: &Entry| match (Self::FAULT, outcome, entry.kind) {
            (Fault::PublishForgetsPassive, State::Ready, WaiterKind::Passive)
            | (Fault::PublishForgetsClaimants, State::Ready, WaiterKind::Claimant)
            | (Fault::ReleaseWakesNone, State::Uninit, _) => false,
            (Fault::ReleaseWakesPassive, State::Uninit, _) => true,
            (_, _, kind) => kind.is_settled_by(settled_as),
        };
        let mut inner = self.inner.lock();
        inner.state = settled_as;
        let mut woken = inner.remove(is_woken);
        match (Self::FAULT, outcome) {
            (Fault::ReleaseReversesPassive, State::Uninit) => inner.waiters.reverse(),
            (Fault::ReleaseDropsPassive, State::Uninit) => inner.waiters.clear(),
            _ => (),
        }
        drop(inner);
        match Self::FAULT {
            Fault::ReleaseWakesOne if outcome == State::Uninit => woken.truncate(1),
            Fault::WakesNewestFirst => woken.reverse(),
            Fault::WakesUnderLock => return self.locked(|| wake_all(woken)),
            Fault::PanicStrandsWaiters => return woken.into_iter().for_each(Waker::wake),
            Fault::PanicOfWakeSwallowed => {
                return drop(catch_unwind(AssertUnwindSafe(|| wake_all(woken))));
            }
            _ => (),
        }
        wake_all(woken);
    }

    /// Wakes every waiter except this one.
    fn wake_others(&self, ticket: Option<&Ticket>) {
        let id = ticket.and_then(|ticket| ticket.id);
        let woken = self.inner.lock().remove(|entry| Some(entry.id) != id);
        wake_all(woken);
    }

    /// Drops the waker of a waiter under the lock, or discards the panic of its destructor.
    fn drop_waker(&self, ticket: &Ticket) {
        let waker = self.unregister(ticket);
        match Self::FAULT {
            Fault::DropsUnderLock => self.locked(|| drop(waker)),
            _ => drop(catch_unwind(AssertUnwindSafe(|| drop(waker)))),
        }
    }

    fn write_to_older_ticket(&self) {
        let ticket = self.older_ticket.load(SeqCst);
        if !ticket.is_null() {
            // SAFETY: the property keeps the memory, to detect this.
            unsafe { ticket.write(Locked::waiter(WaiterKind::Claimant)) };
        }
    }
}

// SAFETY: without a fault, this is `Locked`. With a fault that breaks rules 1 to 4, it is unsound, which the suite must detect.
unsafe impl<const FAULT: usize> Backend for Broken<FAULT> {
    const UNINIT: Self = Self::starting_as(State::Uninit);
    const READY: Self = Self::starting_as(match Self::FAULT {
        Fault::ReadyIsUninit => State::Uninit,
        _ => State::Ready,
    });

    type Waiter = Ticket;

    fn waiter(kind: WaiterKind) -> Ticket {
        Locked::waiter(kind)
    }

    fn state(&self) -> State {
        self.enter();
        match (Self::FAULT, self.inner.state()) {
            (Fault::StateIsReadyEarly, State::Initializing) => State::Ready,
            (_, state) => state,
        }
    }

    fn try_claim(&self) -> Result<(), State> {
        self.enter();
        let is_odd = self.claims.fetch_add(1, SeqCst) % 2 == 1;
        match (Self::FAULT, self.inner.state()) {
            // Like a weak compare-and-swap that is not retried.
            (Fault::ClaimFailsSpuriously, state) if !is_odd => return Err(state),
            (Fault::ClaimIsGivenTwice, State::Initializing) => return Ok(()),
            (Fault::ClaimInTwoSteps, State::Uninit) => {
                wait_until(|| self.inner.state() != State::Uninit);
                self.inner.lock().state = State::Initializing;
                return Ok(());
            }
            (Fault::ClaimStaysOnThread, State::Uninit) => {
                *self.claimant.lock().unwrap() = Some(thread::current().id());
            }
            _ => (),
        }
        self.inner.try_claim()
    }

    unsafe fn publish(&self) {
        self.settle(State::Ready);
    }

    unsafe fn release(&self) {
        self.settle(State::Uninit);
    }

    unsafe fn poll_wait(&self, mut ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
        self.enter();
        let state = self.inner.state();
        match Self::FAULT {
            Fault::PollNeverPends => return Poll::Ready(()),
            Fault::PollSpins => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Fault::PollFitsSixteen => assert!(
                self.inner.lock().waiters.len() < 16 || self.is_registered(&ticket),
                "no room for another waiter"
            ),
            Fault::PollIgnoresState => return self.register(&mut ticket, cx.waker().clone()),
            Fault::PollInTwoSteps if !ticket.kind.is_settled_by(state) => {
                let waker = cx.waker().clone();
                wait_until(|| self.inner.state() != state);
                return self.register(&mut ticket, waker);
            }
            Fault::PassivePollInTwoSteps if ticket.kind == WaiterKind::Passive && state != State::Ready => {
                return self.register(&mut ticket, cx.waker().clone());
            }
            Fault::PollRegistersAgain => ticket.id = None,
            Fault::PollRegistersOnce
                if ticket.id.is_some()
                    && !self.is_registered(&ticket)
                    && !ticket.kind.is_settled_by(state) =>
            {
                return Poll::Pending;
            }
            Fault::SecondPollUnregisters if !ticket.kind.is_settled_by(state) => {
                if let Some(waker) = self.unregister(&ticket) {
                    drop(waker);
                    return Poll::Pending;
                }
            }
            Fault::PollKeepsOlderWaker
                if self.is_registered(&ticket) && !ticket.kind.is_settled_by(state) =>
            {
                return Poll::Pending;
            }
            Fault::PollWakesOthers => self.wake_others(Some(&ticket)),
            Fault::ReleaseReservesClaim if state == State::Uninit && ticket.id.is_some() => {
                let mut reserved_for = self.reserved_for.lock().unwrap();
                if reserved_for.is_some() && *reserved_for != ticket.id {
                    return Poll::Pending;
                }
                *reserved_for = None;
            }
            Fault::ClonesUnderLock => drop(self.locked(|| cx.waker().clone())),
            Fault::ReentryLosesWaiter if self.is_registered(&ticket) => {
                let claims = self.claims.load(SeqCst);
                drop(cx.waker().clone());
                if self.claims.load(SeqCst) != claims {
                    drop(self.unregister(&ticket));
                    return Poll::Pending;
                }
            }
            Fault::PanicOfCloneSwallowed
                if catch_unwind(AssertUnwindSafe(|| cx.waker().clone())).is_err() =>
            {
                return Poll::Pending;
            }
            Fault::PanicOfCloneLosesWaiters => {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| cx.waker().clone())) {
                    drop(self.inner.lock().remove(|_| true));
                    resume_unwind(payload);
                }
            }
            Fault::DropsUnderLock | Fault::PanicOfDropSwallowed => self.drop_waker(&ticket),
            _ => (),
        }
        let ticket_address: *mut Ticket = &raw mut *ticket;
        // SAFETY: the caller keeps the contract.
        let polled = unsafe { self.inner.poll_wait(ticket, cx) };
        match Self::FAULT {
            Fault::CancelClosesEmptyList if self.was_emptied.load(SeqCst) => {
                drop(self.inner.lock().remove(|_| true));
            }
            Fault::PollWritesToSettled if polled.is_ready() => {
                self.write_to_older_ticket();
                self.older_ticket.store(ticket_address, SeqCst);
            }
            Fault::ReadyPollKeepsWaker if polled.is_ready() => {
                self.kept.lock().unwrap().push(cx.waker().clone());
            }
            _ => (),
        }
        polled
    }

    unsafe fn poll_attempt(&self, ticket: Pin<&mut Ticket>, cx: &mut Context<'_>) -> Poll<()> {
        self.enter();
        match Self::FAULT {
            // SAFETY: the caller keeps the contract.
            Fault::AttemptIsPolledAsWait => unsafe { self.inner.poll_wait(ticket, cx) },
            Fault::AttemptEndsAtOnce => Poll::Ready(()),
            Fault::AttemptKeepsOlderWaker if self.is_registered(&ticket) => Poll::Pending,
            // SAFETY: the caller keeps the contract.
            _ => unsafe { self.inner.poll_attempt(ticket, cx) },
        }
    }

    unsafe fn cancel(&self, mut ticket: Pin<&mut Ticket>) {
        self.enter();
        match Self::FAULT {
            Fault::CancelDoesNothing => return,
            Fault::SettleWritesToCancelled => return self.older_ticket.store(&raw mut *ticket, SeqCst),
            Fault::CancelUnlinksBehind | Fault::CancelMovesNewest => {
                let mut inner = self.inner.lock();
                return match (inner.place_of(&ticket), Self::FAULT) {
                    (None, _) => (),
                    (Some(place), Fault::CancelUnlinksBehind) => inner.waiters.truncate(place),
                    (Some(place), _) => drop(inner.waiters.swap_remove(place)),
                };
            }
            Fault::CancelRemovesNewest if !self.is_registered(&ticket) => {
                drop(self.inner.lock().waiters.pop())
            }
            Fault::CancelWakesOthers => self.wake_others(Some(&ticket)),
            Fault::CancelKeepsWakerForever => {
                OUTSIDE.with_borrow_mut(|wakers| wakers.extend(self.unregister(&ticket)));
            }
            Fault::DropsUnderLock | Fault::PanicOfDropSwallowed => self.drop_waker(&ticket),
            _ => (),
        }
        // SAFETY: the caller keeps the contract.
        unsafe { self.inner.cancel(ticket) };
        if self.inner.lock().waiters.is_empty() {
            self.was_emptied.store(true, SeqCst);
        }
    }
}

impl<const FAULT: usize> Drop for Broken<FAULT> {
    fn drop(&mut self) {
        if Self::FAULT == Fault::PublishWakesLeaked {
            let leaked = self.inner.lock().remove(|_| true);
            OUTSIDE.with_borrow_mut(|wakers| wakers.extend(leaked));
        }
    }
}
