//! The interrupt handler. It performs one operation at a time on the cell that the tasks use.

use core::{
    cell::Cell,
    future::Future,
    pin::pin,
    ptr,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Waker},
};

use critical_section::Mutex;
use embassy_futures::yield_now;
use oncelot::{InitGuard, OnceCell, SetError, State};

use crate::{board, tracked::Tracked};

/// The value that the handler brings.
pub const BROUGHT: u32 = READINGS[0] + READINGS[1];

/// What a converter measures, one reading for each interrupt. Their sum is the value.
const READINGS: [u32; 2] = [3, 4];

/// The interrupts of the converter are that many ticks of the timer apart: tasks run in between.
const CONVERSION: u32 = 200;

/// How long the tasks may take after the handler has come, in ticks of the timer: a hundred times what they need.
const PATIENCE: u32 = 1_000_000;

/// What the handler does with the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandlerOp {
    Set,
    TryInsert,
    /// Starts to wait and to initialize, and gives both up.
    Visit,
    /// Completes a guard in two interrupts: its own, or the one that a task has passed to it.
    Receive,
}

/// What the handler has seen.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    /// Whether the cell took the value that the handler brought.
    pub is_accepted: bool,
    /// What the handler found in the cell before it left.
    pub found: Option<u32>,
    /// Whether all tasks were asleep or done when it came, for the first time.
    pub was_at_rest: bool,
}

struct Order {
    op: HandlerOp,
    cell: &'static OnceCell<Tracked>,
    /// Whether all tasks were asleep or done when the handler came for the first time, if it has to come again.
    was_at_rest: Option<bool>,
}

type Guard = InitGuard<'static, Tracked>;

/// Taken by the handler when it comes.
static ORDER: Mutex<Cell<Option<Order>>> = Mutex::new(Cell::new(None));
/// Put here by the handler before it leaves.
static ACCOUNT: Mutex<Cell<Option<Account>>> = Mutex::new(Cell::new(None));
/// Put here by a task, and taken by the handler.
static PASSED: Mutex<Cell<Option<Guard>>> = Mutex::new(Cell::new(None));
/// What the handler keeps between two interrupts: the guard, and the first reading.
static RECEIVED: Mutex<Cell<Option<(Guard, u32)>>> = Mutex::new(Cell::new(None));
static AT_REST: AtomicBool = AtomicBool::new(false);

/// Lends what tasks and the handler share to all of them.
///
/// # Safety
///
/// The reference is not used after `shared` is cleared.
pub unsafe fn lend<T>(shared: &T) -> &'static T {
    // SAFETY: the caller's promise.
    unsafe { &*ptr::from_ref(shared) }
}

/// Sends the handler to `cell`: it comes after `ticks` of the timer.
pub fn send(op: HandlerOp, cell: &'static OnceCell<Tracked>, ticks: u32) {
    let order = Order {
        op,
        cell,
        was_at_rest: None,
    };
    critical_section::with(|cs| ORDER.borrow(cs).set(Some(order)));
    board::start_timer(ticks);
}

/// Passes a guard to the handler, which completes it.
///
/// # Panics
///
/// Panics if the handler has not taken the guard before.
pub fn pass(guard: Guard) {
    let before = critical_section::with(|cs| PASSED.borrow(cs).replace(Some(guard)));
    assert!(before.is_none(), "a cell has one guard at a time");
}

/// Returns whether the handler has come.
pub fn has_come() -> bool {
    critical_section::with(|cs| ACCOUNT.borrow(cs).get()).is_some()
}

/// Stops the timer, makes the handler forget the cell, and returns what the handler has seen.
pub fn recall() -> Option<Account> {
    board::stop_timer();
    critical_section::with(|cs| {
        ORDER.borrow(cs).set(None);
        ACCOUNT.borrow(cs).take()
    })
}

/// Records for the handler whether all tasks are asleep or done.
pub fn set_at_rest(at_rest: bool) {
    AT_REST.store(at_rest, Ordering::Relaxed);
}

/// The timer's interrupt.
///
/// # Panics
///
/// Panics if the handler has been here already, and the tasks have still not come to their end.
pub(crate) fn on_timer() {
    board::stop_timer();
    let Some(mut order) = critical_section::with(|cs| ORDER.borrow(cs).take()) else {
        panic!("{PATIENCE} ticks after the handler ran, a task is still asleep: a wakeup was lost");
    };
    let was_at_rest = *order
        .was_at_rest
        .get_or_insert_with(|| AT_REST.load(Ordering::Relaxed));
    let Some(is_accepted) = order.op.run(order.cell) else {
        critical_section::with(|cs| ORDER.borrow(cs).set(Some(order)));
        board::start_timer(CONVERSION);
        return;
    };
    let account = Account {
        is_accepted,
        found: order.cell.get().map(Tracked::value),
        was_at_rest,
    };
    critical_section::with(|cs| ACCOUNT.borrow(cs).set(Some(account)));
    board::start_timer(PATIENCE);
}

impl HandlerOp {
    /// Returns whether the cell took the value that the handler brings, or `None` if the handler has to come again.
    fn run(self, cell: &'static OnceCell<Tracked>) -> Option<bool> {
        let is_accepted = match self {
            Self::Set => match cell.set(Tracked::new(BROUGHT)) {
                Ok(()) => true,
                Err(SetError::AlreadyInitializedError(_)) => {
                    assert!(cell.get().is_some(), "the cell is said to be full");
                    false
                }
                Err(SetError::InitializingError(_)) => {
                    assert!(cell.get().is_none(), "the cell is said to be empty");
                    false
                }
            },
            Self::TryInsert => cell.try_insert(Tracked::new(BROUGHT)).is_ok(),
            Self::Visit => {
                let mut waiting = pin!(cell.wait());
                let mut claiming = pin!(cell.get_or_init(async || {
                    yield_now().await;
                    Tracked::new(BROUGHT)
                }));
                let mut cx = Context::from_waker(Waker::noop());
                let _ = waiting.as_mut().poll(&mut cx);
                let _ = claiming.as_mut().poll(&mut cx);
                false
            }
            Self::Receive => {
                if let Some((guard, first)) = critical_section::with(|cs| RECEIVED.borrow(cs).take()) {
                    guard.set(Tracked::new(first + READINGS[1]));
                    return Some(true);
                }
                let passed = critical_section::with(|cs| PASSED.borrow(cs).take());
                match passed.map_or_else(|| cell.try_claim(), Ok) {
                    Ok(guard) => {
                        critical_section::with(|cs| RECEIVED.borrow(cs).set(Some((guard, READINGS[0]))));
                    }
                    // A task has claimed the cell, and has not passed the guard yet.
                    Err(state) => assert_eq!(state, State::Initializing, "the handler alone sets the value"),
                }
                return None;
            }
        };
        Some(is_accepted)
    }
}
