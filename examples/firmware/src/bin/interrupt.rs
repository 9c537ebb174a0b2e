//! The interrupt handler runs after every instruction in turn, while three tasks use the same cell.

#![no_std]
#![no_main]

use core::pin::pin;

use oncelot::OnceCell;
use oncelot_firmware_example::{
    board, executor,
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
        // SAFETY: the tasks end in this block, and so does the handler's operation.
        let cell = unsafe { handler::lend(&cell) };
        let [a, b, c] = race.parts;
        let mut tasks = [
            pin!(a.run_round(cell)),
            pin!(b.run_round(cell)),
            pin!(c.run_round(cell)),
        ];
        handler::set_at_rest(false);
        handler::send(race.op, cell, ticks);
        run(&mut tasks)
    };
    check(&mut cell, account, race.op);
    assert_eq!(executor::WAKERS.get(), 0, "every waker is dropped, once");
    account
}
