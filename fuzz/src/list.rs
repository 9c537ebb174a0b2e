//! The lists of waiters against two `VecDeque`s.

use std::{
    collections::VecDeque,
    mem::MaybeUninit,
    pin::Pin,
    ptr::{self, NonNull},
};

use arbitrary::{Result, Unstructured};

use crate::{backend::WaiterKind, shipped_list, shipped_local_list};

/// As many nodes as there are.
const NODES: usize = 24;

/// The largest batch that is taken out.
const ROOM: usize = 5;

#[derive(Debug)]
enum Op {
    /// Puts a node in that is not there; before that, replaces it by a new one.
    Push { node: usize, kind: WaiterKind },
    /// Takes a node out that is there.
    Unlink { node: usize },
    /// Replaces the payload of a node that is there.
    Replace { node: usize },
    /// Pops the nodes of the first lane up to one of them, at most as many as there is room for.
    Pop { end: usize, room: usize },
    /// Gives the list away and takes it back, as a lock does. Nothing is done to a list that no lock takes.
    PassOn,
}

/// A node in the list, and how often its payload was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    node: usize,
    replaced: usize,
}

/// Each lane in the order of arrival.
#[derive(Debug, Default)]
struct Model {
    claimants: VecDeque<Entry>,
    passive: VecDeque<Entry>,
}

/// A shipped list. The callers keep its safety requirements.
trait List {
    type Node;

    fn new() -> Self;
    fn node(kind: WaiterKind) -> Pin<Box<Self::Node>>;
    fn is_linked(node: &Self::Node) -> bool;
    fn is_empty(&self) -> bool;
    fn push(&mut self, node: Pin<&Self::Node>, kind: WaiterKind, entry: Entry);
    fn unlink(&mut self, node: Pin<&Self::Node>) -> Entry;
    fn replace(&mut self, node: Pin<&Self::Node>, entry: Entry) -> Entry;
    /// Pops nodes from the front, up to `end`, at most as many as there is room for.
    fn pop(&mut self, end: &Self::Node, room: usize) -> Vec<Entry>;
    fn pass_on(&mut self);
    fn compare(&self, first: Option<&Self::Node>);
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

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn push(&mut self, node: Pin<&Self::Node>, kind: WaiterKind, entry: Entry) {
        // SAFETY: the node is not linked.
        unsafe { node.put_payload(entry) };
        // SAFETY: as above, and it stays while it is in the list.
        unsafe { self.push(node, kind) };
    }

    fn unlink(&mut self, node: Pin<&Self::Node>) -> Entry {
        // SAFETY: the node is in the list.
        unsafe { self.unlink(node) }.expect("the node is in the list")
    }

    fn replace(&mut self, node: Pin<&Self::Node>, entry: Entry) -> Entry {
        // SAFETY: the node is in the list, and is ours.
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
        let popped = popped[..taken]
            .iter()
            .map(|entry| unsafe { entry.assume_init_read() });
        popped.collect()
    }

    fn pass_on(&mut self) {
        // SAFETY: the head is the list's own.
        *self = unsafe { Self::from_head(self.head()) };
    }

