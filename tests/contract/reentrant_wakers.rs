//! A waker uses the cell from its `wake`, `clone` or `drop`: no user code runs under a lock. Otherwise these tests
//! would hang.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Wake, Waker},
};

use oncelot::OnceCell;

use crate::util::{BoxFuture, Op, Task, Waiter, poll, poll_with, start, static_cell};

/// A place for a future that a hook is to poll or to drop.
type Shared<T> = Arc<Mutex<Option<BoxFuture<'static, T>>>>;

fn shared<T>(future: impl Future<Output = T> + Send + 'static) -> Shared<T> {
    Arc::new(Mutex::new(Some(Box::pin(future))))
}

fn poll_shared<T>(future: &Shared<T>, waker: &Waker) -> Poll<T> {
    poll_with(future.lock().unwrap().as_mut().unwrap(), waker)
}

fn drop_shared<T>(future: &Shared<T>) {
    let future = future.lock().unwrap().take();
    drop(future);
}

#[test]
fn wake_can_poll_its_own_future() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let (gate, mut running) = start(&CELL);
    let waiting = shared(CELL.get_or_init(async || 2));
    let task = Task::on(Op::Wake, {
        let waiting = Arc::clone(&waiting);
        move || assert_eq!(poll_shared(&waiting, Waker::noop()), Poll::Ready(&2))
    });
    assert!(poll_shared(&waiting, &task.waker()).is_pending());
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert_eq!(CELL.get(), Some(&2));
}

/// Wakes are made in batches of 16: the waiter that is cancelled is in the first batch or in a later one.
#[test]
fn wake_can_cancel_any_other_waiter() {
    for cancelled in [1, 15, 16, 17, 39] {
        for is_value in [true, false] {
            let cell = static_cell();
            let (gate, mut running) = start(cell);
            let waiters: Vec<_> = (0..40).map(|_| shared(cell.get_or_init(async || 2))).collect();
            let canceller = Task::on(Op::Wake, {
                let victim = Arc::clone(&waiters[cancelled]);
                move || drop_shared(&victim)
            });
            let tasks: Vec<_> = (0..40).map(|_| Task::new()).collect();
            for (i, waiter) in waiters.iter().enumerate() {
                let task = if i == 0 { &canceller } else { &tasks[i] };
                assert!(poll_shared(waiter, &task.waker()).is_pending());
            }
            gate.open(if is_value { Ok(1) } else { Err("failed") });
            assert!(poll(&mut running).is_ready());
            for (i, task) in tasks.iter().enumerate().skip(1) {
                // Whose waker had been taken out before is woken for nothing.
                let expected = usize::from(i != cancelled || i < 16);
                assert_eq!(task.wakes(), expected, "waiter {i}, {cancelled} cancelled");
            }
        }
    }
}

#[test]
fn wake_can_register_again_without_being_woken_again() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let (gate, mut running) = start(&CELL);
    // Another task claims at the first wake, so that every waiter that is polled afterwards waits again.
    let claims = shared(CELL.get_or_init(std::future::pending));
    let first = Task::on(Op::Wake, {
        let claims = Arc::clone(&claims);
        move || assert!(poll_shared(&claims, Waker::noop()).is_pending())
    });
    let mut first_waiter = Box::pin(CELL.get_or_init(async || 2));
    assert!(poll_with(&mut first_waiter, &first.waker()).is_pending());

    let eager = shared(CELL.get_or_init(async || 3));
    let again = Task::new();
    let eager_task = Task::on(Op::Wake, {
        let (eager, again) = (Arc::clone(&eager), again.waker());
        move || assert!(poll_shared(&eager, &again).is_pending())
    });
    assert!(poll_shared(&eager, &eager_task.waker()).is_pending());
    let others: Vec<_> = (0..40).map(|i| Waiter::claimant(&CELL, i)).collect();

    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert_eq!((eager_task.wakes(), again.wakes()), (1, 0));
    assert!(others.iter().all(|waiter| waiter.wakes() == 1));
}

/// The woken tasks drop all waiters, so that the list becomes empty in the middle of a drain, and register again: the
/// drain must not take the new waiters for its own, or it would never end.
#[test]
fn wake_can_empty_the_list_and_fill_it_again() {
    static CELL: OnceCell<u32> = OnceCell::new();
    const CROWD: usize = 17;
    type Future = BoxFuture<'static, &'static u32>;
    static WAITING: Mutex<Vec<Future>> = Mutex::new(Vec::new());
    static CLAIMS: Mutex<Option<Future>> = Mutex::new(None);
    static WAKES: AtomicUsize = AtomicUsize::new(0);

    struct Renewing;

    impl Wake for Renewing {
        fn wake(self: Arc<Self>) {
            let wakes = WAKES.fetch_add(1, Ordering::Relaxed);
            assert!(wakes < 100 * CROWD, "the drain does not end");
            let older = std::mem::take(&mut *WAITING.lock().unwrap());
            drop(older);
            if wakes == 0 {
                *CLAIMS.lock().unwrap() = Some(waiting());
            }
            let newer = (0..CROWD).map(|_| waiting()).collect();
            *WAITING.lock().unwrap() = newer;
        }
    }

    fn waiting() -> Future {
        let mut future: Future = Box::pin(CELL.get_or_init(std::future::pending));
        assert!(poll_with(&mut future, &Arc::new(Renewing).into()).is_pending());
        future
    }

    let running = waiting();
    *WAITING.lock().unwrap() = (0..CROWD).map(|_| waiting()).collect();
    drop(running);
    // Those of the first batch; the one behind was dropped by them.
    assert_eq!(WAKES.load(Ordering::Relaxed), CROWD - 1);
    WAITING.lock().unwrap().clear();
    assert_eq!(WAKES.load(Ordering::Relaxed), CROWD - 1);
}

/// The newer waker ends the attempt while it is cloned, and another task claims: the end of a wait guarantees neither a value nor
/// the claim.
#[test]
fn clone_of_a_newer_waker_can_hand_the_claim_to_another() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let first = shared(CELL.get_or_init(std::future::pending));
    let second = shared(CELL.get_or_init(std::future::pending));
    assert!(poll_shared(&first, Waker::noop()).is_pending());
    let mut waiting = Waiter::claimant(&CELL, 3);
    let newer = Task::on(Op::Clone, {
        let (first, second) = (Arc::clone(&first), Arc::clone(&second));
        move || {
            if first.lock().unwrap().is_some() {
                drop_shared(&first);
                assert!(poll_shared(&second, Waker::noop()).is_pending());
            }
        }
    });
    let waker = newer.waker();
    assert!(poll_with(&mut waiting.future, &waker).is_pending());
    drop_shared(&second);
    assert_eq!(newer.wakes(), 1);
    assert_eq!(poll_with(&mut waiting.future, &waker), Poll::Ready(&3));
}

#[test]
fn drop_can_end_the_wait_of_its_own_future() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let running = shared(CELL.get_or_init(std::future::pending));
    assert!(poll_shared(&running, Waker::noop()).is_pending());
    let older = Task::on(Op::Drop, {
        let running = Arc::clone(&running);
        move || drop_shared(&running)
    });
    let waker = older.waker();
    let newer = Task::new();
    let mut waiting = Box::pin(CELL.get_or_init(async || 2));
    assert!(poll_with(&mut waiting, &waker).is_pending());
    // Drops the older waker, which cancels the initializer, which wakes the newer waker.
    assert!(poll_with(&mut waiting, &newer.waker()).is_pending());
    assert_eq!(newer.wakes(), 1);
    older.disarm();
    assert_eq!(poll(&mut waiting), Poll::Ready(&2));
}
