//! Futures that are dropped before they complete, or leaked.

use std::{future::pending, task::Poll};

use oncelot::OnceCell;

use crate::util::{
    Gate, Log, OnDrop, Op, Task, Waiter, With, claimant_or_passive, leak, now, poll, poll_with, start,
};

#[test]
fn dropping_the_initializing_future_empties_the_cell() {
    let cell = OnceCell::new();
    let (_gate, running) = start(&cell);
    drop(running);
    assert_eq!(cell.set(1), Ok(()));
}

#[test]
fn dropping_the_initializing_future_wakes_every_claimant_and_no_passive_waiter() {
    let cell = OnceCell::new();
    let (_gate, running) = start(&cell);
    let claimants: Vec<_> = (0..40).map(|i| Waiter::claimant(&cell, i)).collect();
    let passive = Waiter::passive(&cell);
    drop(running);
    assert!(claimants.iter().all(|waiter| waiter.wakes() == 1));
    assert_eq!(passive.wakes(), 0);
}

#[test]
fn the_inner_future_is_dropped_before_the_claim_is_given_back() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let log = Log::new();
    let note = |event| {
        let log = log.clone();
        move || log.note((event, CELL.set(0).is_err_and(|error| error.is_initializing_err())))
    };
    let init = With::new(pending(), OnDrop(note("dropped")));
    let mut running = Box::pin(CELL.get_or_init(|| init));
    assert!(poll(&mut running).is_pending());
    let mut waiting = Box::pin(CELL.get_or_init(async || 1));
    let task = Task::on(Op::Wake, note("woken"));
    assert!(poll_with(&mut waiting, &task.waker()).is_pending());
    drop(running);
    assert_eq!(log.take(), [("dropped", true), ("woken", false)]);
}

/// Five waiters in every mix of kinds, of which each one is cancelled: the first, one in the middle, the last.
#[test]
fn a_cancelled_waiter_leaves_its_neighbors_in_order() {
    for mix in 0..1_u32 << 5 {
        for gone in 0..5 {
            for fails in [false, true] {
                let is_claimant = |i: &usize| mix >> i & 1 == 0;
                let cell = OnceCell::new();
                let log = Log::new();
                let (gate, mut running) = start(&cell);
                let mut waiters: Vec<_> = (0..5)
                    .map(|i| Some(claimant_or_passive(&cell, is_claimant(&i), 2)))
                    .collect();
                for (i, waiter) in waiters.iter_mut().enumerate() {
                    let waiter = waiter.as_mut().unwrap();
                    assert!(poll_with(waiter, &log.waker(i)).is_pending());
                }
                waiters[gone] = None;
                let rest = (0..5).filter(|i| *i != gone);
                if fails {
                    gate.open(Err("failed"));
                    assert!(poll(&mut running).is_ready());
                    assert!(
                        log.take().into_iter().eq(rest.filter(is_claimant)),
                        "{mix:b} {gone}"
                    );
                } else {
                    gate.open(Ok(1));
                    assert!(poll(&mut running).is_ready());
                    let (mut expected, passive): (Vec<_>, Vec<_>) = rest.partition(is_claimant);
                    expected.extend(passive);
                    assert_eq!(log.take(), expected, "{mix:b} {gone}");
                }
            }
        }
    }
}

#[test]
fn the_only_waiter_can_be_cancelled() {
    for is_claimant in [true, false] {
        let cell = OnceCell::new();
        let (gate, mut running) = start(&cell);
        let mut waiter = claimant_or_passive(&cell, is_claimant, 2);
        assert!(poll(&mut waiter).is_pending());
        drop(waiter);
        gate.open(Ok(1));
        assert!(poll(&mut running).is_ready());
    }
}

#[test]
fn all_waiters_can_be_cancelled_in_any_order() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        let cell = OnceCell::new();
        let (gate, mut running) = start(&cell);
        let mut waiters = [0, 1, 2, 3].map(|i| {
            Some(if i % 2 == 0 {
                Waiter::claimant(&cell, i)
            } else {
                Waiter::passive(&cell)
            })
        });
        for i in order {
            waiters[i] = None;
        }
        // The list is as new: a newcomer is found in it.
        let newcomer = Waiter::passive(&cell);
        gate.open(Ok(1));
        assert!(poll(&mut running).is_ready());
        assert_eq!(newcomer.wakes(), 1);
    }
}

#[test]
fn a_cancelled_waiter_is_not_woken() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let Waiter { future, task } = Waiter::claimant(&cell, 2);
    drop(future);
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
    assert_eq!(task.wakes(), 0);
}

#[test]
fn a_cancelled_insert_leaves_nothing_behind() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let mut insert = Box::pin(cell.insert(2));
    let task = crate::util::Task::new();
    assert!(poll_with(&mut insert, &task.waker()).is_pending());
    drop(insert);
    assert_eq!(task.wakers(), 0);
    gate.open(Ok(1));
    assert_eq!(poll(&mut running), Poll::Ready(Ok(&1)));
}

#[test]
fn a_waiter_can_take_over_and_then_be_cancelled() {
    let cell = OnceCell::new();
    let (gate, mut running) = start(&cell);
    let mut second = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut second).is_pending());
    let mut third = Waiter::claimant(&cell, 3);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert!(poll(&mut second).is_pending());
    assert!(third.poll().is_pending());
    drop(second);
    assert_eq!(third.wakes(), 2);
    assert_eq!(third.poll(), Poll::Ready(&3));
}

#[test]
fn take_frees_a_cell_whose_initializing_future_was_leaked() {
    let mut cell = OnceCell::new();
    let mut running = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut running).is_pending());
    leak(running);
    assert!(cell.set(1).is_err());
    assert_eq!(cell.take(), None);
    assert_eq!(cell.set(1), Ok(()));
}

#[test]
fn take_forgets_waiters_that_were_leaked() {
    let mut cell = OnceCell::new();
    let gate: Gate<u32> = Gate::new();
    let mut running = Box::pin(cell.get_or_init(|| gate));
    assert!(poll(&mut running).is_pending());
    let mut waiting = Box::pin(cell.get_or_init(async || 2));
    let task = crate::util::Task::new();
    assert!(poll_with(&mut waiting, &task.waker()).is_pending());
    leak(waiting);
    leak(running);
    assert_eq!(cell.take(), None);

    let (gate, mut running) = start(&cell);
    let waiter = Waiter::passive(&cell);
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
    assert_eq!((task.wakes(), waiter.wakes()), (0, 1));
}

#[test]
fn get_mut_looks_through_a_leaked_claim() {
    let mut cell = OnceCell::<u32>::new();
    let mut running = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut running).is_pending());
    leak(running);
    assert_eq!(cell.get_mut(), None);
    assert_eq!(now(cell.get_mut_or_init(async || 1)), &mut 1);
    assert_eq!(cell.get(), Some(&1));
}
