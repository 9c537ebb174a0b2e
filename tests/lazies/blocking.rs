//! `get_blocking`, with which a thread waits for a lazy next to tasks.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use futures_lite::future::{block_on, yield_now};

use crate::{
    kinds::kinds,
    util::{is_same, leaked, now, panic_of, poll},
};

#[test]
fn threads_resume_a_future_that_a_task_has_polled() {
    for kind in kinds() {
        let steps = leaked(AtomicUsize::new(0));
        let lazy = kind.lazy(async {
            for _ in 0..3 {
                steps.fetch_add(1, SeqCst);
                yield_now().await;
            }
            1
        });
        assert!(poll(&mut lazy.get()).is_pending());
        let values = thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(|| lazy.get_blocking()));
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!((values, steps.load(SeqCst)), ([&1; 4], 3));
        assert!(is_same(lazy.get_blocking(), now(lazy.get())));
    }
}

#[test]
fn a_thread_waits_while_a_task_polls_the_future() {
    for kind in kinds() {
        let [begun, go] = leaked([const { Barrier::new(2) }; 2]);
        let lazy = kind.lazy(async {
            begun.wait();
            go.wait();
            1
        });
        thread::scope(|scope| {
            scope.spawn(|| block_on(lazy.get()));
            begun.wait();
            let waiting = scope.spawn(|| lazy.get_blocking());
            go.wait();
            assert_eq!(waiting.join().unwrap(), &1);
        });
    }
}

#[test]
fn a_poisoned_lazy_panics_in_threads_too() {
    for kind in kinds() {
        let lazy = kind.lazy::<u32>(async { panic!("out of luck") });
        assert_eq!(panic_of(|| lazy.get_blocking()), "out of luck");
        assert!(panic_of(|| lazy.get_blocking()).contains("is poisoned"));
    }
}

#[test]
#[cfg(any(debug_assertions, feature = "deadlock-detection"))]
fn a_future_that_blocks_its_thread_for_its_own_lazy_is_reported() {
    for kind in kinds() {
        let lazy = kind.naming_itself(|own| async move { *own.lazy().get_blocking() });
        let message = panic_of(|| lazy.get_blocking());
        assert!(message.contains("awaits its own"), "{message}");
    }
}
