//! The common part of all programs: two embassy tasks get a value and use it. Nothing is printed.

#![no_std]

use core::{hint::black_box, panic::PanicInfo};

use cortex_m as _;
use embassy_futures::yield_now;

#[cfg(feature = "alloc")]
mod bump;

#[doc(hidden)]
pub use embassy_executor;

/// Expands to a program of two tasks, each of which gets the value of an expression, which may await.
#[macro_export]
macro_rules! two_tasks {
    ($value:expr) => {
        #[$crate::embassy_executor::main]
        async fn main(spawner: $crate::embassy_executor::Spawner) {
            spawner.spawn(task().unwrap());
            spawner.spawn(task().unwrap());
        }

        #[$crate::embassy_executor::task(pool_size = 2, embassy_executor = $crate::embassy_executor)]
        async fn task() {
            ::core::hint::black_box($value);
        }
    };
}

/// The initializer: it has to wait once.
pub async fn make() -> u32 {
    yield_now().await;
    black_box(42)
}

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    loop {}
}
