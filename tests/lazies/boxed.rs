//! `BoxLazy` and `LocalBoxLazy`: futures of any type, and wakers that outlive them.

#![cfg(feature = "alloc")]

use std::{cell::Cell, future::ready, rc::Rc, thread};

use oncelot::{BoxLazy, LocalBoxLazy};

use crate::{
    kinds::Kind,
    util::{BoxFuture, Event, Task, leak, now, poll, poll_with},
};

#[test]
fn futures_of_several_types_which_may_borrow_are_values_of_one_type() {
    /// A field whose future has a type that cannot be named.
    struct Entry<'a> {
        value: BoxLazy<'a, usize>,
    }

    let (mut text, event) = (String::from("a"), Event::new());
    let boxed: BoxFuture<'_, usize> = Box::pin(ready(4));
    let entries = [
        BoxLazy::boxed(async { 1 }),
        BoxLazy::boxed(ready(2)),
        BoxLazy::boxed(async {
            event.wait().await;
            text.push('b');
            text.len()
        }),
        BoxLazy::new(boxed),
        BoxLazy::with_value(5),
    ]
    .map(|value| Entry { value });
    assert!(poll(&mut Box::pin(entries[2].value.get())).is_pending());
    event.set_and_wake();
    let values = entries.each_ref().map(|entry| *now(entry.value.get_unpin()));
    assert_eq!(values, [1, 2, 2, 4, 5]);
    let [first, ..] = entries;
    assert_eq!(first.value.into_inner(), Some(1));
}

/// Neither the future nor the value is `Send`, but the future's waker is.
#[test]
fn another_thread_wakes_a_future_that_stays_on_its_thread() {
    let (event, shared) = (Event::new(), Rc::new(Cell::new(0)));
    let lazy = LocalBoxLazy::boxed_local(async {
        event.wait().await;
        shared.set(7);
        Rc::clone(&shared)
    });
    let task = Task::new();
    let mut get = Box::pin(lazy.get());
    assert!(poll_with(&mut get, &task.waker()).is_pending());
    thread::scope(|scope| {
        scope.spawn(|| event.set_and_wake());
    });
    assert_eq!(task.wakes(), 1);
    assert_eq!(now(get).get(), 7);
    assert_eq!(format!("{lazy:?}"), "LocalBoxLazy(Cell { value: 7 })");
}

/// The waiter is leaked, so that the lazy can be dropped before it. The first wake of the future wakes the waiter's task, which
/// has nothing to do.
#[test]
fn a_waker_that_outlives_the_lazy_finds_only_waiters_that_were_leaked() {
    for kind in [Kind::BoxLazy, Kind::BoxLazyLocked] {
        let task = Task::new();
        let (event, lazy) = kind.after_event();
        let mut get = lazy.get();
        assert!(poll_with(&mut get, &task.waker()).is_pending());
        leak(get);
        let waker = event.waker();
        drop(lazy);
        let clone = waker.clone();
        waker.wake_by_ref();
        waker.wake();
        thread::spawn(move || clone.wake()).join().unwrap();
        assert_eq!(task.wakes(), 1);
    }
}
