//! The default backend: one word, any number of waiters, no allocation.
//!
//! This page describes the protocol: what the threads, cores and interrupt handlers that share a cell do, in which order, and
//! why. Comments in the code cite its invariants by their numbers. The transitions are in this file. [`word`] contains the bits
//! of the word and the guard of the list, `lock_bit.rs` or `critical_section.rs` makes changes exclusive, [`list`] is the list
//! of waiters, and [`wake_batch`] wakes them.
//!
//! # States
//!
//! ```text
//!                claim                        publish: wake every waiter
//!   UNINIT ─────────────────► INITIALIZING ──────────────────────────────► READY
//!      ▲                            │
//!      └────────────────────────────┘
//!        release: wake every claimant
//! ```
//!
//! The *claim* is the right to initialize. It is a value of the type `Claim` (in `raw.rs`): publishing consumes it, and
//! dropping it releases it. An error, a panic and a cancellation of the initializer are therefore one path.
//! Methods with `&mut self` set UNINIT or READY from any state, also from INITIALIZING after a future was leaked.
//!
//! # The word
//!
//! | bits | while set | set by | cleared by |
//! |---|---|---|---|
//! | INITIALIZING | one initializer holds the claim; no other thread writes the value | `try_claim` | `publish`, `release` |
//! | READY | the value is initialized, and only read | `publish` | methods with `&mut self` |
//! | LOCKED | one thread holds the list lock; no other thread changes the word | taking the lock | the drop of the guard, in the same call |
//! | the rest | the address of the first waiter, or null | the holder of the lock | the holder of the lock |
//!
//! The word is an `AtomicPtr` whose bits change by `map_addr`, so that the address of a node keeps its provenance.
//! A compare-and-swap compares addresses only, and a new node can have the address of a node that was freed (the ABA
//! problem). The address of a node is therefore only ever taken from the word that a successful compare-and-swap has
//! found, never from a word that was loaded before.
//!
//! # Transitions and orderings
//!
//! | from | to | by | ordering | pairs with |
//! |---|---|---|---|---|
//! | UNINIT, unlocked, no waiters | INITIALIZING | compare-and-swap in `claim` | Acquire | the Release of the `release` before: what the failed initializer did happens before the next initializer |
//! | INITIALIZING, unlocked, no waiters | READY or UNINIT | compare-and-swap in `settle_without_waiters` | Release | the Acquire of every load of the state |
//! | unlocked | LOCKED | compare-and-swap in `lock_if` | Acquire | the Release of the unlocking before |
//! | LOCKED | unlocked, with the new head and the new state | store in the drop of `ListGuard` | Release | all of the above |
//! | READY seen | value read | load in `Word::load` | Acquire | the Release that published READY |
//!
//! A reader may see READY in a word that a later holder of the lock has stored. That thread acquired the word before it
//! stored, so that the write of the value still happens before the read. The compare-and-swaps in between are
//! read-modify-writes, which continue a release sequence.
//!
//! With the feature `critical-section`, each compare-and-swap of this table is a load and a store in a critical section,
//! and holding the list lock is being in a critical section.
//!
//! The second shared atomic is `Node::prev`. It is null while the node is not linked. The thread that unlinks a node reads
//! `next` and the waker before, and clears `prev` (Release) as its last access to the node. The future that owns the node
//! loads `prev` (Acquire) without the lock; once `prev` is null, the future has exclusive access to the node again.
//!
//! # Waiters
//!
//! Two lanes share one list: *claimants* (`get_or_init`, `insert`, `wait_attempt`), which a value and a failure wake, and
//! *passive* waiters (`wait`), which only a value wakes. Registering, unlinking and taking the oldest waiter of a lane take a
//! bounded number of steps, and a failure does not touch the passive lane. Each lane is woken oldest first; the order
//! across the lanes is not the order of arrival, as claimants are woken before passive waiters.
//!
//! # Invariants
//!
//! 1. While the list lock is held, only its holder changes the word. So unlocking is a store.
//! 2. A linked node, and its waker, is changed only under the lock. The owner of the node may compare the waker without
//!    it, as only the owner ever replaces it.
//! 3. A linked node is valid: its owner unlinks it, or sees it unlinked, before the owner gives the memory up.
//! 4. The waker of a node is initialized while the node is linked. The thread that unlinks the node takes the waker.
//! 5. A claimant is linked only while the state is INITIALIZING, or until a drain that began when that state ended has
//!    taken it. So every linked claimant will be woken: by the holder of the claim, or by a drain in progress.
//! 6. A passive waiter is linked only until READY is published, or until the publisher's drain has taken it.
//! 7. No user code runs under the lock. Wakers are cloned before it is taken, and woken and dropped after it is released.
//! 8. The value is written only by the holder of the claim, and read only after an Acquire load that has seen READY.
//! 9. The claimants that a failure's drain still has to wake are those before its marker. The drain ends when its marker
//!    is unlinked, by itself or by another drain, which has then taken all claimants before the marker.
//! 10. A drain unlinks only claimants of the attempt whose end began the drain, or of earlier attempts (invariant 9). So the
//!     attempt in which a claimant has registered is over when another thread has unlinked it and the word is unlocked.
//!
//! # Waking
//!
//! `settle` first tries the common case, no waiters, with one compare-and-swap. Otherwise it takes the lock, unlinks up to
//! 16 waiters of one kind, moves their wakers to the stack, and unlocks: that store publishes the new state. Then it wakes these
//! waiters, and returns for the next 16.
//!
//! - **Why batches.** Waking under the lock would deadlock with a waker that re-enters the cell. Taking the whole list out
//!   of the lock would leave its nodes to futures that are being dropped.
//! - **Why not splice the lane into a list of the drainer's own.** While the drainer is preempted, or inside a waker that
//!   blocks, the spliced waiters would be hidden from the thread that publishes next. So only the wakers of one batch are
//!   ever out of the list and not yet woken.
//! - **How a drain after a failure ends.** A woken claimant may claim, and other claimants may register behind it, while
//!   the drain continues. The holder of the claim must wake those, and the drain must not: a waker that polls its task inline
//!   could otherwise extend the drain forever. So the drain appends a *marker* to the claimants while it holds the lock to
//!   end INITIALIZING: a node on its own stack, with a waker that does nothing. It drains up to the marker. Every
//!   other drain takes the marker as it takes any claimant.
//! - **How a drain after a publication ends.** When the list is empty: no waiter registers once the state is READY.
//! - **Why all claimants are woken.** A failure that passes the claim to one waiter relies on that waiter being polled. A
//!   task may hold a woken future without polling it, in a `select!` branch that lost, while it waits for the very cell
//!   elsewhere: a deadlock (futurelock). Here a wake reserves nothing, and the first claimant to be polled claims.
//! - **Panics.** If a waker panics, a guard wakes the others, and unlinks the marker, before the panic propagates. A second
//!   panic is caught and dropped (with `std`; without it, where no panic can be caught, it aborts).
//!
//! # Interleavings
//!
//! - *Register against publish.* A polls and sees INITIALIZING; B publishes and finds no waiters; A continues to register.
//!   A takes the lock only by a compare-and-swap from a word that still is INITIALIZING. It finds READY, and does not
//!   register.
//! - *Stale waker.* A future moves from task 1 to task 2 and is polled there while B drains. If B has unlinked the node, B
//!   wakes task 1 spuriously; task 2 sees under the lock that the node is not linked, and checks the state again.
//!   If the node is still linked, task 2's waker replaces the older one before B can take it.
//! - *Same waker, no lock.* A is polled with the waker that it left in the list, sees INITIALIZING and a linked node, and
//!   returns `Pending` without the lock. The thread that unlinks the node wakes this waker later, so that the executor
//!   polls again.
//! - *Cancel against publish.* A drops its future; B has unlinked its node and reads the waker. A sees `prev` null only
//!   after B's last access. Otherwise A takes the lock, after which B has finished with the node.
//! - *Poll for the end of an attempt, during its drain.* A unlinks a claimant, and has not yet stored the state. The
//!   claimant is polled, and sees `prev` null. It does not register again, as the INITIALIZING that it finds may be of the
//!   next attempt. It waits until A has unlocked the word, as the value is not visible before.
//! - *Claim by a linked waiter.* B fails and drains 40 waiters in batches; the last is polled for another reason, finds
//!   UNINIT and claims. It unlinks its node before it starts its initializer, whose future takes the place of the node.
//! - *Newcomer behind the marker.* B fails, wakes its first batch, and is preempted. C claims, and D registers behind B's
//!   marker. B drains up to its marker and leaves D asleep: C must wake D.
//! - *A publication or a second failure overtakes a drain.* B fails and is preempted between two batches. C claims, and
//!   publishes or fails. C's drain takes all of B's claimants, and B's marker with them (with a waker that does nothing).
//!   B takes the lock, finds its marker unlinked, and ends. B cannot free the marker before that, and C does not access it
//!   after it has cleared `prev`.
//! - *A nested drain.* On one thread, a waker that B wakes polls its task inline, which claims and fails. The nested drain takes
//!   B's claimants and marker, as C's drain does above.
//! - *The neighbors of a marker are cancelled.* They unlink themselves from the marker as from any claimant. If no claimant
//!   is left before the marker, B takes the marker first and ends.
//! - *A panic while the marker is linked.* [`complete`](crate::panics::complete) continues the drain up to the
//!   marker.
//!
//! # Other designs
//!
//! | design | why not |
//! |---|---|
//! | a semaphore (tokio) | larger; passes permits to waiters that may not be polled |
//! | an event queue on the heap (event-listener) | allocates |
//! | a `Mutex<Vec<Waker>>`, or a slab of wakers | allocates; registering or cancelling is O(n), or leaves wakers behind |
//! | a lock-free stack of waiters | cancelling needs the lock anyway, and the order is newest first |
//! | two words, one for the state and one for the list | larger, and the two must be kept consistent |
//! | a ticket in each node, to bound a drain and to merge the lanes | two more words in each node, and a drain that reads them |

