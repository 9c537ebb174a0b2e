//! Regression tests for bugs found in other crates' cells, locks and queues.
//!
//! One test per bug. Bugs that are covered elsewhere are listed with the test that covers them. "Suite" is the conformance suite
//! in `src/testing`, whose properties are unit tests of the default backend.
//!
//! | property | test |
//! |---|---|
//! | a wake does not prove that there is a value | here; `contract/reentrant_wakers.rs`: `clone_of_a_newer_waker_can_hand_the_claim_to_another` |
//! | claim acquires, rollback releases | `loom/claim.rs`: `failed_initializers_do_not_race` |
//! | READY is published with Release and seen with Acquire | `loom/publish.rs`: `who_sees_ready_sees_the_value` |
//! | `Sync` needs `T: Send + Sync` | `auto_traits.rs`: `a_cell` |
//! | the state changes before user code runs | here |
//! | a panic leaves nothing to be run or dropped twice | here; `drops.rs`: `a_panicked_*`; `contract/destructors.rs` |
//! | the value is dropped, in every path | `drops.rs` |
//! | drop check sees the value's destructor | `compilation/unsound.rs`: `drop_check` |
//! | no user code under a lock | `contract/reentrant_wakers.rs`; suite: `wakers_may_reenter_*` |
//! | a panicking waker strands no waiter | `contract/panicking_wakers.rs`; suite: `wakers_may_panic_*` |
//! | wakers are unlinked in small batches | here; `loom/cancel.rs`: `cancel_against_publication` |
//! | linked nodes do not alias | `auto_traits.rs`: `a_backend_and_its_waiter`, `an_initializing_future`; Miri |
//! | the state is checked again under the lock | suite: `spurious_polls_are_harmless`; `loom/wake.rs`: `a_spurious_poll_*` |
//! | a wakeup is not reserved for one waiter | suite: `cancelling_a_woken_waiter_loses_no_wakeup` |
//! | decisions are made under the lock | suite: `wakers_may_settle_the_state_when_cloned`; `loom/publish.rs`: `*_registers_against_*` |
//! | explicit states | here |
//! | `take` resets the whole word | here; suite: `a_cell_starts_afresh_after_take` |
//! | a destructor that panics in the middle of a transition | `contract/destructors.rs` |
//! | nothing is reserved for a waiter | here; suite: `the_first_waiter_that_is_polled_is_next` |
//! | every waiter that an event concerns is woken | suite: `a_value_wakes_every_waiter`, `a_failure_wakes_every_claimant` |
//! | cancelling unlinks | suite: `cancelling_drops_the_waker` |
//! | registering takes as many steps behind any number of waiters | `src/backend/list_tests.rs`: `registering_and_cancelling_take_as_many_steps_in_any_crowd` |
//! | what crosses threads is `Send` | `auto_traits.rs`: `an_initializing_future` |
//! | an initializer that awaits its own cell is reported | `contract/own_cell.rs` |
//! | the newest waker replaces the older | suite: `the_newest_waker_is_woken`, `every_future_wakes_its_newest_task` |
//! | passive waiters do not make failures more expensive | `src/backend/list_tests.rs`: `popping_a_claimant_takes_as_many_steps_beside_any_crowd_of_passive_waiters` |
//! | the futures are provably `Send` in generic code | `auto_traits.rs`: `generic_code_can_prove_that_the_futures_are_send` |

mod util;

use std::{
    cell::Cell,
    future::{pending, poll_fn},
    sync::{Arc, Mutex},
    task::Poll,
};

use oncelot::OnceCell;
use util::{BoxFuture, Counted, Drops, Gate, Op, Task, Waiter, now, panic_of, poll, poll_with, start};

/// once_cell #295: a thread took its wake for "ready" and read uninitialized memory, because another thread had
/// claimed in between and its initializer had failed too.
#[test]
fn once_cell_295_a_wake_does_not_mean_ready() {
    let cell = OnceCell::new();
    let (first_gate, mut first) = start(&cell);
    let mut woken = Waiter::claimant(&cell, 1);
    first_gate.open(Err("the first"));
    assert!(poll(&mut first).is_ready());
    assert_eq!(woken.wakes(), 1);

    let (second_gate, mut second) = start(&cell);
    assert!(woken.poll().is_pending(), "another task has claimed in between");
    second_gate.open(Err("the second"));
    assert!(poll(&mut second).is_ready());
    assert_eq!(woken.wakes(), 2, "and it is registered again");
    assert_eq!(woken.poll(), Poll::Ready(&1));
}

/// once_cell #62, embassy's OnceLock: an initializer re-entered the cell and set a value that was lent out,
/// and then its own value took the same place.
#[test]
fn once_cell_62_an_initializer_that_sets_its_own_cell_overwrites_nothing() {
    let cell = OnceCell::new();
    let value = now(cell.get_or_init(|| {
        let in_closure = cell.set(1);
        let cell = &cell;
        async move {
            assert!(in_closure.unwrap_err().is_initializing_err());
            assert!(cell.try_insert(2).unwrap_err().is_initializing_err());
            3
        }
    }));
    assert_eq!(value, &3);
}

