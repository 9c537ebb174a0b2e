//! The interrupt handler runs at varying moments while three embassy tasks use the same cell, and wakes them from the
//! executor's sleep.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use embassy_executor::Spawner;
use oncelot::OnceCell;
use oncelot_firmware_example::{
    board,
    handler::{self, Account},
    race::{Part, RACES, Race, check},
    report, succeed,
    tracked::Tracked,
};

/// The handler comes that much later at most, in ticks of the timer. The tasks rest sooner.
const ROUNDS: u32 = 10_000;

/// What a round's tasks share.
struct Round {
    cell: OnceCell<Tracked>,
    /// How many tasks have still to end. Only tasks write it.
    left: AtomicU32,
    /// Set by the last one.
    is_over: OnceCell<()>,
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    board::enable_interrupts();
    for race in &RACES {
        let mut accepted = 0;
        for ticks in 1..=ROUNDS {
            let account = run_round(spawner, race, ticks).await;
            accepted += u32::from(account.is_accepted);
        }
        report!(
            "  {:?}, handler: {:?}: {ROUNDS} rounds, it was the handler's value in {accepted}",
            race.parts,
            race.op
        );
    }
    report!("  no wakeup was lost, and every value was dropped once");
    succeed()
}

async fn run_round(spawner: Spawner, race: &Race, ticks: u32) -> Account {
    let mut round = Round {
        cell: OnceCell::new(),
        left: AtomicU32::new(race.parts.len() as u32),
        is_over: OnceCell::new(),
    };
    {
        // SAFETY: this task is never cancelled, and continues only after the others have ended the round; the handler
        // is recalled below.
        let round = unsafe { handler::lend(&round) };
        handler::send(race.op, &round.cell, ticks);
        for part in race.parts {
            spawner.spawn(join(part, round).unwrap());
        }
        round.is_over.wait().await;
        while !handler::has_come() {
            core::hint::spin_loop();
        }
    }
    let account = handler::recall().expect("it has come");
    check(&mut round.cell, account, race.op);
    account
}

#[embassy_executor::task(pool_size = 3)]
async fn join(part: Part, round: &'static Round) {
    part.run_round(&round.cell).await;
    let left = round.left.load(Ordering::Relaxed) - 1;
    round.left.store(left, Ordering::Relaxed);
    if left == 0 {
        round.is_over.set(()).expect("one task is the last");
    }
}