use core::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    pin::{Pin, pin},
    ptr::NonNull,
    slice,
    task::{Context, Poll, Waker},
};

use self::{
    wake_batch::wake_in_batches,
    word::{Condition, Snapshot, WaiterNode, Word},
};
use super::{Backend, State, WaiterKind};

pub(super) mod list;
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
/// | initialization without waiters | two compare-and-swaps |
/// | starting to wait | one compare-and-swap and one store, besides cloning the waker |
/// | waking | one compare-and-swap, and one more with a store for each batch of up to 16 waiters of one kind, besides the wakes |
/// | cancelling | one compare-and-swap and one store, besides dropping the waker |
///
/// Starting to wait and cancelling take constant time, independent of the number of waiters. With the feature
/// `critical-section`, each compare-and-swap is a load and a store in a critical section.
///
/// # Interrupts and priorities
///
/// With the feature `critical-section`, an interrupt handler may use a cell as a task may, and threads of any
/// priorities may share a cell.
///
/// Without that feature, one bit of the word locks the list of waiters, for a bounded number of steps that run no user
/// code. A thread that finds the list locked waits, depending on the feature `std`:
///
/// - With `std`, it spins, then yields, then sleeps for 50 µs at a time. Threads of different priorities may share a cell,
///   including real-time policies such as `SCHED_FIFO`. There is no priority inheritance: threads of a priority in
///   between can delay the thread of higher priority. A signal handler must not change a cell, because it may have interrupted
///   the thread that holds the lock.
/// - Without `std`, it spins. Tasks on several cores and tasks of one executor may share a cell. **Do not change a cell in
///   an interrupt handler**, and do not share it between threads of different priorities on one core: the handler, or the
///   thread of higher priority, would spin forever.
///
/// Methods that only read a cell, such as [`get`](crate::OnceCell::get), can be called everywhere. See
/// [firmware](crate::guide::firmware) and [performance](crate::guide::performance) in the guide.
pub struct Intrusive {
    word: Word,
}

