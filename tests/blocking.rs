//! Threads that wait next to tasks (feature `blocking`).

mod util;

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use futures_lite::future::{block_on, yield_now};
use oncelot::{
    Backend, BoxLazy, Intrusive, Lazy, OnceCell,
    backend::{IntrusiveWaiter, State, WaiterKind},
};
use util::{Task, message, now, panic_of, poll, poll_with};

const IS_WATCHED: bool = cfg!(any(debug_assertions, feature = "deadlock-detection"));

/// `Intrusive`. It counts how many waiters of a test are registered, and keeps the newest waker.
struct Census<const TEST: usize>(Intrusive);

/// What a test knows that takes a census.
struct Seen {
    registered: AtomicUsize,
    registrations: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

static SEEN: [Seen; 3] = [const {
    Seen {
        registered: AtomicUsize::new(0),
        registrations: AtomicUsize::new(0),
        waker: Mutex::new(None),
    }
}; 3];

struct CensusWaiter {
    waiter: IntrusiveWaiter,
    is_registered: bool,
}

impl<const TEST: usize> Census<TEST> {
    fn registered() -> usize {
        SEEN[TEST].registered.load(SeqCst)
    }

    fn poll(
        waiter: Pin<&mut CensusWaiter>,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut IntrusiveWaiter>, &mut Context<'_>) -> Poll<()>,
    ) -> Poll<()> {
        // SAFETY: the inner waiter is pinned with the outer one.
        let CensusWaiter {
            waiter,
            is_registered,
        } = unsafe { waiter.get_unchecked_mut() };
        // SAFETY: as above.
        let polled = poll(unsafe { Pin::new_unchecked(waiter) }, cx);
        Self::count(is_registered, polled.is_pending());
        if polled.is_pending() {
            *SEEN[TEST].waker.lock().unwrap() = Some(cx.waker().clone());
            SEEN[TEST].registrations.fetch_add(1, SeqCst);
        }
        polled
    }

    fn count(waiter: &mut bool, is_registered: bool) {
        if *waiter != is_registered {
            *waiter = is_registered;
            if is_registered {
                SEEN[TEST].registered.fetch_add(1, SeqCst);
            } else {
                SEEN[TEST].registered.fetch_sub(1, SeqCst);
            }
        }
    }
}

// SAFETY: it does what `Intrusive` does.
unsafe impl<const TEST: usize> Backend for Census<TEST> {
    const UNINIT: Self = Self(Intrusive::UNINIT);
    const READY: Self = Self(Intrusive::READY);

    type Waiter = CensusWaiter;

