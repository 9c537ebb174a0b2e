//! The intrusive list of waiters: two lanes behind one pointer, everything O(1).
//!
//! Claimants stand before passive waiters, each lane in the order of arrival:
//!
//! ```text
//!  head ──► c1 ──► c2 ──► c3 ──► v1 ──► v2 ──► null      next
//!           │▲◄─────┘◄─────┘      │▲◄────┘               prev
//!           └┼──────────────►c3   └┼───────────►v2       prev of a lane's first node: the lane's last
//! ```
//!
//! A lane's first node knows the lane's last, and the last claimant's `next` is the first passive waiter.
//! So both ends of both lanes are at most three steps from the head, and a failed initializer never walks
//! over the passive waiters.
//!
//! Each node carries a ticket, one more than the newest in the list when it was pushed. Tickets merge the
//! lanes into the order of arrival when everybody is woken, and tell a drain where the waiters end that
//! stood in the list when it began.
//!
//! # Who may touch what
//!
//! | field | before the push | while linked | after the unlinking |
//! |---|---|---|---|
//! | `pointers`, `ticket` | nobody | the list's owner (who holds the lock) | nobody |
//! | `linked` | the node's owner | the list's owner writes, anybody reads | the node's owner |
//! | `payload`, `kind` | the node's owner | as the user of the list decides | the node's owner |
//!
//! The store of `linked = false` is the list's last touch of a node: its owner may see it without the lock
//! and free the node at once.

use core::{marker::PhantomPinned, mem::MaybeUninit, pin::Pin, ptr, ptr::NonNull};

use crate::{
    backend::WaiterKind,
    sync::{AtomicBool, Ordering, UnsafeCell},
};

/// A place in the list, inside its owner's future.
///
/// Aligned so that the word has room for its flags below the node's address.
#[derive(Debug)]
#[repr(align(8))]
pub(crate) struct Node<P> {
    /// First written by `push`, so that making a node costs no more than `linked`.
    pointers: UnsafeCell<MaybeUninit<Pointers<P>>>,
    payload: P,
    /// Written by `push` too.
    ticket: UnsafeCell<MaybeUninit<Ticket>>,
    kind: WaiterKind,
    linked: AtomicBool,
    _pinned: PhantomPinned,
}

/// When a node was pushed, counted by pushes. Wide enough that it never wraps while a node stands in the list,
/// however many others come and go.
pub(crate) type Ticket = u64;

#[derive(Debug)]
struct Pointers<P> {
    /// The node before in the same lane; in a lane's first node, the lane's last.
    prev: NonNull<Node<P>>,
    /// The node after in the same lane; in the last claimant, the first passive waiter.
    next: Option<NonNull<Node<P>>>,
}

impl<P> Node<P> {
    pub(crate) const fn new(kind: WaiterKind, payload: P) -> Self {
        Self {
            pointers: UnsafeCell::new(MaybeUninit::uninit()),
            payload,
            ticket: UnsafeCell::new(MaybeUninit::uninit()),
            kind,
            linked: AtomicBool::new(false),
            _pinned: PhantomPinned,
        }
    }

    pub(crate) fn payload(&self) -> &P {
        &self.payload
    }

    pub(crate) fn kind(&self) -> WaiterKind {
        self.kind
    }

    /// Whether the node stands in a list. Its owner may rely on `false`; `true` may be over by now, unless
    /// the caller owns the list.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `unlink`: whatever the list did to the node is over.
        self.linked.load(Ordering::Acquire)
    }
}

/// The list in the hands of its owner, who made it from the word's pointer and puts it back there.
#[derive(Debug)]
pub(crate) struct List<P> {
    head: Option<NonNull<Node<P>>>,
}

impl<P> List<P> {
    /// # Safety
    ///
    /// `head` is null or is the [`head`](Self::head) that the list's last owner left it with.
    /// Nodes stay valid and in place while they are linked.
    pub(crate) unsafe fn from_head(head: *mut Node<P>) -> Self {
        Self {
            head: NonNull::new(head),
        }
    }