/// The place of a waiting future in the list of [`Intrusive`]: four words.
pub struct IntrusiveWaiter {
    node: WaiterNode,
}

// SAFETY: another thread may take the waker and wake or drop it, for which a `Waker` is `Send`. It accesses the other
// fields under the lock. The addresses in them mean the same on every thread.
unsafe impl Send for IntrusiveWaiter {}
// SAFETY: a shared reference gives access to the atomic `prev` only.
unsafe impl Sync for IntrusiveWaiter {}

// No panic leaves the list or a node half-changed: no user code runs under the lock.
impl UnwindSafe for Intrusive {}
impl RefUnwindSafe for Intrusive {}
impl UnwindSafe for IntrusiveWaiter {}
impl RefUnwindSafe for IntrusiveWaiter {}

impl Intrusive {
    /// Ends INITIALIZING with `outcome`, and wakes the waiters that it concerns.
    #[inline]
    fn settle(&self, outcome: State) {
        if !self.word.settle_without_waiters(outcome) {
            self.settle_and_wake(outcome);
        }
    }

    #[cold]
    #[inline(never)]
    fn settle_and_wake(&self, outcome: State) {
        let is_failure = outcome == State::Uninit;
        let marker = pin!(WaiterNode::new(WaiterKind::Claimant));
        let marker = marker.as_ref();
        let mut is_settled = false;
        wake_in_batches(move |batch| {
            let mut guard = self.word.lock();
            if !is_settled {
                is_settled = true;
                guard.set_state(outcome);
                if is_failure {
                    // SAFETY: the marker is new.
                    unsafe { marker.put_payload(Waker::noop().clone()) };
                    // SAFETY: the marker is new, a claimant, and has a payload. It stays in place until this function returns,
                    // which it does when the marker is unlinked: `wake_in_batches` continues until `false` is returned here,
                    // even if wakers panic.
                    unsafe { guard.list.push(marker, WaiterKind::Claimant) };
                }
            }
            let end = if is_failure {
                // If the marker is not linked, another drain has taken it, and all claimants before it (invariant 9).
                marker.is_linked().then(|| NonNull::from(marker.get_ref()))
            } else {
                guard.list.last_of_first_lane()
            };
            if let Some(end) = end {
                let take = |slots: &mut slice::IterMut<'_, _>| {
                    // SAFETY: `end` is in the lane that the list begins with, which after a failure is that of the
                    // claimants.
                    unsafe { guard.list.pop_through(end, slots) };
                };
                // SAFETY: the batch is empty, and `pop_through` initializes the slots that it takes.
                unsafe { batch.fill(take) };
            }
            if is_failure {
                marker.is_linked()
            } else {
                !guard.list.is_empty()
            }
        });
    }

    /// Registers a waiter that is not linked.
    #[inline]
    fn register(&self, node: Pin<&WaiterNode>, waker: &Waker) -> Poll<()> {
        let waker = waker.clone();
        // SAFETY: the caller owns the node, which is not linked.
        unsafe { node.put_payload(waker) };
        // SAFETY: as above.
        let kind = unsafe { node.kind() };
        match self.word.lock_if(Condition::keeps_waiting(kind)) {
            Ok(mut guard) => {
                // SAFETY: the node is not linked, and its owner keeps it valid while it is (invariant 3).
                unsafe { guard.list.push(node, kind) };
                Poll::Pending
            }
            Err(_) => {
                // SAFETY: the node has a payload, is not linked, and the caller owns it.
                drop(unsafe { node.take_payload() });
                Poll::Ready(())
            }
        }
    }

    /// Replaces the waker of a waiter that was linked when last checked, unless the new waker wakes the same task.
    #[inline(never)]
    fn update(&self, node: Pin<&WaiterNode>, waker: &Waker) -> Poll<()> {
        // SAFETY: the caller owns the node, whose waker was written when it was linked (invariants 2 and 4). A waker that
        // was moved out can still be compared: `will_wake` compares addresses and follows none of them. No other task can
        // have got the address of a waker that is gone without seeing `prev` cleared before.
        if unsafe { node.with_payload(|current| current.will_wake(waker)) } {
            // The thread that unlinks the node wakes this very task.
            return Poll::Pending;
        }
        let waker = waker.clone();
        let mut guard = self.word.lock();
        // Thread A may have unlinked the node and be about to wake the older waker, whose task no longer polls this
        // future. Only the lock shows that it has not.
        let (poll, spare) = if node.is_linked() {
            // SAFETY: the caller owns the node, which is linked (invariants 2 and 4).
            (Poll::Pending, unsafe { guard.list.replace(node, waker) })
        } else {
            (Poll::Ready(()), waker)
        };
        drop(guard);
        drop(spare);
        poll
    }

    /// Waits until the attempt has ended in which a claimant was registered. The caller owns the claimant, and has seen that
    /// another thread has unlinked it (invariant 10).
    fn wait_until_settled(&self) {
        // If the state is not INITIALIZING, the attempt is over. If it is, it is of the next attempt, or thread A is about to
        // store the state by unlocking the word: then the lock is taken after that.
        drop(self.word.lock_if(Condition::keeps_waiting(WaiterKind::Claimant)));
    }

    /// Unlinks a waiter that was linked when last checked.
    #[inline(never)]
    fn cancel_linked(&self, node: Pin<&WaiterNode>) {
        let mut guard = self.word.lock();
        // Thread A may have unlinked the node since the caller has loaded `prev`.
        // SAFETY: the node is in the list or in none.
        let waker = unsafe { guard.list.unlink(node) };
        drop(guard);
        drop(waker);
    }
}

