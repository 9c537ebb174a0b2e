//! A model of initializers that run as tasks of their own.

use std::sync::Arc;

use shuttle::{future::block_on, thread};

use super::support::{Failed, Modelled, cast, choose, in_many_orders, poll_times};
use crate::{
    OnceCell,
    runtime::{OnceCellExt, Runtime},
};

/// A thread for each task.
struct Threads;

impl Runtime for Threads {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        self.spawn_blocking(|| block_on(task));
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        thread::spawn(work);
    }
}

/// Four callers have tasks initialize, which may fail; some callers go before that. All get the one value.
pub(super) fn callers_may_go_while_their_tasks_initialize<B: Modelled>() {
    in_many_orders::<B>(|stage| {
        let cell = Arc::new(OnceCell::<usize, B>::with_backend());
        let shared = cell.clone();
        let on_stage = stage.clone();
        let seen = cast(4, move |player| {
            let start = |outcome| {
                let stage = on_stage.clone();
                let init = move || async move { stage.initialize(1, outcome).await };
                shared.get_or_try_init_spawned(Threads, init)
            };
            match choose(3) {
                0 => drop(poll_times(start(Err(Failed)), 1 + choose(3))),
                1 => drop(block_on(start(Err(Failed)))),
                _ => (),
            }
            *block_on(start(Ok(player))).unwrap()
        });
        let value = *cell.get().expect("there is a value");
        assert_eq!(seen, [value; 4]);
    });
}
