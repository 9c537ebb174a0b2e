//! The waiters of each backend, and the order in which they are woken.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, VecDeque},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Waker,
    thread,
};

use crate::backend::{State, WaiterKind};

pub(crate) trait Waiters: Default + Unpin + 'static {
    /// Registers the waiter `id`, or returns `false` if the waiter should look at the state again.
    fn register(&self, id: usize, kind: WaiterKind, waker: &Waker, state: &Cell<State>) -> bool;
    /// Removes the waiter `id`, if it is registered.
    fn cancel(&self, id: usize);
    /// Wakes the waiters that wait for `outcome`.
    fn wake(&self, outcome: State);
    /// Forgets the waiters that leaked futures have left.
    fn reset(&self);
}

/// Returns a number for a waiter, or for a marker in a list.
pub(super) fn new_id() -> usize {
    thread_local! {
        static NEXT: Cell<usize> = const { Cell::new(0) };
    }
    NEXT.replace(NEXT.get() + 1)
}

/// `Intrusive` and `Local`: a lane for each [`WaiterKind`]. A drain takes out `BATCH` waiters before it wakes them.
#[derive(Default)]
pub(crate) struct List<const BATCH: usize>(RefCell<Lanes>);

type Lanes = [VecDeque<Entry>; 2];

struct Entry {
    id: usize,
    /// `None` in a marker, which is the end of a drain.
    waker: Option<Waker>,
}

fn find(lanes: &mut Lanes, id: usize) -> Option<&mut Waker> {
    let mut entries = lanes.iter_mut().flatten();
    entries.find(|entry| entry.id == id)?.waker.as_mut()
}

fn remove(lanes: &mut Lanes, id: usize) -> Option<Entry> {
    let mut lanes = lanes.iter_mut();
    lanes.find_map(|lane| lane.remove(lane.iter().position(|entry| entry.id == id)?))
}

impl<const BATCH: usize> Waiters for List<BATCH> {
    fn register(&self, id: usize, kind: WaiterKind, waker: &Waker, state: &Cell<State>) -> bool {
        let registered = find(&mut self.0.borrow_mut(), id).map(|older| older.will_wake(waker));
        if registered == Some(true) {
            return true;
        }
        // This may change the list.
        let waker = waker.clone();
        let mut lanes = self.0.borrow_mut();
        if let Some(older) = find(&mut lanes, id) {
            let older = mem::replace(older, waker);
            drop(lanes);
            drop(older);
            return true;
        }
        // A waiter of `Intrusive` that was unlinked while its waker was cloned looks at the state first. A waiter of
        // `Local` does not.
        let is_local = BATCH == 1;
        if (registered.is_none() || is_local) && !kind.is_settled_by(state.get()) {
            lanes[kind as usize].push_back(Entry {
                id,
                waker: Some(waker),
            });
            return true;
        }
        drop(lanes);
        drop(waker);
        false
    }

    fn cancel(&self, id: usize) {
        let removed = remove(&mut self.0.borrow_mut(), id);
        drop(removed);
    }

    /// If a waker panics, the other waiters are woken before the panic propagates. Later panics are discarded.
    fn wake(&self, outcome: State) {
        let mut drain = Drain {
            list: self,
            outcome,
            marker: None,
            has_started: false,
            batch: VecDeque::new(),
        };
        if !thread::panicking() {
            drain.run();
        }
    }

    fn reset(&self) {
        // The wakers are not dropped: those of the crate are in the futures.
        self.0.take().into_iter().flatten().for_each(mem::forget);
    }
}

struct Drain<'a, const BATCH: usize> {
    list: &'a List<BATCH>,
    outcome: State,
    /// The marker of this drain, if it needs more than one batch and does not wake the claimants that come later.
    marker: Option<usize>,
    has_started: bool,
    batch: VecDeque<Waker>,
}

impl<const BATCH: usize> Drain<'_, BATCH> {
    fn run(&mut self) {
        while !self.batch.is_empty() || self.take_batch() {
            if let Some(waker) = self.batch.pop_front() {
                waker.wake();
            }
        }
    }

    /// Takes out the next batch, all of one kind, and returns `false` if the drain has ended.
    fn take_batch(&mut self) -> bool {
        let lanes = &mut *self.list.0.borrow_mut();
        let claimants = WaiterKind::Claimant as usize;
        if self.outcome == State::Ready {
            let lane = match lanes[claimants].is_empty() {
                true => &mut lanes[WaiterKind::Passive as usize],
                false => &mut lanes[claimants],
            };
            let taken = lane.drain(..BATCH.min(lane.len()));
            let count = taken.len();
            self.batch.extend(taken.filter_map(|entry| entry.waker));
            return count > 0;
        }
        let lane = &mut lanes[claimants];
        match self.marker {
            None if self.has_started => return false,
            Some(marker) if !lane.iter().any(|entry| entry.id == marker) => return false,
            _ => {}
        }
        for _ in 0..BATCH {
            match lane.pop_front() {
                Some(entry) if Some(entry.id) == self.marker => break,
                Some(entry) => self.batch.extend(entry.waker),
                None => break,
            }
        }
        if !mem::replace(&mut self.has_started, true) && !lane.is_empty() {
            let id = new_id();
            self.marker = Some(id);
            lane.push_back(Entry { id, waker: None });
        }
        true
    }
}

