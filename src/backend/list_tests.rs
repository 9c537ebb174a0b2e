//! Tests of the two lists of waiters. Each generic test runs for both.

use core::{
    cell::Cell,
    mem::MaybeUninit,
    pin::Pin,
    ptr::{self, NonNull},
};

use crate::backend::{WaiterKind, intrusive::list as intrusive, local::list as local};

/// A list whose payloads are the names of the nodes.
trait TestList {
    type Node;

    fn new() -> Self;

    fn node(kind: WaiterKind) -> Pin<Box<Self::Node>>;

    fn is_linked(node: &Self::Node) -> bool;

    fn push(&mut self, node: &Pin<Box<Self::Node>>, name: u32);

    /// Unlinks `node`, and returns its name, or `None` if it is not linked.
    fn unlink(&mut self, node: &Pin<Box<Self::Node>>) -> Option<u32>;

    /// Replaces the name of a linked node, and returns the older one.
    fn replace(&mut self, node: &Pin<Box<Self::Node>>, name: u32) -> u32;

    /// Unlinks the first node, and returns its name, or `None` if the list is empty.
    fn pop(&mut self) -> Option<u32>;
}

type IntrusiveList = intrusive::List<u32>;

impl TestList for IntrusiveList {
    type Node = intrusive::Node<u32>;

    fn new() -> Self {
        // SAFETY: a null head is an empty list.
        unsafe { Self::from_head(ptr::null_mut()) }
    }

    fn node(kind: WaiterKind) -> Pin<Box<Self::Node>> {
        Box::pin(Self::Node::new(kind))
    }

    fn is_linked(node: &Self::Node) -> bool {
        node.is_linked()
    }

    fn push(&mut self, node: &Pin<Box<Self::Node>>, name: u32) {
        // SAFETY: the tests push only nodes that are not linked.
        unsafe { node.put_payload(name) };
        // SAFETY: the tests have one thread.
        let kind = unsafe { node.kind() };
        // SAFETY: as above. The tests drop no list before its nodes are unlinked or no longer used.
        unsafe { self.push(node.as_ref(), kind) };
    }

    fn unlink(&mut self, node: &Pin<Box<Self::Node>>) -> Option<u32> {
        // SAFETY: each test has one list.
        unsafe { self.unlink(node.as_ref()) }
    }

    fn replace(&mut self, node: &Pin<Box<Self::Node>>, name: u32) -> u32 {
        // SAFETY: the node is in the list, and the test owns it.
        unsafe { self.replace(node.as_ref(), name) }
    }

    fn pop(&mut self) -> Option<u32> {
        let last = self.last_of_first_lane()?;
        pop_through(self, last, 1).pop()
    }
}

type LocalList = local::List<u32>;

/// The tag of the local lists.
const TAG: usize = 2;

impl TestList for LocalList {
    type Node = local::Node<u32>;

    fn new() -> Self {
        Self::new(TAG)
    }

    fn node(kind: WaiterKind) -> Pin<Box<Self::Node>> {
        Box::pin(Self::Node::new(kind))
    }

    fn is_linked(node: &Self::Node) -> bool {
        node.is_linked()
    }

    fn push(&mut self, node: &Pin<Box<Self::Node>>, name: u32) {
        // SAFETY: the tests push only nodes that are not linked, and drop no list before its nodes are no longer used.
        unsafe { Self::push(self, node.as_ref(), name) };
        assert_eq!(self.tag(), TAG);
    }

    fn unlink(&mut self, node: &Pin<Box<Self::Node>>) -> Option<u32> {
        if !node.is_linked() {
            return None;
        }
        // SAFETY: the node is linked, and each test has one list.
        let name = unsafe { Self::unlink(self, NonNull::from(&**node)) };
        assert_eq!(self.tag(), TAG);
        Some(name)
    }

    fn replace(&mut self, node: &Pin<Box<Self::Node>>, name: u32) -> u32 {
        // SAFETY: the node is linked.
        unsafe { node.replace_payload(name) }
    }

    fn pop(&mut self) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        // SAFETY: the list is not empty.
        Some(unsafe { Self::pop(self) })
    }
}

