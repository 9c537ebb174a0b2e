//! A backend for one thread: `Cell`s in place of atomics, and a list of waiters without a lock.
//!
//! This page is the protocol. Comments in the code cite its invariants by their numbers. The list is in the file [`list`].
//!
//! # The word
//!
//! | bits | while set | set by | cleared by |
//! |---|---|---|---|
//! | INITIALIZING | one initializer holds the claim | `try_claim` | `publish`, `release` |
//! | READY | the value is initialized, and only read | `publish` | methods of the cell with `&mut self` |
//! | the rest | the address of the first waiter, or null | the list | the list |
//!
//! The states and the two kinds of waiters are those of [`Intrusive`](super::Intrusive). Instead of other threads, wakers
//! interfere here: each time that a waker is cloned, woken or dropped, it may call the cell, or panic.
//!
//! # Invariants
//!
//! 1. No user code runs between two accesses to the list that belong together. Wakers are cloned before a node is linked,
//!    and woken and dropped after a node is unlinked. After user code has run, nothing is assumed about the state or about
//!    which nodes are linked, except the node of the caller, whose owner cannot poll or drop it meanwhile.
//! 2. A linked node is valid: its owner unlinks it before the owner gives the memory up. A future that was leaked keeps its
//!    node in memory that stays valid.
//! 3. The payload of a linked node is the waker of a waiter, or `None` in a marker.
//! 4. A claimant is linked only while the state is INITIALIZING, or until a drain that began when that state ended has
//!    taken it. So every linked claimant will be woken: by the holder of the claim, or by a drain in progress.
//! 5. A passive waiter is linked only until READY is published, or until the publisher's drain has taken it.
//! 6. The waiters that a drain still has to wake are those before its marker. The drain ends when its marker is unlinked, by
//!    itself or by a nested drain, which has then taken all waiters before the marker.
//! 7. The value is written only by the holder of the claim, and read only after READY was seen.
//!
//! # Waking
//!
//! `settle` stores the new state. If there are waiters, it pushes a *marker*, a node on the stack, to the end of the last
//! lane that the state concerns. Then it unlinks the first node of the list and wakes its waker, again and again, until the
//! marker is unlinked.
//!
//! - **Why one at a time.** A batch shares the cost of a lock among its waiters. Here there is no lock, and no waiter is
//!   ever out of the list without having been woken.
//! - **Why a marker.** Claimants that register while a drain after a failure is in progress wait for the next initializer,
//!   and stay asleep. They are behind the marker. After a publication, no waiter registers, so that the marker is the last
//!   node of the list.
//! - **Panics.** If a waker panics, [`complete`] continues the drain up to the marker before the panic propagates.
//!
//! # What a waker can do while it is woken
//!
//! - *Claim, and register another claimant.* The newcomer is behind the marker. The drain leaves it asleep, and the new
//!   holder of the claim must wake it.
//! - *Claim, and publish or fail.* This nested drain takes all waiters of the outer one, and its marker with them. The outer
//!   drain finds its marker unlinked, and ends.
//! - *Cancel other waiters.* They unlink themselves, also from the marker.
//! - *Poll a waiter that is still in the list, with another waker.* The newer waker takes the place of the older one, and
//!   the drain wakes the newer one.

use core::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    pin::{Pin, pin},
    ptr::NonNull,
    task::{Context, Poll, Waker},
};

use self::list::{List, Node};
use super::{Backend, State, WaiterKind};
use crate::panics::complete;

pub(super) mod list;

/// `None` is the payload of a marker.
type WaiterNode = Node<Option<Waker>>;

// The tag of the list is the state.
const UNINIT: usize = 0b00;
/// While set, an initializer holds the claim.
const INITIALIZING: usize = 0b01;
/// While set, the cell holds a value.
const READY: usize = 0b10;

