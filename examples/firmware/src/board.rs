//! The processor: how it starts, and a timer whose interrupt comes once.

#[cfg_attr(target_arch = "arm", path = "board/cortex_m.rs")]
#[cfg_attr(target_arch = "riscv32", path = "board/riscv.rs")]
mod processor;

pub use self::processor::{enable_interrupts, entry, start_timer, stop_timer};
