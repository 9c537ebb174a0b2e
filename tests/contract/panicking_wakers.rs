//! A waker panics: every other waiter is woken, the cell stays usable, the first panic propagates.

use oncelot::OnceCell;

use crate::util::{BoxFuture, Op, Task, Waiter, panic_of, poll, poll_with, start};

/// How a cell came to wake its waiters.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    Value,
    Error,
    Cancellation,
}

const EVENTS: [Event; 3] = [Event::Value, Event::Error, Event::Cancellation];

/// Registers `count` claimants that `event` wakes. The wakers in `panicking` panic with their number.
///
/// Returns which waiters were woken, and the message of the panic.
fn wake_with(cell: &OnceCell<u32>, event: Event, count: usize, panicking: &[usize]) -> (Vec<usize>, String) {
    let (gate, mut running) = start(cell);
    let tasks: Vec<_> = (0..count)
        .map(|i| {
            if panicking.contains(&i) {
                Task::on(Op::Wake, move || panic!("waker {i}"))
            } else {
                Task::new()
            }
        })
        .collect();
    let mut waiters: Vec<_> = tasks
        .iter()
        .map(|_| Box::pin(cell.get_or_init(async || 2)))
        .collect();
    for (waiter, task) in waiters.iter_mut().zip(&tasks) {
        assert!(poll_with(waiter, &task.waker()).is_pending());
    }
    let message = panic_of(|| match event {
        Event::Value => {
            gate.open(Ok(1));
            poll(&mut running).is_ready()
        }
        Event::Error => {
            gate.open(Err("failed"));
            poll(&mut running).is_ready()
        }
        Event::Cancellation => {
            drop(running);
            true
        }
    });
    let woken = (0..count).filter(|i| tasks[*i].wakes() == 1).collect();
    (woken, message)
}

#[test]
fn a_waker_that_panics_when_woken_strands_no_waiter_at_any_position() {
    for event in EVENTS {
        for place in [0, 1, 15, 16, 39] {
            let cell = OnceCell::new();
            let (woken, message) = wake_with(&cell, event, 40, &[place]);
            assert_eq!(
                woken,
                (0..40).collect::<Vec<_>>(),
                "{event:?}, waker {place} panics"
            );
            assert_eq!(message, format!("waker {place}"), "{event:?}");
        }
    }
}

#[test]
#[cfg(feature = "std")]
fn of_several_wakers_that_panic_the_first_panic_propagates() {
    for event in EVENTS {
        let cell = OnceCell::new();
        let (woken, message) = wake_with(&cell, event, 40, &[1, 15, 16, 39]);
        assert_eq!(woken, (0..40).collect::<Vec<_>>(), "{event:?}");
        assert_eq!(message, "waker 1", "{event:?}");
    }
}

#[test]
#[cfg(feature = "std")]
fn all_wakers_may_panic() {
    for event in EVENTS {
        let cell = OnceCell::new();
        let all: Vec<_> = (0..40).collect();
        let (woken, message) = wake_with(&cell, event, 40, &all);
        assert_eq!(woken, all, "{event:?}");
        assert_eq!(message, "waker 0", "{event:?}");
    }
}

#[test]
#[cfg(feature = "std")]
fn a_waker_that_panics_while_the_thread_unwinds_is_survived() {
    let cell = OnceCell::new();
    let gate = crate::util::Gate::new();
    let mut running = Box::pin(cell.get_or_init({
        let gate = gate.clone();
        async move || -> u32 { panic!("{}", gate.await) }
    }));
    assert!(poll(&mut running).is_pending());
    let mut waiters = Vec::new();
    let mut tasks = Vec::new();
    for i in 0..40 {
        let task = if i % 10 == 0 {
            Task::panicking_on(Op::Wake, "a waker")
        } else {
            Task::new()
        };
        let mut waiter = Box::pin(cell.get_or_init(async || 2));
        assert!(poll_with(&mut waiter, &task.waker()).is_pending());
        waiters.push(waiter);
        tasks.push(task);
    }
    gate.open("the initializer");
    assert_eq!(panic_of(|| poll(&mut running).is_ready()), "the initializer");
    assert!(tasks.iter().all(|task| task.wakes() == 1));
    assert_eq!(poll(&mut waiters[39]), std::task::Poll::Ready(&2));
}