/// A backend for cells of one thread: one pointer-sized word, any number of waiters, no allocation, and no atomic
/// operations.
///
/// [`LocalOnceCell`](crate::LocalOnceCell) is the cell with this backend.
///
/// | operation | cost |
/// |---|---|
/// | access to a ready cell | one load |
/// | initialization that no task waits for | two loads and two stores |
/// | starting to wait, waking and cancelling | a bounded number of loads and stores, besides the clone, wake and drop of the waker |
///
/// Its guarantees to waiters are those of [`Intrusive`](super::Intrusive): every claimant is woken when an initializer fails,
/// and every waiter is woken when there is a value, those of each kind oldest first. Wakers may call the cell, and may panic,
/// when they are cloned, woken or dropped.
///
/// # Differences from `Intrusive`
///
/// - A cell with this backend is not `Sync`, and its futures are not `Send`. It can be in a `thread_local!`, in an `Rc`, or
///   in the future of a task, but not in a `static`. A cell that nothing borrows can be sent to another thread if its value
///   can.
/// - An interrupt handler cannot use the cell.
/// - A method that blocks the thread (feature `blocking`) never returns if it has to wait: the task that it waits for is on
///   the thread that it blocks. `wait_timeout` returns when the time has passed.
/// - An initializer cannot be spawned on a runtime, because its task could run on another thread.
///
/// The wakers themselves may be woken on any thread.
pub struct Local {
    /// The tag is the state.
    list: List<Option<Waker>>,
}

// SAFETY: while a `Local` is moved to another thread, no method of it is running, and no future borrows the cell that it is
// in. Nodes that are linked then belong to futures that were leaked. Their owners never use them again, and their memory
// stays valid (invariant 2), so that the thread that has the `Local` is the only one to access them. That thread may wake
// or drop their wakers, as a `Waker` is `Send`.
unsafe impl Send for Local {}

/// The place of a waiting future in the list of [`Local`]: four words.
pub struct LocalWaiter {
    node: WaiterNode,
}

// No panic leaves the list or a node half-changed (invariant 1).
impl UnwindSafe for Local {}
impl RefUnwindSafe for Local {}
impl UnwindSafe for LocalWaiter {}
impl RefUnwindSafe for LocalWaiter {}

impl Local {
    /// Returns `true` if a waiter of `kind` has something to wait for.
    #[inline(always)]
    fn admits(&self, kind: WaiterKind) -> bool {
        // A claimant waits while INITIALIZING is set and READY is not. A passive waiter ignores INITIALIZING.
        // (Arithmetic, because a branch for each kind takes three times the instructions.)
        let ignored = match kind {
            WaiterKind::Claimant => 0,
            WaiterKind::Passive => INITIALIZING,
        };
        self.list.tag() | ignored == INITIALIZING
    }

    /// Ends INITIALIZING with `outcome`, and wakes the waiters of the lanes up to `last`.
    #[inline]
    fn settle(&self, outcome: usize, last: WaiterKind) {
        self.list.set_tag(outcome);
        if !self.list.is_empty() {
            self.wake(last);
        }
    }

    #[cold]
    fn wake(&self, last: WaiterKind) {
        let marker = pin!(WaiterNode::new(last));
        let marker = marker.as_ref();
        // SAFETY: the marker is new. It stays in place until this function returns, which it does when the marker is
        // unlinked, whether wakers panic or not: each panic takes a waiter out of the list.
        unsafe { self.list.push(marker, None) };
        complete(|| {
            while marker.is_linked() {
                // SAFETY: the marker is in the list.
                if let Some(waker) = unsafe { self.list.pop() } {
                    waker.wake();
                }
            }
        });
    }

    /// Returns `true` if a waiter that is linked has a waker that wakes the same task as `waker`.
    #[inline(always)]
    fn is_linked_with(node: Pin<&WaiterNode>, waker: &Waker) -> bool {
        let is_same =
            |current: &Option<Waker>| current.as_ref().is_some_and(|current| current.will_wake(waker));
        // SAFETY: the node is linked. `will_wake` compares addresses, and calls no user code.
        node.is_linked() && unsafe { node.with_payload(is_same) }
    }

    /// Registers a waiter, or replaces its waker, unless the new one wakes the same task.
    fn wait(&self, node: Pin<&WaiterNode>, waker: &Waker) -> Poll<()> {
        if Self::is_linked_with(node, waker) {
            return Poll::Pending;
        }
        let waker = waker.clone();
        if node.is_linked() {
            // SAFETY: the node is linked.
            drop(unsafe { node.replace_payload(Some(waker)) });
            return Poll::Pending;
        }
        if !self.admits(node.kind()) {
            return Poll::Ready(());
        }
        // SAFETY: the node is not linked, and its owner keeps it valid while it is (invariant 2).
        unsafe { self.list.push(node, Some(waker)) };
        Poll::Pending
    }

