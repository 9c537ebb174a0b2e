//! Real-time threads of different priorities that share a cell and a core.
//!
//! The thread of higher priority wakes at arbitrary moments and preempts the other one in any of its steps, also while
//! the other thread holds the lock of the list of waiters. `sched_yield` never runs a thread of lower priority, so that a
//! thread which only spins or yields until the lock is released waits forever.
//!
//! Without the privilege to choose a real-time policy (`CAP_SYS_NICE`, or a limit `RLIMIT_RTPRIO`) each test prints that
//! it is skipped, and passes.

#![cfg(all(target_os = "linux", feature = "std", not(miri)))]

use std::{
    future::{pending, ready},
    io, mem,
    panic::resume_unwind,
    pin::{Pin, pin},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use oncelot::{
    OnceCell,
    backend::{Backend, Intrusive},
};

/// How often the thread of higher priority wakes and uses the cell.
const ROUNDS: usize = 5_000;

/// How long the thread of higher priority sleeps between two rounds.
const PAUSE: Duration = Duration::from_micros(50);

/// A test takes less than a second unless a thread hangs.
const TIMEOUT: Duration = Duration::from_secs(10);

// Priorities of `SCHED_FIFO`, and that of ordinary threads.
const ORDINARY: libc::c_int = 0;
const LOW: libc::c_int = 10;
const HIGH: libc::c_int = 20;
const WATCHDOG: libc::c_int = 30;

#[test]
fn waiters_register_and_cancel_and_are_woken_at_two_priorities() {
    waiters_register_and_cancel_and_are_woken::<Intrusive>();
    #[cfg(feature = "event-listener")]
    waiters_register_and_cancel_and_are_woken::<oncelot::backend::EventListener>();
}

#[test]
fn the_future_of_a_lazy_static_is_polled_and_woken_at_two_priorities() {
    static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
    oncelot::lazy! {
        static NEVER: () = std::future::poll_fn(|cx| {
            *WAKER.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        });
    }
    at_two_priorities(|_| {
        let mut get = pin!(NEVER.get());
        assert!(poll(get.as_mut()).is_pending());
        let waker = WAKER.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    });
}

/// In each round the two threads share another cell, which the thread of higher priority fills at the end of the round.
fn waiters_register_and_cancel_and_are_woken<B: Backend + Sync>() {
    let cells: Vec<_> = (0..ROUNDS).map(|_| OnceCell::<(), B>::with_backend()).collect();
    let current = AtomicUsize::new(0);
    at_two_priorities(|priority| {
        let round = current.load(Ordering::Relaxed);
        let Some(cell) = cells.get(round) else {
            return;
        };
        // A passive waiter, and two claimants, the first of which runs its initializer unless the other thread runs one.
        let mut wait = pin!(cell.wait());
        let _ = poll(wait.as_mut());
        {
            let mut claimant = pin!(cell.get_or_init(pending));
            let _ = poll(claimant.as_mut());
            let mut waiting = pin!(cell.get_or_init(|| ready(())));
            let _ = poll(waiting.as_mut());
            // Dropped here: first the waiting claimant, then the initializer, if it is one, which wakes the claimants of the
            // other thread.
        }
        if priority == HIGH {
            let _ = cell.set(());
            current.store(round + 1, Ordering::Relaxed);
        }
    });
}

/// Calls `operation` in two threads of one core: in the thread of lower priority all the time, and in the thread of higher
/// priority whenever it wakes.
///
/// # Panics
///
/// Panics if the threads hang.
fn at_two_priorities(operation: impl Fn(libc::c_int) + Sync) {
    // One test at a time, as their threads would starve each other.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);

    let outcome = thread::scope(|scope| scope.spawn(|| hangs_at_two_priorities(&operation)).join());
    match outcome.unwrap_or_else(|panic| resume_unwind(panic)) {
        Ok(hangs) => assert!(
            !hangs,
            "the thread of higher priority hangs: it waits for the thread that it has preempted"
        ),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: this process may not use SCHED_FIFO");
        }
        Err(error) => panic!("SCHED_FIFO: {error}"),
    }
}

/// Runs both threads, with the calling one as their watchdog, and returns whether they hang. If they do, the watchdog gives
/// the thread of higher priority an ordinary policy, so that the other one runs and both end.
fn hangs_at_two_priorities(operation: &(impl Fn(libc::c_int) + Sync)) -> io::Result<bool> {
    set_priority(0, WATCHDOG)?;
    // SAFETY: the call has no preconditions.
    let core = unsafe { libc::sched_getcpu() };
    let core = usize::try_from(core).expect("Linux has the call");
    let is_over = &AtomicBool::new(false);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || {
            enter(core, LOW);
            while !is_over.load(Ordering::Relaxed) {
                operation(LOW);
            }
        });
        scope.spawn(move || {
            enter(core, HIGH);
            // SAFETY: the call has no preconditions.
            let id = unsafe { libc::gettid() };
            sender.send(id).expect("the watchdog receives it");
            for _ in 0..ROUNDS {
                thread::sleep(PAUSE);
                operation(HIGH);
            }
            // The sender is dropped here, which the watchdog waits for.
        });
        let high = receiver.recv().expect("the thread sends its ID");
        let hangs = receiver.recv_timeout(TIMEOUT) == Err(mpsc::RecvTimeoutError::Timeout);
        if hangs {
            set_priority(high, ORDINARY)?;
        }
        is_over.store(true, Ordering::Relaxed);
        Ok(hangs)
    })
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Sets the priority of a thread, or of the current one for the ID 0.
fn set_priority(thread: libc::pid_t, sched_priority: libc::c_int) -> io::Result<()> {
    let policy = match sched_priority {
        ORDINARY => libc::SCHED_OTHER,
        _ => libc::SCHED_FIFO,
    };
    // SAFETY: the parameters are valid for the call.
    match unsafe { libc::sched_setscheduler(thread, policy, &libc::sched_param { sched_priority }) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Keeps the current thread on one core, at a priority.
fn enter(core: usize, priority: libc::c_int) {
    // SAFETY: all zeros is the empty set.
    let mut cores: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the number comes from the kernel, and is in bounds of the set.
    unsafe { libc::CPU_SET(core, &mut cores) };
    // SAFETY: the set is valid for the call, and its size is right.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&cores), &cores) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    set_priority(0, priority).expect("the watchdog has set its own");
}