/// Claimants where the bits of `mix` are 0, passive waiters where they are 1.
fn nodes_of_mix<L: TestList>(mix: u32, len: u32) -> Vec<Pin<Box<L::Node>>> {
    let kind = |i| {
        if mix >> i & 1 == 0 {
            WaiterKind::Claimant
        } else {
            WaiterKind::Passive
        }
    };
    (0..len).map(|i| L::node(kind(i))).collect()
}

/// Creates a list in which the name of each node is its index.
fn list_of<L: TestList>(nodes: &[Pin<Box<L::Node>>]) -> L {
    let mut list = L::new();
    for (node, name) in nodes.iter().zip(0..) {
        list.push(node, name);
    }
    list
}

fn drain<L: TestList>(list: &mut L) -> Vec<u32> {
    core::iter::from_fn(|| list.pop()).collect()
}

/// Pops nodes from the front of the list, up to `end`, and no more than there is room for.
fn pop_through(list: &mut IntrusiveList, end: NonNull<intrusive::Node<u32>>, room: usize) -> Vec<u32> {
    let mut names = vec![MaybeUninit::uninit(); room];
    let mut slots = names.iter_mut();
    // SAFETY: the tests end in the first lane.
    unsafe { list.pop_through(end, &mut slots) };
    let popped = room - slots.len();
    // SAFETY: the slots that were taken are initialized.
    let name = |slot: &MaybeUninit<u32>| unsafe { slot.assume_init() };
    names[..popped].iter().map(name).collect()
}

/// Declares a test for each list from each generic test.
macro_rules! tests_of_both_lists {
    ($($test:ident)*) => {
        mod intrusive_list {
            $(#[test]
            fn $test() {
                super::$test::<super::IntrusiveList>();
            })*
        }

        mod local_list {
            $(#[test]
            fn $test() {
                super::$test::<super::LocalList>();
            })*
        }
    };
}

tests_of_both_lists! {
    claimants_come_first_and_each_lane_is_in_the_order_of_arrival
    any_two_nodes_of_any_mix_can_be_unlinked
    a_replaced_payload_stays_in_its_place
    registering_and_cancelling_take_as_many_steps_in_any_crowd
    popping_a_claimant_takes_as_many_steps_beside_any_crowd_of_passive_waiters
}

#[test]
fn a_node_is_four_words() {
    assert_eq!(size_of::<intrusive::Node<[usize; 2]>>(), 4 * size_of::<usize>());
    assert_eq!(size_of::<local::Node<[usize; 2]>>(), 4 * size_of::<usize>());
}

fn claimants_come_first_and_each_lane_is_in_the_order_of_arrival<L: TestList>() {
    let nodes = nodes_of_mix::<L>(0b100_101, 6);
    let mut list = list_of::<L>(&nodes);
    assert_eq!(drain(&mut list), [1, 3, 4, 0, 2, 5]);
    assert!(nodes.iter().all(|node| !L::is_linked(node)));
}

/// For every mix of kinds of up to six nodes, any two nodes are unlinked one after the other: the rest stays in order, and new
/// nodes and one of the two are appended to their lanes.
fn any_two_nodes_of_any_mix_can_be_unlinked<L: TestList>() {
    for len in 2..=6_u32 {
        for (mix, first, second) in
            (0..1 << len).flat_map(|mix| (0..len * len).map(move |pair| (mix, pair / len, pair % len)))
        {
            if first == second {
                continue;
            }
            let nodes = nodes_of_mix::<L>(mix, len);
            let mut list = list_of::<L>(&nodes);
            for gone in [first, second] {
                let node = &nodes[gone as usize];
                assert_eq!(list.unlink(node), Some(gone));
                assert!(!L::is_linked(node));
                assert_eq!(list.unlink(node), None);
            }
            let late = nodes_of_mix::<L>(0b10, 2);
            list.push(&late[0], 10);
            list.push(&late[1], 11);
            list.push(&nodes[first as usize], first);

            let is_passive = |name: &u32| *name == 11 || *name < 10 && mix >> *name & 1 == 1;
            let rest = (0..len).filter(|i| *i != first && *i != second);
            let (passives, mut expected): (Vec<_>, Vec<_>) =
                rest.chain([10, 11, first]).partition(is_passive);
            expected.extend(passives);
            assert_eq!(
                drain(&mut list),
                expected,
                "mix {mix:b}, {second} unlinked, {first} pushed again"
            );
        }
    }
}

