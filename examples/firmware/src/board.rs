//! The processor: its startup code, and a one-shot timer interrupt.

#[cfg_attr(target_arch = "arm", path = "board/cortex_m.rs")]
#[cfg_attr(target_arch = "riscv32", path = "board/riscv.rs")]
mod processor;

pub use self::processor::{enable_interrupts, entry, start_timer, stop_timer};
