//! The intrusive list of waiters: two lanes behind one pointer, every operation O(1).
//!
//! Claimants come before passive waiters. Each lane is in the order of arrival:
//!
//! ```text
//!  head ──► c1 ──► c2 ──► c3 ──► v1 ──► v2 ──► null      next
//!           │▲◄─────┘◄─────┘      │▲◄────┘               prev
//!           └┼──────────────►c3   └┼───────────►v2       prev of a lane's first node: the lane's last
//! ```
//!
//! The `prev` of a lane's first node leads to the lane's last node, and the `next` of the last claimant leads to the
//! first passive waiter. Both ends of both lanes are at most three steps from the head, so that a failed initializer
//! never walks over the passive waiters.
//!
//! The links show whether a node is at an end of its lane. It is not the first node if `prev.next` leads back
//! to it, and not the last node if `next.prev` does. The head is read and written only where a lane's end changes.
//!
//! # Fields of a node
//!
//! | field | while the node is not linked | while the node is linked |
//! |---|---|---|
//! | `prev` | null; read by the owner of the node | never null; read by any thread, written by the holder of the lock |
//! | `payload` | uninitialized | read by the owner of the node and the holder of the lock; replaced by its owner, under the lock |
//! | `next` | the kind, and an address that is null or left over; read by the owner of the node | read and written by the holder of the lock |
//!
//! Clearing `prev` is the last access of the list to a node that it unlinks. The owner of the node may see that
//! without the lock, and free the node immediately.

use core::{marker::PhantomPinned, mem::MaybeUninit, pin::Pin, ptr, ptr::NonNull, slice};

use crate::{
    backend::WaiterKind,
    sync::{AtomicPtr, Ordering, UnsafeCell, unsync_load},
};

/// A place in the list, inside the future of its owner: four words.
///
/// The alignment leaves room for the flags of the word below the address of a node.
///
/// The order of the fields matters. `prev` and `next` are written when a future is made and the payload is not. With
/// the two of them adjacent, compilers copy the pair in one load that the two stores before it delay.
#[derive(Debug)]
#[repr(C, align(8))]
pub(crate) struct Node<P> {
    prev: AtomicPtr<Node<P>>,
    payload: UnsafeCell<MaybeUninit<P>>,
    next: UnsafeCell<Link<P>>,
    _pinned: PhantomPinned,
}

/// The address of the next node, null at the end of the list, and in bit 0 the kind of the node that this link is in.
#[derive(Debug)]
struct Link<P>(*mut Node<P>);

impl<P> Clone for Link<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Link<P> {}

impl<P> Link<P> {
    const PASSIVE: usize = 1;

    const fn new(kind: WaiterKind) -> Self {
        Self(ptr::without_provenance_mut(match kind {
            WaiterKind::Claimant => 0,
            WaiterKind::Passive => Self::PASSIVE,
        }))
    }

    #[inline(always)]
    fn kind(self) -> WaiterKind {
        if self.0.addr() & Self::PASSIVE == 0 {
            WaiterKind::Claimant
        } else {
            WaiterKind::Passive
        }
    }

    #[inline(always)]
    fn next(self) -> *mut Node<P> {
        self.0.map_addr(|addr| addr & !Self::PASSIVE)
    }

    /// Leads to `next` from a node of the same kind.
    #[inline(always)]
    fn with_next(self, next: *mut Node<P>) -> Self {
        Self(next.map_addr(|addr| addr | self.0.addr() & Self::PASSIVE))
    }
}

impl<P> Node<P> {
    pub(crate) const fn new(kind: WaiterKind) -> Self {
        Self {
            prev: AtomicPtr::new(ptr::null_mut()),
            payload: UnsafeCell::new(MaybeUninit::uninit()),
            next: UnsafeCell::new(Link::new(kind)),
            _pinned: PhantomPinned,
        }
    }

    /// Returns `true` if the node is in a list.
    ///
    /// The owner of the node may rely on `false`. `true` may be outdated, except for the holder of the lock.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `List::take`: the list no longer accesses the node.
        !self.prev.load(Ordering::Acquire).is_null()
    }

    /// Returns the kind of waiter that the node was made for.
    ///
    /// # Safety
    ///
    /// The caller owns the node, which is not linked, or holds the lock of the list that the node is in.
    #[inline(always)]
    pub(crate) unsafe fn kind(&self) -> WaiterKind {
        // SAFETY: no other thread writes the link, as the caller guarantees.
        self.next.with(|link| unsafe { *link }).kind()
    }

    /// Writes the payload.
    ///
    /// # Safety
    ///
    /// The caller owns the node, which is not linked and has no payload.
    #[inline(always)]
    pub(crate) unsafe fn put_payload(&self, payload: P) {
        // SAFETY: the payload of a node that is not linked is accessed by its owner only.
        (self.payload).with_mut(|slot| unsafe { slot.cast::<P>().write(payload) });
    }

    /// Moves the payload out.
    ///
    /// # Safety
    ///
    /// The node has a payload. It is being unlinked by the caller, or it is not linked and the caller owns it.
    #[inline(always)]
    pub(crate) unsafe fn take_payload(&self) -> P {
        // SAFETY: the payload is initialized, and is moved out once, as the caller guarantees.
        self.payload.with(|slot| unsafe { slot.cast::<P>().read() })
    }

    /// Reads the payload, which may have been moved out.
    ///
    /// # Safety
    ///
    /// The node has been linked, and no other thread replaces its payload.
    pub(crate) unsafe fn with_payload<R>(&self, read: impl FnOnce(&P) -> R) -> R {
        // SAFETY: the payload was written when the node was linked, and is only read, as the caller guarantees.
        self.payload
            .with(|payload| read(unsafe { &*payload.cast::<P>() }))
    }
}

