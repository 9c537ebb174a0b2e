//! The lists of waiters, compared with two `VecDeque`s.

use std::{
    collections::VecDeque,
    mem::MaybeUninit,
    pin::Pin,
    ptr::{self, NonNull},
};

use arbitrary::Unstructured;

use crate::{backend::WaiterKind, program::Bytes, shipped_list, shipped_local_list};

const NODES: usize = 24;
/// The size of the largest batch.
const ROOM: usize = 5;
/// The tag of the local list.
const TAG: usize = 2;

/// The payload of a node: its number, and how often the payload was replaced.
type Entry = (usize, usize);

/// A list of the crate. The callers keep its safety requirements.
trait List {
    type Node;

    fn new() -> Self;
    fn node(kind: WaiterKind) -> Pin<Box<Self::Node>>;
    fn is_linked(node: &Self::Node) -> bool;
    fn push(&mut self, node: Pin<&Self::Node>, kind: WaiterKind, entry: Entry);
    fn unlink(&mut self, node: Pin<&Self::Node>) -> Entry;
    fn replace(&mut self, node: Pin<&Self::Node>, entry: Entry) -> Entry;
    /// Pops nodes of the first lane, up to `end`, at most `room`.
    fn pop(&mut self, end: &Self::Node, room: usize) -> Vec<Entry>;
    /// Gives the list away and takes it back, as a lock does.
    fn pass_on(&mut self);
    /// Compares the first node.
    fn check(&self, first: Option<&Self::Node>);
}

impl List for shipped_list::List<Entry> {
    type Node = shipped_list::Node<Entry>;

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

    fn push(&mut self, node: Pin<&Self::Node>, kind: WaiterKind, entry: Entry) {
        // SAFETY: the node is not linked.
        unsafe { node.put_payload(entry) };
        // SAFETY: the node is not linked, and stays in place while it is in the list.
        unsafe { self.push(node, kind) };
    }

    fn unlink(&mut self, node: Pin<&Self::Node>) -> Entry {
        // SAFETY: the node is in the list.
        unsafe { self.unlink(node) }.expect("the node is in the list")
    }

    fn replace(&mut self, node: Pin<&Self::Node>, entry: Entry) -> Entry {
        // SAFETY: the node is in the list, and is used by this thread only.
        unsafe { self.replace(node, entry) }
    }

    fn pop(&mut self, end: &Self::Node, room: usize) -> Vec<Entry> {
        assert!(self.last_of_first_lane().is_some());
        let mut popped = [const { MaybeUninit::uninit() }; ROOM];
        let mut slots = popped[..room].iter_mut();
        // SAFETY: the node is in the first lane.
        unsafe { self.pop_through(NonNull::from(end), &mut slots) };
        let taken = room - slots.len();
        // SAFETY: the slots that were taken are initialized.
        let read = |entry: &MaybeUninit<Entry>| unsafe { entry.assume_init_read() };
        popped[..taken].iter().map(read).collect()
    }

    fn pass_on(&mut self) {
        // SAFETY: the head is the list's own.
        *self = unsafe { Self::from_head(self.head()) };
    }

    fn check(&self, first: Option<&Self::Node>) {
        assert_eq!(self.is_empty(), first.is_none());
        assert!(ptr::eq(self.head(), first.map_or(ptr::null(), ptr::from_ref)));
    }
}

impl List for shipped_local_list::List<Entry> {
    type Node = shipped_local_list::Node<Entry>;

    fn new() -> Self {
        Self::new(TAG)
    }

    fn node(kind: WaiterKind) -> Pin<Box<Self::Node>> {
        Box::pin(Self::Node::new(kind))
    }

    fn is_linked(node: &Self::Node) -> bool {
        node.is_linked()
    }

    fn push(&mut self, node: Pin<&Self::Node>, kind: WaiterKind, entry: Entry) {
        assert_eq!(node.kind(), kind);
        // SAFETY: the node is not linked, and stays in place while it is in the list.
        unsafe { Self::push(self, node, entry) };
    }

