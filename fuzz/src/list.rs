//! The list of waiters against a `VecDeque`.

use std::{
    collections::VecDeque,
    pin::Pin,
    ptr::{self, NonNull},
};

use arbitrary::{Result, Unstructured};

use crate::{
    backend::WaiterKind,
    shipped_list::{List, Node, Ticket},
};

/// As many nodes as there are.
const NODES: usize = 24;

#[derive(Debug)]
enum Op {
    /// Puts a node in that is not there; before that, replaces it by a new one.
    Push {
        node: usize,
        kind: WaiterKind,
    },
    /// Takes a node out that is there.
    Unlink {
        node: usize,
    },
    /// Takes out the oldest of all.
    TakeOldest,
    TakeOldestClaimant,
    /// Gives the list away and takes it back, as a lock does.
    PassOn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    node: usize,
    kind: WaiterKind,
    ticket: Ticket,
}

/// All entries in the order of arrival.
#[derive(Debug, Default)]
struct Model(VecDeque<Entry>);

struct Real {
    list: List<usize>,
    nodes: Vec<Pin<Box<Node<usize>>>>,
}

/// Plays the program that `data` tells on the list that ships.
///
/// # Panics
///
/// Panics if it does not do what a `VecDeque` does.
pub fn list(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let mut real = Real {
        // SAFETY: a null head is an empty list.
        list: unsafe { List::from_head(ptr::null_mut()) },
        nodes: (0..NODES)
            .map(|name| Box::pin(Node::new(WaiterKind::Claimant, name)))
            .collect(),
    };
    let mut model = Model::default();
    while !bytes.is_empty() {
        let op = Op::decode(&mut bytes).expect("zero will do for bytes that are missing");
        play(&op, &mut real, &mut model);
        compare(&real, &model);
    }
    while !model.0.is_empty() {
        play(&Op::TakeOldest, &mut real, &mut model);
        compare(&real, &model);
    }
    assert!(real.list.head().is_null());
}

fn play(op: &Op, real: &mut Real, model: &mut Model) {
    match *op {
        Op::Push { node, kind } if !model.contains(node) => {
            real.nodes[node] = Box::pin(Node::new(kind, node));
            // SAFETY: the node is new, and stays while it is in the list.
            unsafe { real.list.push(real.nodes[node].as_ref()) };
            model.push(node, kind);
        }
        Op::Unlink { node } if model.contains(node) => {
            let place = NonNull::from(&*real.nodes[node]);
            // SAFETY: the node is in the list.
            let name = unsafe { real.list.unlink(place, |name| *name) };
            assert_eq!(name, node);
            model.0.retain(|entry| entry.node != node);
        }
        Op::Push { .. } | Op::Unlink { .. } => {}
        Op::TakeOldest => {
            let oldest = real.list.oldest().map(|oldest| {
                // SAFETY: the node was found in the list.
                unsafe { real.list.unlink(oldest, |name| *name) }
            });
            assert_eq!(oldest, model.0.pop_front().map(|entry| entry.node));
        }
        Op::TakeOldestClaimant => {
            let oldest = real.list.oldest_claimant().map(|oldest| {
                // SAFETY: the node was found in the list.
                unsafe { real.list.unlink(oldest, |name| *name) }
            });
            let expected = model.oldest_claimant();
            assert_eq!(oldest, expected.map(|entry| entry.node));
            model.0.retain(|entry| Some(*entry) != expected);
        }
        // SAFETY: the head is the list's own.
        Op::PassOn => real.list = unsafe { List::from_head(real.list.head()) },
    }
}

fn compare(real: &Real, model: &Model) {
    let entry = |place: NonNull<Node<usize>>| {
        // SAFETY: the list leads to nodes that are there.
        let node = unsafe { place.as_ref() };
        Entry {
            node: *node.payload(),
            kind: node.kind(),
            ticket: real.list.ticket(place),
        }
    };
    assert_eq!(real.list.oldest().map(entry), model.0.front().copied());
    assert_eq!(real.list.oldest_claimant().map(entry), model.oldest_claimant());
    assert_eq!(real.list.newest_ticket(), model.newest_ticket());
    for (name, node) in real.nodes.iter().enumerate() {
        assert_eq!(node.is_linked(), model.contains(name));
    }
}

impl Model {
    fn contains(&self, node: usize) -> bool {
        self.0.iter().any(|entry| entry.node == node)
    }

    fn push(&mut self, node: usize, kind: WaiterKind) {
        let ticket = self.newest_ticket().map_or(0, |newest| newest + 1);
        self.0.push_back(Entry { node, kind, ticket });
    }

    fn oldest_claimant(&self) -> Option<Entry> {
        self.0
            .iter()
            .find(|entry| entry.kind == WaiterKind::Claimant)
            .copied()
    }

    fn newest_ticket(&self) -> Option<Ticket> {
        self.0.back().map(|entry| entry.ticket)
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
            5 => Self::TakeOldest,
            6 => Self::TakeOldestClaimant,
            _ => Self::PassOn,
        })
    }
}
