//! Steps instead of time: a task lets others run, and is not let wait for ever.

use embassy_futures::yield_now;

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
/// Panics if it does not come to hold: somebody who should have made it was not woken.
pub async fn until(condition: impl Fn() -> bool) {
    for _ in 0..PATIENCE {
        if condition() {
            return;
        }
        yield_now().await;
    }
    panic!("{PATIENCE} turns later, somebody is still asleep");
}