    fn unlink(&mut self, node: Pin<&Self::Node>) -> Entry {
        // SAFETY: the node is in the list.
        unsafe { Self::unlink(self, NonNull::from(node.get_ref())) }
    }

    fn replace(&mut self, node: Pin<&Self::Node>, entry: Entry) -> Entry {
        // SAFETY: the node is in the list.
        unsafe { node.replace_payload(entry) }
    }

    fn pop(&mut self, end: &Self::Node, room: usize) -> Vec<Entry> {
        let mut popped = Vec::new();
        while popped.len() < room && end.is_linked() {
            // SAFETY: the list is not empty, as `end` is in it.
            popped.push(unsafe { Self::pop(self) });
        }
        popped
    }

    fn pass_on(&mut self) {}

    fn check(&self, first: Option<&Self::Node>) {
        assert_eq!(self.is_empty(), first.is_none());
        assert_eq!(self.tag(), TAG);
    }
}

/// Runs the operations that `data` encodes on the lists of waiters.
///
/// # Panics
///
/// Panics if a list differs from the model.
pub fn list(data: &[u8]) {
    compare::<shipped_list::List<Entry>>(data);
    compare::<shipped_local_list::List<Entry>>(data);
}

fn compare<L: List>(data: &[u8]) {
    let mut bytes = Bytes(Unstructured::new(data));
    let mut list = L::new();
    let mut nodes: Vec<_> = (0..NODES).map(|_| L::node(WaiterKind::Claimant)).collect();
    // Claimants and passive waiters, each in the order of arrival.
    let mut lanes: [VecDeque<Entry>; 2] = Default::default();
    loop {
        let find = |node| {
            let places = lanes.iter().enumerate();
            let mut places = places.flat_map(|(lane, entries)| (0..entries.len()).map(move |at| (lane, at)));
            places.find(|&(lane, at)| lanes[lane][at].0 == node)
        };
        let is_end = bytes.0.is_empty();
        match bytes.below(8) {
            _ if is_end && lanes.iter().all(VecDeque::is_empty) => break,
            op @ 0..=3 if !is_end => {
                let node = bytes.below(NODES);
                let lane = op / 2;
                if find(node).is_none() {
                    let kind = [WaiterKind::Claimant, WaiterKind::Passive][lane];
                    nodes[node] = L::node(kind);
                    list.push(nodes[node].as_ref(), kind, (node, 0));
                    lanes[lane].push_back((node, 0));
                }
            }
            4 => {
                let node = bytes.below(NODES);
                if let Some((lane, at)) = find(node) {
                    let expected = lanes[lane].remove(at);
                    assert_eq!(Some(list.unlink(nodes[node].as_ref())), expected);
                }
            }
            6 => {
                let node = bytes.below(NODES);
                if let Some((lane, at)) = find(node) {
                    let entry = &mut lanes[lane][at];
                    let older = list.replace(nodes[node].as_ref(), (node, entry.1 + 1));
                    assert_eq!(older, *entry);
                    entry.1 += 1;
                }
            }
            7 => list.pass_on(),
            // Also empties the list at the end.
            _ => {
                let (end, room) = (bytes.below(NODES), bytes.below(ROOM + 1));
                let room = if is_end { 1 } else { room };
                let first = usize::from(lanes[0].is_empty());
                if !lanes[first].is_empty() {
                    let end = end % lanes[first].len();
                    let end_node = &nodes[lanes[first][end].0];
                    let expected: Vec<_> = lanes[first].drain(..room.min(end + 1)).collect();
                    assert_eq!(list.pop(end_node, room), expected);
                }
            }
        }
        let first = lanes[0].front().or(lanes[1].front());
        list.check(first.map(|entry| &*nodes[entry.0]));
        for (number, node) in nodes.iter().enumerate() {
            let is_linked = lanes.iter().flatten().any(|entry| entry.0 == number);
            assert_eq!(L::is_linked(node), is_linked);
        }
    }
}