impl<const BATCH: usize> Drop for Drain<'_, BATCH> {
    fn drop(&mut self) {
        while catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {}
    }
}

/// `AtomicWaker`: one slot. A task that registers displaces the task in the slot, and wakes it.
#[derive(Default)]
pub(crate) struct Slot(RefCell<SlotState>);

#[derive(Default)]
struct SlotState {
    waker: Option<Waker>,
    /// A task is registering. It stays set after a panic there.
    is_entered: bool,
    /// A waker is being cloned for the slot, so that no task can take it. It stays set after a panic there.
    is_cloning: bool,
    /// Meanwhile, another task tried to take the waker.
    is_missed: bool,
    /// The waiters whose tasks may be in the slot.
    registered: BTreeSet<usize>,
}

impl SlotState {
    fn take(&mut self) -> Option<Waker> {
        if self.is_cloning {
            self.is_missed = true;
            return None;
        }
        self.waker.take()
    }
}

impl Slot {
    fn enter(&self, waker: &Waker) {
        struct Displaced(Option<Waker>);

        impl Drop for Displaced {
            fn drop(&mut self) {
                self.0.take().into_iter().for_each(Waker::wake);
            }
        }

        if self.0.borrow().is_entered {
            return waker.wake_by_ref();
        }
        self.0.borrow_mut().is_entered = true;
        let mut displaced = Displaced(self.0.borrow_mut().take());
        self.fill(waker);
        self.0.borrow_mut().is_entered = false;
        drop(displaced.0.take_if(|displaced| displaced.will_wake(waker)));
    }

    fn fill(&self, waker: &Waker) {
        self.0.borrow_mut().is_cloning = true;
        let waker = waker.clone();
        let mut slot = self.0.borrow_mut();
        slot.is_cloning = false;
        if mem::take(&mut slot.is_missed) {
            drop(slot);
            waker.wake();
        } else {
            slot.waker = Some(waker);
        }
    }
}

impl Waiters for Slot {
    fn register(&self, id: usize, kind: WaiterKind, waker: &Waker, state: &Cell<State>) -> bool {
        self.0.borrow_mut().registered.insert(id);
        self.enter(waker);
        let must_look = kind.is_settled_by(state.get());
        if must_look {
            self.cancel(id);
        }
        !must_look
    }

    fn cancel(&self, id: usize) {
        let was_registered = self.0.borrow_mut().registered.remove(&id);
        if was_registered {
            self.wake(State::Uninit);
        }
    }

    fn wake(&self, _outcome: State) {
        let waker = self.0.borrow_mut().take();
        waker.into_iter().for_each(Waker::wake);
    }

    fn reset(&self) {
        drop(self.0.take());
    }
}

/// `EventListener`: a queue for each kind of waiter. No future is leaked there.
#[derive(Default)]
pub(crate) struct Queues(RefCell<Vec<Listener>>);

struct Listener {
    id: usize,
    kind: WaiterKind,
    /// `None` after the notification.
    waker: Option<Waker>,
}

impl Waiters for Queues {
    fn register(&self, id: usize, kind: WaiterKind, waker: &Waker, state: &Cell<State>) -> bool {
        let mut listeners = self.0.borrow_mut();
        let place = listeners.iter().position(|listener| listener.id == id);
        let is_notified = place.is_some_and(|place| listeners[place].waker.is_none());
        if is_notified || kind.is_settled_by(state.get()) {
            drop(listeners);
            self.cancel(id);
            return false;
        }
        // Wakers of this backend do not use the subject.
        let new_waker = || Some(waker.clone());
        match place.map(|place| &mut listeners[place].waker) {
            None => listeners.push(Listener {
                id,
                kind,
                waker: new_waker(),
            }),
            Some(Some(older)) if older.will_wake(waker) => {}
            Some(older) => *older = new_waker(),
        }
        true
    }

    fn cancel(&self, id: usize) {
        self.0.borrow_mut().retain(|listener| listener.id != id);
    }

    fn wake(&self, outcome: State) {
        for kind in [WaiterKind::Claimant, WaiterKind::Passive] {
            let is_woken = |listener: &&mut Listener| listener.kind == kind && kind.is_settled_by(outcome);
            let woken = |listener: &mut Listener| listener.waker.take();
            let mut listeners = self.0.borrow_mut();
            let woken: Vec<_> = listeners.iter_mut().filter(is_woken).filter_map(woken).collect();
            drop(listeners);
            woken.into_iter().for_each(Waker::wake);
        }
    }

    fn reset(&self) {}
}
