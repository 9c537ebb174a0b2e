//! Wakers that use the cell, or panic, while they are being woken, cloned or dropped. If a backend ran wakers under a lock, these
//! tests would hang.
//!
//! When an attempt ends, a *drain* unlinks the waiters and wakes them: `Intrusive` in batches of 16, and `Local` one by one,
//! without a lock. After a failure, the drain ends at a marker in the list: waiters that register during the drain are behind it.
//! `Intrusive` needs no marker if one batch is enough.

mod util;

use std::{
    any::Any,
    cell::{Cell, RefCell},
    future::pending,
    panic::resume_unwind,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
    thread,
};

use oncelot::{Backend, LocalOnceCell, OnceCell, SharedInitError};
use util::{CROWDS, Gate, Op, Task, leak, leaked, now, panic_of, poll, poll_with};

/// Generates a `#[test]` for each of the functions, for both backends.
macro_rules! tests {
    ($($name:ident)*) => {
        mod intrusive {
            $(#[test] fn $name() { super::$name::<oncelot::backend::Intrusive>(); })*
        }
        mod local {
            $(#[test] fn $name() { super::$name::<oncelot::backend::Local>(); })*
        }
    };
}

tests! {
    a_drain_that_a_waker_disturbs_wakes_the_waiters_behind
    a_drain_leaves_newcomers_asleep
    neighbors_of_a_marker_can_be_cancelled_inside_the_drain
    drains_can_be_nested_as_deep_as_there_are_waiters
    a_waker_can_poll_its_own_future
    a_waker_can_register_its_waiter_again
    a_waker_can_cancel_any_other_waiter
    a_waker_can_empty_the_list_and_fill_it_again
    a_waiter_that_a_waker_polls_is_woken_by_its_newer_waker
    a_newer_waker_can_end_the_attempt_when_it_is_cloned
    an_older_waker_can_end_the_attempt_when_it_is_dropped
    panicking_wakers_leave_no_waiter_asleep_and_the_first_panic_propagates
    a_panicking_waker_that_is_replaced_leaves_the_newer_one_in_its_place
    a_panicking_waker_of_a_waiter_that_claims_gives_the_claim_back
}

/// Returns how many waiters are in front of the waker that uses the cell, and how many are behind. That waker is the first, the
/// second or the last of a batch, or the first or the second of the next one.
fn places() -> impl Iterator<Item = (usize, usize)> {
    let before = [0, 1, 15, 16, 17].into_iter();
    before.flat_map(|before| CROWDS.map(|behind| (before, behind)))
}

type AnyFuture<T> = Pin<Box<dyn Future<Output = T>>>;

type Static<B> = &'static OnceCell<u32, B>;

/// Creates a cell that wakers can refer to.
fn static_cell<B: Backend + 'static>() -> Static<B> {
    leaked(OnceCell::with_backend())
}

/// A future that waits, and the task that has polled it.
struct Waiter {
    future: AnyFuture<&'static u32>,
    task: Arc<Task>,
}

/// A waiter that wakers can use.
type Shared = Rc<RefCell<Option<Waiter>>>;

impl Waiter {
    fn new(future: impl Future<Output = &'static u32> + 'static, task: Arc<Task>) -> Self {
        let mut waiter = Self {
            future: Box::pin(future),
            task,
        };
        assert!(waiter.poll().is_pending());
        waiter
    }

    fn passive<B: Backend>(cell: Static<B>) -> Self {
        Self::new(cell.wait(), Task::new())
    }

    /// Returns a claimant whose waker runs `hook` when it is woken.
    fn hooked<B: Backend>(cell: Static<B>, hook: impl Fn() + 'static) -> Self {
        Self::new(cell.get_or_init(async || 2), Task::on(Op::Wake, hook))
    }

    fn poll(&mut self) -> Poll<&'static u32> {
        poll_with(&mut self.future, &self.task.waker())
    }
}

fn claimants<B: Backend>(cell: Static<B>, count: usize) -> Vec<Waiter> {
    (0..count)
        .map(|_| Waiter::new(cell.get_or_init(async || 2), Task::new()))
        .collect()
}

/// A function that ends an attempt.
type EndAttempt = Box<dyn FnOnce()>;

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Value,
    Error,
    Panic,
    Cancellation,
    GuardIsSet,
    GuardIsDropped,
    /// There is no attempt before the call of `set`.
    Set,
}

