//! Models of `Lazy` and of `lazy!` statics: which task polls the shared future, which task resumes it when its driver
//! is dropped, and how a waker of the static's own is woken.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use super::{
    reentrant::Inline,
    support::{Failed, Harness, Task, both, bounded, exhaustive, with_lasting},
};
use crate::{__private::FutureStorage, Lazy, StaticLazy};

// A future in a `Lazy`.

/// Is ready at the poll of that number, or panics there. Its polls write to it, and only the claim orders them.
struct Steps {
    taken: UnsafeCell<u32>,
    needed: u32,
    panics: bool,
}

impl Steps {
    fn new(needed: u32) -> Self {
        Self {
            taken: UnsafeCell::new(0),
            needed,
            panics: false,
        }
    }

    fn panicking_at(step: u32) -> Self {
        Self {
            panics: true,
            ..Self::new(step)
        }
    }
}

impl Future for Steps {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        // SAFETY: only one task polls at a time, which loom checks.
        let taken = self.taken.with_mut(|taken| count(unsafe { &mut *taken }));
        if taken < self.needed {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.panics {
            resume_unwind(Box::new(Failed));
        }
        Poll::Ready(taken)
    }
}

type Drivable = Pin<&'static Lazy<u32, Steps>>;

fn with_lazy(steps: Steps, model: impl FnOnce(Drivable)) {
    let model = |lazy: &'static Lazy<u32, Steps>| {
        // Creates loom's atomic here, before the threads start.
        assert_eq!(lazy.try_get(), None);
        // SAFETY: the lazy stays in its place until it is dropped.
        model(unsafe { Pin::new_unchecked(lazy) });
    };
    // SAFETY: the threads of a model have ended when it returns.
    drop(unsafe { with_lasting(Lazy::new(steps), model) });
}

fn count(polls: &mut u32) -> u32 {
    *polls += 1;
    *polls
}

