//! Models of wakers that use the cell: when they are woken, in the middle of a drain, and poll their task inline; when
//! they are dropped; and when they are cloned, in the middle of a registration.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
};

use loom::thread;

use super::support::{Failed, Harness, Task, both, bounded, exhaustive};

/// A task that its first wake polls inline, on the waking thread.
pub(super) struct Inline<F: Future> {
    /// The poller takes it out: while loom may switch threads, no lock is held that loom does not instrument.
    task: Mutex<Option<Task<F>>>,
    output: Mutex<Option<F::Output>>,
}

impl<F> Inline<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// A task that is waiting.
    pub(super) fn waiting(harness: &'static Harness, future: F) -> Arc<Self> {
        let inline = Arc::new(Self {
            task: Mutex::default(),
            output: Mutex::default(),
        });
        let woken = inline.clone();
        let task = harness.waiting_with_hook(future, move || woken.poll());
        *inline.task.lock().unwrap() = Some(task);
        inline
    }

    fn poll(&self) {
        let mut task = self
            .task
            .lock()
            .unwrap()
            .take()
            .expect("no other thread polls it");
        match task.poll() {
            Poll::Ready(output) => *self.output.lock().unwrap() = Some(output),
            Poll::Pending => *self.task.lock().unwrap() = Some(task),
        }
    }

    /// Runs to the end after its first wake.
    pub(super) fn end(&self) -> F::Output {
        let output = self.output.lock().unwrap().take();
        output.unwrap_or_else(|| {
            let task = self.task.lock().unwrap().take();
            task.expect("it has not ended").run()
        })
    }
}

/// A waker that polls its task inline obtains the value, while a neighbor is dropped.
///
/// Risk: the poll uses the node that A's drain has just unlinked, and B unlinks the next one.
#[test]
fn a_task_that_its_wake_polls_gets_the_value() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let inline = Inline::waiting(harness, harness.cell.wait());
        let gone = harness.waiting(harness.get_or_init(2));
        let left = harness.waiting(harness.cell.wait());
        claim.end_beside(Ok(1), || gone.cancel());
        assert_eq!(*inline.end(), 1);
        assert_eq!(left.wakes(), 1);
    });
}

/// A waker that polls its task inline takes over in the middle of the drain, while a neighbor is dropped.
///
/// Risk: the drain of its publication empties the list under A's drain of the failure, as B unlinks a node.
#[test]
fn a_task_that_its_wake_polls_takes_over() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let inline = Inline::waiting(harness, harness.get_or_init(1));
        let gone = harness.waiting(harness.get_or_init(2));
        let passive = harness.waiting(harness.cell.wait());
        let claimant = harness.waiting(harness.get_or_init(3));
        claim.end_beside(Err(Failed), || gone.cancel());
        assert_eq!([claimant.wakes(), passive.wakes()], [1; 2]);
        assert_eq!((inline.end(), harness.runs()), (1, 2));
    });
}

/// A waker that polls its task inline, whose initializer fails too, leaves no waiter asleep.
///
/// Risk: its drain empties the list under A's; B, which registers after both, is the first in the list again, and A's
/// drain takes it for one of its own waiters, or the other way round.
#[test]
fn a_task_that_its_wake_polls_fails_in_turn() {
    bounded(1, |harness| {
        let claim = harness.claim();
        let inline = Inline::waiting(harness, harness.get_or_fail());
        let asleep = harness.waiting(harness.get_or_init(1));
        let newcomer = thread::spawn(|| harness.run(harness.get_or_init(1)));
        claim.end(Err(Failed));
        assert!(asleep.is_woken());
        assert!(matches!(inline.end(), Ok(1) | Err(Failed)));
        assert_eq!(newcomer.join().unwrap(), 1);
    });
}

/// A wake that sets the value agrees with a concurrent claimant.
///
/// Risk: the wake claims between two batches of A's drain, against B, which sees the cell empty.
#[test]
fn a_wake_that_sets_the_value() {
    bounded(2, |harness| {
        let claim = harness.claim();
        let is_set = Arc::new(Mutex::new(None));
        let sets = is_set.clone();
        let setting = harness.waiting_with_hook(harness.get_or_init(4), move || {
            let result = harness.cell.set(1);
            *sets.lock().unwrap() = Some(result.is_ok());
        });
        let passive = harness.waiting(harness.cell.wait());
        let value = claim.end_beside(Err(Failed), || harness.run(harness.get_or_init(2)));
        let is_set = is_set.lock().unwrap().expect("it was woken");
        assert_eq!((value, harness.runs()), if is_set { (1, 1) } else { (2, 2) });
        assert_eq!(passive.wakes(), 1);
        assert_eq!(setting.run(), value);
    });
}

/// A wake that drops another waiter leaves the waiters around it linked, one of which is dropped too.
///
/// Risk: the wake unlinks the node that A's drain is to take next, and B the one behind it, each redirecting the
/// other's pointers.
#[test]
fn a_wake_that_drops_another_waiter() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let dropped = Arc::new(Mutex::new(None));
        let drops = dropped.clone();
        let first = harness.waiting_with_hook(harness.get_or_init(2), move || {
            let dropped = drops.lock().unwrap().take();
            drop(dropped);
        });
        *dropped.lock().unwrap() = Some(harness.waiting(harness.get_or_init(3)));
        let gone = harness.waiting(harness.get_or_init(4));
        let last = harness.waiting(harness.get_or_init(5));
        claim.end_beside(Ok(1), || gone.cancel());
        assert_eq!([first.wakes(), last.wakes()], [1; 2]);
    });
}

