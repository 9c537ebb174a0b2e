//! The phases, each written once for every crate. A phase is what [`Cost::of`] runs; a function here runs one.

use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use crate::common::meter::Cost;
use crate::common::scenarios::{Got, poll, poll_ready};
use crate::common::tasks::{Boxed, CountedTask, Failed, Gate, PendThenFail, VALUE};
use crate::init_cell::InitCell;
use crate::lazies::Lazy;
use crate::passive_cell::PassiveCell;

/// Operations of a phase without waiters.
pub(crate) const CALLS: usize = 1_000;

/// Waiters of one cell, each a task with a waker of its own.
pub(crate) const WAITERS: usize = 100;

/// What it costs to wake waiters, and how many were woken: a cell may leave it to each to wake the next.
pub(crate) struct Woken {
    pub(crate) cost: Cost,
    pub(crate) woken: usize,
}

/// Tasks that wait for one cell.
struct Crowd<F> {
    tasks: Vec<(Arc<CountedTask>, Waker)>,
    /// Next to each other in memory: a box for each would add to what a poll and a drop cost.
    futures: Pin<Box<[Option<F>]>>,
}

// The loops of the phases are not inlined. Otherwise they are copied into several callers, and what they poll is not
// inlined into any of the copies.
impl<F: Future<Output: Got>> Crowd<F> {
    fn new(future: impl Fn() -> F) -> Self {
        let future = || Some(future());
        Self {
            tasks: CountedTask::crowd(WAITERS),
            futures: Box::into_pin(std::iter::repeat_with(future).take(WAITERS).collect()),
        }
    }

    #[inline(never)]
    fn poll_first(&mut self) {
        self.for_each(|future, waker| assert!(poll_slot(future, waker).is_pending()));
    }

    #[inline(never)]
    fn poll_last(&mut self) {
        self.for_each(|mut future, waker| {
            let value = poll_slot(future.as_mut(), waker).map(Got::got);
            assert_eq!(value, Poll::Ready(VALUE));
            future.set(None);
        });
    }

    #[inline(never)]
    fn drop_futures(&mut self) {
        self.for_each(|mut future, _| future.set(None));
    }

    #[inline(always)]
    fn for_each(&mut self, mut visit: impl FnMut(Pin<&mut Option<F>>, &Waker)) {
        // SAFETY: no future is moved out of the slice.
        let futures = unsafe { self.futures.as_mut().get_unchecked_mut() };
        for (future, (_, waker)) in futures.iter_mut().zip(&self.tasks) {
            // SAFETY: the slice is pinned, so its elements are.
            visit(unsafe { Pin::new_unchecked(future) }, waker);
        }
    }

    /// The first poll of every waiter.
    fn register(mut self) -> Cost {
        Cost::of(WAITERS, || self.poll_first())
    }

    /// Wakes the waiters by the operation of another task.
    fn wake(mut self, wake: impl FnOnce()) -> Woken {
        self.poll_first();
        Woken {
            cost: Cost::of(WAITERS, wake),
            woken: self.tasks.iter().map(|(task, _)| task.wakes()).sum(),
        }
    }

    /// The last poll of every waiter, and the drop of its future.
    fn complete(mut self, publish: impl FnOnce(), wakes: usize) -> Cost {
        self.poll_first();
        publish();
        let cost = Cost::of(WAITERS, || self.poll_last());
        assert!(self.tasks.iter().all(|(task, _)| task.wakes() == wakes));
        cost
    }

    /// The drop of every waiter's future, the oldest first.
    fn cancel(mut self) -> Cost {
        self.poll_first();
        Cost::of(WAITERS, || self.drop_futures())
    }
}

#[inline(always)]
fn poll_slot<F: Future>(future: Pin<&mut Option<F>>, waker: &Waker) -> Poll<F::Output> {
    let future = future.as_pin_mut().expect("the future was not dropped");
    future.poll(&mut Context::from_waker(waker))
}

/// Claimants that wait, and the task that runs the initializer, which pends until the gate is open.
struct Claimants<F> {
    crowd: Crowd<F>,
    initializing: Boxed<F>,
}

impl<F: Future<Output: Got>> Claimants<F> {
    fn new(future: impl Fn() -> F) -> Self {
        let mut initializing = Boxed::new(future());
        assert!(initializing.poll(Waker::noop()).is_pending());
        Self {
            crowd: Crowd::new(future),
            initializing,
        }
    }