impl Ending {
    fn is_value(self) -> bool {
        matches!(self, Self::Value | Self::GuardIsSet | Self::Set)
    }

    /// Begins an attempt, which ends in this way when the returned function is called.
    fn begin<B: Backend>(self, cell: Static<B>) -> EndAttempt {
        let gate = Gate::<Result<_, ()>>::new();
        let mut running: AnyFuture<_> = Box::pin(cell.get_or_try_init({
            let gate = gate.clone();
            async || gate.await.unwrap_or_else(|()| panic!("the initializer"))
        }));
        if matches!(self, Self::Value | Self::Error | Self::Panic | Self::Cancellation) {
            assert!(poll(&mut running).is_pending());
        }
        let mut end = move |how| {
            gate.open(how);
            assert!(poll(&mut running).is_ready());
        };
        match self {
            Self::Value => Box::new(move || end(Ok(Ok(1)))),
            Self::Error => Box::new(move || end(Ok(Err("failed")))),
            Self::Panic => Box::new(move || end(Err(()))),
            Self::Cancellation => Box::new(move || drop(end)),
            Self::Set => Box::new(|| assert_eq!(cell.set(1), Ok(()))),
            Self::GuardIsSet | Self::GuardIsDropped => {
                let guard = cell.try_claim().unwrap();
                Box::new(move || match self {
                    Self::GuardIsSet => assert_eq!(guard.set(1), &1),
                    _ => drop(guard),
                })
            }
        }
    }
}

/// Begins an attempt that fails when the returned function is called.
fn failing<B: Backend>(cell: Static<B>) -> EndAttempt {
    Ending::Error.begin(cell)
}

#[track_caller]
fn assert_wakes(waiters: &[Waiter], expected: usize, what: &str) {
    let wakes: Vec<_> = waiters.iter().map(|waiter| waiter.task.wakes()).collect();
    assert!(wakes.iter().all(|wakes| *wakes == expected), "{what}: {wakes:?}");
}

/// The waker begins an attempt that fails, sets the value, or panics.
fn a_drain_that_a_waker_disturbs_wakes_the_waiters_behind<B: Backend + 'static>() {
    let endings = [Ending::Error, Ending::Set, Ending::Panic];
    for ((before, count), ending) in places().flat_map(|place| endings.map(|ending| (place, ending))) {
        let cell = static_cell::<B>();
        let fail = failing(cell);
        let first = claimants(cell, before);
        let _hooked = Waiter::hooked(cell, move || match ending {
            Ending::Error => assert_eq!(now(cell.get_or_try_init(async || Err(()))), Err(())),
            Ending::Set => assert_eq!(cell.set(1), Ok(())),
            _ => panic!("a waker panics"),
        });
        let rest = claimants(cell, count);
        let passive = [Waiter::passive(cell)];
        if ending == Ending::Panic {
            assert_eq!(panic_of(fail), "a waker panics");
        } else {
            fail();
        }
        assert_wakes(&first, 1, "before");
        assert_wakes(&rest, 1, "behind");
        assert_wakes(&passive, usize::from(ending == Ending::Set), "by failures");
        assert_eq!(cell.initialized(), ending == Ending::Set);
        if !cell.initialized() {
            // Detects a marker that was left in the list: its memory, on the stack of the drain, has been reused since.
            let publish = Ending::Value.begin(cell);
            let newcomers = claimants(cell, count);
            publish();
            assert_wakes(&newcomers, 1, "in the next attempt");
        }
        assert_wakes(&passive, 1, "by the value");
    }
}

fn a_drain_leaves_newcomers_asleep<B: Backend + 'static>() {
    for (older, count) in CROWDS.into_iter().flat_map(|count| [(3, count), (40, count)]) {
        let cell = static_cell::<B>();
        let fail = failing(cell);
        let newcomers = Rc::new(RefCell::new(None));
        let _hooked = Waiter::hooked(cell, {
            let newcomers = Rc::clone(&newcomers);
            move || *newcomers.borrow_mut() = Some((failing(cell), claimants(cell, count)))
        });
        let rest = claimants(cell, older);
        fail();
        assert_wakes(&rest, 1, "before the marker");
        let (fail, newcomers) = newcomers.take().unwrap();
        assert_wakes(&newcomers, 0, "behind the marker");
        fail();
        assert_wakes(&newcomers, 1, "by the next failure");
    }
}

