//! The common parts of the programs in `bin`.
//!
//! | program | executor | what it shows |
//! |---|---|---|
//! | `tasks` | embassy | tasks share cells and `lazy!` statics; some are cancelled, some fail, others take over |
//! | `radio` | embassy | the program of the README: one task starts a radio, another one waits for it |
//! | `formatted` | none | a logger gets what `defmt` formats of cells, lazies and errors |
//! | `interrupt` | [`executor`] | an interrupt handler uses the cell of a few tasks, after every instruction in turn |
//! | `interrupt_static` | [`executor`] | the same handler wakes the future of a static that the tasks wait for |
//! | `interrupt_tasks` | embassy | the handler uses the cell, and wakes the executor from its sleep |

#![no_std]

use embassy_futures::yield_now;

pub mod board;
pub mod tracked;

#[cfg(feature = "critical-section")]
pub mod executor;
#[cfg(feature = "critical-section")]
pub mod handler;
#[cfg(feature = "critical-section")]
pub mod race;
#[cfg(feature = "critical-section")]
pub mod sweep;

/// Prints what has been checked.
#[macro_export]
macro_rules! report {
    ($($text:tt)*) => { ::semihosting::println!($($text)*) };
}

/// Lets the other tasks run `turns` times.
pub async fn turns(turns: u32) {
    for _ in 0..turns {
        yield_now().await;
    }
}

/// Ends the program, and reports success to QEMU. A panic reports failure.
pub fn succeed() -> ! {
    semihosting::process::exit(0)
}
