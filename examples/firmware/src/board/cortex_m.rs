//! Cortex-M: SysTick, which counts the processor's cycles.

use cortex_m::peripheral::{SCB, SYST, syst::SystClkSource};
pub use cortex_m_rt::entry;
use cortex_m_rt::{ExceptionFrame, exception};

fn timer() -> SYST {
    // SAFETY: the programs touch SysTick here only, and the handler not while a task does: it is stopped then.
    unsafe { cortex_m::Peripherals::steal() }.SYST
}

/// Lets interrupts come at all, as they do from the start.
pub fn enable_interrupts() {}

/// Lets the interrupt come in `ticks` cycles.
pub fn start_timer(ticks: u32) {
    let mut timer = timer();
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(ticks);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
}

pub fn stop_timer() {
    let mut timer = timer();
    timer.disable_interrupt();
    timer.disable_counter();
    // It may have run out again since the handler was entered.
    SCB::clear_pendst();
}

#[cfg(feature = "critical-section")]
#[exception]
fn SysTick() {
    crate::handler::on_timer();
}

// SAFETY: it prints, and does not return.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    panic!("hard fault at {:#x}", frame.pc());
}
