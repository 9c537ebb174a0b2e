//! The default backend: one word, any number of waiters, no allocation.
//!
//! The word (see [`word`]) holds the state, the lock of the waiter list and the address of
//! the list's first node. The nodes stand inside the waiting futures (see [`list`]).
//!
//! `docs/protocol.md` has the transitions with their orderings, the invariants that comments cite by their numbers, and
//! the interleavings that each step is for.

use core::{
    fmt,
    mem::MaybeUninit,
    pin::Pin,
    ptr::NonNull,
    task::{Context, Poll, Waker},
};

use self::{
    list::{List, Node, Ticket},
    wake_batch::wake_in_batches,
    word::{FLAGS, Owned, Snapshot, Word},
};
use super::{Backend, State, WaiterKind};
use crate::sync::{Ordering, UnsafeCell};

mod list;
mod wake_batch;
mod word;

#[cfg(feature = "critical-section")]
#[path = "intrusive/critical_section.rs"]
mod exclusion;

#[cfg(not(feature = "critical-section"))]
#[path = "intrusive/lock_bit.rs"]
mod exclusion;

/// The default backend: one pointer-sized word, any number of waiters, no allocation.
///
/// | operation | cost |
/// |---|---|
/// | access to a ready cell | one load |
/// | initialization that nobody waits for | two compare-and-swaps |
/// | starting to wait | one compare-and-swap and one store, beside the waker's clone |
/// | waking | one compare-and-swap, and one more with a store for each 16 waiters, beside the wakes |
/// | cancelling | one compare-and-swap and one store, beside the waker's drop |
///
/// Starting to wait and cancelling take the same time however many others wait. With the feature
/// `critical-section`, each compare-and-swap is a load and a store in a critical section.
///
/// # Interrupts and priorities
///
/// With the feature `critical-section`, an interrupt handler may do with a cell what a task may.
///
/// Otherwise the waiter list is guarded by one bit of the word, which is held for a bounded number of steps, in
/// which no user code runs. A thread that meets it spins, and with the feature `std` soon yields. Without `std` it
/// only spins: **do not change a cell in an interrupt handler**, nor share it between threads of different
/// priorities on one core, as the handler would spin for the lock of the code that it interrupts. Looking at a
/// cell, by [`get`](crate::OnceCell::get) and the like, is always possible.
pub struct Intrusive {
    word: Word<WaiterNode>,
}

/// The place of a waiting future in the list of [`Intrusive`]: six words, 48 bytes, or 32 bytes on a 32-bit machine.
pub struct IntrusiveWaiter {
    node: WaiterNode,
}

type WaiterNode = Node<WakerSlot>;

const _: () = assert!(align_of::<WaiterNode>() > FLAGS);

/// Who may touch it: invariants 2 and 4.
struct WakerSlot(UnsafeCell<MaybeUninit<Waker>>);

// SAFETY: another thread may take the waker and wake or drop it, for which a `Waker` is `Send`; it may change
// the node's pointers, under the lock. The addresses in there mean the same on every thread.
unsafe impl Send for IntrusiveWaiter {}
// SAFETY: a shared reference gives access to `kind`, which never changes, and to the atomic `linked`.
unsafe impl Sync for IntrusiveWaiter {}

/// Where a drain ends that others may come behind: between the last waiter that it took and the newest one of when
/// it began. (The last one matters too: others may empty the list between two batches, and tickets begin anew.)
struct Bound {
    taken: Option<Ticket>,
    newest: Option<Ticket>,
}

/// The list lock, held, and the list.
struct Locked<'a> {
    list: List<WakerSlot>,
    owned: Owned<'a, WaiterNode>,
}

