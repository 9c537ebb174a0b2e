//! The list of waiters of one thread: two lanes behind one pointer, every operation O(1).
//!
//! Claimants come before passive waiters. Each lane is in the order of arrival:
//!
//! ```text
//!  head ──► c1 ──► c2 ──► c3 ──► v1 ──► v2 ──► null      next
//!           │▲◄─────┘◄─────┘      │▲◄────┘               prev
//!           └┼──────────────►c3   └┼───────────►v2       prev of a lane's first node: the lane's last
//! ```
//!
//! This is the shape of the list of [`Intrusive`](crate::backend::Intrusive), which threads share. Here, no lock moves the
//! head out of the word, no other thread accesses a node, and nodes are popped one at a time. So the head is a
//! link like those in the nodes, and each operation changes one link: the head or a link in a node.
//!
//! # Links
//!
//! The low bits of a link are its tag. They belong to the place of the link, and stay when its address changes: in a node,
//! the tag is the lane of that node; in the head, it is the state of the cell, which the list does not interpret.
//!
//! # Fields of a node
//!
//! | field | while the node is not linked | while the node is linked |
//! |---|---|---|
//! | `prev` | `None` | never `None` |
//! | `payload` | uninitialized | initialized |
//! | `next` | null, or left over | the next node, which may be in the other lane, or null |

use core::{
    cell::{Cell, UnsafeCell},
    marker::PhantomPinned,
    mem::MaybeUninit,
    pin::Pin,
    ptr,
    ptr::NonNull,
};

use crate::backend::WaiterKind;

/// A place in the list, inside the future of its owner: four words.
///
/// The order of the fields is that of the nodes of `Intrusive`, for the reason that is given there.
#[repr(C, align(8))]
pub(crate) struct Node<P> {
    prev: Cell<Option<NonNull<Node<P>>>>,
    payload: UnsafeCell<MaybeUninit<P>>,
    next: Link<P>,
    _pinned: PhantomPinned,
}

/// The address of a node or null, and below it the tag.
struct Link<P>(Cell<*mut Node<P>>);

/// The tag of the links in a lane's nodes.
type Lane = usize;

const CLAIMANTS: Lane = 0;
const PASSIVE: Lane = 1;

const _: () = assert!(align_of::<Node<()>>() > Link::<()>::TAG);

impl<P> Link<P> {
    const TAG: usize = 0b11;

    const fn new(tag: usize) -> Self {
        Self(Cell::new(ptr::without_provenance_mut(tag)))
    }

    #[inline(always)]
    fn tag(&self) -> usize {
        count_step();
        self.0.get().addr() & Self::TAG
    }

    #[inline(always)]
    fn set_tag(&self, tag: usize) {
        self.0.set(self.0.get().map_addr(|addr| addr & !Self::TAG | tag));
    }

    /// Returns the node that the link leads to.
    #[inline(always)]
    fn next(&self) -> Option<NonNull<Node<P>>> {
        count_step();
        NonNull::new(self.0.get().map_addr(|addr| addr & !Self::TAG))
    }

    /// Returns the node that the link leads to, or `None` if that node is in the other lane.
    ///
    /// # Safety
    ///
    /// The link is the head or is in a linked node.
    #[inline(always)]
    unsafe fn next_in(&self, lane: Lane) -> Option<NonNull<Node<P>>> {
        let next = self.next()?;
        // SAFETY: the list leads to valid nodes only.
        (unsafe { next.as_ref() }.next.tag() == lane).then_some(next)
    }

    /// Puts `node` between this link and the node that it leads to.
    #[inline(always)]
    fn insert(&self, node: &Node<P>) {
        let (tag, lane) = (self.tag(), node.next.tag());
        node.next.0.set(self.0.get().map_addr(|addr| addr - tag + lane));
        self.0
            .set(ptr::from_ref(node).cast_mut().map_addr(|addr| addr + tag));
    }

    /// Leads past `node`, to which this link leads.
    #[inline(always)]
    fn skip(&self, node: &Node<P>) {
        let tag = self.tag();
        self.0
            .set(node.next.0.get().map_addr(|addr| addr & !Self::TAG | tag));
    }
}

impl<P> Node<P> {
    #[inline(always)]
    pub(crate) const fn new(kind: WaiterKind) -> Self {
        Self {
            prev: Cell::new(None),
            payload: UnsafeCell::new(MaybeUninit::uninit()),
            next: Link::new(match kind {
                WaiterKind::Claimant => CLAIMANTS,
                WaiterKind::Passive => PASSIVE,
            }),
            _pinned: PhantomPinned,
        }
    }

    #[inline(always)]
    pub(crate) fn is_linked(&self) -> bool {
        self.prev.get().is_some()
    }

    #[inline(always)]
    pub(crate) fn kind(&self) -> WaiterKind {
        if self.next.tag() == CLAIMANTS {
            WaiterKind::Claimant
        } else {
            WaiterKind::Passive
        }
    }

    /// Reads the payload.
    ///
    /// # Safety
    ///
    /// The node is linked. `read` does not call the list or the node.
    #[inline(always)]
    pub(crate) unsafe fn with_payload<R>(&self, read: impl FnOnce(&P) -> R) -> R {
        // SAFETY: a linked node has a payload, which is not changed while `read` runs, as the caller guarantees.
        read(unsafe { &*self.payload.get().cast::<P>() })
    }

