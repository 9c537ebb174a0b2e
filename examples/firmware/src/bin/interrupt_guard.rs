//! The interrupt handler completes a guard of a cell in two interrupts. It comes after every instruction in turn, while three
//! tasks use the cell.
//!
//! If the handler comes first, it claims the cell itself. If a task has claimed the cell, the task passes the guard to the
//! handler. Between the two interrupts, the handler keeps the guard with the first half of the value.

#![no_std]
#![no_main]

use core::pin::pin;

use embassy_futures::select::select;
use oncelot::OnceCell;
use oncelot_firmware_example::{
    board, executor,
    handler::{self, Account, BROUGHT, HandlerOp},
    race::check,
    report,
    steps::turns,
    succeed,
    sweep::{run, sweep},
    tracked::Tracked,
};

/// What one task does.
#[derive(Debug, Clone, Copy)]
enum Part {
    Waits,
    /// Claims the cell and passes the guard to the handler, or gets the value.
    Claims,
    /// Claims the cell, and drops the guard some turns later.
    GivesUp,
    /// Is cancelled while it waits for the value or the claim.
    StopsClaiming,
}

const CASTS: [[Part; 3]; 5] = {
    use Part::*;
    [
        [Claims, Waits, Waits],
        [Claims, Claims, StopsClaiming],
        [GivesUp, Claims, Waits],
        [GivesUp, StopsClaiming, Claims],
        [Waits, GivesUp, GivesUp],
    ]
};

#[board::entry]
fn main() -> ! {
    board::enable_interrupts();
    let mut rounds = 0;
    for parts in CASTS {
        rounds += sweep(format_args!("a guard, {parts:?}"), |ticks| {
            run_round(parts, ticks)
        });
    }
    report!("  {rounds} rounds: the handler completed the guard, and no wakeup was lost");
    succeed()
}

fn run_round(parts: [Part; 3], ticks: u32) -> Account {
    let mut cell = OnceCell::new();
    let account = {
        // SAFETY: the tasks end in this block. So does the handler's operation, which leaves no guard behind: it ends when the
        // handler has set the value.
        let cell = unsafe { handler::lend(&cell) };
        let [a, b, c] = parts;
        let mut tasks = [
            pin!(a.run_round(cell)),
            pin!(b.run_round(cell)),
            pin!(c.run_round(cell)),
        ];
        handler::set_at_rest(false);
        handler::send(HandlerOp::Receive, cell, ticks);
        run(&mut tasks)
    };
    assert!(account.is_accepted, "the handler alone sets the value");
    check(&mut cell, account, HandlerOp::Receive);
    assert_eq!(executor::WAKERS.get(), 0, "every waker is dropped, once");
    account
}

impl Part {
    /// Ends when this task is done with the cell.
    async fn run_round(self, cell: &'static OnceCell<Tracked>) {
        let value = match self {
            Self::Waits => cell.wait().await,
            Self::Claims => match cell.get_or_claim().await {
                Ok(value) => value,
                Err(guard) => {
                    handler::pass(guard);
                    cell.wait().await
                }
            },
            Self::GivesUp => match cell.get_or_claim().await {
                Ok(value) => value,
                Err(_guard) => return turns(2).await,
            },
            Self::StopsClaiming => {
                select(cell.get_or_claim(), turns(3)).await;
                return;
            }
        };
        assert_eq!(value.value(), BROUGHT);
    }
}