    pub(crate) fn head(&self) -> *mut Node<P> {
        self.head.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    /// Puts `node` behind all others of its kind.
    ///
    /// # Safety
    ///
    /// The node is in no list, and stays valid and in place until it is unlinked.
    pub(crate) unsafe fn push(&mut self, node: Pin<&Node<P>>) {
        let lane = node.kind;
        let ticket = self.newest_ticket().map_or(0, |newest| newest + 1);
        // SAFETY: nobody touches the ticket of an unlinked node but whoever pushes it.
        node.ticket
            .with_mut(|t| unsafe { t.write(MaybeUninit::new(ticket)) });
        // ORDERING: Relaxed: until it is unlinked, which comes later through the lock, only its owner looks.
        node.linked.store(true, Ordering::Relaxed);

        let node = NonNull::from(node.get_ref());
        if let Some(first) = self.first(lane) {
            let last = self.prev(first);
            self.init(node, last, self.next(last));
            self.set_next(last, Some(node));
            self.set_prev(first, node);
        } else {
            let next = match lane {
                WaiterKind::Claimant => self.head,
                WaiterKind::Passive => None,
            };
            self.init(node, node, next);
            self.set_first(lane, Some(node));
        }
    }

    /// Takes `node` out, wherever it stands. `look` sees its payload while its owner still has to wait.
    ///
    /// # Safety
    ///
    /// The node is in this list. It must not be touched afterwards but by its owner.
    pub(crate) unsafe fn unlink<R>(&mut self, node: NonNull<Node<P>>, look: impl FnOnce(&P) -> R) -> R {
        // SAFETY: a node in the list is valid, and stays so until `linked` is cleared.
        let unlinked = unsafe { node.as_ref() };
        let lane = unlinked.kind;
        let (prev, next) = (self.prev(node), self.next(node));
        let first = self.first(lane).unwrap_or(node);

        if self.prev(first) != node {
            // Not the lane's last. If it is the first, `prev` is the last, as the new first must know.
            self.set_prev(next.unwrap_or(node), prev);
        } else if first != node {
            self.set_prev(first, prev);
        }
        if first != node {
            self.set_next(prev, next);
        } else {
            self.set_first(lane, next);
        }

        let result = look(&unlinked.payload);
        // ORDERING: Release pairs with the Acquire in `is_linked`. From here on the node may be gone.
        unlinked.linked.store(false, Ordering::Release);
        result
    }

    /// The oldest of the waiters that could initialize.
    pub(crate) fn oldest_claimant(&self) -> Option<NonNull<Node<P>>> {
        self.first(WaiterKind::Claimant)
    }

    /// The oldest of all waiters.
    pub(crate) fn oldest(&self) -> Option<NonNull<Node<P>>> {
        match (self.first(WaiterKind::Claimant), self.first(WaiterKind::Passive)) {
            (Some(c), Some(v)) if self.ticket(v) < self.ticket(c) => Some(v),
            (claimant, passive) => claimant.or(passive),
        }
    }

    /// The ticket of the newest waiter.
    pub(crate) fn newest_ticket(&self) -> Option<Ticket> {
        let newest = |lane| Some(self.ticket(self.prev(self.first(lane)?)));
        newest(WaiterKind::Claimant).max(newest(WaiterKind::Passive))
    }

    /// The first node of `lane`.
    fn first(&self, lane: WaiterKind) -> Option<NonNull<Node<P>>> {
        let head = self.head?;
        match (self.kind(head), lane) {
            (WaiterKind::Claimant, WaiterKind::Passive) => self.next(self.prev(head)),
            (WaiterKind::Passive, WaiterKind::Claimant) => None,
            _ => Some(head),
        }
    }

    /// Redirects the pointer that leads to the first node of `lane`.
    fn set_first(&mut self, lane: WaiterKind, first: Option<NonNull<Node<P>>>) {
        match (self.first(WaiterKind::Claimant), lane) {
            (Some(claimant), WaiterKind::Passive) => self.set_next(self.prev(claimant), first),
            _ => self.head = first,
        }
    }

    fn kind(&self, node: NonNull<Node<P>>) -> WaiterKind {
        // SAFETY: the list leads to valid nodes only; the field never changes.
        unsafe { node.as_ref() }.kind
    }

    /// When a node of the list was pushed.
    pub(crate) fn ticket(&self, node: NonNull<Node<P>>) -> Ticket {
        count_step();
        // SAFETY: the list leads to valid nodes only.
        let node = unsafe { node.as_ref() };
        // SAFETY: we own the list, and with it the tickets of its nodes, which `push` has written.
        node.ticket.with(|ticket| unsafe { *ticket.cast() })
    }

    fn prev(&self, node: NonNull<Node<P>>) -> NonNull<Node<P>> {
        self.with_pointers(node, |pointers| pointers.prev)
    }

    fn next(&self, node: NonNull<Node<P>>) -> Option<NonNull<Node<P>>> {
        self.with_pointers(node, |pointers| pointers.next)
    }

    fn with_pointers<R>(&self, node: NonNull<Node<P>>, look: impl FnOnce(&Pointers<P>) -> R) -> R {
        count_step();
        // SAFETY: the list leads to valid nodes only.
        let node = unsafe { node.as_ref() };
        // SAFETY: we own the list, and with it the pointers of its nodes, which `init` has written.
        (node.pointers).with(|pointers| look(unsafe { &*pointers.cast() }))
    }

    fn set_prev(&mut self, node: NonNull<Node<P>>, prev: NonNull<Node<P>>) {
        self.change_pointers(node, |pointers| pointers.prev = prev);
    }

    fn set_next(&mut self, node: NonNull<Node<P>>, next: Option<NonNull<Node<P>>>) {
        self.change_pointers(node, |pointers| pointers.next = next);
    }

    fn change_pointers(&mut self, node: NonNull<Node<P>>, change: impl FnOnce(&mut Pointers<P>)) {
        count_step();
        // SAFETY: the list leads to valid nodes only.
        let node = unsafe { node.as_ref() };
        // SAFETY: we own the list, and with it the pointers of its nodes, which `init` has written.
        (node.pointers).with_mut(|pointers| change(unsafe { &mut *pointers.cast() }));
    }

    /// Writes the pointers of a node that is being pushed.
    fn init(&mut self, node: NonNull<Node<P>>, prev: NonNull<Node<P>>, next: Option<NonNull<Node<P>>>) {
        // SAFETY: the node that `push` was given is valid.
        let node = unsafe { node.as_ref() };
        // SAFETY: we own the list, and with it the pointers of the node that is being pushed.
        (node.pointers).with_mut(|p| unsafe { p.cast::<Pointers<P>>().write(Pointers { prev, next }) });
    }
}

#[cfg(not(all(test, not(any(oncelot_loom, oncelot_shuttle)))))]
fn count_step() {}

#[cfg(all(test, not(any(oncelot_loom, oncelot_shuttle))))]
use tests::count_step;

#[cfg(all(test, not(any(oncelot_loom, oncelot_shuttle))))]
mod tests {
    use core::cell::Cell;