fn has_panicked<R>(f: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// Concurrent callers drive one future, and get one value.
///
/// Risk: B polls what A is polling; B finds the claim free again, and the future gone.
#[test]
fn two_drivers_take_the_steps_of_one_future() {
    bounded(3, |harness| {
        with_lazy(Steps::new(2), |lazy| {
            let (mine, other) = both(|| harness.run(lazy.get()), move || harness.run(lazy.get()));
            assert!(std::ptr::eq(mine, other));
            assert_eq!(*mine, 2);
        });
    });
}

/// When the driver is dropped, a waiter resumes the future.
///
/// Risk: the driver is dropped between the waiter's load of the state and its registration; B polls a future that A
/// has polled, without having seen what A did.
#[test]
fn when_the_driver_is_dropped_a_newcomer_resumes() {
    exhaustive(|harness| {
        with_lazy(Steps::new(2), |lazy| {
            let driver = harness.waiting(lazy.get());
            let ((), other) = both(|| driver.cancel(), move || *harness.run(lazy.get()));
            assert_eq!(other, 2);
        });
    });
}

/// When the driver is dropped, and one of two waiters in the list too, the other one resumes the future.
#[test]
fn when_the_driver_is_dropped_any_waiter_resumes() {
    bounded(2, |harness| {
        with_lazy(Steps::new(2), |lazy| {
            let [driver, gone, left] = [(); 3].map(|()| harness.waiting(lazy.get()));
            let gone = thread::spawn(|| gone.cancel());
            let left = thread::spawn(|| *left.run());
            driver.cancel();
            gone.join().unwrap();
            assert_eq!(left.join().unwrap(), 2);
        });
    });
}

/// When the future panics, the other waiters panic too.
///
/// Risk: the claim is released before the future is marked as poisoned.
#[test]
fn when_the_driver_panics_the_others_panic() {
    bounded(3, |harness| {
        with_lazy(Steps::panicking_at(2), |lazy| {
            let panics = move || has_panicked(|| *harness.run(lazy.get()));
            assert_eq!(both(panics, panics), (true, true));
            assert_eq!(lazy.try_get(), None);
        });
    });
}

// A future in a static, with a waker of the static's own.

/// A future that sleeps until all of the plan's events have come.
pub(super) struct Sleeper {
    pub(super) plan: &'static Plan,
}

/// The events that a sleeper waits for, and its behavior until then.
pub(super) struct Plan {
    /// Ordered only by the wakes.
    events: Vec<AtomicBool>,
    /// How often the future was polled. Only the claim orders the polls.
    polls: UnsafeCell<u32>,
    /// Runs in the poll of that number, before it looks at the events.
    hook: (u32, fn(&'static Plan)),
    /// The waker of the last poll. Not an object of loom, so that it orders nothing.
    waker: Mutex<Option<Arc<Waker>>>,
    /// The thread of a hook.
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

// SAFETY: the count of polls is used by the holders of the claim; that they are ordered is a claim of the models,
// which loom checks.
unsafe impl Sync for Plan {}

impl Plan {
    pub(super) fn new(events: usize) -> Self {
        Self {
            events: (0..events).map(|_| AtomicBool::new(false)).collect(),
            polls: UnsafeCell::new(0),
            hook: (0, |_| ()),
            waker: Mutex::default(),
            thread: Mutex::default(),
        }
    }

    /// Adds a hook to the poll of that number.
    pub(super) fn with_hook(mut self, poll: u32, hook: fn(&'static Plan)) -> Self {
        self.hook = (poll, hook);
        self
    }

    // A waker is cloned and dropped while the mutex is not locked, as that may be where loom switches threads.

    fn keep(&self, waker: Waker) {
        let waker = Arc::new(waker);
        let older = self.waker.lock().unwrap().replace(waker);
        drop(older);
    }

    pub(super) fn waker(&self) -> Waker {
        let waker = self.waker.lock().unwrap().clone();
        Waker::clone(&waker.expect("the future has been polled"))
    }

    pub(super) fn take_waker(&self) -> Waker {
        let waker = self.waker.lock().unwrap().take();
        Arc::into_inner(waker.expect("the future has been polled")).expect("no other thread uses it")
    }

    /// Returns how often the future was polled. For the end of a model.
    pub(super) fn polls(&self) -> u32 {
        // SAFETY: no task polls any more.
        self.polls.with(|polls| unsafe { *polls })
    }

    /// Stores an event, and wakes the future.
    pub(super) fn announce(&self, event: usize) {
        let waker = self.waker();
        self.events[event].store(true, Relaxed);
        waker.wake();
    }

    /// Does the same for the first event on a thread of its own, as a hook.
    fn announce_meanwhile(&'static self) {
        *self.thread.lock().unwrap() = Some(thread::spawn(|| self.announce(0)));
    }
}

thread_local! {
    // All threads of a model are one thread of the system.
    static PLAN: Cell<Option<&'static Plan>> = const { Cell::new(None) };
}

impl Sleeper {
    fn begin() -> Self {
        let plan = PLAN.get().expect("a model is on");
        Self { plan }
    }
}

impl Future for Sleeper {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        let plan = self.plan;
        plan.keep(cx.waker().clone());
        // SAFETY: only one task polls at a time, which loom checks.
        let poll = plan.polls.with_mut(|polls| count(unsafe { &mut *polls }));
        if poll == plan.hook.0 {
            (plan.hook.1)(plan);
        }
        if plan.events.iter().all(|event| event.load(Relaxed)) {
            Poll::Ready(7)
        } else {
            Poll::Pending
        }
    }
}

/// A lazy whose future is a [`Sleeper`], and which several threads use.
pub(super) struct LazyHarness<L: 'static> {
    pub(super) harness: &'static Harness,
    pub(super) lazy: L,
    pub(super) plan: &'static Plan,
}

/// Plays with a plan that lasts until the model is over.
pub(super) fn with_plan(plan: Plan, model: impl FnOnce(&'static Plan)) {
    // SAFETY: the threads of a model have ended when it returns.
    drop(unsafe { with_lasting(plan, model) });
}

pub(super) fn with_lazy_harness<L>(
    lazy_harness: LazyHarness<L>,
    model: impl FnOnce(&'static LazyHarness<L>),
) {
    let model = |lazy_harness: &'static LazyHarness<L>| {
        model(lazy_harness);
        if let Some(thread) = lazy_harness.plan.thread.lock().unwrap().take() {
            thread.join().unwrap();
        }
        // It may refer to the lazy_harness.
        let waker = lazy_harness.plan.waker.lock().unwrap().take();
        drop(waker);
    };
    // SAFETY: the threads of a model have ended when it returns, and no waker refers to the lazy_harness.
    drop(unsafe { with_lasting(lazy_harness, model) });
}

fn with_static(
    harness: &'static Harness,
    plan: Plan,
    model: impl FnOnce(&'static LazyHarness<StaticLazy<u32>>),
) {
    let storage = FutureStorage::<{ size_of::<Sleeper>() }, { align_of::<Sleeper>() }>::new();
    let model = |storage: &'static FutureStorage<_, _>| {
        with_plan(plan, |plan| {
            // SAFETY: the storage is this static's alone.
            let lazy = unsafe { StaticLazy::__new(storage, Sleeper::begin) };
            // Creates loom's atomic here, before the threads start.
            assert_eq!(lazy.try_get(), None);
            PLAN.set(Some(plan));
            with_lazy_harness(LazyHarness { harness, lazy, plan }, model);
            PLAN.set(None);
        });
    };
    // SAFETY: the static and its wakers are not used when the model has returned.
    drop(unsafe { with_lasting(storage, model) });
}

impl<L: Sync> LazyHarness<L>
where
    &'static L: IntoFuture<Output = &'static u32, IntoFuture: Send>,
{
    fn run(&'static self) -> u32 {
        *self.harness.run(self.lazy.into_future())
    }

    /// A task that is waiting for the value.
    fn waiting(&'static self) -> Task<<&'static L as IntoFuture>::IntoFuture> {
        self.harness.waiting(self.lazy.into_future())
    }

    // Models of both kinds of lazies.

    /// A wake meets a poll of the future.
    pub(super) fn model_a_wake_against_a_poll(&'static self) {
        let task = self.waiting();
        // Spurious; so the next poll polls the future.
        self.plan.waker().wake();
        assert_eq!(both(|| *task.run(), || self.plan.announce(0)), (7, ()));
        assert!((2..=3).contains(&self.plan.polls()));
    }

    /// The only waiter that has polled the future is held when the future is woken.
    pub(super) fn model_a_waiter_that_is_held(&'static self) {
        let held = self.waiting();
        assert_eq!(both(|| self.plan.announce(0), || self.run()), ((), 7));
        held.cancel();
    }

    /// Two wakers are woken together.
    pub(super) fn model_two_wakers(&'static self) {
        let task = self.waiting();
        let wakers = [0, 1].map(|event| thread::spawn(move || self.plan.announce(event)));
        assert_eq!(*task.run(), 7);
        for waker in wakers {
            waker.join().unwrap();
        }
    }

    /// The waker polls a waiter, while another one runs.
    pub(super) fn model_a_wake_that_polls(&'static self) {
        let inline = Inline::waiting(self.harness, self.lazy.into_future());
        let other = thread::spawn(|| self.run());
        self.plan.announce(0);
        self.plan.announce(1);
        assert_eq!(*inline.end(), 7);
        assert_eq!(other.join().unwrap(), 7);
    }

    /// The future panics in its second poll, which is that of one of two waiters.
    pub(super) fn model_a_panic(&'static self) {
        let task = self.waiting();
        let other = thread::spawn(|| has_panicked(|| self.run()));
        self.plan.announce(0);
        assert!(has_panicked(|| *task.run()));
        assert!(other.join().unwrap());
        self.plan.waker().wake();
        assert_eq!(self.plan.polls(), 2);
    }
}

/// A future that panics in its second poll.
pub(super) fn panicking_at_the_second_poll() -> Plan {
    Plan::new(1).with_hook(2, |_| resume_unwind(Box::new(Failed)))
}

/// A wake that meets a poll is not lost, and the task that polls next sees the event.
///
/// Risk: the poll has not seen the event, and the waker finds no future asleep; or the next poll does not see it
/// either, as the waker has written nothing that the poll reads.
#[test]
fn a_wake_against_a_poll() {
    bounded(3, |harness| {
        with_static(harness, Plan::new(1), LazyHarness::model_a_wake_against_a_poll)
    });
}

/// A wake that comes as the future goes to sleep for the first time is not lost.
///
/// Risk: A leaves the claim to the waker, which has just been woken and did not have it yet.
#[test]
fn a_wake_against_going_to_sleep() {
    bounded(4, |harness| {
        let plan = Plan::new(1).with_hook(1, Plan::announce_meanwhile);
        with_static(harness, plan, |lazy_harness| assert_eq!(lazy_harness.run(), 7));
    });
}

/// A wake that comes as the future goes to sleep is not lost when another task waits, which may resume the future
/// instead.
#[test]
fn a_wake_against_going_to_sleep_beside_a_waiter() {
    bounded(1, |harness| {
        let plan = Plan::new(1).with_hook(1, Plan::announce_meanwhile);
        with_static(harness, plan, |lazy_harness| {
            assert_eq!(both(|| lazy_harness.run(), || lazy_harness.run()), (7, 7));
        });
    });
}

/// Two concurrent wakes release the claim once, and the poll sees both events.
///
/// Risk: B wakes when A has marked the future as woken and has not released the claim; both release it.
#[test]
fn two_wakers_against_one_driver() {
    bounded(2, |harness| {
        with_static(harness, Plan::new(2), LazyHarness::model_two_wakers)
    });
}

/// A wake reaches another task when the driver is dropped.
#[test]
fn a_wake_against_a_driver_that_is_dropped() {
    bounded(2, |harness| {
        with_static(harness, Plan::new(1), |lazy_harness| {
            let driver = lazy_harness.waiting();
            let other = lazy_harness.waiting();
            let waking = thread::spawn(|| lazy_harness.plan.announce(0));
            let other = thread::spawn(|| *other.run());
            driver.cancel();
            assert_eq!(other.join().unwrap(), 7);
            waking.join().unwrap();
        });
    });
}

/// If no waiter is left, a later caller resumes the future.
///
/// Risk: the wake comes when no task is registered; the newcomer sees the claim taken, or the future as it was.
#[test]
fn a_wake_against_a_newcomer() {
    bounded(5, |harness| {
        with_static(harness, Plan::new(1), |lazy_harness| {
            lazy_harness.waiting().cancel();
            assert_eq!(
                both(|| lazy_harness.run(), || lazy_harness.plan.announce(0)),
                (7, ())
            );
        });
    });
}

/// A driver that is alive and no longer polled blocks no other waiter.
#[test]
fn a_driver_that_is_no_longer_polled_blocks_no_waiter() {
    bounded(3, |harness| {
        with_static(harness, Plan::new(1), LazyHarness::model_a_waiter_that_is_held)
    });
}

/// Two drivers with a future that sleeps: polled by one at a time, and finished once.
#[test]
fn two_drivers_of_a_future_that_sleeps() {
    bounded(1, |harness| {
        with_static(harness, Plan::new(1), |lazy_harness| {
            let task = lazy_harness.waiting();
            let others = [
                thread::spawn(|| lazy_harness.run()),
                thread::spawn(|| *task.run()),
            ];
            lazy_harness.plan.announce(0);
            assert_eq!(others.map(|other| other.join().unwrap()), [7; 2]);
        });
    });
}

/// The driver's turn ends woken, as another begins.
///
/// Risk: A changes the phase when B has put the future to sleep already, and then no wake reaches it.
#[test]
fn a_turn_that_ends_woken_against_the_next() {
    bounded(3, |harness| {
        let plan = Plan::new(1).with_hook(2, |plan| plan.waker().wake());
        with_static(harness, plan, |lazy_harness| {
            let mut task = lazy_harness.waiting();
            // Spurious; so the next poll polls the future.
            lazy_harness.plan.waker().wake();
            let other = thread::spawn(|| lazy_harness.run());
            let _ = task.poll();
            lazy_harness.plan.announce(0);
            assert_eq!(*task.run(), 7);
            assert_eq!(other.join().unwrap(), 7);
        });
    });
}

/// A wake that comes with the value, or later, has no effect.
///
/// Risk: the waker takes the state of the last turn for a future that sleeps, and releases a claim that no task
/// holds.
#[test]
fn a_wake_against_the_value() {
    exhaustive(|harness| {
        with_static(harness, Plan::new(1), |lazy_harness| {
            let task = lazy_harness.waiting();
            lazy_harness.plan.announce(0);
            let late = lazy_harness.plan.waker();
            assert_eq!(both(|| *task.run(), || late.wake()), (7, ()));
            assert_eq!(lazy_harness.lazy.try_get(), Some(&7));
            assert_eq!(lazy_harness.plan.polls(), 2);
        });
    });
}

/// When the future panics, the other waiters panic too, and wakes have no effect.
#[test]
fn when_the_future_of_a_static_panics_the_others_panic() {
    bounded(2, |harness| {
        with_static(
            harness,
            panicking_at_the_second_poll(),
            LazyHarness::model_a_panic,
        )
    });
}

/// A wake that comes as the future panics has no effect, and a waiter panics too.
///
/// Risk: the wake marks a future as woken that is dropped, or takes the claim that the unwinding releases.
#[test]
fn a_wake_against_a_panic() {
    bounded(2, |harness| {
        let plan = Plan::new(1).with_hook(2, |plan| {
            plan.announce_meanwhile();
            resume_unwind(Box::new(Failed));
        });
        with_static(harness, plan, |lazy_harness| {
            let [task, other] = [lazy_harness.waiting(), lazy_harness.waiting()];
            // Spurious; so the next poll polls the future.
            lazy_harness.plan.waker().wake();
            assert!(has_panicked(|| *task.run()));
            assert!(has_panicked(|| *other.run()));
            assert_eq!(lazy_harness.plan.polls(), 2);
        });
    });
}

/// A waiter that the future's waker polls, on the thread of the event, resumes the future, while another task drives
/// it.
///
/// Risk: the waker has freed the future, and releases the claim; in the middle of that drain, the waiter claims and
/// puts the future to sleep again, or the other task has claimed.
#[test]
fn a_wake_that_polls_against_a_driver() {
    bounded(2, |harness| {
        with_static(harness, Plan::new(2), LazyHarness::model_a_wake_that_polls)
    });
}

/// A thread that blocks and a task drive one future in turns.
///
/// Risk: the future keeps the waker of the thread, which was woken, and parks until the task is done.
#[cfg(feature = "blocking")]
#[test]
fn a_thread_and_a_task_drive_one_future() {
    bounded(2, |harness| {
        with_lazy(Steps::new(2), |lazy| {
            let values = both(|| *harness.run(lazy.get()), move || *lazy.get_blocking());
            assert_eq!(values, (2, 2));
        });
    });
}

/// A thread that blocks resumes a static's future when the task that drove it is no longer polled.
///
/// Risk: the wake comes between the thread's look at the state and its parking.
#[cfg(feature = "blocking")]
#[test]
fn a_thread_waits_for_a_static() {
    bounded(3, |harness| {
        with_static(harness, Plan::new(1), |lazy_harness| {
            let held = lazy_harness.waiting();
            let ((), value) = both(
                || lazy_harness.plan.announce(0),
                || *lazy_harness.lazy.get_blocking(),
            );
            assert_eq!(value, 7);
            held.cancel();
        });
    });
}