    /// Replaces the waker of a waiter, unless the new one wakes the same task, or returns `Ready` if the waiter is not linked.
    fn update(node: Pin<&WaiterNode>, waker: &Waker) -> Poll<()> {
        if Self::is_linked_with(node, waker) {
            return Poll::Pending;
        }
        let waker = waker.clone();
        if !node.is_linked() {
            return Poll::Ready(());
        }
        // SAFETY: the node is linked.
        let older = unsafe { node.replace_payload(Some(waker)) };
        drop(older);
        Poll::Pending
    }

    /// Unlinks a waiter that is linked.
    #[inline(never)]
    fn cancel_linked(&self, node: Pin<&WaiterNode>) {
        // SAFETY: the node is linked.
        drop(unsafe { self.list.unlink(NonNull::from(node.get_ref())) });
    }
}

// SAFETY: the numbers are those of the trait's documentation. The calls on one `Local` are on one thread at a time, as it is
// not `Sync`, and may be nested in a call that wakes a waiter.
// 1. Only `try_claim` changes UNINIT to INITIALIZING, and only the holder of the claim changes INITIALIZING, in `settle`.
// 2. Only `settle` sets READY, which `publish` calls, and no method clears it.
// 3. A `release` is called before the next `try_claim` that returns `Ok`.
// 4. `poll_wait`, `poll_attempt` and `cancel` leave the node unlinked as rule 4 requires, and nothing accesses an unlinked node.
//    A node points to nodes alone. Those that a leaked future has left stay valid, as they are not `Unpin`; the list that they
//    are in is not used again when the backend is replaced.
unsafe impl Backend for Local {
    const UNINIT: Self = Self {
        list: List::new(UNINIT),
    };
    const READY: Self = Self {
        list: List::new(READY),
    };

    type Waiter = LocalWaiter;

    #[inline(always)]
    fn waiter(kind: WaiterKind) -> LocalWaiter {
        LocalWaiter {
            node: WaiterNode::new(kind),
        }
    }

    #[inline]
    fn state(&self) -> State {
        match self.list.tag() {
            UNINIT => State::Uninit,
            INITIALIZING => State::Initializing,
            _ => State::Ready,
        }
    }

    #[inline(always)]
    fn is_ready(&self) -> bool {
        self.list.tag() & READY != 0
    }

    #[inline]
    fn try_claim(&self) -> Result<(), State> {
        // READY first, as most calls find it.
        if self.is_ready() {
            return Err(State::Ready);
        }
        if self.list.tag() != UNINIT {
            return Err(State::Initializing);
        }
        self.list.set_tag(INITIALIZING);
        Ok(())
    }

    #[inline]
    unsafe fn publish(&self) {
        self.settle(READY, WaiterKind::Passive);
    }

    #[inline]
    unsafe fn release(&self) {
        self.settle(UNINIT, WaiterKind::Claimant);
    }

    unsafe fn poll_wait(&self, waiter: Pin<&mut LocalWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        self.wait(waiter.into_ref().node(), cx.waker())
    }

    unsafe fn poll_attempt(&self, waiter: Pin<&mut LocalWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        // A drain unlinks claimants only of the attempt whose end it was begun by, or of earlier ones (invariant 6). That end
        // was stored before.
        Self::update(waiter.into_ref().node(), cx.waker())
    }

    #[inline]
    unsafe fn cancel(&self, waiter: Pin<&mut LocalWaiter>) {
        let node = waiter.into_ref().node();
        if node.is_linked() {
            self.cancel_linked(node);
        }
    }
}

impl LocalWaiter {
    #[inline(always)]
    fn node(self: Pin<&Self>) -> Pin<&WaiterNode> {
        // SAFETY: the node is a field, which is pinned with the waiter and not handed out otherwise.
        unsafe { self.map_unchecked(|waiter| &waiter.node) }
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Local").field(&self.state()).finish()
    }
}

impl fmt::Debug for LocalWaiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalWaiter")
            .field("is_waiting", &self.node.is_linked())
            .finish_non_exhaustive()
    }
}