    /// Replaces the payload, and returns the older one.
    ///
    /// # Safety
    ///
    /// The node is linked.
    #[inline(always)]
    pub(crate) unsafe fn replace_payload(&self, payload: P) -> P {
        // SAFETY: a linked node has a payload, and no reference to it is left.
        unsafe { self.payload.get().cast::<P>().replace(payload) }
    }
}

/// The list, and in its head two bits for its owner: the tag.
pub(crate) struct List<P> {
    /// Leads to the first claimant, or to the first passive waiter if there is no claimant, or nowhere.
    head: Link<P>,
}

impl<P> List<P> {
    pub(crate) const fn new(tag: usize) -> Self {
        Self { head: Link::new(tag) }
    }

    #[inline(always)]
    pub(crate) fn tag(&self) -> usize {
        self.head.tag()
    }

    #[inline(always)]
    pub(crate) fn set_tag(&self, tag: usize) {
        self.head.set_tag(tag);
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.next().is_none()
    }

    /// Appends `node` to the lane of its kind.
    ///
    /// # Safety
    ///
    /// The node is in no list, and stays valid and in place until it is unlinked, or until the list is no longer used.
    #[inline]
    pub(crate) unsafe fn push(&self, node: Pin<&Node<P>>, payload: P) {
        let node = node.get_ref();
        // SAFETY: a node that is not linked has no payload.
        unsafe { node.payload.get().cast::<P>().write(payload) };
        let lane = node.next.tag();
        let mut link = self.link_to_lane(lane);
        let mut prev = Some(NonNull::from(node));
        // SAFETY: the link is the head or is in a linked node.
        if let Some(first) = unsafe { link.next_in(lane) } {
            // SAFETY: the list leads to valid nodes only.
            let first = unsafe { first.as_ref() };
            prev = first.prev.replace(prev);
            // SAFETY: `prev` of the first node is the last node.
            link = unsafe { Self::link_behind(prev) };
        }
        node.prev.set(prev);
        link.insert(node);
    }

    /// Unlinks `node`, and returns its payload.
    ///
    /// # Safety
    ///
    /// The node is in this list.
    #[inline]
    pub(crate) unsafe fn unlink(&self, node: NonNull<Node<P>>) -> P {
        let place = node;
        // SAFETY: a linked node is valid.
        let node = unsafe { place.as_ref() };
        let lane = node.next.tag();
        let prev = node.prev.get();
        let mut link = self.link_to_lane(lane);
        // SAFETY: the lane is not empty, so this is its first node.
        let mut back = unsafe { link.next().unwrap_unchecked() };
        if back != place {
            // SAFETY: `prev` of a node that is not the first is the node before it.
            link = unsafe { Self::link_behind(prev) };
        }
        link.skip(node);
        // The node's `prev` passes to the next node of the lane; from the last node, it passes to the first. (If the node
        // was the only one, it passes from the node to itself.)
        // SAFETY: the node was linked.
        if let Some(next) = unsafe { node.next.next_in(lane) } {
            back = next;
        }
        // SAFETY: this is a linked node of this list, or `node`.
        unsafe { back.as_ref() }.prev.set(prev);
        node.prev.set(None);
        // SAFETY: a linked node has a payload, and the node is no longer linked.
        unsafe { node.payload.get().cast::<P>().read() }
    }

    /// Unlinks the first node, and returns its payload.
    ///
    /// # Safety
    ///
    /// The list is not empty.
    #[inline(always)]
    pub(crate) unsafe fn pop(&self) -> P {
        // SAFETY: as the caller guarantees.
        let first = unsafe { self.head.next().unwrap_unchecked() };
        // SAFETY: the node is in this list.
        unsafe { self.unlink(first) }
    }

    /// Returns the link that leads to the first node of `lane`, or if the lane is empty, the link at its place.
    #[inline]
    fn link_to_lane(&self, lane: Lane) -> &Link<P> {
        if lane == CLAIMANTS {
            return &self.head;
        }
        // SAFETY: this is the head.
        match unsafe { self.head.next_in(CLAIMANTS) } {
            Some(first_claimant) => {
                // SAFETY: the list leads to valid nodes only.
                let first_claimant = unsafe { first_claimant.as_ref() };
                // SAFETY: `prev` of the first claimant is the last claimant.
                unsafe { Self::link_behind(first_claimant.prev.get()) }
            }
            None => &self.head,
        }
    }

    /// Returns the link in a node.
    ///
    /// # Safety
    ///
    /// `prev` is the `prev` of a linked node, and not `None`. The link is not used after a node was unlinked.
    #[inline(always)]
    unsafe fn link_behind<'a>(prev: Option<NonNull<Node<P>>>) -> &'a Link<P> {
        // SAFETY: as the caller guarantees.
        let node = unsafe { prev.unwrap_unchecked() };
        // SAFETY: `prev` of a linked node is a linked node, which is valid.
        &unsafe { node.as_ref() }.next
    }
}

#[cfg(not(all(test, not(oncelot_loom))))]
fn count_step() {}

#[cfg(all(test, not(oncelot_loom)))]
use crate::backend::list_tests::count_step;
