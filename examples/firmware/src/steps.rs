//! Steps instead of time: a task yields to others, and does not wait forever.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use embassy_futures::yield_now;

/// The tasks that [`meet`].
pub const ROLES: u32 = 4;

/// More turns than anything in here takes.
const PATIENCE: u32 = 10_000;

/// Lets the others run `turns` times.
pub async fn turns(turns: u32) {
    for _ in 0..turns {
        yield_now().await;
    }
}

/// Lets the others run until `condition` holds.
///
/// # Panics
///
/// Panics if the condition never holds: the task that should have established it was not woken.
pub async fn until(condition: impl Fn() -> bool) {
    for _ in 0..PATIENCE {
        if condition() {
            return;
        }
        yield_now().await;
    }
    panic!("{PATIENCE} turns later, a task is still asleep");
}

/// Raised by one task, so that others know how far it has come.
pub struct Flag(AtomicBool);

impl Flag {
    #[allow(clippy::new_without_default, reason = "for statics")]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Lets the others run until one of them has raised the flag.
    pub async fn raised(&self) {
        until(|| self.is_raised()).await;
    }
}

/// Waits for all roles to come here.
pub async fn meet() {
    static ARRIVED: AtomicU32 = AtomicU32::new(0);
    let arrived = add_one(&ARRIVED);
    let all = arrived.next_multiple_of(ROLES);
    until(|| ARRIVED.load(Ordering::Relaxed) >= all).await;
}

/// Not for interrupt handlers: a load and a store, as not every target has more.
pub fn add_one(count: &AtomicU32) -> u32 {
    let new = count.load(Ordering::Relaxed) + 1;
    count.store(new, Ordering::Relaxed);
    new
}