fn a_replaced_payload_stays_in_its_place<L: TestList>() {
    let nodes = nodes_of_mix::<L>(0, 3);
    let mut list = list_of::<L>(&nodes);
    assert_eq!(list.replace(&nodes[1], 7), 1);
    assert_eq!(drain(&mut list), [0, 7, 2]);
}

std::thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Counts the accesses of a list to its nodes.
pub(super) fn count_step() {
    STEPS.set(STEPS.get() + 1);
}

fn steps_of<R>(work: impl FnOnce() -> R) -> usize {
    STEPS.set(0);
    work();
    STEPS.get()
}

/// async-once-cell: registering scans the wakers of all others.
fn registering_and_cancelling_take_as_many_steps_in_any_crowd<L: TestList>() {
    let steps_in = |of_each: u32| {
        let crowd: Vec<_> = (0..of_each).flat_map(|_| nodes_of_mix::<L>(0b10, 2)).collect();
        let mut list = list_of::<L>(&crowd);
        let inner = &crowd[(crowd.len() / 2) | 1];
        [WaiterKind::Claimant, WaiterKind::Passive].map(|kind| {
            let node = L::node(kind);
            let push_last = steps_of(|| list.push(&node, 0));
            let unlink_last = steps_of(|| list.unlink(&node));
            let unlink_inner = steps_of(|| list.unlink(inner));
            list.push(inner, 0);
            [push_last, unlink_last, unlink_inner]
        })
    };
    let few = steps_in(3);
    assert!(few.as_flattened().iter().all(|steps| *steps > 0));
    assert_eq!(steps_in(3000), few);
}

/// The review of tokio #7161: with one list for all, each failed initialization has to walk over the passive waiters.
fn popping_a_claimant_takes_as_many_steps_beside_any_crowd_of_passive_waiters<L: TestList>() {
    let steps_beside = |passives: u32| {
        let mut nodes: Vec<_> = (0..passives).map(|_| L::node(WaiterKind::Passive)).collect();
        nodes.push(L::node(WaiterKind::Claimant));
        let mut list = list_of::<L>(&nodes);
        steps_of(|| assert_eq!(list.pop(), Some(passives)))
    };
    assert!(steps_beside(1) > 0);
    assert_eq!(steps_beside(3000), steps_beside(1));
}

/// From every mix of kinds of up to six nodes, the front is popped up to each node of the first lane, in batches of every size.
#[test]
fn the_front_of_an_intrusive_list_can_be_popped_up_to_any_node() {
    for len in 1..=6_u32 {
        for mix in 0..1 << len {
            let (passives, claimants): (Vec<_>, Vec<_>) = (0..len).partition(|i| mix >> i & 1 == 1);
            let first_lane = if claimants.is_empty() {
                &passives
            } else {
                &claimants
            };
            for (index, end) in first_lane.iter().enumerate() {
                for room in 1..=len as usize + 1 {
                    let nodes = nodes_of_mix::<IntrusiveList>(mix, len);
                    let mut list = list_of::<IntrusiveList>(&nodes);
                    let end = &*nodes[*end as usize];
                    let mut popped = Vec::new();
                    while end.is_linked() {
                        popped.extend(pop_through(&mut list, NonNull::from(end), room));
                    }
                    assert_eq!(popped, first_lane[..=index], "mix {mix:b}, room for {room}");
                    let late = nodes_of_mix::<IntrusiveList>(0b10, 2);
                    TestList::push(&mut list, &late[0], 10);
                    TestList::push(&mut list, &late[1], 11);
                    let rest = |lane: &[u32]| -> Vec<u32> {
                        let is_left = |name: &u32| !popped.contains(name);
                        lane.iter().copied().filter(is_left).collect()
                    };
                    let expected = [rest(&claimants), vec![10], rest(&passives), vec![11]].concat();
                    assert_eq!(drain(&mut list), expected, "mix {mix:b}, room for {room}");
                    assert!(list.is_empty());
                }
            }
        }
    }
}

#[test]
fn the_tag_of_a_local_list_changes_while_nodes_are_linked() {
    let nodes = nodes_of_mix::<LocalList>(0b01, 2);
    let mut list = list_of::<LocalList>(&nodes);
    for tag in [0, 1, 2] {
        list.set_tag(tag);
        assert_eq!(list.tag(), tag);
    }
    assert_eq!(drain(&mut list), [1, 0]);
    assert_eq!(list.tag(), 2);
}