/// A waker that the drain wakes drops two of the three waiters before the marker and the three behind it, in every order.
fn neighbors_of_a_marker_can_be_cancelled_inside_the_drain<B: Backend + 'static>() {
    for (first, second) in (0..6).flat_map(|first| (0..6).map(move |second| (first, second))) {
        let cell = static_cell::<B>();
        let fail = failing(cell);
        let around = Rc::new(RefCell::new(Vec::<Option<Waiter>>::new()));
        let next = Rc::new(RefCell::new(None));
        let _hooked = Waiter::hooked(cell, {
            let (around, next) = (Rc::clone(&around), Rc::clone(&next));
            move || {
                next.replace(Some(Ending::Value.begin(cell)));
                // These three waiters are behind the marker. The other three are before it.
                let mut around = around.borrow_mut();
                around.extend(claimants(cell, 3).into_iter().map(Some));
                around[first] = None;
                around[second] = None;
            }
        });
        // These waiters are more than a batch, so the drain of `Intrusive` needs a marker.
        let rest = claimants(cell, 40);
        (around.borrow_mut()).extend(claimants(cell, 3).into_iter().map(Some));
        let passive = [Waiter::passive(cell)];
        fail();
        assert_wakes(&rest, 1, "in front");
        let assert_wakes_around = |expected: [usize; 6]| {
            for (waiter, expected) in around.borrow().iter().zip(expected) {
                let wakes = waiter.as_ref().map_or(expected, |waiter| waiter.task.wakes());
                assert_eq!(wakes, expected, "{first} and {second} are gone");
            }
        };
        assert_wakes_around([1, 1, 1, 0, 0, 0]);
        let publish = next.take().unwrap();
        publish();
        assert_wakes_around([1; 6]);
        assert_wakes(&passive, 1, "by the value");
    }
}

/// Each of 40 wakers begins an attempt that fails immediately: drains inside drains, each with a marker of its own.
fn drains_can_be_nested_as_deep_as_there_are_waiters<B: Backend + 'static>() {
    let cell = static_cell::<B>();
    let fail = failing(cell);
    let (depth, deepest) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let _nested: Vec<_> = (0..40)
        .map(|_| {
            let (depth, deepest) = (Rc::clone(&depth), Rc::clone(&deepest));
            Waiter::hooked(cell, move || {
                depth.set(depth.get() + 1);
                deepest.set(deepest.get().max(depth.get()));
                let _ = now(cell.get_or_try_init(async || Err::<u32, _>(())));
                depth.set(depth.get() - 1);
            })
        })
        .collect();
    let last = claimants(cell, 130);
    fail();
    assert!(deepest.get() > 1, "the drains are not nested");
    assert_wakes(&last, 1, "behind all drains");
    assert_eq!(cell.set(1), Ok(()));
}

/// The future is polled inside the drain, before the call that ends the attempt has returned.
fn a_waker_can_poll_its_own_future<B: Backend + 'static>() {
    for (index, expected) in [Some(2), None, None].into_iter().enumerate() {
        let cell = static_cell::<B>();
        let futures: [AnyFuture<Option<u32>>; 3] = [
            Box::pin(async { Some(*cell.get_or_init(async || 2).await) }),
            Box::pin(async {
                let shared = cell.get_or_try_init_shared(async || Ok::<_, ()>(2)).await;
                assert!(matches!(shared, Ok(_) | Err(SharedInitError::OtherFailed)));
                shared.ok().copied()
            }),
            Box::pin(async { cell.wait_attempt().await.copied() }),
        ];
        let future = futures.into_iter().nth(index).unwrap();
        let fail = failing(cell);
        let future = Rc::new(RefCell::new(future));
        let polled = Rc::new(Cell::new(None));
        let task = Task::on(Op::Wake, {
            let (future, polled) = (Rc::clone(&future), Rc::clone(&polled));
            move || polled.set(Some(poll(&mut future.borrow_mut())))
        });
        assert!(poll_with(&mut future.borrow_mut(), &task.waker()).is_pending());
        fail();
        assert_eq!(polled.get(), Some(Poll::Ready(expected)));
    }
}

