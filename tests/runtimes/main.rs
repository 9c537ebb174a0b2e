//! Spawned initializers: one suite for every runtime, and tests for each runtime.

#[path = "../util/mod.rs"]
mod util;

mod async_std;
mod generic;
mod one_thread;
mod suite;
mod thread_locals;
mod tokio;

use std::{sync::LazyLock, thread};

use ::tokio::runtime::{self, Builder};
use futures_lite::future;
use oncelot::runtime::{AsyncStd, Smol, Tokio};

use self::one_thread::OneThread;

/// A runtime that no test is in.
static TOKIO: LazyLock<runtime::Runtime> = LazyLock::new(multi_thread);

/// An executor with a thread of its own.
static SMOL: LazyLock<smol::Executor<'static>> = LazyLock::new(|| {
    thread::spawn(|| future::block_on(SMOL.run(future::pending::<()>())));
    smol::Executor::new()
});

fn current_thread() -> runtime::Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn multi_thread() -> runtime::Runtime {
    Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

/// Makes a module for each runtime, with a test for each function of the suite.
macro_rules! for_each_runtime {
    ($($module:ident: $runtime:expr, $block_on:expr;)*) => {
        suite::for_each_test!(for_each_runtime! { $($module: $runtime, $block_on;)* });
    };
    (@ $tests:tt $($module:ident: $runtime:expr, $block_on:expr;)*) => {$(
        for_each_runtime!(# $module $tests $runtime, $block_on);
    )*};
    (# $module:ident [$($test:ident)*] $runtime:expr, $block_on:expr) => {
        mod $module {
            use super::*;
            $(
                #[test]
                fn $test() {
                    $block_on(suite::$test($runtime));
                }
            )*
        }
    };
}

for_each_runtime! {
    on_tokio_multi_thread: Tokio, |test| multi_thread().block_on(test);
    on_tokio_current_thread: Tokio, |test| current_thread().block_on(test);
    on_a_handle_of_tokio: TOKIO.handle().clone(), future::block_on;
    on_a_handle_of_another_tokio: TOKIO.handle().clone(), |test| current_thread().block_on(test);
    on_a_handle_of_tokio_in_a_task_of_smol: TOKIO.handle().clone(), smol::block_on;
    on_a_reference_to_a_handle_of_tokio: TOKIO.handle(), future::block_on;
    on_async_std: AsyncStd, ::async_std::task::block_on;
    on_smol: Smol, smol::block_on;
    on_smol_in_a_task_of_tokio: Smol, |test| multi_thread().block_on(test);
    on_a_static_executor_of_smol: &*SMOL, future::block_on;
    on_a_runtime_of_our_own: &OneThread, future::block_on;
}
