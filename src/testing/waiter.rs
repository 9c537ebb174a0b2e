//! Waiters as the futures of a cell use them: pinned, polled with the waker of a task, cancelled on drop.

use core::{
    pin::Pin,
    ptr::{self, NonNull},
    task::{Context, Poll},
};
use std::{
    boxed::Box,
    mem::{self, ManuallyDrop, MaybeUninit},
    rc::Rc,
    sync::Arc,
    vec::Vec,
};

use super::{
    claim::Claim,
    parts::Task,
    parts::leak,
    rule::{Rule, broken, require},
};
use crate::backend::{Backend, State, WaiterKind};

/// Numbers of waiters: one, a pair, the edges of a batch of wakes of the default backend, several batches, and many.
#[cfg(not(miri))]
pub(super) const CROWDS: [usize; 7] = [1, 2, 15, 16, 17, 33, 100];
#[cfg(miri)]
pub(super) const CROWDS: [usize; 3] = [1, 2, 17];

/// The number of polls after which a waiter counts as one that never sleeps.
const PATIENCE: usize = 100;

pub(super) fn only_claimants(_: usize) -> WaiterKind {
    WaiterKind::Claimant
}

pub(super) fn only_passive(_: usize) -> WaiterKind {
    WaiterKind::Passive
}

pub(super) fn mixed(index: usize) -> WaiterKind {
    if index % 3 == 1 {
        WaiterKind::Passive
    } else {
        WaiterKind::Claimant
    }
}

/// The kinds of waiters in a crowd.
pub(super) const MIXTURES: [fn(usize) -> WaiterKind; 3] = [only_claimants, only_passive, mixed];

/// A waiter, its backend, and the task that polls it.
pub(super) struct Waiter<'a, B: Backend> {
    backend: &'a B,
    pub(super) kind: WaiterKind,
    waiter: Pin<Box<B::Waiter>>,
    task: Arc<Task>,
    /// The number of wakes of the task before it polled the waiter last.
    wakes_before: usize,
}

impl<'a, B: Backend> Waiter<'a, B> {
    /// Creates a waiter that has not been polled.
    pub(super) fn new(backend: &'a B, kind: WaiterKind) -> Self {
        Self::of_task(backend, kind, &Task::new())
    }

    pub(super) fn of_task(backend: &'a B, kind: WaiterKind, task: &Arc<Task>) -> Self {
        Self {
            backend,
            kind,
            waiter: Box::pin(B::waiter(kind)),
            task: Arc::clone(task),
            wakes_before: 0,
        }
    }

    /// Creates a waiter that sleeps.
    #[track_caller]
    pub(super) fn asleep(backend: &'a B, kind: WaiterKind) -> Self {
        let mut waiter = Self::new(backend, kind);
        waiter.sleep();
        waiter
    }

    pub(super) fn task(&self) -> &Arc<Task> {
        &self.task
    }

    /// Moves the waiter to another task.
    pub(super) fn move_to(&mut self, task: &Arc<Task>) {
        self.task = Arc::clone(task);
    }

    pub(super) fn poll(&mut self) -> Poll<()> {
        let waker = self.task.waker();
        self.wakes_before = self.task.wakes();
        // SAFETY: the waiter is used with this backend only, by its owner only, and is unregistered before
        // its memory is freed or reused: by `drop`, or by `into_remains`.
        unsafe { (self.backend).poll_wait(self.waiter.as_mut(), &mut Context::from_waker(&waker)) }
    }

    /// Polls a claimant that is registered for the end of its attempt.
    pub(super) fn poll_attempt(&mut self) -> Poll<()> {
        let waker = self.task.waker();
        self.wakes_before = self.task.wakes();
        // SAFETY: as in `poll`.
        unsafe { (self.backend).poll_attempt(self.waiter.as_mut(), &mut Context::from_waker(&waker)) }
    }

