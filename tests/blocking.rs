//! Threads that wait for a cell next to tasks (feature `blocking`). `tests/lazies` has those that wait for a lazy.

mod util;

use std::{
    pin::Pin,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use futures_lite::future::{block_on, yield_now};
use oncelot::{
    Backend, Intrusive, OnceCell,
    backend::{IntrusiveWaiter, State, WaiterKind},
};
use util::{Task, now, panic_of, panics, poll, poll_with};

/// `Intrusive`, which wakes a waiter whenever it is polled, as `AtomicWaker` does with two waiters.
struct Restless(Intrusive);

/// How often the waiters were polled.
static POLLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it does what `Intrusive` does. Waking more often is allowed.
unsafe impl Backend for Restless {
    const UNINIT: Self = Self(Intrusive::UNINIT);
    const READY: Self = Self(Intrusive::READY);

    type Waiter = IntrusiveWaiter;

    fn waiter(kind: WaiterKind) -> IntrusiveWaiter {
        Intrusive::waiter(kind)
    }

    fn state(&self) -> State {
        self.0.state()
    }

    fn try_claim(&self) -> Result<(), State> {
        self.0.try_claim()
    }

    unsafe fn publish(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.0.publish() }
    }

    unsafe fn release(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.0.release() }
    }

    unsafe fn poll_wait(&self, waiter: Pin<&mut IntrusiveWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        POLLS.fetch_add(1, SeqCst);
        cx.waker().wake_by_ref();
        // SAFETY: the caller's promise.
        unsafe { self.0.poll_wait(waiter, cx) }
    }

    unsafe fn poll_attempt(&self, waiter: Pin<&mut IntrusiveWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the caller's promise.
        unsafe { self.0.poll_attempt(waiter, cx) }
    }

    unsafe fn cancel(&self, waiter: Pin<&mut IntrusiveWaiter>) {
        // SAFETY: the caller's promise.
        unsafe { self.0.cancel(waiter) }
    }
}

#[test]
fn a_value_that_is_there_is_returned_by_all() {
    let cell = OnceCell::from(1);
    assert_eq!(cell.wait_blocking(), &1);
    assert_eq!(cell.wait_timeout(Duration::ZERO), Some(&1));
    assert_eq!(cell.get_or_init_blocking(|| unreachable!()), &1);
    let present = cell.get_or_try_init_blocking(|| -> Result<_, ()> { unreachable!() });
    assert_eq!(present, Ok(&1));
    assert_eq!(cell.insert_blocking(2), Err((&1, 2)));
}

#[test]
fn an_empty_cell_is_initialized_here_also_after_an_error_or_a_panic() {
    let cell = OnceCell::new();
    assert_eq!(cell.wait_timeout(Duration::ZERO), None);
    assert_eq!(cell.get_or_try_init_blocking(|| Err("no route")), Err("no route"));
    let message = panic_of(|| cell.get_or_init_blocking(|| panic!("out of luck")));
    assert_eq!(message, "out of luck");
    assert_eq!(cell.get_or_init_blocking(|| 1), &1);
    assert_eq!(OnceCell::new().insert_blocking(2), Ok(&2));
}

// Threads next to tasks.

#[test]
fn threads_wait_for_the_initializer_of_a_task() {
    let calls: [fn(&OnceCell<u32>) -> u32; 4] = [
        |cell| *cell.wait_blocking(),
        |cell| *cell.wait_timeout(Duration::MAX).unwrap(),
        |cell| *cell.get_or_init_blocking(|| unreachable!()),
        |cell| *cell.insert_blocking(2).unwrap_err().0,
    ];
    for _ in 0..if cfg!(miri) { 3 } else { 200 } {
        let (cell, start) = (OnceCell::new(), Barrier::new(1 + calls.len()));
        let (gate, mut running) = util::start(&cell);
        thread::scope(|scope| {
            let threads = calls.map(|call| {
                let (cell, start) = (&cell, &start);
                scope.spawn(move || {
                    start.wait();
                    call(cell)
                })
            });
            start.wait();
            gate.open(Ok(1));
            assert_eq!(poll(&mut running), Poll::Ready(Ok(&1)));
            assert_eq!(threads.map(|thread| thread.join().unwrap()), [1; 4]);
        });
    }
}

