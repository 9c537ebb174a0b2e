//! The code of the tasks while the interrupt handler uses their cell.

use core::{
    future::{Future, pending},
    pin::pin,
    ptr,
    task::{Context, Poll, Waker},
};

use embassy_futures::{select::select, yield_now};
use oncelot::OnceCell;

use crate::{
    handler::{self, Account, BROUGHT, HandlerOp},
    tracked::{Tracked, alive},
    turns,
};

/// What one task does.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Waits,
    /// Waits in one task and then in another, as a future does that moves between executors.
    Moves,
    Initializes,
    Inserts,
    /// Its initializer ends with an error.
    Fails,
    /// Is cancelled while it waits for the value.
    StopsWaiting,
    /// Is cancelled while it initializes, or waits to.
    StopsInitializing,
    /// Claims the cell and passes the guard to the handler, or gets the value.
    Claims,
    /// Claims the cell, and drops the guard some turns later.
    GivesUp,
    /// Is cancelled while it waits for the value or the claim.
    StopsClaiming,
}

pub struct Race {
    pub parts: [Part; 3],
    pub op: HandlerOp,
}

/// In each of them, the task or the handler fills the cell. The handler alone completes guards.
pub const RACES: [Race; 14] = {
    use HandlerOp::*;
    use Part::*;
    [
        race([Waits, Waits, StopsWaiting], Set),
        race([Waits, StopsWaiting, Waits], TryInsert),
        race([StopsWaiting, Moves, Waits], Set),
        race([Initializes, Initializes, Moves], Set),
        race([StopsInitializing, Inserts, Waits], TryInsert),
        race([Fails, Inserts, StopsWaiting], Set),
        race([Initializes, StopsInitializing, Waits], Visit),
        race([Fails, StopsWaiting, Inserts], Visit),
        race([StopsInitializing, StopsInitializing, Initializes], Visit),
        race([Claims, Waits, Waits], Receive),
        race([Claims, Claims, StopsClaiming], Receive),
        race([GivesUp, Claims, Waits], Receive),
        race([GivesUp, StopsClaiming, Claims], Receive),
        race([Waits, GivesUp, GivesUp], Receive),
    ]
};

const fn race(parts: [Part; 3], op: HandlerOp) -> Race {
    Race { parts, op }
}

impl Part {
    /// Ends when this task is done with the cell.
    pub async fn run_round(self, cell: &'static OnceCell<Tracked>) {
        let value = match self {
            Self::Waits => cell.wait().await,
            Self::Moves => moving(cell.wait()).await,
            Self::Initializes => cell.get_or_init(make).await,
            Self::Inserts => match cell.insert(Tracked::new(2)).await {
                Ok(value) | Err((value, _)) => value,
            },
            Self::Fails => {
                let fail = async || {
                    let _held = make().await;
                    Err(())
                };
                let _ = cell.get_or_try_init(fail).await;
                return;
            }
            Self::StopsWaiting => {
                select(cell.wait(), turns(2)).await;
                return;
            }
            Self::StopsInitializing => {
                let never_end = async || {
                    let _held = make().await;
                    pending::<Tracked>().await
                };
                select(cell.get_or_init(never_end), turns(3)).await;
                return;
            }
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
        assert!(
            cell.get().is_some_and(|now| ptr::eq(value, now)),
            "{self:?} saw a value that is not the cell's"
        );
    }
}

/// Polls with a waker that wakes no task, and from the next turn on with the task's own.
async fn moving<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => {
            yield_now().await;
            future.await
        }
    }
}

async fn make() -> Tracked {
    yield_now().await;
    Tracked::new(1)
}

/// Checks the counts after all tasks are done, and drops the cell.
///
/// # Panics
///
/// Panics if what the handler saw was not so.
pub fn check(cell: &mut OnceCell<Tracked>, account: Account, op: HandlerOp) {
    let value = cell.take().expect("the task or the handler has filled the cell");
    assert!(
        (1..=2).contains(&value.value()) || value.value() == BROUGHT,
        "no such value"
    );
    if let Some(found) = account.found {
        assert_eq!(
            found,
            value.value(),
            "the handler found a value that was not to stay"
        );
    }
    assert!(
        !account.is_accepted || account.found.is_some(),
        "the cell took a value and is empty"
    );
    if op != HandlerOp::Visit {
        assert_eq!(
            account.is_accepted,
            value.value() == BROUGHT,
            "the handler got another result"
        );
    }
    if op == HandlerOp::Receive {
        assert!(account.is_accepted, "the handler alone sets the value");
    }
    drop(value);
    assert_eq!(alive(), 0, "every value is dropped");
}
