//! Panics of futures, which poison the lazy, and of wakers, which do not.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use crate::{
    kinds::{AnyLazy, Kind, kinds, owned_kinds},
    util::{Drops, Event, OnDrop, Op, Panicking, Task, With, leaked, now, panic_of, poll, poll_with},
};

#[track_caller]
fn assert_says_poisoned(kind: Kind, message: &str) {
    let subject = match kind {
        Kind::Static => "static",
        _ => "lazy value",
    };
    let poisoned = format!("{subject} is poisoned: its future panicked");
    assert!(message.contains(&poisoned), "{message}");
}

#[track_caller]
fn assert_poisoned<T>(kind: Kind, lazy: &dyn AnyLazy<T>) {
    for _ in 0..2 {
        assert_says_poisoned(kind, &panic_of(|| _ = now(lazy.get())));
    }
    assert!(lazy.try_get().is_none());
    assert_eq!(format!("{lazy:?}"), format!("{}(<uninit>)", kind.name()));
}

#[test]
fn a_panic_in_a_poll_poisons_and_wakes_the_waiters() {
    for kind in kinds() {
        let (event, drops, tasks) = (leaked(Event::new()), Drops::new(), [Task::new(), Task::new()]);
        let (counted, waker) = (drops.counted(), tasks[1].waker());
        let lazy = kind.naming_itself(|own| async move {
            event.wait().await;
            own.wait(&waker);
            panic!("in the poll of {counted:?}")
        });
        let [mut get, mut other] = [lazy.get(), lazy.get()];
        assert!(poll(&mut get).is_pending());
        assert!(poll_with(&mut other, &tasks[0].waker()).is_pending());
        event.set_and_wake();
        assert_eq!(panic_of(|| poll(&mut get).is_ready()), "in the poll of Counted");
        // The wake of the event has woken the first task if the future has a waker of its own. Otherwise, the panic has.
        assert_eq!(tasks.map(|task| task.wakes()), [1, 1]);
        assert_eq!(drops.count(), 1, "the future is dropped at once");
        assert_says_poisoned(kind, &panic_of(|| poll(&mut other).is_ready()));
        assert!(panic_of(|| poll(&mut get).is_ready()).contains("polled after"));
        assert_poisoned(kind, lazy);
        event.waker().wake();
        assert_poisoned(kind, lazy);
    }
}

/// Returns a counter, and a value that increments it when it is dropped, and then panics if `panics` is true.
fn explosive(panics: bool) -> (Arc<AtomicUsize>, OnDrop<impl FnMut()>) {
    let drops = Arc::new(AtomicUsize::new(0));
    let explosive = OnDrop({
        let drops = drops.clone();
        move || {
            drops.fetch_add(1, SeqCst);
            assert!(!panics, "in the destructor");
        }
    });
    (drops, explosive)
}

#[test]
fn a_panic_in_the_destructor_of_the_future_poisons() {
    for kind in kinds() {
        let ((drops, explosive), values) = (explosive(true), Drops::new());
        let lazy = kind.lazy(With::new(ready(values.counted()), explosive));
        let assert_dropped_once = || assert_eq!((drops.load(SeqCst), values.count()), (1, 1));
        assert_eq!(panic_of(|| _ = now(lazy.get())), "in the destructor");
        assert_dropped_once();
        assert_poisoned(kind, &*lazy);
        if kind != Kind::Static {
            assert_says_poisoned(kind, &panic_of(|| lazy.into_parts().is_ok()));
        }
        assert_dropped_once();
    }
}

/// Unlike an `async` block, this future does not drop its contents while it panics. Without `std`, the destructor does not panic:
/// that would abort.
#[test]
fn a_panic_in_the_destructor_of_a_future_that_has_panicked_is_swallowed() {
    for kind in owned_kinds() {
        let (drops, explosive) = explosive(cfg!(feature = "std"));
        let mut lazy = kind.lazy(With::new(Panicking("in the poll"), explosive));
        assert_eq!(panic_of(|| _ = now(lazy.get())), "in the poll");
        assert_eq!(drops.load(SeqCst), 1);
        assert_poisoned(kind, &*lazy);
        assert_eq!(lazy.try_get_mut(), None);
        assert_eq!(lazy.into_inner(), None);
        assert_eq!(drops.load(SeqCst), 1);
    }
}

#[test]
fn a_waker_that_panics_when_there_is_a_value_does_so_after_every_waiter_was_woken() {
    for kind in kinds() {
        let (explosive, task) = (Task::panicking_on(Op::Wake, "in the waker"), Task::new());
        let wakers = [explosive.waker(), task.waker()];
        let lazy = kind.naming_itself(|own| async move {
            for waker in wakers {
                own.wait(&waker);
            }
            1
        });
        let mut get = lazy.get();
        assert_eq!(panic_of(|| poll(&mut get).is_ready()), "in the waker");
        assert_eq!((lazy.try_get(), task.wakes()), (Some(&1), 1));
        assert!(panic_of(|| poll(&mut get).is_ready()).contains("polled after"));
    }
}
