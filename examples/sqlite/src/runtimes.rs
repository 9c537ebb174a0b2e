//! Four executors behind one trait.

use std::io;
use std::num::NonZero;
use std::thread;

use crate::block_on::block_on;

pub(crate) trait Runtime {
    const NAME: &'static str;

    /// Spawns every future as a task of its own and returns their outputs.
    fn run_all<F>(futures: impl Iterator<Item = F>) -> io::Result<Vec<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static;
}

/// tokio's multi-thread runtime, one worker per core.
#[derive(Debug)]
pub(crate) struct Tokio;

/// smol's executor, one worker per core.
#[derive(Debug)]
pub(crate) struct Smol;

/// async-std's global executor, one worker per core.
#[derive(Debug)]
pub(crate) struct AsyncStd;

/// A plain thread for each task, which calls the hand-written [`block_on`].
#[derive(Debug)]
pub(crate) struct Threads;

impl Runtime for Tokio {
    const NAME: &'static str = "tokio";

    fn run_all<F>(futures: impl Iterator<Item = F>) -> io::Result<Vec<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
        let tasks: Vec<_> = futures.map(|future| runtime.spawn(future)).collect();
        runtime.block_on(async {
            let mut outputs = Vec::with_capacity(tasks.len());
            for task in tasks {
                outputs.push(task.await?);
            }
            Ok(outputs)
        })
    }
}

impl Runtime for Smol {
    const NAME: &'static str = "smol";

    fn run_all<F>(futures: impl Iterator<Item = F>) -> io::Result<Vec<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let executor = smol::Executor::new();
        let tasks: Vec<_> = futures.map(|future| executor.spawn(future)).collect();
        let (running, stopped) = smol::channel::bounded::<()>(1);
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            for _ in 0..workers {
                // The channel's only message is that it is closed.
                scope.spawn(|| smol::block_on(executor.run(stopped.recv())));
            }
            let outputs = smol::block_on(join_all(tasks));
            drop(running);
            Ok(outputs)
        })
    }
}

impl Runtime for AsyncStd {
    const NAME: &'static str = "async-std";

    fn run_all<F>(futures: impl Iterator<Item = F>) -> io::Result<Vec<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let tasks: Vec<_> = futures.map(async_std::task::spawn).collect();
        Ok(async_std::task::block_on(join_all(tasks)))
    }
}

impl Runtime for Threads {
    const NAME: &'static str = "block_on";

    fn run_all<F>(futures: impl Iterator<Item = F>) -> io::Result<Vec<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        const STACK_BYTES: usize = 256 << 10;
        let spawn = |future| {
            thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn(move || block_on(future))
        };
        let threads: Vec<_> = futures.map(spawn).collect::<io::Result<_>>()?;
        let join = |thread: thread::JoinHandle<_>| thread.join().expect("a task panicked");
        Ok(threads.into_iter().map(join).collect())
    }
}

/// Waits for tasks that run already.
async fn join_all<T>(tasks: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut outputs = Vec::with_capacity(tasks.len());
    for task in tasks {
        outputs.push(task.await);
    }
    outputs
}