fn a_waker_can_register_its_waiter_again<B: Backend + 'static>() {
    let cell = static_cell::<B>();
    let fail = failing(cell);
    // Another task claims at the first wake, so that every waiter that is polled afterwards waits again.
    let next = Rc::new(RefCell::new(None));
    let _first = Waiter::hooked(cell, {
        let next = Rc::clone(&next);
        move || *next.borrow_mut() = Some(failing(cell))
    });
    let eager = Shared::default();
    let again = Task::new();
    let hooked = Waiter::hooked(cell, {
        let (eager, again) = (Rc::clone(&eager), again.waker());
        move || assert!(poll_with(&mut eager.borrow_mut().as_mut().unwrap().future, &again).is_pending())
    });
    *eager.borrow_mut() = Some(hooked);
    let others = claimants(cell, 40);
    fail();
    assert_eq!((eager.take().unwrap().task.wakes(), again.wakes()), (1, 0));
    assert_wakes(&others, 1, "behind");
}

/// tokio #2340: a list was split off, and woken outside the lock while its nodes were being freed.
fn a_waker_can_cancel_any_other_waiter<B: Backend + 'static>() {
    for (ending, cancelled) in [Ending::Value, Ending::Error]
        .into_iter()
        .flat_map(|ending| [1..2, 15..16, 16..17, 17..18, 39..40, 1..40, 0..40].map(|range| (ending, range)))
    {
        let cell = static_cell::<B>();
        let end = ending.begin(cell);
        let waiters = Rc::new(RefCell::new(Vec::<Option<Waiter>>::new()));
        let canceller = Waiter::hooked(cell, {
            let (waiters, cancelled) = (Rc::clone(&waiters), cancelled.clone());
            move || {
                for index in cancelled.clone() {
                    let waiter = waiters.borrow_mut()[index].take();
                    drop(waiter);
                }
            }
        });
        waiters.borrow_mut().push(Some(canceller));
        waiters
            .borrow_mut()
            .extend(claimants(cell, 39).into_iter().map(Some));
        let tasks: Vec<_> = (waiters.borrow().iter().flatten())
            .map(|waiter| Arc::clone(&waiter.task))
            .collect();
        end();
        for (index, task) in tasks.iter().enumerate() {
            let wakes = task.wakes();
            if !cancelled.contains(&index) {
                assert_eq!(wakes, 1, "waiter {index}, when {cancelled:?} are cancelled");
            } else if index >= 16 {
                assert_eq!(wakes, 0, "waiter {index}, when {cancelled:?} are cancelled");
            } else {
                // A waker of the first batch may have been taken out before.
                assert!(wakes <= 1, "waiter {index}, when {cancelled:?} are cancelled");
            }
        }
    }
}

/// Each waker drops all waiters, so that the list becomes empty in the middle of a drain, and registers new ones: if the drain woke
/// them too, it would never end.
fn a_waker_can_empty_the_list_and_fill_it_again<B: Backend + 'static>() {
    const CROWD: usize = 17;

    struct Crowd<B: Backend + 'static> {
        cell: Static<B>,
        waiting: RefCell<Vec<Waiter>>,
        next: RefCell<Option<EndAttempt>>,
        wakes: Cell<usize>,
    }

    fn register<B: Backend>(crowd: &Rc<Crowd<B>>) {
        let waiting = (0..CROWD).map(|_| {
            let hook = Rc::clone(crowd);
            Waiter::hooked(crowd.cell, move || renew(&hook))
        });
        let waiting: Vec<_> = waiting.collect();
        *crowd.waiting.borrow_mut() = waiting;
    }

    fn renew<B: Backend>(crowd: &Rc<Crowd<B>>) {
        crowd.wakes.set(crowd.wakes.get() + 1);
        assert!(crowd.wakes.get() <= CROWD, "newcomers are woken");
        drop(crowd.waiting.take());
        if crowd.wakes.get() == 1 {
            *crowd.next.borrow_mut() = Some(failing(crowd.cell));
        }
        register(crowd);
    }

    let cell = static_cell::<B>();
    let fail = failing(cell);
    let crowd = Rc::new(Crowd {
        cell,
        waiting: RefCell::default(),
        next: RefCell::default(),
        wakes: Cell::new(0),
    });
    register(&crowd);
    fail();
    // At least the waiter behind the first batch was dropped before it could be woken.
    assert!((1..CROWD).contains(&crowd.wakes.get()));
    drop(crowd.waiting.take());
}