/// A waker that calls a hook when its last clone is dropped.
struct Parting(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Parting {
    /// Returns `future`, which waits with the only waker that calls `parting`.
    fn waiting<F: Future>(future: F, parting: impl FnOnce() + Send + 'static) -> Pin<Box<F>> {
        let mut waiting = Box::pin(future);
        let waker = Waker::from(Arc::new(Self(Mutex::new(Some(Box::new(parting))))));
        let polled = waiting.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        waiting
    }
}

impl Wake for Parting {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Parting {
    fn drop(&mut self) {
        let parting = self.0.get_mut().unwrap().take();
        parting.expect("it is dropped once")();
    }
}

/// A waker whose destructor ends the initializer ends it when the waiter is dropped, against another waiter that
/// registers.
///
/// Risk: A drops the waker of the node that it has taken out, and its destructor publishes, while B holds the list
/// lock or is linked.
#[test]
fn a_dropped_waker_that_ends_the_initializer() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let gone = Parting::waiting(harness.get_or_init(2), || claim.end(Ok(1)));
        let ((), newcomer) = both(|| drop(gone), || harness.run(harness.get_or_init(3)));
        assert_eq!(newcomer, 1);
    });
}

/// A waker whose destructor ends the initializer ends it when a newer waker replaces it, against another waiter that
/// is dropped.
///
/// Risk: A replaces the waker of a linked node, and the older one's destructor drains the list that the node is in,
/// as B unlinks its neighbor.
#[test]
fn a_replaced_waker_that_ends_the_initializer() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let moving = Parting::waiting(harness.cell.wait(), || claim.end(Ok(1)));
        let gone = harness.waiting(harness.get_or_init(2));
        assert_eq!(both(|| *harness.run(moving), || gone.cancel()), (1, ()));
    });
}

/// A waker that ends the initializer as it is cloned leaves the value to its waiter and to another one that registers
/// meanwhile.
///
/// Risk: A has seen INITIALIZING, and is linked only after the drain of its clone, or that of B, has ended.
#[test]
fn a_cloned_waker_that_ends_the_initializer() {
    exhaustive(|harness| {
        let claim = harness.claim();
        let mut waiter = harness.task(harness.get_or_init(2));
        let poll = || waiter.poll_with_hook(|| claim.end(Ok(1)));
        assert_eq!(
            both(poll, || *harness.run(harness.cell.wait())),
            (Poll::Ready(1), 1)
        );
    });
}

/// A waker that makes the initializer fail as it is cloned lets its waiter or another one take over.
///
/// Risk: A, whose clone has drained the list, finds B initializing when it locks, or finds that B has ended.
#[test]
fn a_cloned_waker_that_has_the_initializer_fail() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let other = thread::spawn(|| harness.run(harness.get_or_fail()));
        let mut waiter = harness.task(harness.get_or_init(2));
        let polled = waiter.poll_with_hook(|| claim.end(Err(Failed)));
        assert_eq!(waiter.finish(polled), 2);
        assert!(matches!(other.join().unwrap(), Ok(2) | Err(Failed)));
    });
}

/// A waker that sets the value as it is cloned agrees with a `set` elsewhere, and its passive waiter gets the value.
///
/// Risk: no drain runs after A registers, as there was no waiter yet when the value came.
#[test]
fn a_cloned_waker_that_sets_the_value() {
    exhaustive(|harness| {
        let mut waiter = harness.task(harness.cell.wait());
        let mut is_set = false;
        let poll = || waiter.poll_with_hook(|| is_set = harness.cell.set(1).is_ok());
        let (polled, is_set_elsewhere) = both(poll, || harness.cell.set(2).is_ok());
        assert_ne!(is_set, is_set_elsewhere);
        let value = waiter.finish(polled);
        assert_eq!(*value, if is_set { 1 } else { 2 });
    });
}

/// A newer waker that ends the initializer as it is cloned completes its waiter with the value, while a neighbor is
/// dropped.
///
/// Risk: A's clone unlinks A's own node and wakes the older waker, whose task no longer polls; the newer one must not
/// be put into a node that is in no list.
#[test]
fn a_newer_waker_that_ends_the_initializer_when_cloned() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let moving = harness.waiting(harness.cell.wait());
        let gone = harness.waiting(harness.get_or_init(2));
        let poll = || moving.migrate().poll_with_hook(|| claim.end(Ok(1)));
        assert_eq!(both(poll, || gone.cancel()), (Poll::Ready(&1), ()));
    });
}

/// A newer waker that drops a neighbor as it is cloned is woken, or its waiter finds the value.
///
/// Risk: A's clone unlinks a node that B's drain is to take next, and then A locks to replace the waker in a node
/// that B has taken.
#[test]
fn a_newer_waker_that_drops_a_neighbor_when_cloned() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let gone = harness.waiting(harness.get_or_init(2));
        let moving = harness.waiting(harness.cell.wait());
        let publish = thread::spawn(|| claim.end(Ok(1)));
        let mut moved = moving.migrate();
        let polled = moved.poll_with_hook(|| gone.cancel());
        assert_eq!(*moved.finish(polled), 1);
        publish.join().unwrap();
    });
}

/// A waker that registers another waiter as it is cloned leaves both waiters linked and woken.
///
/// Risk: A's clone puts a node in front of the one that A is about to push, as B drains.
#[test]
fn a_cloned_waker_that_registers_another_waiter() {
    bounded(3, |harness| {
        let claim = harness.claim();
        let publish = thread::spawn(|| claim.end(Ok(1)));
        let mut other = harness.task(harness.cell.wait());
        let mut waiter = harness.task(harness.get_or_init(2));
        let mut polled_inside = Poll::Pending;
        let polled = waiter.poll_with_hook(|| polled_inside = other.poll());
        assert_eq!(waiter.finish(polled), 1);
        assert_eq!(*other.finish(polled_inside), 1);
        publish.join().unwrap();
    });
}