#[test]
fn a_task_waits_for_the_initializer_of_a_thread_which_may_look_at_its_cell() {
    let cell = OnceCell::new();
    let (begun, go) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            cell.get_or_init_blocking(|| {
                begun.wait();
                assert_eq!(cell.get(), None);
                assert!(cell.set(3).unwrap_err().is_initializing_err());
                go.wait();
                1
            })
        });
        begun.wait();
        let mut waiting = Box::pin(cell.get_or_init(async || 2));
        assert!(poll_with(&mut waiting, &Task::new().waker()).is_pending());
        go.wait();
        assert_eq!(block_on(&mut waiting), &1);
    });
}

/// A claimant that is a thread initializes when the others fail, panic or are cancelled.
#[test]
fn a_thread_takes_over() {
    type Failure = fn() -> Result<u32, ()>;

    let calls: [fn(&OnceCell<u32>) -> u32; 2] = [
        |cell| *cell.get_or_init_blocking(|| 1),
        |cell| *cell.insert_blocking(1).unwrap(),
    ];
    let ends: [Option<Failure>; 3] = [Some(|| Err(())), Some(|| panic!("out of luck")), None];
    for (end, call) in ends.iter().flat_map(|end| calls.map(|call| (end, call))) {
        let cell = OnceCell::new();
        let mut failing = Box::pin(cell.get_or_try_init(async || {
            yield_now().await;
            end.unwrap()()
        }));
        assert!(poll(&mut failing).is_pending());
        thread::scope(|scope| {
            let thread = scope.spawn(|| call(&cell));
            if end.is_some() {
                panics(|| poll(&mut failing));
            }
            drop(failing);
            assert_eq!(thread.join().unwrap(), 1);
        });
    }
}

// Timeouts.

#[test]
fn a_timeout_runs_out_though_the_thread_is_woken_all_the_time_and_not_before() {
    let cell = OnceCell::<u32, Restless>::with_backend();
    assert_eq!(cell.wait_timeout(Duration::from_millis(1)), None);

    let before = POLLS.load(SeqCst);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| cell.wait_timeout(Duration::from_secs(1_000_000)).copied());
        while POLLS.load(SeqCst) < before + 5 {
            assert!(!waiting.is_finished(), "it has given up");
            thread::yield_now();
        }
        assert_eq!(cell.set(1), Ok(()));
        assert_eq!(waiting.join().unwrap(), Some(1));
    });
}

#[test]
fn a_timeout_does_not_end_at_a_failure() {
    let cell = OnceCell::new();
    thread::scope(|scope| {
        let thread = scope.spawn(|| cell.wait_timeout(Duration::MAX).copied());
        for _ in 0..100 {
            assert_eq!(now(cell.get_or_try_init(async || Err(()))), Err(()));
        }
        cell.set(1).unwrap();
        assert_eq!(thread.join().unwrap(), Some(1));
    });
}

// The own cell.

/// Without detection, these calls would wait forever.
#[test]
#[cfg(any(debug_assertions, feature = "deadlock-detection"))]
fn a_thread_that_waits_in_its_own_initializer_is_reported() {
    #[track_caller]
    fn assert_found<R>(call: impl FnOnce() -> R) {
        let message = panic_of(call);
        assert!(message.contains("awaits its own cell"), "{message}");
    }

    let cell = OnceCell::<u32>::new();
    assert_found(|| cell.get_or_init_blocking(|| *cell.wait_blocking()));
    assert_found(|| cell.get_or_init_blocking(|| *cell.get_or_init_blocking(|| 1)));
    assert_found(|| cell.get_or_init_blocking(|| cell.insert_blocking(1).map_or(0, |value| *value)));
    assert_found(|| now(cell.get_or_init(async || *cell.wait_blocking())));
    // With any executor in between.
    assert_found(|| now(cell.get_or_init(async || block_on(async { *cell.wait_blocking() }))));
    assert_found(|| cell.try_get_or_init(|| *cell.wait_blocking()).copied());
    assert_found(|| cell.try_get_or_init(|| *cell.get_or_init_blocking(|| 2)).copied());
    assert_eq!(cell.get_or_init_blocking(|| 1), &1);
}

#[test]
fn a_thread_may_wait_for_another_cell_in_an_initializer() {
    let (cell, other) = (OnceCell::new(), OnceCell::new());
    thread::scope(|scope| {
        scope.spawn(|| other.set(1));
        assert_eq!(cell.get_or_init_blocking(|| *other.wait_blocking()), &1);
    });
}