    fn register(self) -> Cost {
        self.crowd.register()
    }

    fn wake(mut self, gate: &AtomicBool) -> Woken {
        self.crowd.wake(|| publish(&mut self.initializing, gate))
    }

    fn complete(mut self, gate: &AtomicBool, wakes: usize) -> Cost {
        self.crowd
            .complete(|| publish(&mut self.initializing, gate), wakes)
    }

    fn cancel(self) -> Cost {
        self.crowd.cancel()
    }
}

fn publish<F: Future<Output: Got>>(initializing: &mut Boxed<F>, gate: &AtomicBool) {
    gate.store(true, Ordering::Relaxed);
    let value = initializing.poll(Waker::noop()).map(Got::got);
    assert_eq!(value, Poll::Ready(VALUE));
}

fn claimants<'a, C: InitCell>(
    cell: &'a C::Of<u64>,
    gate: &'a AtomicBool,
) -> Claimants<impl Future<Output: Got>> {
    Claimants::new(move || C::get_or_init(cell, || Gate(gate)))
}

pub(crate) fn register<C: InitCell>() -> Cost {
    let (cell, gate) = (C::new(), AtomicBool::new(false));
    claimants::<C>(black_box(&cell), &gate).register()
}

pub(crate) fn wake<C: InitCell>() -> Woken {
    let (cell, gate) = (C::new(), AtomicBool::new(false));
    claimants::<C>(black_box(&cell), &gate).wake(&gate)
}

pub(crate) fn complete<C: InitCell>() -> Cost {
    let (cell, gate) = (C::new(), AtomicBool::new(false));
    claimants::<C>(black_box(&cell), &gate).complete(&gate, C::WAKES)
}

pub(crate) fn cancel<C: InitCell>() -> Cost {
    let (cell, gate) = (C::new(), AtomicBool::new(false));
    claimants::<C>(black_box(&cell), &gate).cancel()
}

/// A cancellation as an executor does it: each future is freed with its box.
pub(crate) fn cancel_and_free<C: InitCell>() -> Cost {
    let (cell, gate) = (C::new(), AtomicBool::new(false));
    let cell = black_box(&cell);
    let future = || Box::pin(C::get_or_init(cell, || Gate(&gate)));
    let tasks = CountedTask::crowd(WAITERS);
    let mut initializing = future();
    assert!(poll(initializing.as_mut()).is_pending());
    let mut futures: Vec<_> = std::iter::repeat_with(future).take(WAITERS).collect();
    for (future, (_, waker)) in futures.iter_mut().zip(&tasks) {
        assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    Cost::of(WAITERS, || futures.clear())
}

/// The poll in which an initializer fails while claimants wait.
pub(crate) fn fail<C: InitCell>() -> Woken {
    let cell = C::new();
    let cell = black_box(&cell);
    let mut claimants = Claimants::new(|| C::get_or_try_init(cell, PendThenFail::default));
    claimants.crowd.wake(|| {
        let failed = claimants.initializing.poll(Waker::noop());
        assert_eq!(failed, Poll::Ready(Err(Failed)));
    })
}

pub(crate) fn register_passive<C: PassiveCell>() -> Cost {
    let cell = C::new();
    let cell = black_box(&cell);
    Crowd::new(|| C::wait(cell)).register()
}

pub(crate) fn wake_passive<C: PassiveCell>() -> Woken {
    let cell = C::new();
    let cell = black_box(&cell);
    Crowd::new(|| C::wait(cell)).wake(|| C::set(cell, VALUE))
}

pub(crate) fn complete_passive<C: PassiveCell>() -> Cost {
    let cell = C::new();
    let cell = black_box(&cell);
    Crowd::new(|| C::wait(cell)).complete(|| C::set(cell, VALUE), C::WAKES)
}

pub(crate) fn cancel_passive<C: PassiveCell>() -> Cost {
    let cell = C::new();
    let cell = black_box(&cell);
    Crowd::new(|| C::wait(cell)).cancel()
}

pub(crate) fn bytes_of_wait<C: PassiveCell>() -> f64 {
    size_of_val(&C::wait(&C::new())) as f64
}

/// A new cell, its initialization, and its drop.
pub(crate) fn init<C: InitCell>() -> Cost {
    Cost::of(CALLS, || {
        for _ in 0..CALLS {
            let cell = C::new();
            let init = pin!(C::get_or_init(black_box(&cell), || ready(VALUE)));
            assert_eq!(poll(init), Poll::Ready(&VALUE));
        }
    })
}

pub(crate) fn failed_init<C: InitCell>() -> Cost {
    let cell = C::new();
    let cell = black_box(&cell);
    Cost::of(CALLS, || {
        for _ in 0..CALLS {
            let init = pin!(C::get_or_try_init(cell, || ready(Err(Failed))));
            assert_eq!(poll(init), Poll::Ready(Err(Failed)));
        }
    })
}

/// The cell's own future.
pub(crate) fn ready_bare<C: InitCell>() -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    poll_ready(CALLS, || C::get_or_init(cell, || ready(0)))
}

