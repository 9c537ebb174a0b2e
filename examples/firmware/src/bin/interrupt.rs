//! The interrupt handler runs after every instruction in turn, while three tasks use the same cell.
//!
//! In some races, the handler completes a guard of the cell in two interrupts. If it comes first, it claims the cell itself. If a
//! task has claimed the cell, the task passes the guard to the handler. Between the two interrupts, the handler keeps the guard
//! with the first half of the value.

#![no_std]
#![no_main]

use oncelot::OnceCell;
use oncelot_firmware_example::{
    board,
    handler::{self, Account},
    race::{RACES, Race, check},
    report, succeed,
    sweep::{run, sweep},
};

#[board::entry]
fn main() -> ! {
    board::enable_interrupts();
    let mut rounds = 0;
    for race in &RACES {
        rounds += sweep(
            format_args!("{:?}, handler: {:?}", race.parts, race.op),
            |ticks| run_round(race, ticks),
        );
    }
    report!("  {rounds} rounds: no wakeup was lost, and every value and every waker was dropped once");
    succeed()
}

fn run_round(race: &Race, ticks: u32) -> Account {
    let mut cell = OnceCell::new();
    let account = {
        // SAFETY: the tasks end in this block. So does the handler's operation, which leaves no guard behind.
        let cell = unsafe { handler::lend(&cell) };
        run(race.parts.map(|part| part.run_round(cell)), race.op, cell, ticks)
    };
    check(&mut cell, account, race.op);
    account
}