#[test]
#[cfg(feature = "std")]
fn panic_payloads_that_panic_when_dropped_are_survived() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("a payload");
        }
    }

    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let task = Task::on(Op::Wake, || std::panic::panic_any("the first"));
    let nasty = Task::on(Op::Wake, || std::panic::panic_any(Payload));
    let mut waiters = [(); 3].map(|()| Box::pin(cell.wait()));
    assert!(poll_with(&mut waiters[0], &task.waker()).is_pending());
    assert!(poll_with(&mut waiters[1], &nasty.waker()).is_pending());
    let last = Task::new();
    assert!(poll_with(&mut waiters[2], &last.waker()).is_pending());
    gate.open(Ok(1));
    assert_eq!(panic_of(|| poll(&mut running).is_ready()), "the first");
    assert_eq!(last.wakes(), 1);
}

#[test]
fn set_panics_with_the_waker_and_has_set_the_value() {
    let cell = OnceCell::new();
    let task = Task::panicking_on(Op::Wake, "when woken");
    let mut waiting = Box::pin(cell.wait());
    assert!(poll_with(&mut waiting, &task.waker()).is_pending());
    let other = Waiter::passive(&cell);
    assert_eq!(panic_of(|| cell.set(1)), "when woken");
    assert_eq!(cell.get(), Some(&1));
    assert_eq!(other.wakes(), 1);
}

#[test]
fn a_waker_that_panics_when_replaced_leaves_the_newer_one_in_its_place() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let older = Task::panicking_on(Op::Drop, "when dropped");
    let waker = older.waker();
    let newer = Task::new();
    let mut waiting = Box::pin(cell.wait());
    assert!(poll_with(&mut waiting, &waker).is_pending());
    let behind = Waiter::claimant(&cell, 3);
    assert_eq!(
        panic_of(|| poll_with(&mut waiting, &newer.waker()).is_ready()),
        "when dropped"
    );
    older.disarm();
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
    assert_eq!(newer.wakes(), 1);
    assert_eq!(behind.wakes(), 1);
}

/// The eighteenth of the claimants is still in the list while the first batch is being woken. The wake of the first
/// one polls it inline, so that it claims, and its own waker panics when it is dropped.
#[test]
fn a_waker_that_panics_when_its_waiter_claims_gives_the_claim_back() {
    use std::sync::{Mutex, OnceLock};

    static CELL: OnceCell<u32> = OnceCell::new();
    static EIGHTEENTH: OnceLock<Mutex<BoxFuture<'static, &u32>>> = OnceLock::new();

    let (gate, mut running) = start(&CELL);
    let first_task = Task::on(Op::Wake, || {
        let mut eighteenth = EIGHTEENTH.get().unwrap().lock().unwrap();
        assert_eq!(panic_of(|| poll(&mut eighteenth).is_ready()), "when dropped");
    });
    let mut first = Box::pin(CELL.get_or_init(async || 2));
    assert!(poll_with(&mut first, &first_task.waker()).is_pending());
    let _others: Vec<_> = (0..16).map(|i| Waiter::claimant(&CELL, i)).collect();
    let task = Task::panicking_on(Op::Drop, "when dropped");
    let waker = task.waker();
    let mut eighteenth: BoxFuture<'static, _> = Box::pin(CELL.get_or_init(std::future::pending));
    assert!(poll_with(&mut eighteenth, &waker).is_pending());
    assert!(EIGHTEENTH.set(Mutex::new(eighteenth)).is_ok());
    let last = Waiter::claimant(&CELL, 9);

    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    task.disarm();
    assert_eq!(first_task.wakes(), 1);
    assert_eq!(task.runs(), 1);
    assert!(last.wakes() >= 1);
    assert_eq!(CELL.set(5), Ok(()));
}