/// That future awaited by an `async` block.
pub(crate) fn ready_in_block<C: InitCell>() -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    poll_ready(CALLS, || async { *C::get_or_init(cell, || ready(0)).await })
}

/// That future awaited by an `async fn` that is generic over the initializer, and this one by an `async` block.
pub(crate) fn ready_in_generic<C: InitCell>() -> Cost {
    async fn load<C: InitCell, F: Future<Output = u64>>(cell: &C::Of<u64>, init: impl FnOnce() -> F) -> u64 {
        *C::get_or_init(cell, init).await
    }

    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    poll_ready(CALLS, || async { load::<C, _>(cell, || ready(0)).await })
}

/// That future awaited by an `async` block in a box that hides its type. The boxes are made before the phase, and
/// freed after it.
pub(crate) fn ready_in_box<C: InitCell>() -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    let boxed = || -> Pin<Box<dyn Future<Output = u64> + '_>> {
        Box::pin(async { *C::get_or_init(cell, || ready(0)).await })
    };
    let mut futures: Vec<_> = std::iter::repeat_with(boxed).take(CALLS).collect();
    Cost::of(CALLS, || {
        for future in &mut futures {
            assert_eq!(poll(future.as_mut()), Poll::Ready(VALUE));
        }
    })
}

/// The floor of [`ready_in_block`].
pub(crate) fn get_in_block<C: InitCell>() -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    poll_ready(CALLS, || async { *C::get(cell).expect("the cell has a value") })
}

/// The future of a lazy's `get`, awaited by an `async` block.
pub(crate) fn lazy_ready_in_block<L: Lazy>() -> Cost {
    let lazy = pin!(L::new(|| ready(VALUE)));
    assert!(poll(pin!(L::get(lazy.as_ref()))).is_ready());
    let lazy = black_box(lazy.as_ref());
    poll_ready(CALLS, || async { L::get(lazy).await.got() })
}

fn lazy_claimants<'a, L: Lazy, M, F>(lazy: Pin<&'a L::Of<M, F>>) -> Claimants<impl Future<Output: Got>>
where
    M: FnOnce() -> F + 'a,
    F: Future<Output = u64> + 'a,
{
    Claimants::new(move || L::get(lazy))
}

pub(crate) fn lazy_register<L: Lazy>() -> Cost {
    let gate = AtomicBool::new(false);
    let lazy = pin!(L::new(|| Gate(&gate)));
    lazy_claimants::<L, _, _>(black_box(lazy.as_ref())).register()
}

pub(crate) fn lazy_wake<L: Lazy>() -> Woken {
    let gate = AtomicBool::new(false);
    let lazy = pin!(L::new(|| Gate(&gate)));
    lazy_claimants::<L, _, _>(black_box(lazy.as_ref())).wake(&gate)
}

pub(crate) fn lazy_complete<L: Lazy>() -> Cost {
    let gate = AtomicBool::new(false);
    let lazy = pin!(L::new(|| Gate(&gate)));
    lazy_claimants::<L, _, _>(black_box(lazy.as_ref())).complete(&gate, 1)
}

pub(crate) fn lazy_cancel<L: Lazy>() -> Cost {
    let gate = AtomicBool::new(false);
    let lazy = pin!(L::new(|| Gate(&gate)));
    lazy_claimants::<L, _, _>(black_box(lazy.as_ref())).cancel()
}
