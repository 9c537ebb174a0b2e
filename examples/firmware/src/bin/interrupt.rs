//! The interrupt handler runs after every instruction in turn, while three tasks use the same cell.

#![no_std]
#![no_main]

use core::pin::pin;

use oncelot::OnceCell;
use oncelot_firmware_example::{
    board,
    contest::{CONTESTS, Contest, check},
    executor,
    handler::{self, Account},
    report, succeed,
    sweep::{run, sweep},
};

#[board::entry]
fn main() -> ! {
    board::enable_interrupts();
    let mut rounds = 0;
    for contest in &CONTESTS {
        rounds += sweep(
            format_args!("{:?}, handler: {:?}", contest.parts, contest.errand),
            |ticks| play(contest, ticks),
        );
    }
    report!("  {rounds} rounds: no wakeup was lost, and every value and every waker was dropped once");
    succeed()
}

fn play(contest: &Contest, ticks: u32) -> Account {
    let mut cell = OnceCell::new();
    let account = {
        // SAFETY: the tasks end in this block, and so does the handler's errand.
        let cell = unsafe { handler::lend(&cell) };
        let [a, b, c] = contest.parts;
        let mut tasks = [pin!(a.play(cell)), pin!(b.play(cell)), pin!(c.play(cell))];
        handler::set_at_rest(false);
        handler::send(contest.errand, cell, ticks);
        run(&mut tasks)
    };
    check(&mut cell, account, contest.errand);
    assert_eq!(executor::WAKERS.get(), 0, "every waker is dropped, once");
    account
}
