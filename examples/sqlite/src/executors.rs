//! The executors. Each function spawns all tasks before it waits for the first, and returns their outputs.

use std::num::NonZero;
use std::thread;

use futures_lite::future::{self, Boxed};

pub(crate) type RunAll<T> = fn(Vec<Boxed<T>>) -> anyhow::Result<Vec<T>>;

/// tokio's multi-thread runtime, with one worker for each core.
pub(crate) fn tokio<T: Send + 'static>(tasks: Vec<Boxed<T>>) -> anyhow::Result<Vec<T>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    let tasks: Vec<_> = tasks.into_iter().map(|task| runtime.spawn(task)).collect();
    let outputs: Result<_, _> = tasks.into_iter().map(|task| runtime.block_on(task)).collect();
    Ok(outputs?)
}

/// smol's executor, with one worker for each core.
pub(crate) fn smol<T: Send + 'static>(tasks: Vec<Boxed<T>>) -> anyhow::Result<Vec<T>> {
    let executor = smol::Executor::new();
    let tasks: Vec<_> = tasks.into_iter().map(|task| executor.spawn(task)).collect();
    let (running, stopped) = smol::channel::bounded::<()>(1);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            // The channel carries no message: `recv` returns when `running` is dropped.
            scope.spawn(|| smol::block_on(executor.run(stopped.recv())));
        }
        let outputs = tasks.into_iter().map(smol::block_on).collect();
        drop(running);
        Ok(outputs)
    })
}

/// async-std's global executor, with one worker for each core.
pub(crate) fn async_std<T: Send + 'static>(tasks: Vec<Boxed<T>>) -> anyhow::Result<Vec<T>> {
    let tasks: Vec<_> = tasks.into_iter().map(async_std::task::spawn).collect();
    Ok(tasks.into_iter().map(async_std::task::block_on).collect())
}

/// A thread for each task, which sleeps while the task waits.
pub(crate) fn threads<T: Send + 'static>(tasks: Vec<Boxed<T>>) -> anyhow::Result<Vec<T>> {
    let spawn = |task| thread::Builder::new().spawn(|| future::block_on(task));
    let threads: Vec<_> = tasks.into_iter().map(spawn).collect::<Result<_, _>>()?;
    let join = |thread: thread::JoinHandle<T>| thread.join().expect("a task panicked");
    Ok(threads.into_iter().map(join).collect())
}
