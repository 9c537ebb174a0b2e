//! The phases and the exact figures that only this bench has, each written once for every crate.

use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicBool;
use std::task::{Poll, Waker};

use crate::common::cells::{Cell, InitCell, PassiveCell};
use crate::common::cost::Cost;
use crate::common::lazies::Lazy;
use crate::common::scenarios::{compute, init, poll, poll_ready};
use crate::common::waiting::*;

/// Operations of a phase without waiters.
pub(crate) const CALLS: usize = 1_000;

/// Waiters of one cell, each a task with a waker of its own.
pub(crate) const WAITERS: usize = 100;

/// A step of tasks that can initialize, while another one does.
pub(crate) fn claimants<C: InitCell>(step: Step) -> Cost {
    let (cell, flag) = (C::new(), AtomicBool::new(false));
    let cell = black_box(&cell);
    let claimants = Meeting::new(WAITERS, || C::get_or_init(cell, || gate(&flag)));
    claimants.measure(step, C::WAKES, &flag)
}

/// The poll in which an initializer fails while claimants wait.
pub(crate) fn fail<C: InitCell>() -> Cost {
    let cell = C::new();
    let cell = black_box(&cell);
    let mut claimants = Meeting::new(WAITERS, || C::get_or_try_init(cell, pend_then_fail));
    claimants.crowd.measure(Step::Wake, C::WAKES, || {
        let failed = poll_slot(claimants.initializing.as_mut(), Waker::noop());
        assert_eq!(failed, Poll::Ready(Err(Failed)));
    })
}

/// A step of tasks that only wait.
pub(crate) fn passive_waiters<C: PassiveCell>(step: Step) -> Cost {
    let cell = C::new();
    let cell = black_box(&cell);
    Crowd::new(WAITERS, || C::wait(cell)).measure(step, C::WAKES, || C::set(cell, VALUE))
}

/// A step of tasks that wait for a lazy, while another one computes.
pub(crate) fn lazy_waiters<L: Lazy>(step: Step) -> Cost {
    let flag = AtomicBool::new(false);
    let lazy = pin!(L::new(|| gate(&flag)));
    let lazy = black_box(lazy.as_ref());
    let waiters = Meeting::new(WAITERS, || L::get(lazy));
    waiters.measure(step, 1, &flag)
}

/// [`init`] by a closure that captures nothing.
pub(crate) fn init_by_closure<C: InitCell>(calls: usize) -> Cost {
    init::<C, _, _>(calls, || || ready(VALUE))
}

/// Polls the future of `get_or_init` of a ready cell.
pub(crate) fn ready_bare<C: InitCell>() -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    poll_ready(CALLS, || C::get_or_init(cell, || ready(0)))
}

/// Polls an `async` block that awaits the future of [`ready_bare`].
pub(crate) fn ready_in_block<C: InitCell>() -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    poll_ready(CALLS, || async { *C::get_or_init(cell, || ready(0)).await })
}

/// Polls an `async` block that awaits an `async fn`, generic over the initializer, that awaits the future of [`ready_bare`].
pub(crate) fn ready_in_generic<C: InitCell>() -> Cost {
    async fn load<C: InitCell, F: Future<Output = u64>>(cell: &C::Of, init: impl FnOnce() -> F) -> u64 {
        *C::get_or_init(cell, init).await
    }

    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    poll_ready(CALLS, || async { load::<C, _>(cell, || ready(0)).await })
}

/// Polls boxes that hide the type of the `async` block of [`ready_in_block`]. The boxes are made before the phase, and freed after
/// it.
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

/// Polls an `async` block that calls `get`: the floor of [`ready_in_block`].
pub(crate) fn get_in_block<C: InitCell>() -> Cost {
    let cell = C::filled(VALUE);
    let cell = black_box(&cell);
    poll_ready(CALLS, || async { *C::get(cell).expect("the cell has a value") })
}

/// Polls an `async` block that awaits the future of `get` of a computed lazy.
pub(crate) fn lazy_ready_in_block<L: Lazy>() -> Cost {
    let lazy = pin!(L::new(|| ready(VALUE)));
    compute::<L, _, _>(lazy.as_ref());
    let lazy = black_box(lazy.as_ref());
    poll_ready(CALLS, || async { L::get(lazy).await.got() })
}

oncelot::lazy! {
    static COMPUTED: u64 = ready(VALUE);
}

/// Polls the future of `get` of a computed static.
pub(crate) fn static_get_ready() -> Cost {
    assert!(poll(pin!(COMPUTED.get())).is_ready());
    let computed = black_box(&COMPUTED);
    poll_ready(CALLS, || computed.get())
}

pub(crate) fn bytes_beyond_value<C: Cell>() -> f64 {
    (size_of::<C::Of>() - size_of::<u64>()) as f64
}

/// Returns the size of the future that initializes, without its initializer. The initializer is fallible, because in some of the
/// crates the future of an infallible one wraps that of a fallible one.
pub(crate) fn bytes_of_init_future<C: InitCell>() -> f64 {
    let (cell, flag) = (C::new(), AtomicBool::new(false));
    let initializer = fallible_gate(&flag);
    let bytes_of_initializer = size_of_val(&initializer);
    let bytes = size_of_val(&C::get_or_try_init(&cell, move || initializer));
    (bytes - bytes_of_initializer) as f64
}

/// Returns the allocations of all steps of waiters that get a value.
pub(crate) fn allocations(of_step: impl Fn(Step) -> Cost) -> f64 {
    let steps = [Step::Register, Step::Wake, Step::Complete];
    steps.map(|step| of_step(step).allocations).iter().sum()
}

pub(crate) fn bytes_of_wait<C: PassiveCell>() -> f64 {
    size_of_val(&C::wait(&C::new())) as f64
}

pub(crate) fn bytes_of_lazy_get<L: Lazy>() -> f64 {
    let lazy = pin!(L::new(|| ready(VALUE)));
    size_of_val(&L::get(lazy.as_ref())) as f64
}