    fn compare(&self, first: Option<&Self::Node>) {
        let first = first.map_or(ptr::null(), ptr::from_ref);
        assert!(ptr::eq(self.head(), first));
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

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn push(&mut self, node: Pin<&Self::Node>, kind: WaiterKind, entry: Entry) {
        assert_eq!(node.kind(), kind);
        // SAFETY: the node is not linked, and stays while it is in the list.
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

    fn compare(&self, first: Option<&Self::Node>) {
        assert_eq!(self.is_empty(), first.is_none());
        assert_eq!(self.tag(), TAG);
    }
}

/// What the owner of a list has put into its head.
const TAG: usize = 2;

struct Real<L: List> {
    list: L,
    nodes: Vec<Pin<Box<L::Node>>>,
}

/// Plays the program that `data` encodes on the lists that ship.
///
/// # Panics
///
/// Panics if one of them does not do what the model does.
pub fn list(data: &[u8]) {
    play_all::<shipped_list::List<Entry>>(data);
    play_all::<shipped_local_list::List<Entry>>(data);
}

fn play_all<L: List>(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let mut real = Real {
        list: L::new(),
        nodes: (0..NODES).map(|_| L::node(WaiterKind::Claimant)).collect(),
    };
    let mut model = Model::default();
    while !bytes.is_empty() {
        let op = Op::decode(&mut bytes).expect("zero will do for bytes that are missing");
        play(&op, &mut real, &mut model);
        compare(&real, &model);
    }
    while !real.list.is_empty() {
        play(&Op::Pop { end: 0, room: 1 }, &mut real, &mut model);
        compare(&real, &model);
    }
    assert!(model.claimants.is_empty() && model.passive.is_empty());
}

fn play<L: List>(op: &Op, real: &mut Real<L>, model: &mut Model) {
    match *op {
        Op::Push { node, kind } if model.find(node).is_none() => {
            let entry = Entry { node, replaced: 0 };
            real.nodes[node] = L::node(kind);
            real.list.push(real.nodes[node].as_ref(), kind, entry);
            match kind {
                WaiterKind::Claimant => model.claimants.push_back(entry),
                WaiterKind::Passive => model.passive.push_back(entry),
            }
        }
        Op::Unlink { node } if model.find(node).is_some() => {
            let entry = real.list.unlink(real.nodes[node].as_ref());
            assert_eq!(Some(entry), model.find(node).copied());
            model.claimants.retain(|entry| entry.node != node);
            model.passive.retain(|entry| entry.node != node);
        }
        Op::Replace { node } => {
            if let Some(entry) = model.find(node) {
                let newer = Entry {
                    node,
                    replaced: entry.replaced + 1,
                };
                let older = real.list.replace(real.nodes[node].as_ref(), newer);
                assert_eq!(older, *entry);
                *entry = newer;
            }
        }
        Op::Push { .. } | Op::Unlink { .. } => {}
        Op::Pop { end, room } => {
            let lane = if model.claimants.is_empty() {
                &mut model.passive
            } else {
                &mut model.claimants
            };
            if lane.is_empty() {
                assert!(real.list.is_empty());
                return;
            }
            let end = end % lane.len();
            let place = lane[end].node;
            let expected: Vec<_> = lane.drain(..room.min(end + 1)).collect();
            assert_eq!(real.list.pop(&real.nodes[place], room), expected);
        }
        Op::PassOn => real.list.pass_on(),
    }
}

fn compare<L: List>(real: &Real<L>, model: &Model) {
    let first = model.claimants.front().or(model.passive.front());
    real.list.compare(first.map(|entry| &*real.nodes[entry.node]));
    let is_linked = |node| {
        model
            .claimants
            .iter()
            .chain(&model.passive)
            .any(|entry| entry.node == node)
    };
    for (name, node) in real.nodes.iter().enumerate() {
        assert_eq!(L::is_linked(node), is_linked(name));
    }
}

impl Model {
    fn find(&mut self, node: usize) -> Option<&mut Entry> {
        (self.claimants.iter_mut().chain(&mut self.passive)).find(|entry| entry.node == node)
    }
}

impl Op {
    fn decode(bytes: &mut Unstructured<'_>) -> Result<Self> {
        let node = |bytes: &mut Unstructured<'_>| bytes.int_in_range(0..=NODES - 1);
        Ok(match bytes.int_in_range(0..=7_u8)? {
            0..=1 => Self::Push {
                node: node(bytes)?,
                kind: WaiterKind::Claimant,
            },
            2..=3 => Self::Push {
                node: node(bytes)?,
                kind: WaiterKind::Passive,
            },
            4 => Self::Unlink { node: node(bytes)? },
            5 => Self::Pop {
                end: node(bytes)?,
                room: bytes.int_in_range(0..=ROOM)?,
            },
            6 => Self::Replace { node: node(bytes)? },
            _ => Self::PassOn,
        })
    }
}