    /// Polls a waiter that has something to wait for, until it returns `Pending`.
    #[track_caller]
    pub(super) fn sleep(&mut self) {
        for _ in 0..PATIENCE {
            if self.poll().is_pending() {
                return;
            }
        }
        let (kind, state) = (self.kind, self.backend.state());
        broken(
            Rule::NoLostWakeup,
            format_args!(
                "`poll_wait` never returns `Pending`: for `WaiterKind::{kind:?}` in {state:?}, it has returned `Ready` \
                 {PATIENCE} times"
            ),
        );
    }

    /// Returns `true` if the waiter's task was woken during the last poll or since.
    pub(super) fn is_woken(&self) -> bool {
        self.task.wakes() > self.wakes_before
    }

    /// Polls a waiter that has nothing to wait for as its task would, and returns `true` if a poll returns `Ready`.
    pub(super) fn finds_out(&mut self) -> bool {
        for _ in 0..PATIENCE {
            if self.poll().is_ready() {
                return true;
            }
            if !self.is_woken() {
                return false;
            }
        }
        false
    }

    pub(super) fn cancel(&mut self) {
        // SAFETY: as in `poll`.
        unsafe { self.backend.cancel(self.waiter.as_mut()) };
    }

    /// Cancels the waiter, and keeps its memory to detect later writes.
    pub(super) fn into_remains(mut self) -> Remains<B> {
        self.cancel();
        // SAFETY: the waiter is not moved but dropped in place, below.
        let place = Box::into_raw(unsafe { Pin::into_inner_unchecked(self.into_waiter()) });
        // SAFETY: the waiter is in this memory, is unregistered, and is never used again.
        unsafe { place.drop_in_place() };
        // SAFETY: this is the memory of the box, whose contents have been dropped.
        unsafe { place.cast::<u8>().write_bytes(PATTERN, size_of::<B::Waiter>()) };
        // SAFETY: a box is not null.
        Remains(unsafe { NonNull::new_unchecked(place) })
    }

    /// Leaks the waiter without cancelling it.
    pub(super) fn leak(self) {
        leak(self.into_waiter());
    }

    /// Returns the waiter without cancelling it.
    fn into_waiter(self) -> Pin<Box<B::Waiter>> {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, and of its fields only `task` is used again.
        let waiter = unsafe { ptr::read(&this.waiter) };
        // SAFETY: as above.
        drop(unsafe { ptr::read(&this.task) });
        waiter
    }
}

impl<B: Backend> Drop for Waiter<'_, B> {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Creates `count` sleeping waiters, oldest first.
#[track_caller]
pub(super) fn crowd<B: Backend>(
    backend: &B,
    count: usize,
    kind_of: fn(usize) -> WaiterKind,
) -> Vec<Waiter<'_, B>> {
    (0..count)
        .map(|index| Waiter::asleep(backend, kind_of(index)))
        .collect()
}

/// Checks that every waiter whose kind `outcome` settles was woken.
#[track_caller]
pub(super) fn require_woken<B: Backend>(waiters: &[Waiter<'_, B>], outcome: State, when: &str) {
    for (index, waiter) in waiters.iter().enumerate() {
        require!(
            waiter.is_woken() || !waiter.kind.is_settled_by(outcome),
            NoLostWakeup,
            "waiter {index} of {}, with `WaiterKind::{:?}`, was not woken when {} {when}",
            waiters.len(),
            waiter.kind,
            cause(outcome),
        );
    }
}

/// Returns the cause of `outcome`, for messages.
pub(super) fn cause(outcome: State) -> &'static str {
    match outcome {
        State::Ready => "`publish` was called",
        _ => "`release` was called",
    }
}

const PATTERN: u8 = 0xA5;

/// The memory of a waiter that was dropped, to which no thread may write.
pub(super) struct Remains<B: Backend>(NonNull<B::Waiter>);

// SAFETY: it owns plain bytes.
unsafe impl<B: Backend> Send for Remains<B> {}