    fn waiter(kind: WaiterKind) -> CensusWaiter {
        CensusWaiter {
            waiter: Intrusive::waiter(kind),
            is_registered: false,
        }
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

    unsafe fn poll_wait(&self, waiter: Pin<&mut CensusWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the caller's promise.
        Self::poll(waiter, cx, |waiter, cx| unsafe { self.0.poll_wait(waiter, cx) })
    }

    unsafe fn poll_attempt(&self, waiter: Pin<&mut CensusWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the caller's promise.
        Self::poll(waiter, cx, |waiter, cx| unsafe {
            self.0.poll_attempt(waiter, cx)
        })
    }

    unsafe fn cancel(&self, waiter: Pin<&mut CensusWaiter>) {
        // SAFETY: the inner waiter is pinned with the outer one.
        let CensusWaiter {
            waiter,
            is_registered,
        } = unsafe { waiter.get_unchecked_mut() };
        // SAFETY: as above.
        let waiter = unsafe { Pin::new_unchecked(waiter) };
        // SAFETY: the caller's promise.
        unsafe { self.0.cancel(waiter) };
        Self::count(is_registered, false);
    }
}

// What is there.

#[test]
fn a_value_that_is_there_is_returned_by_all() {
    let cell = OnceCell::from(1);
    assert_eq!(cell.wait_blocking(), &1);
    assert_eq!(cell.wait_timeout(Duration::ZERO), Some(&1));
    assert_eq!(cell.get_or_init_blocking(|| unreachable!()), &1);
    assert_eq!(
        cell.get_or_try_init_blocking(|| -> Result<_, ()> { unreachable!() }),
        Ok(&1)
    );
    assert_eq!(cell.insert_blocking(2), Err((&1, 2)));
}

#[test]
fn an_empty_cell_is_initialized_here() {
    let cell = OnceCell::new();
    assert_eq!(cell.get_or_try_init_blocking(|| Err("no route")), Err("no route"));
    assert_eq!(cell.get_or_init_blocking(|| 1), &1);
    let cell = OnceCell::new();
    assert_eq!(cell.insert_blocking(2), Ok(&2));
}

#[test]
fn a_panic_of_the_initializer_leaves_the_cell_empty() {
    let cell = OnceCell::new();
    let message = panic_of(|| cell.get_or_init_blocking(|| panic!("out of luck")));
    assert_eq!(message, "out of luck");
    assert_eq!(cell.get_or_init_blocking(|| 1), &1);
}

// Threads next to tasks.

#[test]
fn threads_wait_for_the_initializer_of_a_task() {
    type Counted = Census<1>;

    let cell = OnceCell::<u32, Counted>::with_backend();
    thread::scope(|scope| {
        let mut init = Box::pin(cell.get_or_init(async || {
            yield_now().await;
            1
        }));
        assert!(poll(&mut init).is_pending());
        let wait = |call: fn(&OnceCell<u32, Counted>) -> u32| {
            let cell = &cell;
            scope.spawn(move || call(cell))
        };
        let calls = [
            wait(|cell| *cell.wait_blocking()),
            wait(|cell| {
                *cell
                    .wait_timeout(Duration::MAX)
                    .expect("it takes less than an age")
            }),
            wait(|cell| *cell.get_or_init_blocking(|| unreachable!())),
            wait(|cell| *cell.insert_blocking(2).expect_err("there is an initializer").0),
        ];
        while Counted::registered() < calls.len() {
            thread::yield_now();
        }
        assert_eq!(poll(&mut init), Poll::Ready(&1));
        for call in calls {
            assert_eq!(call.join().unwrap(), 1);
        }
    });
}

#[test]
fn a_task_waits_for_the_initializer_of_a_thread() {
    let cell = OnceCell::new();
    let (begun, go) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            cell.get_or_init_blocking(|| {
                begun.wait();
                go.wait();
                1
            })
        });
        begun.wait();
        let task = Task::new();
        let mut waiting = Box::pin(cell.get_or_init(async || 2));
        assert!(poll_with(&mut waiting, &task.waker()).is_pending());
        assert_eq!(cell.set(3).unwrap_err().into_inner(), 3);
        go.wait();
        assert_eq!(block_on(&mut waiting), &1);
    });
}

/// A claimant that is a thread initializes when the others fail, panic or are cancelled.
#[test]
fn a_thread_takes_over() {
    for end in [|| Err(()), || panic!("out of luck")] as [fn() -> Result<u32, ()>; 2] {
        let cell = OnceCell::new();
        let mut failing = Box::pin(cell.get_or_try_init(async || {
            yield_now().await;
            end()
        }));
        assert!(poll(&mut failing).is_pending());
        thread::scope(|scope| {
            let thread = scope.spawn(|| *cell.get_or_init_blocking(|| 1));
            let _ = catch_unwind(AssertUnwindSafe(|| poll(&mut failing)));
            assert_eq!(thread.join().unwrap(), 1);
        });
    }
    let cell = OnceCell::new();
    let mut cancelled = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut cancelled).is_pending());
    thread::scope(|scope| {
        let thread = scope.spawn(|| cell.insert_blocking(1).copied());
        drop(cancelled);
        assert_eq!(thread.join().unwrap(), Ok(1));
    });
}

#[test]
fn one_of_many_threads_and_tasks_initializes() {
    for _ in 0..if cfg!(miri) { 3 } else { 200 } {
        let cell = OnceCell::new();
        let calls = AtomicUsize::new(0);
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for index in 0..8 {
                let (cell, calls, start) = (&cell, &calls, &start);
                scope.spawn(move || {
                    start.wait();
                    let call = || {
                        calls.fetch_add(1, SeqCst);
                        index
                    };
                    if index % 2 == 0 {
                        cell.get_or_init_blocking(call);
                    } else {
                        block_on(cell.get_or_init(async || call()));
                    }
                    assert!(cell.initialized());
                });
            }
        });
        assert_eq!(calls.into_inner(), 1);
    }
}