    use super::*;

    type TestNode = Pin<Box<Node<u32>>>;

    fn node(kind: WaiterKind, name: u32) -> TestNode {
        Box::pin(Node::new(kind, name))
    }

    fn claimant(name: u32) -> TestNode {
        node(WaiterKind::Claimant, name)
    }

    fn passive(name: u32) -> TestNode {
        node(WaiterKind::Passive, name)
    }

    fn list_of(nodes: &[&TestNode]) -> List<u32> {
        // SAFETY: a null head is an empty list.
        let mut list = unsafe { List::from_head(ptr::null_mut()) };
        for node in nodes {
            // SAFETY: the tests push each node once.
            unsafe { list.push(node.as_ref()) };
        }
        list
    }

    fn unlink(list: &mut List<u32>, node: &TestNode) -> u32 {
        // SAFETY: the tests unlink only what is linked.
        unsafe { list.unlink(NonNull::from(&**node), |name| *name) }
    }

    /// Empties the list, oldest first.
    fn drain(mut list: List<u32>) -> Vec<u32> {
        let mut names = Vec::new();
        while let Some(oldest) = list.oldest() {
            // SAFETY: `oldest` is in the list.
            names.push(unsafe { list.unlink(oldest, |name| *name) });
        }
        assert!(list.head().is_null());
        names
    }

    fn drain_claimants(list: &mut List<u32>) -> Vec<u32> {
        let mut names = Vec::new();
        while let Some(oldest) = list.oldest_claimant() {
            // SAFETY: `oldest` is in the list.
            names.push(unsafe { list.unlink(oldest, |name| *name) });
        }
        names
    }

    #[test]
    fn both_lanes_drain_in_the_order_of_arrival() {
        let nodes = [
            passive(0),
            claimant(1),
            passive(2),
            claimant(3),
            claimant(4),
            passive(5),
        ];
        let list = list_of(&nodes.each_ref());
        assert_eq!(drain(list), [0, 1, 2, 3, 4, 5]);
        assert!(nodes.iter().all(|node| !node.is_linked()));
    }

