//! Pluggable state machines and waiter queues for [`OnceCell`](crate::OnceCell).

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
#[cfg(all(test, not(oncelot_loom)))]
mod list_tests;
mod local;

/// The synchronization part of a cell: its state and its waiters, but not its value.
///
/// [`OnceCell`](crate::OnceCell) owns a value and a backend, as a `lock_api::Mutex` owns its data and a
/// `RawMutex`. The backend determines how the state is represented, where the waiters are stored, and how changes by threads,
/// cores and interrupt handlers are synchronized. It is a type parameter: crates in one program can use different backends.
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
/// The *claim* is the right to initialize. [`try_claim`](Self::try_claim) gives the claim to one caller, which ends it by
/// [`publish`](Self::publish) or [`release`](Self::release), from any thread. While a cell is shared, READY is final.
///
/// # Writing a backend
///
/// The guide has a [complete backend](crate::guide::backends#writing-a-backend), and the example `custom_backend` of the
/// repository is another one. With the feature `testing`, `conformance_tests!` tests an implementation.
///
/// # Threads
///
/// If a backend is `Sync`, threads may call it concurrently. If it is not, all calls on one backend are on one thread at a time,
/// where a waker that a call wakes may make nested calls. Cells with such a backend are not `Sync`, and their futures are not
/// `Send`. [`Local`] is such a backend.
///
/// If a backend is `Send`, its cell may be moved to another thread when no future borrows it.
///
/// # Safety
///
/// `OnceCell` relies on its backend for memory safety. Implementations must guarantee:
///
/// 1. **Exclusion.** From a `try_claim` that returned `Ok` until `publish` or `release` is called, no other
///    `try_claim` returns `Ok`, and [`state`](Self::state) is `Initializing`.
/// 2. **Publication.** [`is_ready`](Self::is_ready) is true, `state` is `Ready`, and `try_claim` returns `Err(Ready)`, from
///    some point during the call of `publish`: before it wakes a waiter, before it returns or panics, and never before it is
///    called. If the backend began as [`READY`](Self::READY), this is the case from the start.
///    Everything that happened before the call of `publish` happens before an `is_ready` that returns true, a
///    `state` that returns `Ready`, and a `try_claim` that returns `Err(Ready)`.
/// 3. **Succession.** Everything that happened before a `release` happens before the next `try_claim` that returns
///    `Ok`.
/// 4. **Pinning.** If [`poll_wait`](Self::poll_wait) or [`poll_attempt`](Self::poll_attempt) leaves a waiter registered, by
///    `Pending` or by a panic, other threads may use the waiter until one of these methods returns `Ready`, or
///    [`cancel`](Self::cancel) returns or panics, and not afterwards. The fields of a waiter that code other than its owner
///    writes must be in an atomic, a `Cell` or an `UnsafeCell`: a cell forms shared references to a registered waiter at any
///    time, and the compiler may store the tag of an enum around the waiter in its other fields, such as a `bool`.
///    A future that was leaked leaves its waiter registered, in memory that stays valid if the waiter is not `Unpin`, or
///    leaves the claim taken. Afterwards, the backend may still be moved (to another thread, if it is `Send`), dropped, or
///    replaced by a new one, which must be sound. In particular, a waiter must not point to its backend.
///
/// Users of cells rely on further rules, which are not about memory safety. Implementations should guarantee:
///
/// 5. **No lost wakeup.** After `poll_wait` or [`poll_attempt`](Self::poll_attempt) has returned `Pending`, the waker of the
///    last call is woken as soon as the state settles what the waiter waits for: by `publish`, and for
///    [`WaiterKind::Claimant`] by `release` too. Every such waiter is woken, and none depends on another waiter being polled.
/// 6. **No user code under a lock.** Wakers are cloned, woken and dropped while the backend holds no lock that another
///    call on the same backend needs, and each of these operations may call the backend. If such an operation panics, the
///    backend stays usable, every other waiter is woken nevertheless, and the panic propagates.
/// 7. **Nothing is left behind.** After `cancel`, the backend has no reference to the waiter, and the waiter's waker is dropped
///    or about to be woken by another call.
/// 8. **Cost of failures.** The cost of `release` does not depend on waiters that it does not wake.
/// 9. **One attempt.** `poll_attempt` returns `Pending` while the attempt is in progress in which the waiter was registered,
///    and `Ready` after the `publish` or the `release` that ended this attempt has returned, whether or not a newer attempt is
///    in progress. If it was a `publish`, `state` is `Ready` by then.
///
/// # Examples
///
/// Code that is generic over the backend of a cell:
///
/// ```
/// use oncelot::{Backend, OnceCell, State, backend::{Intrusive, Local}};
///
/// fn life_of_a_cell<B: Backend>() -> [State; 2] {
///     let cell = OnceCell::<u32, B>::with_backend();
///     let before = cell.state();
///     cell.set(1).unwrap();
///     [before, cell.state()]
/// }
///
/// assert_eq!(life_of_a_cell::<Intrusive>(), [State::Uninit, State::Ready]);
/// assert_eq!(life_of_a_cell::<Local>(), [State::Uninit, State::Ready]);
/// ```
pub unsafe trait Backend: Sized {
    /// The backend of an empty cell.
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "each use is meant to make a new backend"
    )]
    const UNINIT: Self;

    /// The backend of a cell that is created with a value.
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "each use is meant to make a new backend"
    )]
    const READY: Self;

    /// The state that a waiting future stores. The cell's futures are `Send`, `Sync` and `Unpin` only if this type is.
    ///
    /// The fields of a waiter that code other than its owner writes must be in an atomic, a `Cell` or an `UnsafeCell` (rule 4).
    ///
    /// If this type is `Unpin`, safe code may move a registered waiter, and may free its memory without `cancel`.
    /// A backend that stores the address of a waiter must make it `!Unpin`, by a `PhantomPinned`.
    type Waiter;

    /// Creates a waiter that is not registered.
    ///
    /// This should be cheap, because most futures that create a waiter never register it.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::{Backend, Intrusive, backend::WaiterKind};
    ///
    /// let waiter = Intrusive::waiter(WaiterKind::Passive);
    /// assert_eq!(size_of_val(&waiter), 4 * size_of::<usize>());
    /// ```
    fn waiter(kind: WaiterKind) -> Self::Waiter;

    /// Returns the current state. Rule 2 (publication) states what `Ready` guarantees.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::{Backend, Intrusive, State};
    ///
    /// assert_eq!(Intrusive::UNINIT.state(), State::Uninit);
    /// assert_eq!(Intrusive::READY.state(), State::Ready);
    /// ```
    fn state(&self) -> State;

    /// Returns `true` if the state is READY. Every access to a ready cell calls this method.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::{Backend, Intrusive};
    ///
    /// assert!(Intrusive::READY.is_ready());
    /// assert!(!Intrusive::UNINIT.is_ready());
    /// ```
    #[inline]
    fn is_ready(&self) -> bool {
        self.state() == State::Ready
    }

    /// Changes UNINIT to INITIALIZING, which gives the claim to the caller.
    ///
    /// # Errors
    ///
    /// Returns the current state if it is not UNINIT: `Initializing` or `Ready`.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::{Backend, Intrusive, State};
    ///
    /// let backend = Intrusive::UNINIT;
    /// assert_eq!(backend.try_claim(), Ok(()));
    /// assert_eq!(backend.try_claim(), Err(State::Initializing));
    /// ```
    fn try_claim(&self) -> Result<(), State>;

    /// Changes INITIALIZING to READY and wakes all waiters, those of each kind oldest first.
    ///
    /// # Panics
    ///
    /// Panics if waking a waiter panics. The state is READY nevertheless, and every waiter is woken.
    ///
    /// # Safety
    ///
    /// The caller has the claim, and loses it. The value is written.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::{Backend, Intrusive, State};
    ///
    /// let backend = Intrusive::UNINIT;
    /// backend.try_claim().unwrap();
    /// // SAFETY: this code has the claim. No cell reads a value.
    /// unsafe { backend.publish() };
    /// assert_eq!(backend.state(), State::Ready);
    /// ```
    unsafe fn publish(&self);

    /// Changes INITIALIZING back to UNINIT and wakes all waiters of kind [`WaiterKind::Claimant`], oldest first.
    ///
    /// # Panics
    ///
    /// Panics if waking a waiter panics. The state is UNINIT nevertheless, and every claimant is woken.
    ///
    /// # Safety
    ///
    /// The caller has the claim, and loses it.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::{Backend, Intrusive, State};
    ///
    /// let backend = Intrusive::UNINIT;
    /// backend.try_claim().unwrap();
    /// // SAFETY: this code has the claim.
    /// unsafe { backend.release() };
    /// assert_eq!(backend.state(), State::Uninit);
    /// ```
    unsafe fn release(&self);

    /// Registers `waiter` with the waker of `cx`, unless there is nothing to wait for.
    ///
    /// `Pending` leaves the waiter registered; this waker replaces an earlier one. `Ready` leaves the waiter unregistered, and
    /// means that the state may have settled what the waiter waits for. It guarantees no particular state: the caller
    /// checks the state again.
    ///
    /// # Panics
    ///
    /// Panics if cloning or dropping a waker panics. The waiter may be registered then.
    ///
    /// # Safety
    ///
    /// A registered waiter is used with this backend only. Only the owner of the waiter passes it to methods, one call
    /// at a time, each of which happens before the next. If the waiter is not `Unpin`, it is unregistered, by a
    /// `Ready` or by `cancel`, before it is moved or its memory is freed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{pin::pin, task::{Context, Poll, Waker}};
    ///
    /// use oncelot::{Backend, Intrusive, backend::WaiterKind};
    ///
    /// let backend = Intrusive::UNINIT;
    /// let mut waiter = pin!(Intrusive::waiter(WaiterKind::Claimant));
    /// let cx = &mut Context::from_waker(Waker::noop());
    ///
    /// // SAFETY: the waiter is used with this backend only, and is unregistered before it is dropped.
    /// unsafe {
    ///     assert_eq!(backend.poll_wait(waiter.as_mut(), cx), Poll::Ready(()));
    ///     backend.try_claim().unwrap();
    ///     assert_eq!(backend.poll_wait(waiter.as_mut(), cx), Poll::Pending);
    ///     backend.release();
    ///     assert_eq!(backend.poll_wait(waiter.as_mut(), cx), Poll::Ready(()));
    /// }
    /// ```
    unsafe fn poll_wait(&self, waiter: Pin<&mut Self::Waiter>, cx: &mut Context<'_>) -> Poll<()>;

    /// Polls a registered claimant for the end of the attempt in which [`poll_wait`](Self::poll_wait) has registered it.
    ///
    /// An *attempt* begins with a `try_claim` that returns `Ok` and ends with `publish` or `release`. The waiter is
    /// of the kind [`WaiterKind::Claimant`]. The last `poll_wait` with it returned `Pending`, and since then `cancel` has not
    /// been called with it, and this method has not returned `Ready`.
    ///
    /// `Pending` leaves the waiter registered; this waker replaces an earlier one. `Ready` leaves the waiter unregistered, and
    /// means that the attempt has ended (rule 9). If a newer attempt has begun before the waiter is polled, `poll_wait` would
    /// wait for the newer attempt. This method never does.
    ///
    /// # Panics
    ///
    /// Panics if cloning or dropping a waker panics. The waiter may be registered then, and the method can be called again.
    ///
    /// # Safety
    ///
    /// The requirements of [`poll_wait`](Self::poll_wait) apply, and those of the second paragraph above: the kind of the waiter,
    /// and the calls that precede this one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{pin::pin, task::{Context, Poll, Waker}};
    ///
    /// use oncelot::{Backend, Intrusive, backend::WaiterKind};
    ///
    /// let backend = Intrusive::UNINIT;
    /// let mut waiter = pin!(Intrusive::waiter(WaiterKind::Claimant));
    /// let cx = &mut Context::from_waker(Waker::noop());
    ///
    /// // SAFETY: the waiter is used with this backend only, and is unregistered before it is dropped.
    /// unsafe {
    ///     backend.try_claim().unwrap();
    ///     assert_eq!(backend.poll_wait(waiter.as_mut(), cx), Poll::Pending);
    ///     backend.release();
    ///     backend.try_claim().unwrap();
    ///     // The attempt in which the waiter was registered has ended, and a newer one is in progress.
    ///     assert_eq!(backend.poll_attempt(waiter.as_mut(), cx), Poll::Ready(()));
    /// }
    /// ```
    unsafe fn poll_attempt(&self, waiter: Pin<&mut Self::Waiter>, cx: &mut Context<'_>) -> Poll<()>;

    /// Unregisters `waiter` if it is registered. For a waiter that was never registered, this should be cheap.
    ///
    /// # Panics
    ///
    /// Panics if dropping a waker panics. The waiter is unregistered nevertheless.
    ///
    /// # Safety
    ///
    /// The requirements of [`poll_wait`](Self::poll_wait) apply.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{pin::pin, task::{Context, Poll, Waker}};
    ///
    /// use oncelot::{Backend, Intrusive, backend::WaiterKind};
    ///
    /// let backend = Intrusive::UNINIT;
    /// let mut waiter = pin!(Intrusive::waiter(WaiterKind::Claimant));
    /// let cx = &mut Context::from_waker(Waker::noop());
    ///
    /// // SAFETY: the waiter is used with this backend only, and is unregistered before it is dropped.
    /// unsafe {
    ///     backend.try_claim().unwrap();
    ///     assert_eq!(backend.poll_wait(waiter.as_mut(), cx), Poll::Pending);
    ///     backend.cancel(waiter);
    ///     backend.release();
    /// }
    /// ```
    unsafe fn cancel(&self, waiter: Pin<&mut Self::Waiter>);
}

/// The state of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// The cell is empty, and no initializer is running.
    Uninit,
    /// The cell is empty, and one initializer is running, which holds the claim.
    Initializing,
    /// The cell holds a value. This state is final while the cell is shared.
    Ready,
}

/// What a waiter is waiting for, which determines the events that wake it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WaiterKind {
    /// A waiter that can initialize the cell, or that waits for one attempt to end. It is woken when there is a value, and when
    /// an initializer ends without one.
    Claimant,
    /// A waiter that never initializes the cell. It is woken only when there is a value.
    Passive,
}

impl WaiterKind {
    /// Returns `true` if a waiter of this kind has nothing to wait for in `state`.
    ///
    /// # Examples
    ///
    /// ```
    /// use oncelot::backend::{State, WaiterKind};
    ///
    /// assert!(WaiterKind::Claimant.is_settled_by(State::Uninit));
    /// assert!(!WaiterKind::Passive.is_settled_by(State::Uninit));
    /// ```
    #[inline]
    #[must_use]
    pub const fn is_settled_by(self, state: State) -> bool {
        match self {
            Self::Claimant => !matches!(state, State::Initializing),
            Self::Passive => matches!(state, State::Ready),
        }
    }
}
