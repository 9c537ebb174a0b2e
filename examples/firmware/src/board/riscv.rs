//! RISC-V: the machine timer of QEMU's `virt`.

use core::ptr;

use riscv::register::{mie, mstatus};
use riscv_rt::TrapFrame;
pub use riscv_rt::entry;

const MTIMECMP_LOW: *mut u32 = 0x0200_4000 as *mut u32;
const MTIMECMP_HIGH: *mut u32 = 0x0200_4004 as *mut u32;
const MTIME_LOW: *const u32 = 0x0200_bff8 as *const u32;

/// Lets interrupts come at all. Not for their handlers.
pub fn enable_interrupts() {
    // SAFETY: the programs call this outside critical sections, when the handler is ready.
    unsafe { mstatus::set_mie() };
}

/// Lets the interrupt come in `ticks` of the timer. It counts no further than 32 bits: about seven minutes.
pub fn start_timer(ticks: u32) {
    // SAFETY: the register is there.
    let now = unsafe { ptr::read_volatile(MTIME_LOW) };
    set_deadline(now + ticks, 0);
    // SAFETY: the handler is there.
    unsafe { mie::set_mtimer() };
}

pub fn stop_timer() {
    // SAFETY: ends what `start_timer` began.
    unsafe { mie::clear_mtimer() };
    set_deadline(u32::MAX, u32::MAX);
}

fn set_deadline(low: u32, high: u32) {
    // The high half goes up first, so that no deadline in between is in the past. SAFETY: the register exists, and no
    // other code uses it.
    unsafe { ptr::write_volatile(MTIMECMP_HIGH, u32::MAX) };
    // SAFETY: as above.
    unsafe { ptr::write_volatile(MTIMECMP_LOW, low) };
    // SAFETY: as above.
    unsafe { ptr::write_volatile(MTIMECMP_HIGH, high) };
}

#[cfg(feature = "critical-section")]
#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineTimer)]
fn machine_timer() {
    crate::handler::on_timer();
}

#[unsafe(export_name = "ExceptionHandler")]
fn exception(_frame: &TrapFrame) -> ! {
    panic!("exception at {:#x}", riscv::register::mepc::read());
}
