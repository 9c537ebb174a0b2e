//! The backend `EventListener`.
//!
//! The crate `event-listener` clones and wakes wakers while it holds a lock that loom does not know of. If a waker
//! let loom switch threads, the next one would wait for that lock on the very thread that holds it, for ever.
//! So here wakers only set a flag, and tasks do not sleep: whoever is pending when the others have stopped must
//! have been woken. To loom each call of the crate is a single step. What the models cover is what the backend
//! makes of these calls, the state, and whether a queue is in use.

use loom::thread;

use super::{
    shadowed::Shadowed,
    support::{Failed, Stage, Task, bounded_on},
};
use crate::backend::EventListener;

fn bounded(
    preemptions: usize,
    play: impl Fn(&'static Stage<Shadowed<EventListener, false>>) + Send + Sync + 'static,
) {
    bounded_on(preemptions, play);
}

/// The first claimant of a cell registers while the value is being published.
///
/// Worrying: A finds INITIALIZING; B publishes and finds that nobody has ever waited; A queues up and sleeps.
#[test]
fn the_first_claimant_registers_against_a_publication() {
    bounded(4, |stage| {
        let claim = stage.claim();
        let waiter = thread::spawn(|| stage.task(stage.get_or_init(2)).run_for(3));
        claim.end(Ok(1));
        assert_eq!(waiter.join().unwrap().unwrap_or_else(Task::end), 1);
    });
}

/// The first claimant of a cell registers while the initializer is failing.
#[test]
fn the_first_claimant_registers_against_a_failure() {
    bounded(4, |stage| {
        let claim = stage.claim();
        let waiter = thread::spawn(|| stage.task(stage.get_or_init(1)).run_for(3));
        claim.end(Err(Failed));
        assert_eq!(waiter.join().unwrap().unwrap_or_else(Task::end), 1);
        assert_eq!(stage.runs(), 2);
    });
}

/// A passive waiter and a claimant, who stand in queues of their own, register against a publication.
#[test]
fn two_waiters_register_against_a_publication() {
    bounded(3, |stage| {
        let claim = stage.claim();
        let passive = thread::spawn(|| stage.task(stage.cell.wait()).run_for(3));
        let claimant = thread::spawn(|| stage.task(stage.get_or_init(2)).run_for(3));
        claim.end(Ok(1));
        let (passive, claimant) = (passive.join().unwrap(), claimant.join().unwrap());
        assert_eq!(*passive.unwrap_or_else(Task::end), 1);
        assert_eq!(claimant.unwrap_or_else(Task::end), 1);
    });
}

/// Two claimants register against a failure, and the one that takes over wakes the other.
#[test]
fn two_claimants_register_against_a_failure() {
    bounded(3, |stage| {
        let claim = stage.claim();
        let waiters = [1, 2].map(|value| {
            let task = stage.task(stage.get_or_init(value));
            thread::spawn(|| task.run_for(3))
        });
        claim.end(Err(Failed));
        let [first, second] = waiters.map(|waiter| waiter.join().unwrap());
        let first = first.unwrap_or_else(Task::end);
        assert_eq!(second.unwrap_or_else(Task::end), first);
        assert_eq!(stage.runs(), 2);
    });
}

/// A waiter that is dropped during a publication leaves nothing behind, and its neighbour is woken.
#[test]
fn cancel_against_publication() {
    bounded(4, |stage| {
        let claim = stage.claim();
        let gone = stage.waiting(stage.get_or_init(2));
        let left = stage.waiting(stage.get_or_init(3));
        let cancel = thread::spawn(|| gone.cancel());
        claim.end(Ok(1));
        cancel.join().unwrap();
        assert_eq!(left.end(), 1);
    });
}

/// A waiter that is dropped during a failure takes nobody's turn away, and gives none to who comes later.
///
/// Worrying: A is notified and dropped, and passes that on to B, who has registered for the next initializer.
#[test]
fn cancel_against_failure() {
    bounded(3, |stage| {
        let claim = stage.claim();
        let gone = stage.waiting(stage.get_or_init(2));
        let left = stage.waiting(stage.get_or_init(3));
        let cancel = thread::spawn(|| gone.cancel());
        let next = thread::spawn(|| {
            let next = stage.try_claim()?;
            Some((next, stage.waiting(stage.get_or_init(4))))
        });
        claim.end(Err(Failed));
        cancel.join().unwrap();
        if let Some((next, late)) = next.join().unwrap() {
            assert!(left.is_woken());
            next.end(Ok(1));
            assert_eq!(late.end(), 1);
        }
        assert!(left.is_woken());
    });
}
