//! `Lazy`, whose future is stored in place, and is polled by one waiter at a time: the driver.

use std::{
    pin::{Pin, pin},
    task::Poll,
};

use oncelot::Lazy;

use crate::{
    kinds::driven_kinds,
    locked::Locked,
    util::{Drops, Event, Gate, Panicking, Task, now, panic_of, poll, poll_with},
};

#[test]
fn the_first_waiter_to_be_polled_resumes_when_the_driver_is_dropped() {
    for kind in driven_kinds() {
        let (event, lazy) = kind.after_event();
        let tasks = [(); 3].map(|()| Task::new());
        let (mut driver, mut waiters) = (lazy.get(), [(); 3].map(|()| lazy.get()));
        assert!(poll(&mut driver).is_pending());
        for (waiter, task) in waiters.iter_mut().zip(&tasks) {
            assert!(poll_with(waiter, &task.waker()).is_pending());
        }
        assert_eq!(event.polls(), 1, "only the driver polls the future");
        drop(driver);
        assert_eq!(tasks.map(|task| task.wakes()), [1; 3]);
        let [mut first, mut second, _third] = waiters;
        assert!(poll(&mut second).is_pending());
        assert!(poll(&mut first).is_pending());
        assert_eq!(event.polls(), 2);
        drop(second);
        assert!(poll(&mut first).is_pending());
        event.set();
        assert_eq!(poll(&mut first), Poll::Ready(&1));
        assert_eq!(event.polls(), 4, "the future is not restarted");
    }
}

#[test]
fn the_future_has_the_waker_of_its_driver() {
    for kind in driven_kinds() {
        let (event, lazy) = kind.after_event();
        let (woken, others) = (Task::new(), Task::new());
        let (mut first, mut second) = (lazy.get(), lazy.get());
        assert!(poll_with(&mut first, &woken.waker()).is_pending());
        assert!(poll_with(&mut second, &others.waker()).is_pending());
        event.waker().wake();
        assert_eq!((woken.wakes(), others.wakes()), (1, 0));
        drop(first);
        assert!(poll_with(&mut second, &others.waker()).is_pending());
        event.waker().wake();
        assert_eq!((woken.wakes(), others.wakes()), (1, 2));
    }
}

#[test]
fn get_and_try_get_mut_take_a_future_that_has_to_be_pinned() {
    let gate = Gate::new();
    let mut lazy = pin!(Lazy::new({
        let gate = gate.clone();
        async {
            let number = 6;
            let reference = &number;
            let factor: u32 = gate.await;
            *reference * factor
        }
    }));
    let mut get = Box::pin(lazy.as_ref().get());
    assert!(poll(&mut get).is_pending());
    gate.open(7);
    assert_eq!(poll(&mut get), Poll::Ready(&42));
    drop(get);
    *lazy.as_mut().try_get_mut().unwrap() += 1;
    assert_eq!(lazy.try_get(), Some(&43));
}

#[test]
fn a_pinned_future_is_dropped_once_when_it_panics_or_is_left_unfinished() {
    let (event, drops) = (Event::new(), Drops::new());
    let make = |counted| {
        Box::pin(Lazy::new(async {
            let counted = counted;
            event.wait().await;
            panic!("{counted:?}")
        }))
    };
    let unfinished = make(drops.counted());
    assert!(poll(&mut Box::pin(unfinished.as_ref().get())).is_pending());
    drop::<Pin<Box<Lazy<u32, _>>>>(unfinished);
    assert_eq!(drops.count(), 1);

    event.set();
    let panicking = make(drops.counted());
    assert_eq!(panic_of(|| now(panicking.as_ref().get())), "Counted");
    assert_eq!(drops.count(), 2);
    drop(panicking);
    assert_eq!(drops.count(), 2);
}

#[test]
fn a_lazy_in_a_static_is_created_in_a_constant_and_pinned() {
    static ANSWER: Lazy<u32, Panicking> = Lazy::with_value(42);
    static UNFINISHED: Lazy<u32, Panicking> = Lazy::new(Panicking("in the poll"));
    static LOCKED: Lazy<u32, Panicking, Locked> = Lazy::with_backend_and_value(43);

    let value: &'static u32 = now(Pin::static_ref(&ANSWER).get());
    assert_eq!((value, now(LOCKED.get_unpin())), (&42, &43));
    assert_eq!(
        panic_of(|| now(Pin::static_ref(&UNFINISHED).get())),
        "in the poll"
    );
}