// Timeouts.

#[test]
fn a_timeout_that_runs_out_leaves_no_waiter_behind() {
    type Counted = Census<0>;

    let cell = OnceCell::<u32, Counted>::with_backend();
    let mut init = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut init).is_pending());
    let mut waiting = Box::pin(cell.wait());
    assert!(poll(&mut waiting).is_pending());
    assert_eq!(Counted::registered(), 1);
    assert_eq!(cell.wait_timeout(Duration::from_millis(1)), None);
    assert_eq!(Counted::registered(), 1);
    drop(waiting);
    assert_eq!(Counted::registered(), 0);
}

/// Wakes the waiters over and over, as `AtomicWaker` does with two waiters.
struct Restless(Intrusive);

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
        cx.waker().wake_by_ref();
        // SAFETY: the caller's promise.
        unsafe { self.0.poll_wait(waiter, cx) }
    }

    unsafe fn poll_attempt(&self, waiter: Pin<&mut IntrusiveWaiter>, cx: &mut Context<'_>) -> Poll<()> {
        cx.waker().wake_by_ref();
        // SAFETY: the caller's promise.
        unsafe { self.0.poll_attempt(waiter, cx) }
    }

    unsafe fn cancel(&self, waiter: Pin<&mut IntrusiveWaiter>) {
        // SAFETY: the caller's promise.
        unsafe { self.0.cancel(waiter) }
    }
}

#[test]
fn a_timeout_runs_out_though_the_thread_is_woken_all_the_time() {
    let cell = OnceCell::<u32, Restless>::with_backend();
    assert_eq!(cell.wait_timeout(Duration::from_millis(1)), None);
}

#[test]
fn a_wait_of_no_time_looks_once() {
    let cell = OnceCell::new();
    assert_eq!(cell.wait_timeout(Duration::ZERO), None);
    cell.set(1).unwrap();
    assert_eq!(cell.wait_timeout(Duration::ZERO), Some(&1));
}

/// Which may happen at any time, and be long before its time is out.
#[test]
fn a_thread_that_is_woken_for_no_reason_waits_on() {
    type Counted = Census<2>;

    let cell = OnceCell::<u32, Counted>::with_backend();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| cell.wait_timeout(Duration::from_secs(1_000_000)).copied());
        let seen = &SEEN[2];
        let await_registration = |number| {
            while seen.registrations.load(SeqCst) < number {
                assert!(!waiting.is_finished(), "it has given up");
                thread::yield_now();
            }
        };
        for number in 1..=3 {
            await_registration(number);
            let waker = seen.waker.lock().unwrap().take();
            waker.expect("it has registered").wake();
        }
        await_registration(4);
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

/// Returns whether `call` panics, as it must if deadlocks are detected. Otherwise the call would wait forever.
#[track_caller]
fn assert_found<R>(call: impl FnOnce() -> R) {
    let message = panic_of(call);
    assert!(message.contains("awaits its own cell"), "{message}");
}

#[test]
fn a_thread_that_waits_in_its_own_initializer_is_found() {
    if !IS_WATCHED {
        return;
    }
    let cell = OnceCell::<u32>::new();
    assert_found(|| cell.get_or_init_blocking(|| *cell.wait_blocking()));
    assert_found(|| cell.get_or_init_blocking(|| *cell.get_or_init_blocking(|| 1)));
    assert_found(|| cell.get_or_init_blocking(|| cell.insert_blocking(1).map_or(0, |value| *value)));
    assert_found(|| now(cell.get_or_init(async || *cell.wait_blocking())));
    // Whatever executor is in between.
    assert_found(|| now(cell.get_or_init(async || block_on(async { *cell.wait_blocking() }))));
    assert_eq!(cell.get_or_init_blocking(|| 1), &1);
}

