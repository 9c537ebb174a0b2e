//! What a cell is built on: the state machine and its waiters.

use core::{
    pin::Pin,
    task::{Context, Poll},
};

#[cfg(feature = "atomic-waker")]
pub use self::atomic_waker::{AtomicWaker, AtomicWakerWaiter};
#[cfg(feature = "event-listener-alloc")]
pub use self::event_listener::{EventListener, EventListenerWaiter};
pub use self::{
    intrusive::{Intrusive, IntrusiveWaiter},
    local::{Local, LocalWaiter},
};

#[cfg(any(feature = "atomic-waker", feature = "event-listener-alloc"))]
mod atomic_state;
#[cfg(feature = "atomic-waker")]
mod atomic_waker;
#[cfg(feature = "event-listener-alloc")]
mod event_listener;
mod intrusive;
mod local;

/// The state of a cell and the tasks that wait for it, without the value.
///
/// [`OnceCell`](crate::OnceCell) owns a value and a backend, as a `lock_api::Mutex` owns its data and a
/// `RawMutex`. The backend decides how the state is represented, where waiters stand, and what excludes
/// threads, cores and interrupts from each other. It is a type parameter: crates in one program use
/// different backends without knowing of each other.
///
/// # The state machine
///
/// ```text
///              try_claim                publish
///   UNINIT ───────────────► INITIALIZING ───────────────► READY
///      ▲                          │
///      └──────────────────────────┘
///                release
/// ```
///
/// With the feature `testing`, `conformance_tests!` runs a suite for implementations. The guide has a [complete
/// backend](crate::guide::backends#writing-a-backend). The example `custom_backend` is another one, and runs that suite.
///
/// *The claim* is the right to initialize. [`try_claim`](Self::try_claim) gives it to one caller, who gives
/// it back by [`publish`](Self::publish) or [`release`](Self::release), from any thread. While a cell is
/// shared, READY is final.
///
/// # Threads
///
/// If a backend is `Sync`, threads may call it at the same time. If it is not, all calls on one backend happen one after the
/// other; cells with this backend are not `Sync`, and their futures are not `Send`. [`Local`] is such a backend.
///
/// If a backend is `Send`, its cell may be moved to another thread when no future borrows it.
///
/// # Safety
///
/// Cells hand out references to their values on the word of their backend. An implementation must keep this:
///
/// 1. **Exclusion.** From a `try_claim` that returned `Ok` until `publish` or `release` is called, no other
///    `try_claim` returns `Ok`, and [`state`](Self::state) is `Initializing`.
/// 2. **Publication.** [`is_ready`](Self::is_ready) is true, `state` is `Ready`, and `try_claim` returns
///    `Err(Ready)`, from the call of `publish` on and never before, or from the start if the backend began as
///    [`READY`](Self::READY).
///    Whatever happened before the call of `publish` happens before an `is_ready` that returns true, a
///    `state` that returns `Ready` and a `try_claim` that returns `Err(Ready)`.
/// 3. **Succession.** Whatever happened before a `release` happens before the next `try_claim` that returns
///    `Ok`.
/// 4. **Pinning.** A waiter that [`poll_wait`](Self::poll_wait) left registered, by `Pending` or by a panic, may be
///    used by other threads until `poll_wait` returns `Ready` or [`cancel`](Self::cancel) returns or panics, and
///    not afterwards.
///    A future that was leaked leaves its waiter registered, in memory that stays valid if the waiter is not
///    `Unpin`, or leaves the claim taken. The backend may all the same be moved (to another thread, if it is `Send`), dropped
///    or replaced by a new one afterwards, and must not mind: nothing may point from a waiter to its backend.
///
/// Beyond soundness, it should keep what users of cells rely on:
///
/// 5. **No lost wakeup.** After `poll_wait` or [`poll_attempt`](Self::poll_attempt) has returned `Pending`, the waker that
///    it was given last is woken as soon as the state settles what the waiter waits for: by `publish`, and for
///    [`WaiterKind::Claimant`] by `release` too. Every such waiter is woken, not one of them: none depends on another one
///    being polled.
/// 6. **No user code under a lock.** Wakers are cloned, woken and dropped while nothing is held that another
///    call on the same backend needs, and any of the three may call the backend. If it panics, the backend
///    goes on working, nobody else stays asleep, and the panic propagates.
/// 7. **Nothing is left behind.** After `cancel` nothing refers to the waiter, and its waker is dropped, or in the
///    hands of a call that is about to wake it.
/// 8. Waiters that are not woken by a `release` do not make it dearer.
/// 9. **One attempt.** `poll_attempt` returns `Pending` while the attempt is in progress that the waiter was registered in,
///    and `Ready` after the `publish` or the `release` that ended it has returned, whether or not a newer attempt is in
///    progress. If it was a `publish`, `state` is `Ready` by then.
pub unsafe trait Backend: Sized {
    /// A backend of an empty cell.
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "each use is meant to make a new backend"
    )]
    const UNINIT: Self;

    /// A backend of a cell that has its value from the start.
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "each use is meant to make a new backend"
    )]
    const READY: Self;

    /// What a future keeps to wait. The cell's futures are `Send`, `Sync` and `Unpin` as this type allows.
    ///
    /// If this type is `Unpin`, safe code may move a registered waiter, and may give up its memory without `cancel`.
    /// A backend that keeps the address of a waiter must make it `!Unpin`, by a `PhantomPinned`.
    type Waiter;

    /// Makes a waiter that is not registered.
    ///
    /// Every future makes one, and most never wait: this should be cheap.
    fn waiter(kind: WaiterKind) -> Self::Waiter;

    /// The state at this moment. What `Ready` promises is told under *Publication*.
    fn state(&self) -> State;

    /// Whether the state is READY: the path of every access to a ready cell.
    #[inline]
    fn is_ready(&self) -> bool {
        self.state() == State::Ready
    }

    /// Moves UNINIT to INITIALIZING and so gives the claim to the caller.
    ///
    /// # Errors
    ///
    /// The state that was found instead, `Initializing` or `Ready`.
    fn try_claim(&self) -> Result<(), State>;

    /// Moves INITIALIZING to READY and wakes all waiters, those of each kind oldest first.
    ///
    /// # Panics
    ///
    /// Panics if a waker does. The state is READY all the same, and everybody is woken.
    ///
    /// # Safety
    ///
    /// The caller has the claim, and loses it. The value is written.
    unsafe fn publish(&self);

    /// Moves INITIALIZING back to UNINIT and wakes all waiters of kind [`WaiterKind::Claimant`], oldest first.
    ///
    /// # Panics
    ///
    /// Panics if a waker does. The state is UNINIT all the same, and everybody is woken.
    ///
    /// # Safety
    ///
    /// The caller has the claim, and loses it.
    unsafe fn release(&self);

    /// Registers `waiter` with the waker of `cx`, unless there is nothing to wait for.
    ///
    /// `Pending` leaves the waiter registered, with this waker in the place of an earlier one. `Ready` leaves
    /// it unregistered and means that the state has settled what the waiter waits for, or may have: the caller
    /// looks at the state again. It is no promise of any state.
    ///
    /// # Panics
    ///
    /// Panics if a clone or a drop of a waker does. The waiter may be registered then.
    ///
    /// # Safety
    ///
    /// A registered waiter is used with the same backend again. Only its owner calls `poll_wait` and `cancel` with
    /// it, one call at a time, each of which happens before the next. If it is not `Unpin`, it is unregistered, by a
    /// `Ready` or by `cancel`, before its memory is given up or it is moved.
    unsafe fn poll_wait(&self, waiter: Pin<&mut Self::Waiter>, cx: &mut Context<'_>) -> Poll<()>;

    /// Polls a registered claimant for the end of the attempt in which [`poll_wait`](Self::poll_wait) has registered it.
    ///
    /// The *attempt* is what begins with a `try_claim` that returns `Ok` and ends with `publish` or `release`. The waiter is
    /// of the kind [`WaiterKind::Claimant`]. The last `poll_wait` with it returned `Pending`, and since then neither `cancel`
    /// was called with it nor has this method returned `Ready`.
    ///
    /// `Pending` leaves the waiter registered, with this waker in the place of an earlier one. `Ready` leaves it
    /// unregistered, and means that the attempt has ended (rule 9). `poll_wait` would wait for a newer attempt, if one has
    /// begun before the waiter is polled; this method never does.
    ///
    /// # Panics
    ///
    /// Panics if a clone or a drop of a waker does. The waiter may be registered then, and the method can be called again.
    ///
    /// # Safety
    ///
    /// As for `poll_wait`.
    unsafe fn poll_attempt(&self, waiter: Pin<&mut Self::Waiter>, cx: &mut Context<'_>) -> Poll<()>;

    /// Makes sure that `waiter` is not registered. For a waiter that never was, this should be cheap.
    ///
    /// # Panics
    ///
    /// Panics if a drop of a waker does. The waiter is unregistered all the same.
    ///
    /// # Safety
    ///
    /// As for [`poll_wait`](Self::poll_wait).
    unsafe fn cancel(&self, waiter: Pin<&mut Self::Waiter>);
}

/// The state of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// The cell is empty, and no initializer is running.
    Uninit,
    /// The cell is empty, and one initializer is running: it holds the claim.
    Initializing,
    /// The cell holds a value. This state is final while the cell is shared.
    Ready,
}

/// What a waiter waits for, which decides the events that wake it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WaiterKind {
    /// A waiter that can initialize the cell, or that waits for one attempt to end: a value wakes it, and so does an initializer
    /// that ends without one.
    Claimant,
    /// A waiter that never initializes the cell: only a value wakes it.
    Passive,
}

impl WaiterKind {
    /// Returns `true` if a waiter of this kind has nothing to wait for in `state`.
    #[inline]
    #[must_use]
    pub const fn is_settled_by(self, state: State) -> bool {
        match self {
            Self::Claimant => !matches!(state, State::Initializing),
            Self::Passive => matches!(state, State::Ready),
        }
    }
}