/// The list, as the holder of its lock accesses it. The holder loads the head from the word and stores it back.
#[derive(Debug)]
pub(crate) struct List<P> {
    /// The first claimant, or the first passive waiter if there is no claimant, or null.
    head: *mut Node<P>,
}

impl<P> List<P> {
    /// Creates a list from the [`head`](Self::head) of an earlier one, or an empty list from null.
    ///
    /// # Safety
    ///
    /// The list that `head` comes from is not used again. Nodes stay valid and in place while they are linked.
    #[inline(always)]
    pub(crate) unsafe fn from_head(head: *mut Node<P>) -> Self {
        Self { head }
    }

    #[inline(always)]
    pub(crate) fn head(&self) -> *mut Node<P> {
        self.head
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Appends `node` to the lane of its kind.
    ///
    /// # Safety
    ///
    /// The node is in no list, is of the kind `kind`, has a payload, and stays valid and in place until it is unlinked.
    #[inline]
    pub(crate) unsafe fn push(&mut self, node: Pin<&Node<P>>, kind: WaiterKind) {
        let node = NonNull::from(node.get_ref());
        match self.first(kind) {
            Some(first) => {
                let last = self.prev(first);
                let last_link = self.link(last);
                self.set_link(node, Link::new(kind).with_next(last_link.next()));
                self.set_prev(node, last);
                self.set_link(last, last_link.with_next(node.as_ptr()));
                self.set_prev(first, node);
            }
            None => {
                self.set_prev(node, node);
                match (kind, NonNull::new(self.head)) {
                    (WaiterKind::Passive, Some(first_claimant)) => {
                        self.set_link(node, Link::new(kind));
                        self.set_next(self.prev(first_claimant), node.as_ptr());
                    }
                    _ => {
                        self.set_link(node, Link::new(kind).with_next(self.head));
                        self.head = node.as_ptr();
                    }
                }
            }
        }
    }

    /// Unlinks `node`, wherever it is in the list, and returns its payload, or `None` if it is not linked.
    ///
    /// # Safety
    ///
    /// The node is in this list or in none. After the call, only its owner accesses it.
    #[inline]
    pub(crate) unsafe fn unlink(&mut self, node: Pin<&Node<P>>) -> Option<P> {
        // SAFETY: `prev` is null until the node is linked, and is stored under the lock only.
        let prev = NonNull::new(unsafe { unsync_load(&node.prev) })?;
        let node = NonNull::from(node.get_ref());
        let link = self.link(node);
        let next = link.next();
        let is_first_of_lane = self.link(prev).next() != node.as_ptr();
        if !is_first_of_lane {
            self.set_next(prev, next);
        } else if self.head == node.as_ptr() {
            self.head = next;
        } else if let Some(first_claimant) = NonNull::new(self.head) {
            // The first passive waiter, behind the last claimant.
            self.set_next(self.prev(first_claimant), next);
        }
        match NonNull::new(next) {
            // The next node is in the same lane. If the unlinked node was the first, `prev` is the lane's last.
            Some(next) if self.prev(next) == node => self.set_prev(next, prev),
            // The unlinked node was the last of a lane that has other nodes.
            _ if !is_first_of_lane => {
                if let Some(first) = self.first(link.kind()) {
                    self.set_prev(first, prev);
                }
            }
            _ => {}
        }
        // SAFETY: the node was in the list, which no longer leads to it.
        Some(unsafe { self.take(node) })
    }

    /// Returns the last node of the lane that the list begins with, or `None` if the list is empty.
    ///
    /// The list begins with the claimants, or with the passive waiters if there is no claimant.
    #[inline(always)]
    pub(crate) fn last_of_first_lane(&self) -> Option<NonNull<Node<P>>> {
        Some(self.prev(NonNull::new(self.head)?))
    }

    /// Unlinks nodes from the front of the list, oldest first, up to and including `end`, and moves their payloads to
    /// `slots`, as many as there is room for.
    ///
    /// # Safety
    ///
    /// `end` is a node of the lane that the list begins with.
    #[inline]
    pub(crate) unsafe fn pop_through(
        &mut self,
        end: NonNull<Node<P>>,
        slots: &mut slice::IterMut<'_, MaybeUninit<P>>,
    ) {
        // SAFETY: the list is not empty, as `end` is in it.
        let mut node = unsafe { NonNull::new_unchecked(self.head) };
        let last = self.prev(node);
        let mut is_lane_empty = false;
        for slot in slots {
            let next = self.link(node).next();
            // SAFETY: the node was in the list, which no longer leads to it: `head` is written before the lock is released.
            slot.write(unsafe { self.take(node) });
            self.head = next;
            if node == end {
                is_lane_empty = end == last;
                break;
            }
            // SAFETY: a node before `end` has a next node in its lane.
            node = unsafe { NonNull::new_unchecked(next) };
        }
        if !is_lane_empty {
            // SAFETY: the lane has a node still, to which `head` leads.
            let first = unsafe { NonNull::new_unchecked(self.head) };
            self.set_prev(first, last);
        }
    }

    /// Replaces the payload of `node`, and returns the older one.
    ///
    /// # Safety
    ///
    /// The node is in this list, and the caller is its owner.
    pub(crate) unsafe fn replace(&mut self, node: Pin<&Node<P>>, payload: P) -> P {
        // SAFETY: the payload of a linked node is initialized. The holder of the lock, and owner of the node, is the
        // only thread that accesses it.
        (node.payload).with_mut(|slot| unsafe { slot.cast::<P>().replace(payload) })
    }

    /// Moves the payload out of a node, and gives the node back to its owner.
    ///
    /// # Safety
    ///
    /// The node was linked, and the list no longer leads to it. After the call, only its owner accesses it.
    #[inline(always)]
    unsafe fn take(&mut self, node: NonNull<Node<P>>) -> P {
        // SAFETY: a node is valid until `prev` is cleared below.
        let node = unsafe { node.as_ref() };
        // SAFETY: a linked node has a payload, and this call unlinks the node.
        let payload = unsafe { node.take_payload() };
        // ORDERING: Release pairs with the Acquire in `is_linked`. From here on, the node may be gone.
        node.prev.store(ptr::null_mut(), Ordering::Release);
        payload
    }

    /// Returns the first node of a lane, or `None` if the lane is empty.
    #[inline(always)]
    fn first(&self, kind: WaiterKind) -> Option<NonNull<Node<P>>> {
        let head = NonNull::new(self.head)?;
        let head_kind = self.link(head).kind();
        match (kind, head_kind) {
            (WaiterKind::Claimant, WaiterKind::Passive) => None,
            (WaiterKind::Passive, WaiterKind::Claimant) => NonNull::new(self.link(self.prev(head)).next()),
            _ => Some(head),
        }
    }

    #[inline(always)]
    fn prev(&self, node: NonNull<Node<P>>) -> NonNull<Node<P>> {
        count_step();
        // SAFETY: the list leads to valid nodes only.
        let node = unsafe { node.as_ref() };
        // SAFETY: `prev` of a linked node is stored under the lock only.
        let prev = unsafe { unsync_load(&node.prev) };
        // SAFETY: `prev` of a linked node is not null.
        unsafe { NonNull::new_unchecked(prev) }
    }

    #[inline(always)]
    fn set_prev(&mut self, node: NonNull<Node<P>>, prev: NonNull<Node<P>>) {
        count_step();
        // SAFETY: the list leads to valid nodes only, and the node that `push` was given is valid.
        let node = unsafe { node.as_ref() };
        // ORDERING: Relaxed: other threads only check whether the node is linked.
        node.prev.store(prev.as_ptr(), Ordering::Relaxed);
    }

    #[inline(always)]
    fn link(&self, node: NonNull<Node<P>>) -> Link<P> {
        count_step();
        // SAFETY: the list leads to valid nodes only, and the node that `push` was given is valid.
        let node = unsafe { node.as_ref() };
        // SAFETY: `next` of a linked node is accessed under the lock only, and that of another one by its owner.
        node.next.with(|link| unsafe { *link })
    }

    #[inline(always)]
    fn set_next(&mut self, node: NonNull<Node<P>>, next: *mut Node<P>) {
        self.set_link(node, self.link(node).with_next(next));
    }

    #[inline(always)]
    fn set_link(&mut self, node: NonNull<Node<P>>, link: Link<P>) {
        count_step();
        // SAFETY: the list leads to valid nodes only, and the node that `push` was given is valid.
        let node = unsafe { node.as_ref() };
        // SAFETY: `next` of a linked node is accessed under the lock only, and that of another one by its owner.
        node.next.with_mut(|place| unsafe { place.write(link) });
    }
}

#[cfg(not(all(test, not(oncelot_loom))))]
fn count_step() {}

#[cfg(all(test, not(oncelot_loom)))]
use crate::backend::list_tests::count_step;
