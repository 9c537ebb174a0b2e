//! Regression tests for bugs found in other crates' cells, locks and queues.
//!
//! One test per bug. Bugs that are covered elsewhere are listed with the test that covers them. "Suite" is the conformance suite
//! in `src/testing`, whose properties are unit tests of the default backend.
//!
//! | property | test |
//! |---|---|
//! | a wake does not prove that there is a value | here; `drains.rs`: `a_newer_waker_can_end_the_attempt_when_it_is_cloned` |
//! | claim acquires, rollback releases | `loom/claim.rs`: `failed_initializers_do_not_race` |
//! | READY is published with Release and seen with Acquire | `loom/publish.rs`: `who_sees_ready_sees_the_value` |
//! | `Sync` needs `T: Send + Sync` | `auto_traits.rs`: `a_cell` |
//! | the state changes before user code runs | here |
//! | a panic leaves nothing to be run or dropped twice (RUSTSEC-2019-0017) | `drops.rs`: `a_panicked_*`; `contract/polling.rs`: `a_poll_after_a_panic_panics`; `contract/endings.rs` |
//! | the value is dropped, in every path | `drops.rs` |
//! | drop check sees the value's destructor | `compilation/unsound.rs`: `drop_check` |
//! | no user code under a lock | `drains.rs`; suite: `wakers_may_reenter_*` |
//! | a panicking waker strands no waiter | `drains.rs`: `panicking_wakers_*`; suite: `wakers_may_panic_*` |
//! | wakers are unlinked in small batches (tokio #2340) | `drains.rs`: `a_waker_can_cancel_any_other_waiter`; `loom/cancel.rs`: `cancel_against_publication` |
//! | linked nodes do not alias | `auto_traits.rs`: `a_backend_and_its_waiter`, `an_initializing_future`; Miri |
//! | the state is checked again under the lock | suite: `spurious_polls_are_harmless`; `loom/wake.rs`: `a_spurious_poll_*` |
//! | a wakeup is not reserved for one waiter | suite: `cancelling_a_woken_waiter_loses_no_wakeup` |
//! | decisions are made under the lock | suite: `wakers_may_settle_the_state_when_cloned`; `loom/publish.rs`: `*_registers_against_*` |
//! | explicit states | here |
//! | `take` resets the whole word (async-once-cell 65219fa) | suite: `a_cell_starts_afresh_after_take` |
//! | a destructor that panics in the middle of a transition | `contract/endings.rs`: `a_destructor_that_panics_*` |
//! | nothing is reserved for a waiter | here; suite: `the_first_waiter_that_is_polled_is_next` |
//! | every waiter that an event concerns is woken | suite: `a_value_wakes_every_waiter`, `a_failure_wakes_every_claimant` |
//! | cancelling unlinks | suite: `cancelling_drops_the_waker` |
//! | registering takes as many steps behind any number of waiters | `src/backend/list_tests.rs`: `registering_and_cancelling_take_as_many_steps_in_any_crowd` |
//! | what crosses threads is `Send` | `auto_traits.rs`: `an_initializing_future` |
//! | an initializer that awaits its own cell is reported | `contract/own_cell.rs` |
//! | the newest waker replaces the older | suite: `the_newest_waker_is_woken`, `a_value_is_shared` |
//! | passive waiters do not make failures more expensive | `src/backend/list_tests.rs`: `popping_a_claimant_takes_as_many_steps_beside_any_crowd_of_passive_waiters` |
//! | the futures are provably `Send` in generic code | `auto_traits.rs`: `generic_code_can_prove_that_the_futures_are_send` |

mod util;

use std::{
    future::{pending, poll_fn},
    task::Poll,
};

use oncelot::OnceCell;
use util::{Counted, Gate, Task, Waiter, now, poll, poll_with, start};

/// once_cell #295: a thread took its wake for "ready" and read uninitialized memory, because another thread had
/// claimed in between and its initializer had failed too.
#[test]
fn once_cell_295_a_wake_does_not_mean_ready() {
    let cell = OnceCell::new();
    let (gate, mut first) = start(&cell);
    let mut second = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut second).is_pending());
    let mut woken = Waiter::claimant(&cell, 3);
    gate.open(Err("failed"));
    assert!(poll(&mut first).is_ready());
    assert_eq!(woken.wakes(), 1);
    assert!(poll(&mut second).is_pending(), "it claims");
    assert!(woken.poll().is_pending(), "another task has claimed in between");
    drop(second);
    assert_eq!(woken.wakes(), 2, "and it is registered again");
    assert_eq!(woken.poll(), Poll::Ready(&3));
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