#[test]
fn a_plain_closure_that_waits_for_its_own_cell_is_found() {
    if !IS_WATCHED {
        return;
    }
    let cell = OnceCell::<u32>::new();
    assert_found(|| cell.try_get_or_init(|| *cell.wait_blocking()).copied());
    assert_found(|| cell.try_get_or_init(|| *cell.get_or_init_blocking(|| 2)).copied());
    assert_eq!(cell.try_get_or_init(|| 1), Ok(&1));
}

#[test]
fn a_thread_may_wait_for_another_cell_in_an_initializer() {
    let (cell, other) = (OnceCell::new(), OnceCell::new());
    thread::scope(|scope| {
        scope.spawn(|| other.set(1));
        assert_eq!(cell.get_or_init_blocking(|| *other.wait_blocking()), &1);
    });
}

#[test]
fn an_initializer_may_look_at_its_own_cell() {
    let cell = OnceCell::new();
    cell.get_or_init_blocking(|| {
        assert_eq!(cell.get(), None);
        assert!(cell.set(2).unwrap_err().is_initializing_err());
        1
    });
    assert_eq!(cell.get(), Some(&1));
}

// Lazy values.

#[test]
fn a_thread_drives_a_lazy_value() {
    let lazy = pin!(Lazy::new(async {
        yield_now().await;
        1
    }));
    assert_eq!(lazy.as_ref().get_blocking(), &1);
    assert_eq!(lazy.as_ref().get_blocking(), &1);
}

#[test]
fn a_thread_resumes_a_future_that_a_task_has_polled() {
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = polls.clone();
    let lazy = BoxLazy::boxed(async move {
        for _ in 0..3 {
            counted.fetch_add(1, SeqCst);
            yield_now().await;
        }
        1
    });
    let mut get = Box::pin(lazy.get_unpin());
    assert!(poll(&mut get).is_pending());
    drop(get);
    assert_eq!(lazy.get_blocking(), &1);
    assert_eq!(polls.load(SeqCst), 3);
}

#[test]
fn a_thread_resumes_a_boxed_future_while_the_task_that_polled_it_is_held() {
    let event = util::Event::new();
    let lazy = BoxLazy::boxed(async {
        event.wait().await;
        1
    });
    let mut held = Box::pin(lazy.get());
    assert!(poll(&mut held).is_pending());
    thread::scope(|scope| {
        let thread = scope.spawn(|| lazy.get_blocking());
        event.set_and_wake();
        assert_eq!(thread.join().unwrap(), &1);
    });
    drop(held);
}

#[test]
fn a_thread_waits_for_the_driver_of_a_lazy_value() {
    let (begun, go) = (Barrier::new(2), Barrier::new(2));
    let lazy = pin!(Lazy::new(async {
        begun.wait();
        go.wait();
        1
    }));
    let lazy = lazy.as_ref();
    thread::scope(|scope| {
        scope.spawn(|| block_on(lazy.get()));
        begun.wait();
        let waiting = scope.spawn(|| lazy.get_blocking());
        go.wait();
        assert_eq!(waiting.join().unwrap(), &1);
    });
}

#[test]
fn a_poisoned_lazy_value_panics_in_threads_too() {
    let lazy = pin!(Lazy::<u32, _>::new(async { panic!("out of luck") }));
    assert_eq!(panic_of(|| lazy.as_ref().get_blocking()), "out of luck");
    assert!(panic_of(|| lazy.as_ref().get_blocking()).contains("poisoned"));
}

#[test]
fn a_thread_computes_a_static() {
    oncelot::lazy! {
        static LAZY: u32 = async {
            yield_now().await;
            1
        };
    }
    let values: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| LAZY.get_blocking())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(values.iter().all(|value| **value == 1));
    assert_eq!(now(LAZY.get()), &1);
}

#[test]
fn a_static_that_waits_for_itself_is_found() {
    if !IS_WATCHED {
        return;
    }
    oncelot::lazy! {
        static LAZY: u32 = async { itself() };
    }
    fn itself() -> u32 {
        static LAZIEST: fn() -> u32 = || *LAZY.get_blocking();
        LAZIEST()
    }
    let payload = catch_unwind(|| LAZY.get_blocking()).unwrap_err();
    assert!(
        message(&*payload).contains("awaits its own"),
        "{}",
        message(&*payload)
    );
}