impl<B: Backend> Remains<B> {
    #[track_caller]
    pub(super) fn require_untouched(&self, when: &str) {
        for offset in 0..size_of::<B::Waiter>() {
            // SAFETY: the byte is within the box.
            let byte = unsafe { self.0.cast::<u8>().add(offset) };
            // SAFETY: `into_remains` has written it.
            let byte = unsafe { byte.read_volatile() };
            require!(
                byte == PATTERN,
                Pinning,
                "byte {offset} of a waiter was written {when}"
            );
        }
    }
}

impl<B: Backend> Drop for Remains<B> {
    fn drop(&mut self) {
        // SAFETY: the pointer comes from a box, whose contents have been dropped.
        drop(unsafe { Box::from_raw(self.0.as_ptr().cast::<MaybeUninit<B::Waiter>>()) });
    }
}

/// Removes and returns the waiters that `is_chosen` chooses by their index and number.
pub(super) fn remove_where<T>(from: &mut Vec<T>, is_chosen: fn(usize, usize) -> bool) -> Vec<T> {
    let count = from.len();
    let (chosen, rest): (Vec<_>, Vec<_>) = mem::take(from)
        .into_iter()
        .enumerate()
        .partition(|(index, _)| is_chosen(*index, count));
    from.extend(rest.into_iter().map(|(_, waiter)| waiter));
    chosen.into_iter().map(|(_, waiter)| waiter).collect()
}

/// Choices of an index from a number of waiters: the first, one in the middle, the last, every other, all.
pub(super) const CHOICES: [fn(usize, usize) -> bool; 5] = [
    |index, _| index == 0,
    |index, count| index == count / 2,
    |index, count| index == count - 1,
    |index, _| index % 2 == 0,
    |_, _| true,
];

/// For each number and mixture of waiters that sleep during an attempt: lets `disturb` use them, ends the attempt with each of
/// `outcomes`, and checks that every waiter that the outcome settles is woken, and that it returns `Ready` when its task polls it.
/// After a failure, a value must wake the passive waiters, and waiters that registered since. Returns what `disturb` returned.
#[track_caller]
pub(super) fn every_attempt<B: Backend, R>(
    outcomes: &[State],
    when: &str,
    disturb: impl for<'a> Fn(&'a Rc<B>, &mut Vec<Waiter<'a, B>>) -> R,
) -> Vec<R> {
    let cases = (outcomes.iter()).flat_map(|outcome| CROWDS.map(|count| (*outcome, count)));
    let attempt = |(outcome, count, kind_of)| {
        let backend = Rc::new(B::UNINIT);
        let claim = Claim::take(&*backend);
        let mut waiters = crowd(&*backend, count, kind_of);
        let result = disturb(&backend, &mut waiters);
        claim.settle(outcome);
        require_woken(&waiters, outcome, when);
        let found = backend.state();
        require!(
            found == outcome,
            StateMachine,
            "the state is {found:?} after {} {when}",
            cause(outcome)
        );
        let (mut settled, mut passive): (Vec<_>, Vec<_>) = waiters
            .into_iter()
            .partition(|waiter| waiter.kind.is_settled_by(outcome));
        for waiter in settled.iter_mut().rev() {
            require!(
                waiter.finds_out(),
                NoLostWakeup,
                "a waiter with `WaiterKind::{:?}` that was woken when {} sleeps on",
                waiter.kind,
                cause(outcome)
            );
        }
        if outcome == State::Uninit {
            // The tasks of these waiters would poll them.
            passive
                .iter_mut()
                .filter(|waiter| waiter.is_woken())
                .for_each(Waiter::sleep);
            let claim = Claim::take(&*backend);
            passive.extend(crowd(&*backend, 2, mixed));
            claim.publish();
            require_woken(&passive, State::Ready, "after a failure");
        }
        result
    };
    cases
        .flat_map(|(outcome, count)| MIXTURES.map(|kind_of| (outcome, count, kind_of)))
        // Miri takes long.
        .skip(if cfg!(miri) { 2 } else { 0 })
        .step_by(if cfg!(miri) { MIXTURES.len() } else { 1 })
        .map(attempt)
        .collect()
}
