//! The list of waiters against two `VecDeque`s.

use std::{
    collections::VecDeque,
    mem::MaybeUninit,
    pin::Pin,
    ptr::{self, NonNull},
};

use arbitrary::{Result, Unstructured};

use crate::{
    backend::WaiterKind,
    shipped_list::{List, Node},
};

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
    /// Takes out the nodes of the first lane up to one of them, and no more than there is room for.
    Pop { end: usize, room: usize },
    /// Gives the list away and takes it back, as a lock does.
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

struct Real {
    list: List<Entry>,
    nodes: Vec<Pin<Box<Node<Entry>>>>,
}

/// Plays the program that `data` encodes on the list that ships.
///
/// # Panics
///
/// Panics if it does not do what the model does.
pub fn list(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let mut real = Real {
        // SAFETY: a null head is an empty list.
        list: unsafe { List::from_head(ptr::null_mut()) },
        nodes: (0..NODES)
            .map(|_| Box::pin(Node::new(WaiterKind::Claimant)))
            .collect(),
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

fn play(op: &Op, real: &mut Real, model: &mut Model) {
    match *op {
        Op::Push { node, kind } if model.find(node).is_none() => {
            let entry = Entry { node, replaced: 0 };
            real.nodes[node] = Box::pin(Node::new(kind));
            // SAFETY: the node is new, and stays while it is in the list.
            unsafe { real.nodes[node].put_payload(entry) };
            // SAFETY: as above.
            unsafe { real.list.push(real.nodes[node].as_ref(), kind) };
            match kind {
                WaiterKind::Claimant => model.claimants.push_back(entry),
                WaiterKind::Passive => model.passive.push_back(entry),
            }
        }
        Op::Unlink { node } if model.find(node).is_some() => {
            // SAFETY: the node is in the list.
            let entry = unsafe { real.list.unlink(real.nodes[node].as_ref()) };
            assert_eq!(entry, model.find(node).copied());
            model.claimants.retain(|entry| entry.node != node);
            model.passive.retain(|entry| entry.node != node);
        }
        Op::Replace { node } => {
            if let Some(entry) = model.find(node) {
                let newer = Entry {
                    node,
                    replaced: entry.replaced + 1,
                };
                // SAFETY: the node is in the list, and is ours.
                let older = unsafe { real.list.replace(real.nodes[node].as_ref(), newer) };
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
            assert_eq!(real.list.last_of_first_lane().is_none(), lane.is_empty());
            if lane.is_empty() {
                return;
            }
            let end = end % lane.len();
            let place = NonNull::from(&*real.nodes[lane[end].node]);
            let expected: Vec<_> = lane.drain(..room.min(end + 1)).collect();
            let mut popped = [const { MaybeUninit::uninit() }; ROOM];
            let mut slots = popped[..room].iter_mut();
            // SAFETY: the node is in the first lane.
            unsafe { real.list.pop_through(place, &mut slots) };
            let taken = room - slots.len();
            // SAFETY: the slots that were taken are initialized.
            let popped = popped[..taken]
                .iter()
                .map(|entry| unsafe { entry.assume_init_read() });
            assert!(popped.eq(expected));
        }
        // SAFETY: the head is the list's own.
        Op::PassOn => real.list = unsafe { List::from_head(real.list.head()) },
    }
}

fn compare(real: &Real, model: &Model) {
    assert_eq!(real.list.has_claimants(), !model.claimants.is_empty());
    let first = model.claimants.front().or(model.passive.front());
    let expected = first.map_or(ptr::null(), |entry| &raw const *real.nodes[entry.node]);
    assert!(ptr::eq(real.list.head(), expected));
    let is_linked = |node| {
        model
            .claimants
            .iter()
            .chain(&model.passive)
            .any(|entry| entry.node == node)
    };
    for (name, node) in real.nodes.iter().enumerate() {
        assert_eq!(node.is_linked(), is_linked(name));
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