// SAFETY: the numbers are those of the trait's documentation.
// 1. Only a `try_claim` changes UNINIT to INITIALIZING, by a compare-and-swap that one caller wins, or as
//    the only holder of the list lock. Only the holder of the claim changes INITIALIZING, in `settle`.
// 2. Only `settle` sets READY, with Release, directly or by unlocking. Every later change of the word is a
//    read-modify-write, or the store of a thread that acquired it, so that an Acquire load of any READY word
//    synchronizes with `settle`. (With critical sections, each load and store that replace a read-modify-write are in one
//    critical section.)
// 3. UNINIT is set by `settle` with Release, in the same two ways, and `try_claim` acquires.
// 4. `poll_wait`, `poll_attempt` and `cancel` leave the node unlinked as rule 4 requires; the last access by another thread is
//    the store of `prev`, which they acquire. A node points to nodes alone. Those that a leaked future has left stay valid, as
//    they are not `Unpin`; the list that they are in is not used again.
unsafe impl Backend for Intrusive {
    const UNINIT: Self = Self {
        word: Word::new(Snapshot::UNINIT),
    };
    const READY: Self = Self {
        word: Word::new(Snapshot::READY),
    };

    type Waiter = IntrusiveWaiter;

    #[inline(always)]
    fn waiter(kind: WaiterKind) -> IntrusiveWaiter {
        IntrusiveWaiter {
            node: WaiterNode::new(kind),
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
        // READY first, because most calls find it. The other check avoids a compare-and-swap that is bound to fail.
        let found = self.word.load();
        if found.is_ready() {
            return Err(State::Ready);
        }
        if found.is_initializing() {
            return Err(State::Initializing);
        }
        self.word.claim().map_err(Snapshot::state)
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
        let node = waiter.into_ref().node();
        if node.is_linked() {
            self.update(node, cx.waker())
        } else {
            self.register(node, cx.waker())
        }
    }

    unsafe fn poll_attempt(&self, waiter: Pin<&mut IntrusiveWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        let node = waiter.into_ref().node();
        if node.is_linked() {
            return self.update(node, cx.waker());
        }
        self.wait_until_settled();
        Poll::Ready(())
    }

    #[inline]
    unsafe fn cancel(&self, waiter: Pin<&mut IntrusiveWaiter>) {
        let node = waiter.into_ref().node();
        if node.is_linked() {
            self.cancel_linked(node);
        }
    }
}

impl IntrusiveWaiter {
    #[inline(always)]
    fn node(self: Pin<&Self>) -> Pin<&WaiterNode> {
        // SAFETY: the node is a field, which is pinned with the waiter and not handed out otherwise.
        unsafe { self.map_unchecked(|waiter| &waiter.node) }
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
            .field("is_waiting", &self.node.is_linked())
            .finish_non_exhaustive()
    }
}
