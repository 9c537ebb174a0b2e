//! The interrupt handler wakes the future of a `lazy!` static after every instruction in turn, while three tasks ask for
//! its value.
//!
//! The future waits for a cell, which the handler fills. Unlike a real static, each round creates a new one.

#![no_std]
#![no_main]

use core::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use critical_section::Mutex;
use embassy_futures::{select::select, yield_now};
use oncelot::{
    __private::{FutureStorage, align_of_future, size_of_future},
    OnceCell, StaticLazy,
};
use oncelot_firmware_example::{
    board,
    handler::{self, Account, BROUGHT, HandlerOp},
    report, succeed,
    sweep::{run, sweep},
    tracked::{Tracked, alive},
    turns,
};

/// What one task does.
#[derive(Debug, Clone, Copy)]
enum Part {
    Asks,
    /// Is cancelled, whether it drives the future or not.
    StopsAsking,
    /// Asks, and then waits for the handler, and keeps the future that asks without polling it.
    Holds,
}

const CASTS: [[Part; 3]; 4] = {
    use Part::*;
    [
        [Asks, Asks, Asks],
        [StopsAsking, Asks, Asks],
        [Holds, Asks, StopsAsking],
        [Asks, Holds, Asks],
    ]
};

/// What the future of this round's static waits for.
static BELL: Mutex<Cell<Option<&'static OnceCell<Tracked>>>> = Mutex::new(Cell::new(None));

fn answer() -> impl Future<Output = u32> + Send + 'static {
    let bell = critical_section::with(|cs| BELL.borrow(cs).get()).expect("each round has one");
    async {
        yield_now().await;
        bell.wait().await.value()
    }
}

#[board::entry]
fn main() -> ! {
    board::enable_interrupts();
    let mut rounds = 0;
    for parts in CASTS {
        rounds += sweep(format_args!("a static, {parts:?}"), |ticks| {
            run_round(parts, ticks)
        });
    }
    report!("  {rounds} rounds: the handler woke the future of a static, and no wakeup was lost");
    succeed()
}

fn run_round(parts: [Part; 3], ticks: u32) -> Account {
    let bell = OnceCell::new();
    let place = FutureStorage::<{ size_of_future(answer) }, { align_of_future(answer) }>::new();
    // SAFETY: this function uses it last, behind the static, the tasks and the handler's operation; and so for the others.
    let (bell, place) = unsafe { (handler::lend(&bell), handler::lend(&place)) };
    // SAFETY: the place is this static's alone.
    let lazy = unsafe { StaticLazy::__new(place, answer) };
    // SAFETY: as above.
    let lazy = unsafe { handler::lend(&lazy) };
    critical_section::with(|cs| BELL.borrow(cs).set(Some(bell)));
    let tasks = parts.map(|part| part.run_round(lazy, bell));
    let account = run(tasks, HandlerOp::Set, bell, ticks);
    assert!(account.is_accepted, "no other task wakes it");
    assert_eq!(lazy.try_get(), Some(&BROUGHT));
    assert_eq!(alive(), 1, "what the handler has brought");
    account
}

impl Part {
    async fn run_round(self, lazy: &'static StaticLazy<u32>, bell: &OnceCell<Tracked>) {
        match self {
            Self::Asks => assert_eq!(lazy.get().await, &BROUGHT),
            Self::StopsAsking => {
                select(lazy.get(), turns(3)).await;
            }
            Self::Holds => {
                let mut held = pin!(lazy.get());
                for _ in 0..2 {
                    if poll_fn(|cx| Poll::Ready(held.as_mut().poll(cx))).await.is_ready() {
                        return;
                    }
                    yield_now().await;
                }
                bell.wait().await;
            }
        }
    }
}