impl Intrusive {
    /// Takes the list lock, or gives up as soon as `unless` says so of the word, and tells that word.
    #[inline]
    fn lock_unless(
        &self,
        unless: impl Fn(Snapshot<WaiterNode>) -> bool,
    ) -> Result<Locked<'_>, Snapshot<WaiterNode>> {
        let owned = self.word.own_unless(unless)?;
        // SAFETY: the list is ours (invariant 1), and linked nodes are valid (invariant 3).
        let list = unsafe { List::from_head(owned.value.head()) };
        Ok(Locked { list, owned })
    }

    #[inline]
    fn lock(&self) -> Locked<'_> {
        match self.lock_unless(|_| false) {
            Ok(locked) => locked,
            Err(_) => unreachable!("nothing stops this caller"),
        }
    }

    /// Claims beside waiters, or somebody who is at the list.
    #[cold]
    fn try_claim_contended(&self) -> Result<(), State> {
        match self.lock_unless(|word| word.state() != State::Uninit) {
            Ok(mut locked) => {
                locked.owned.value = locked.owned.value.claimed();
                Ok(())
            }
            Err(found) => Err(found.state()),
        }
    }

    /// Ends INITIALIZING with `outcome`, and wakes whom it concerns.
    #[inline]
    fn settle(&self, outcome: State) {
        let claimed = Snapshot::CLAIMED;
        // ORDERING: Release pairs with the Acquire of whoever sees READY, or claims after this UNINIT.
        let exchanged = self
            .word
            .exchange(claimed, claimed.settled(outcome), Ordering::Release);
        if exchanged.is_err() {
            self.settle_and_wake(outcome);
        }
    }

    #[cold]
    fn settle_and_wake(&self, outcome: State) {
        let mut bound = None;
        wake_in_batches(|batch| {
            let mut locked = self.lock();
            let bound = bound.get_or_insert_with(|| {
                locked.owned.value = locked.owned.value.settled(outcome);
                Bound {
                    taken: None,
                    newest: locked.list.newest_ticket(),
                }
            });
            while !batch.is_full() {
                let Some(node) = locked.next_concerned(outcome, bound) else {
                    return false;
                };
                // SAFETY: the node was found in the list.
                batch.push(unsafe { locked.unlink(node) });
            }
            true
        });
    }

    /// Registers a waiter that is not linked.
    #[inline]
    fn register(&self, node: Pin<&WaiterNode>, waker: &Waker) -> Poll<()> {
        let waker = waker.clone();
        let kind = node.kind();
        let Ok(mut locked) = self.lock_unless(|word| kind.is_settled_by(word.state())) else {
            return Poll::Ready(());
        };
        // SAFETY: the node is not linked, so that its slot is empty and its owner's alone (invariant 4).
        unsafe { node.payload().write(waker) };
        // SAFETY: the node is not linked, and its owner keeps it valid until it is (invariant 3).
        unsafe { locked.list.push(node) };
        Poll::Pending
    }

    /// Brings the waker of a waiter up to date that was linked a moment ago.
    #[inline(never)]
    fn update(&self, node: Pin<&WaiterNode>, waker: &Waker) -> Poll<()> {
        // SAFETY: the caller owns the node, whose slot was filled when it was linked (invariants 2 and 4).
        if unsafe { node.payload().is_equal_to(waker) } {
            // Whoever takes the node out wakes this very task.
            return Poll::Pending;
        }
        let waker = waker.clone();
        let locked = self.lock();
        // Thread A may have taken the node out and be about to wake the older waker, whose task polls us no
        // more. Only under the lock do we know that it has not.
        let (poll, spare) = if node.is_linked() {
            // SAFETY: we own the node and hold the lock; the node is linked (invariants 2 and 4).
            (Poll::Pending, unsafe { node.payload().replace(waker) })
        } else {
            (Poll::Ready(()), waker)
        };
        drop(locked);
        drop(spare);
        poll
    }

    #[cold]
    fn cancel_linked(&self, node: Pin<&WaiterNode>) {
        let mut locked = self.lock();
        // Thread A may have taken the node out since we last looked.
        let waker = node.is_linked().then(|| {
            // SAFETY: under the lock, a linked node is in the list.
            unsafe { locked.unlink(NonNull::from(&*node)) }
        });
        drop(locked);
        drop(waker);
    }
}

// SAFETY: the numbers are those of the trait's documentation.
// 1. Only a `try_claim` moves UNINIT to INITIALIZING, by a compare-and-swap that one caller wins, or as the
//    owner of the list, of whom there is one. Only the holder of the claim moves on from there, in `settle`.
// 2. READY is set by `settle` alone, with Release, directly or by unlocking. Every later change of the word
//    is a read-modify-write, or the store of a thread that acquired it, so that an Acquire load of any READY
//    word synchronizes with `settle`. (Where there are critical sections, each load and store that stand for a
//    read-modify-write are in one.)
// 3. UNINIT is set by `settle` with Release, in the same two ways, and `try_claim` acquires.
// 4. `poll_wait` and `cancel` leave the node unlinked when they say so; the last touch by another thread is
//    the store of `linked`, which they acquire. A node points to nodes
//    alone. Those that a leaked future has left stay valid, as they are not `Unpin`; the list that they stand in is
//    not used again.
unsafe impl Backend for Intrusive {
    const UNINIT: Self = Self {
        word: Word::new(Snapshot::UNINIT),
    };
    const READY: Self = Self {
        word: Word::new(Snapshot::READY),
    };

    type Waiter = IntrusiveWaiter;

    #[inline]
    fn waiter(kind: WaiterKind) -> IntrusiveWaiter {
        IntrusiveWaiter {
            node: Node::new(kind, WakerSlot::new()),
        }
    }

