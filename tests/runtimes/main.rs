//! Initializers that run as tasks of their own: one suite for every runtime, and what each has of its own.

#[path = "../util/mod.rs"]
mod util;

mod async_std;
mod generic;
mod one_thread;
mod suite;
mod tokio;

use ::tokio::runtime::Builder;
use oncelot::runtime::{AsyncStd, Runtime, Smol, Tokio};

use self::one_thread::OneThread;

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
