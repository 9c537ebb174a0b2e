//! The executor of this package runs the scenarios of `scenarios.rs`, after a function outside any task has initialized a
//! cell.

#![no_std]
#![no_main]

use core::pin::pin;

use oncelot::{InitializingError, OnceCell};
use oncelot_firmware_example::{board::entry, executor, report, scenarios, succeed};

/// How many ticks of the clock are a second.
static TICKS: OnceCell<u32> = OnceCell::new();

/// Configures the clock, unless that was done before.
fn init() -> Result<u32, InitializingError> {
    let configure = || {
        assert_eq!(init(), Err(InitializingError), "the clock is being configured");
        12_000_000
    };
    TICKS.try_get_or_init(configure).copied()
}

#[entry]
fn main() -> ! {
    assert_eq!(init(), Ok(12_000_000));
    assert_eq!(init(), Ok(12_000_000));
    report!("  a function that is no task initialized a cell");
    let mut tasks = [
        pin!(scenarios::run(0)),
        pin!(scenarios::run(1)),
        pin!(scenarios::run(2)),
        pin!(scenarios::run(3)),
    ];
    executor::run(&mut tasks, || {
        panic!("all tasks are asleep, and no waker is left to wake them")
    });
    succeed()
}