    #[test]
    fn claimants_drain_without_the_passive() {
        let nodes = [passive(0), claimant(1), passive(2), claimant(3)];
        let mut list = list_of(&nodes.each_ref());
        assert_eq!(drain_claimants(&mut list), [1, 3]);
        assert_eq!(drain(list), [0, 2]);
    }

    /// Every mix of kinds up to six nodes, each node taken out of each: the rest stays in order.
    #[test]
    fn any_node_of_any_mix_can_be_unlinked() {
        for len in 1..=6_u32 {
            for mix in 0..1 << len {
                for gone in 0..len {
                    let nodes: Vec<_> = (0..len)
                        .map(|i| {
                            if mix >> i & 1 == 0 {
                                claimant(i)
                            } else {
                                passive(i)
                            }
                        })
                        .collect();
                    let mut list = list_of(&nodes.iter().collect::<Vec<_>>());
                    assert_eq!(unlink(&mut list, &nodes[gone as usize]), gone);
                    assert!(!nodes[gone as usize].is_linked());

                    let late = [claimant(10), passive(11)];
                    for node in &late {
                        // SAFETY: the node is new.
                        unsafe { list.push(node.as_ref()) };
                    }
                    let rest: Vec<_> = (0..len).filter(|i| *i != gone).chain([10, 11]).collect();
                    let (passives, claimants): (Vec<_>, Vec<_>) = rest
                        .iter()
                        .partition(|i| **i == 11 || **i < 10 && mix >> **i & 1 == 1);
                    if mix & 1 == 0 {
                        assert_eq!(drain(list), rest);
                    } else {
                        assert_eq!(drain_claimants(&mut list), claimants);
                        assert_eq!(drain(list), passives);
                    }
                }
            }
        }
    }

    #[test]
    fn an_unlinked_node_can_be_pushed_again() {
        let nodes = [claimant(0), claimant(1)];
        let mut list = list_of(&nodes.each_ref());
        unlink(&mut list, &nodes[0]);
        // SAFETY: the node has just been unlinked.
        unsafe { list.push(nodes[0].as_ref()) };
        assert_eq!(drain(list), [1, 0]);
    }

    std::thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    /// Counts the looks at nodes, and their changes.
    pub(super) fn count_step() {
        STEPS.set(STEPS.get() + 1);
    }

    fn steps_of<R>(work: impl FnOnce() -> R) -> usize {
        STEPS.set(0);
        work();
        STEPS.get()
    }

    fn crowd(of_each: u32) -> Vec<TestNode> {
        (0..of_each)
            .flat_map(|i| [claimant(2 * i), passive(2 * i + 1)])
            .collect()
    }

    /// async-once-cell: registering scans the wakers of all others.
    #[test]
    fn rule_22_registering_and_cancelling_take_as_many_steps_in_any_crowd() {
        let steps_in = |crowd: &[TestNode]| {
            let mut list = list_of(&crowd.iter().collect::<Vec<_>>());
            let inner = &crowd[(crowd.len() / 2) | 1];
            [claimant(0), passive(1)].map(|node| {
                // SAFETY: the node is new.
                let push = steps_of(|| unsafe { list.push(node.as_ref()) });
                let unlink_last = steps_of(|| unlink(&mut list, &node));
                let unlink_inner = steps_of(|| unlink(&mut list, inner));
                // SAFETY: the node was just unlinked.
                unsafe { list.push(inner.as_ref()) };
                [push, unlink_last, unlink_inner]
            })
        };
        let few = steps_in(&crowd(3));
        assert!(few.as_flattened().iter().all(|steps| *steps > 0));
        assert_eq!(steps_in(&crowd(3000)), few);
    }

    /// The review of tokio #7161: with one list for all, each failed initialization has to walk over the
    /// passive waiters.
    #[test]
    fn rule_26_a_failure_takes_as_many_steps_beside_any_crowd_of_passive_waiters() {
        let steps_beside = |passives: u32| {
            let nodes: Vec<_> = (0..passives).map(passive).chain([claimant(passives)]).collect();
            let mut list = list_of(&nodes.iter().collect::<Vec<_>>());
            steps_of(|| {
                assert!(list.newest_ticket().is_some());
                assert_eq!(drain_claimants(&mut list), [passives]);
            })
        };
        assert!(steps_beside(1) > 0);
        assert_eq!(steps_beside(3000), steps_beside(1));
    }
}
