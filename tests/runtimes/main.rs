//! Initializers that run as tasks of their own: one suite for every runtime, and what each has of its own.

#[path = "../util/mod.rs"]
mod util;

mod async_std;
mod generic;
mod suite;
mod tokio;

use std::{sync::LazyLock, thread};

use ::tokio::runtime::Builder;
use async_executor::Executor;
use futures_lite::future;
use oncelot::runtime::{AsyncStd, Runtime, Smol, Tokio};

/// A runtime as a user may have one: an executor on a thread of its own.
enum OneThread {}

static EXECUTOR: LazyLock<Executor<'static>> = LazyLock::new(|| {
    thread::spawn(|| future::block_on(EXECUTOR.run(future::pending::<()>())));
    Executor::new()
});

impl Runtime for OneThread {
    fn spawn<F: Future<Output = ()> + Send + 'static>(task: F) {
        EXECUTOR.spawn(task).detach();
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F) {
        thread::spawn(work);
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        future::block_on(future)
    }
}

/// Makes a module for each runtime, with a test for each function of the suite.
macro_rules! for_each_runtime {
    ($($module:ident: $runtime:ty = $block_on:expr;)*) => {
        suite::for_each_test!(for_each_runtime! { $($module: $runtime = $block_on;)* });
    };
    (@ $tests:tt $($module:ident: $runtime:ty = $block_on:expr;)*) => {$(
        for_each_runtime!(# $module $tests $runtime, $block_on);
    )*};
    (# $module:ident [$($test:ident)*] $runtime:ty, $block_on:expr) => {
        mod $module {
            use super::*;
            $(
                #[test]
                fn $test() {
                    $block_on(suite::$test::<$runtime>());
                }
            )*
        }
    };
}

for_each_runtime! {
    on_tokio: Tokio = Tokio::block_on;
    on_tokio_multi_thread: Tokio = |test| Builder::new_multi_thread().worker_threads(2).build().unwrap().block_on(test);
    on_tokio_current_thread: Tokio = |test| Builder::new_current_thread().build().unwrap().block_on(test);
    on_async_std: AsyncStd = AsyncStd::block_on;
    on_smol: Smol = Smol::block_on;
    on_a_runtime_of_our_own: OneThread = OneThread::block_on;
}