fn a_waiter_that_a_waker_polls_is_woken_by_its_newer_waker<B: Backend + 'static>() {
    let cell = static_cell::<B>();
    let fail = failing(cell);
    let moved = Shared::default();
    let newer = Task::new();
    let _hooked = Waiter::hooked(cell, {
        let (moved, newer) = (Rc::clone(&moved), Arc::clone(&newer));
        move || {
            let _next = failing(cell);
            let mut moved = moved.borrow_mut();
            assert!(poll_with(&mut moved.as_mut().unwrap().future, &newer.waker()).is_pending());
        }
    });
    // With these, the waiter that polls fills the first batch, and the waiter that is polled is in the next one.
    let _rest_of_the_batch = claimants(cell, 15);
    *moved.borrow_mut() = claimants(cell, 1).pop();
    fail();
    let older_wakes = moved.borrow().as_ref().unwrap().task.wakes();
    assert_eq!((older_wakes, newer.wakes()), (0, 1));
}

/// The newer waker ends the attempt while it is cloned, and begins the next one: the end of a wait guarantees neither a value nor
/// the claim.
fn a_newer_waker_can_end_the_attempt_when_it_is_cloned<B: Backend + 'static>() {
    let cell = static_cell::<B>();
    let attempts = Rc::new(RefCell::new(vec![failing(cell)]));
    let mut waiting = claimants(cell, 1).remove(0);
    let mut shared = Box::pin(cell.get_or_try_init_shared(async || Ok::<_, ()>(2)));
    assert!(poll(&mut shared).is_pending());
    let task = Task::on(Op::Clone, {
        let attempts = Rc::clone(&attempts);
        move || {
            let fail = attempts.borrow_mut().pop();
            fail.into_iter().for_each(|fail| fail());
            let next = failing(cell);
            attempts.borrow_mut().push(next);
        }
    });
    let other_failed = Err(SharedInitError::OtherFailed);
    assert_eq!(poll_with(&mut shared, &task.waker()), Poll::Ready(other_failed));
    waiting.task = task;
    assert!(waiting.poll().is_pending());
    waiting.task.disarm();
    drop(attempts.take());
    assert_eq!(waiting.task.wakes(), 1);
    assert_eq!(waiting.poll(), Poll::Ready(&2));
}

fn an_older_waker_can_end_the_attempt_when_it_is_dropped<B: Backend + 'static>() {
    let cell = static_cell::<B>();
    let fail = RefCell::new(Some(failing(cell)));
    let older = Task::on(Op::Drop, move || fail.take().into_iter().for_each(|fail| fail()));
    let waker = older.waker();
    let mut waiting = Box::pin(cell.get_or_init(async || 2));
    assert!(poll_with(&mut waiting, &waker).is_pending());
    // Drops the older waker, which ends the attempt, which wakes the newer waker.
    let newer = Task::new();
    assert!(poll_with(&mut waiting, &newer.waker()).is_pending());
    assert_eq!(newer.wakes(), 1);
    assert_eq!(poll(&mut waiting), Poll::Ready(&2));
}

/// Panics when it is dropped. The crate leaks the payload of that panic, which is zero-sized here, so that no leak checker reports
/// it.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic_quietly(());
    }
}

/// Panics without a message: in a thread that unwinds, the message would come with a backtrace each time.
fn panic_quietly(payload: impl Any + Send) -> ! {
    resume_unwind(Box::new(payload))
}