/// RUSTSEC-2019-0017 (once_cell), embassy's LazyLock: a panic left a closure to be called a second time.
#[test]
fn rustsec_2019_0017_a_closure_that_panicked_is_neither_called_nor_dropped_again() {
    let cell = OnceCell::new();
    let [calls, drops] = [Cell::new(0), Cell::new(0)];
    let guard = util::OnDrop(|| drops.set(drops.get() + 1));
    let mut future = Box::pin(cell.get_or_init(|| -> Gate<u32> {
        let _guard = guard;
        calls.set(calls.get() + 1);
        panic!("in the closure")
    }));
    panic_of(|| poll(&mut future).is_ready());
    panic_of(|| poll(&mut future).is_ready());
    drop(future);
    assert_eq!((calls.get(), drops.get()), (1, 1));
}

/// tokio #2340: a list was split off, and woken outside the lock while its nodes were being freed.
#[test]
fn tokio_2340_waiters_can_be_freed_while_others_are_being_woken() {
    for fails in [true, false] {
        let cell = util::static_cell();
        let (gate, mut running) = start(cell);
        let all: Arc<Mutex<Vec<BoxFuture<'static, &u32>>>> = Arc::default();
        let frees_all = Task::on(Op::Wake, {
            let all = Arc::clone(&all);
            move || {
                let freed = std::mem::take(&mut *all.lock().unwrap());
                drop(freed);
            }
        });
        let tasks: Vec<_> = (0..100).map(|_| Task::new()).collect();
        for (i, task) in tasks.iter().enumerate() {
            let task = if i == 3 { &frees_all } else { task };
            let mut waiter: BoxFuture<'static, _> = Box::pin(cell.get_or_init(async || 2));
            assert!(poll_with(&mut waiter, &task.waker()).is_pending());
            all.lock().unwrap().push(waiter);
        }
        gate.open(if fails { Err("failed") } else { Ok(1) });
        assert!(poll(&mut running).is_ready());
        let woken: usize = tasks.iter().map(|task| task.wakes()).sum();
        assert_eq!(
            woken, 15,
            "the rest of the batch, and no waiter that was freed in the list"
        );
    }
}

/// mea #93: an initializer was cancelled, and the cell took what was not there for a value.
#[test]
fn mea_93_a_cancelled_initializer_leaves_an_empty_cell() {
    let mut cell = OnceCell::<Counted>::new();
    let mut running = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut running).is_pending());
    drop(running);
    assert!(!cell.initialized());
    assert!(cell.get().is_none());
    assert!(cell.get_mut().is_none());
    assert!(cell.take().is_none());
}

/// async-once-cell 65219fa: `take` left a part of the state behind, so that the next initialization went
/// wrong.
#[test]
fn async_once_cell_65219fa_a_cell_is_as_new_after_take() {
    let drops = Drops::new();
    let mut cell = OnceCell::new();
    for round in 1..=3 {
        let (gate, mut running) = start(&cell);
        let mut waiting = Box::pin(cell.wait());
        assert!(poll(&mut waiting).is_pending());
        gate.open(Ok(drops.counted()));
        assert!(poll(&mut running).is_ready());
        assert!(poll(&mut waiting).is_ready());
        drop((running, waiting));
        assert_eq!(cell.take().unwrap().look(), 7);
        assert!(!cell.initialized());
        assert!(cell.get().is_none());
        assert!(cell.take().is_none());
        assert_eq!(drops.count(), round);
    }
    assert!(cell.set(drops.counted()).is_ok());
}

/// tokio #6450, RFD 609, "futurelock": a task holds a waiter in a branch of a `select!` that it no longer polls, and
/// waits for the same cell in the handler of the other branch. In tokio and asyncband the claim was handed to the
/// waiter that is not polled, and the handler waited for it.
#[test]
fn tokio_6450_the_futurelock_program_completes() {
    let cell = OnceCell::new();
    let timer = Gate::new();
    let (gate, mut running) = start(&cell);

    let mut program = Box::pin(async {
        let mut branch = Box::pin(cell.get_or_init(async || 1));
        let mut timeout = timer.clone();
        // select! { value = &mut branch => …, () = timeout => handler }
        poll_fn(|cx| match branch.as_mut().poll(cx) {
            Poll::Ready(_) => panic!("the initializer is still running"),
            Poll::Pending => std::pin::Pin::new(&mut timeout).poll(cx),
        })
        .await;
        // The handler, while `branch` is alive and asleep.
        let value = *cell.get_or_init(async || 2).await;
        drop(branch);
        value
    });
    let task = Task::new();
    assert!(poll_with(&mut program, &task.waker()).is_pending());
    timer.open(());
    assert!(poll_with(&mut program, &task.waker()).is_pending());
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert!(task.wakes() > 0);
    assert_eq!(poll_with(&mut program, &task.waker()), Poll::Ready(2));
}