    #[inline]
    fn state(&self) -> State {
        self.word.load().state()
    }

    #[inline(always)]
    fn is_ready(&self) -> bool {
        self.word.load().is_ready()
    }

    #[inline]
    fn try_claim(&self) -> Result<(), State> {
        // Whoever comes to wait is spared a compare-and-swap that would fail.
        let found = self.state();
        if found != State::Uninit {
            return Err(found);
        }
        // ORDERING: Acquire pairs with the Release in `settle`: the initializer before us has ended.
        match self
            .word
            .exchange(Snapshot::UNINIT, Snapshot::CLAIMED, Ordering::Acquire)
        {
            Ok(_) => Ok(()),
            Err(_) => self.try_claim_contended(),
        }
    }

    #[inline]
    unsafe fn publish(&self) {
        self.settle(State::Ready);
    }

    #[inline]
    unsafe fn release(&self) {
        self.settle(State::Uninit);
    }

    unsafe fn poll_wait(&self, waiter: Pin<&mut IntrusiveWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        let node = waiter.as_ref().node();
        if node.is_linked() {
            self.update(node, cx.waker())
        } else {
            self.register(node, cx.waker())
        }
    }

    #[inline]
    unsafe fn cancel(&self, waiter: Pin<&mut IntrusiveWaiter>) {
        let node = waiter.as_ref().node();
        if node.is_linked() {
            self.cancel_linked(node);
        }
    }
}

impl Locked<'_> {
    /// Takes a node out of the list, with its waker.
    ///
    /// # Safety
    ///
    /// The node is in the list. It must not be touched afterwards but by its owner.
    unsafe fn unlink(&mut self, node: NonNull<WaiterNode>) -> Waker {
        let take = |slot: &WakerSlot| {
            // SAFETY: the waker of a linked node is initialized, and moves to who unlinks it (invariant 4).
            unsafe { slot.read() }
        };
        // SAFETY: the caller's promise.
        unsafe { self.list.unlink(node, take) }
    }

    /// The oldest waiter that `outcome` concerns, to be taken next.
    fn next_concerned(&self, outcome: State, bound: &mut Bound) -> Option<NonNull<WaiterNode>> {
        if outcome == State::Ready {
            // Nobody comes behind.
            return self.list.oldest();
        }
        let claimant = self.list.oldest_claimant()?;
        let ticket = Some(self.list.ticket(claimant));
        if ticket <= bound.taken || ticket > bound.newest {
            return None;
        }
        bound.taken = ticket;
        Some(claimant)
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        self.owned.value = self.owned.value.with_head(self.list.head());
        // Dropping `owned` writes it and unlocks.
    }
}

impl IntrusiveWaiter {
    #[inline]
    fn node(self: Pin<&Self>) -> Pin<&WaiterNode> {
        // SAFETY: the node is a field, which moves with the whole and is not handed out unpinned.
        unsafe { self.map_unchecked(|waiter| &waiter.node) }
    }
}

impl WakerSlot {
    const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// # Safety
    ///
    /// The slot is empty, and only the caller uses it.
    unsafe fn write(&self, waker: Waker) {
        // SAFETY: the caller's promise.
        self.0
            .with_mut(|slot| unsafe { slot.cast::<Waker>().write(waker) });
    }

    /// Moves the waker out. The owner of the node may still compare it.
    ///
    /// # Safety
    ///
    /// The slot is filled, and the caller is the one to empty it, while nobody writes.
    unsafe fn read(&self) -> Waker {
        // SAFETY: the caller's promise.
        self.0.with(|slot| unsafe { slot.cast::<Waker>().read() })
    }

    /// # Safety
    ///
    /// The slot is filled, and only the caller uses it.
    unsafe fn replace(&self, waker: Waker) -> Waker {
        // SAFETY: the caller's promise.
        self.0
            .with_mut(|slot| unsafe { slot.cast::<Waker>().replace(waker) })
    }

    /// Whether the waker wakes the same task as `other`. A waker that has been moved out still tells.
    ///
    /// # Safety
    ///
    /// The slot has been filled, and nobody writes.
    unsafe fn is_equal_to(&self, other: &Waker) -> bool {
        // SAFETY: the caller's promise. `will_wake` compares addresses and follows none of them. No other task can
        // have got the address of a waker that is gone without seeing `linked` cleared before.
        self.0
            .with(|slot| unsafe { &*slot.cast::<Waker>() }.will_wake(other))
    }
}

impl fmt::Debug for Intrusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Intrusive").field(&self.state()).finish()
    }
}

impl fmt::Debug for IntrusiveWaiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrusiveWaiter")
            .field("kind", &self.node.kind())
            .field("is_waiting", &self.node.is_linked())
            .finish_non_exhaustive()
    }
}
