//! The interrupt handler comes after every instruction in turn, while three tasks use the same cell.
//!
//! Each round has a fresh cell, and the handler comes a tick later than in the round before; a contest is over
//! when it comes too late to interrupt anybody. With a timer that ticks no slower than instructions are executed
//! (see `.cargo/config.toml`), it has come between any two of them then.

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
};

/// As many rounds in which the handler interrupts nobody end a contest.
const LATE_ROUNDS: u32 = 8;

/// More rounds than any contest takes.
const PATIENCE: u32 = 100_000;

#[board::entry]
fn main() -> ! {
    board::enable_interrupts();
    let mut rounds = 0;
    for contest in &CONTESTS {
        rounds += sweep(contest);
    }
    report!("  {rounds} rounds: no wakeup was lost, and every value and every waker was dropped once");
    succeed()
}

/// Plays one contest until the handler comes too late. Tells how many rounds that took.
fn sweep(contest: &Contest) -> u32 {
    let (mut rounds, mut late, mut accepted) = (0, 0, 0);
    while late < LATE_ROUNDS {
        rounds += 1;
        assert!(rounds < PATIENCE, "the handler never comes too late");
        let account = play(contest, rounds);
        late = if account.was_at_rest { late + 1 } else { 0 };
        accepted += u32::from(account.is_accepted);
    }
    assert!(
        rounds > 50 * LATE_ROUNDS,
        "the handler has hardly ever interrupted anybody"
    );
    report!(
        "  {:?}, handler: {:?}: {rounds} rounds, it was the handler's value in {accepted}",
        contest.parts,
        contest.errand
    );
    rounds
}

fn play(contest: &Contest, ticks: u32) -> Account {
    let mut cell = OnceCell::new();
    {
        // SAFETY: the tasks end in this block, and the handler is recalled after it.
        let cell = unsafe { handler::lend(&cell) };
        let [a, b, c] = contest.parts;
        let mut tasks = [pin!(a.play(cell)), pin!(b.play(cell)), pin!(c.play(cell))];
        handler::set_at_rest(false);
        handler::send(contest.errand, cell, ticks);

        let mut has_come = false;
        executor::run(&mut tasks, || {
            assert!(
                !has_come,
                "the handler has come, and nobody is awake: a wakeup was lost"
            );
            wait_for_handler();
            has_come = true;
        });
        wait_for_handler();
    }
    let account = handler::recall().expect("it has come");
    check(&mut cell, account, contest.errand);
    assert_eq!(executor::WAKERS.get(), 0, "every waker is dropped, once");
    account
}

fn wait_for_handler() {
    handler::set_at_rest(true);
    while !handler::has_come() {
        core::hint::spin_loop();
    }
    handler::set_at_rest(false);
}