fn panicking_wakers_leave_no_waiter_asleep_and_the_first_panic_propagates<B: Backend + 'static>() {
    use Ending::*;

    let all: Vec<_> = (0..40).collect();
    let one: [&[usize]; 5] = [&[0], &[1], &[15], &[16], &[39]];
    // Without `std`, the second panic aborts.
    let several: [&[usize]; 2] = [&[1, 15, 16, 39], &all];
    let choices = one
        .iter()
        .chain(if cfg!(feature = "std") { &several[..] } else { &[] });
    for (panicking, ending) in choices.flat_map(|panicking| {
        [Value, Error, Cancellation, GuardIsSet, GuardIsDropped, Set, Panic]
            .map(|ending| (*panicking, ending))
    }) {
        if ending == Panic && cfg!(not(feature = "std")) {
            continue;
        }
        let cell = static_cell::<B>();
        let end = ending.begin(cell);
        let waiters: Vec<_> = (0..40)
            .map(|index| {
                let task = match panicking.iter().position(|place| *place == index) {
                    None => Task::new(),
                    Some(0) => Task::on(Op::Wake, move || panic_quietly(format!("waker {index}"))),
                    // The payload of a later panic is dropped, and the panic of its destructor is discarded too.
                    Some(_) => Task::on(Op::Wake, || panic_quietly(Payload)),
                };
                if ending.is_value() {
                    Waiter::new(cell.wait(), task)
                } else {
                    Waiter::new(cell.get_or_init(async || 2), task)
                }
            })
            .collect();
        let message = panic_of(end);
        if ending == Panic {
            assert_eq!(message, "the initializer");
        } else {
            assert_eq!(message, format!("waker {}", panicking[0]), "{ending:?}");
        }
        assert_wakes(&waiters, 1, "with panicking wakers");
        assert_eq!(cell.get(), ending.is_value().then_some(&1));
        assert_eq!(cell.set(2).is_err(), ending.is_value(), "{ending:?}");
    }
}

fn a_panicking_waker_that_is_replaced_leaves_the_newer_one_in_its_place<B: Backend + 'static>() {
    let cell = static_cell::<B>();
    let publish = Ending::Value.begin(cell);
    let older = Task::disarmed_on(Op::Drop, || panic!("when dropped"));
    let mut waiting = Waiter::new(cell.wait(), Arc::clone(&older));
    let behind = claimants(cell, 1);
    waiting.task = Task::new();
    assert_eq!(panic_of(|| older.armed(|| waiting.poll())), "when dropped");
    publish();
    assert_wakes(&[waiting], 1, "by the newer waker");
    assert_wakes(&behind, 1, "behind");
}

/// The eighteenth claimant is still in the list while the first batch is being woken. The waker of the first claimant polls the
/// eighteenth, which claims, and whose own waker panics when it is dropped.
fn a_panicking_waker_of_a_waiter_that_claims_gives_the_claim_back<B: Backend + 'static>() {
    let cell = static_cell::<B>();
    let fail = failing(cell);
    let task = Task::disarmed_on(Op::Drop, || panic!("when dropped"));
    let eighteenth = Shared::default();
    let first = Waiter::hooked(cell, {
        let (eighteenth, task) = (Rc::clone(&eighteenth), Arc::clone(&task));
        move || {
            let mut eighteenth = eighteenth.borrow_mut();
            let future = &mut eighteenth.as_mut().unwrap().future;
            let claims = || poll_with(future, Waker::noop()).is_ready();
            assert_eq!(panic_of(|| task.armed(claims)), "when dropped");
        }
    });
    let _others = claimants(cell, 16);
    *eighteenth.borrow_mut() = Some(Waiter::new(cell.get_or_init(pending), Arc::clone(&task)));
    let last = claimants(cell, 1);
    fail();
    assert_eq!((first.task.wakes(), task.runs()), (1, 1));
    assert!(last[0].task.wakes() >= 1);
    assert_eq!(cell.set(5), Ok(()));
}

/// Leaked waiters stay in the list of their cell, and a `LocalOnceCell` is `Send`.
#[test]
fn leaked_waiters_are_woken_by_the_thread_that_a_local_cell_was_moved_to() {
    let cell = LocalOnceCell::with_backend();
    let tasks = [(); 2].map(|()| {
        let task = Task::new();
        let mut leaked = Box::pin(cell.wait());
        assert!(poll_with(&mut leaked, &task.waker()).is_pending());
        leak(leaked);
        task
    });
    thread::spawn(move || {
        let mut waiting = Box::pin(cell.wait());
        assert!(poll(&mut waiting).is_pending());
        assert_eq!(cell.set(1), Ok(()));
        assert_eq!(poll(&mut waiting), Poll::Ready(&1));
    })
    .join()
    .unwrap();
    assert_eq!(tasks.map(|task| task.wakes()), [1, 1]);
}
