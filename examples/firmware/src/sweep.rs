//! Rounds in each of which the interrupt handler runs a tick later, until it runs too late to interrupt the task.
//!
//! If the timer ticks at least once for each instruction (see `.cargo/config.toml`), the handler has then run between
//! any two instructions.

use core::{fmt, future::Future, pin::pin};

use oncelot::OnceCell;

use crate::{
    executor,
    handler::{self, Account, HandlerOp},
    report,
    tracked::Tracked,
};

/// The sweep ends after this many rounds in which the handler interrupts no task.
const LATE_ROUNDS: u32 = 8;

/// More rounds than any sweep takes.
const PATIENCE: u32 = 100_000;

/// Runs rounds, and passes to each when the handler is to run, until it runs too late. Returns the number of rounds.
///
/// # Panics
///
/// Panics if the handler never runs too late, or hardly ever interrupts a task, or if a waker is left after a round.
pub fn sweep(name: fmt::Arguments<'_>, mut run_round: impl FnMut(u32) -> Account) -> u32 {
    let (mut rounds, mut late, mut accepted) = (0, 0, 0);
    while late < LATE_ROUNDS {
        rounds += 1;
        assert!(rounds < PATIENCE, "the handler never comes too late");
        let account = run_round(rounds);
        assert_eq!(executor::WAKERS.get(), 0, "every waker is dropped, once");
        late = if account.was_at_rest { late + 1 } else { 0 };
        accepted += u32::from(account.is_accepted);
    }
    assert!(
        rounds > 50 * LATE_ROUNDS,
        "the handler has hardly ever interrupted a task"
    );
    report!("  {name}: {rounds} rounds, it was the handler's value in {accepted}");
    rounds
}

/// Runs the tasks of a round, and sends the handler to a cell, until they are done and the handler has come.
///
/// # Panics
///
/// Panics if the handler has come, and a task sleeps on.
pub fn run<F: Future<Output = ()>>(
    [a, b, c]: [F; 3],
    op: HandlerOp,
    cell: &'static OnceCell<Tracked>,
    ticks: u32,
) -> Account {
    let mut tasks = [pin!(a), pin!(b), pin!(c)];
    handler::set_at_rest(false);
    handler::send(op, cell, ticks);
    let mut has_come = false;
    executor::run(&mut tasks, || {
        assert!(
            !has_come,
            "the handler has run, and no task is awake: a wakeup was lost"
        );
        wait_for_handler();
        has_come = true;
    });
    wait_for_handler();
    handler::recall().expect("it has come")
}

fn wait_for_handler() {
    handler::set_at_rest(true);
    while !handler::has_come() {
        core::hint::spin_loop();
    }
    handler::set_at_rest(false);
}
