//! How a thread waits for a lock that another thread holds for a bounded number of steps.

/// The number of pauses that spin: the holder of the lock most likely runs on another core and is about to release it.
#[cfg(feature = "std")]
const SPINS: u32 = 64;

/// The number of pauses after those that yield: the holder was preempted and may need this core.
#[cfg(feature = "std")]
const YIELDS: u32 = 64;

/// Pauses before the lock is tried again. `turn` counts the pauses before this one.
///
/// After [`SPINS`] and [`YIELDS`] turns the thread sleeps. A yield lets threads of the same priority run, and never those
/// of a lower one. So a thread of high real-time priority that preempted the holder of the lock on the same core would
/// yield to itself forever.
///
/// Each sleep takes the same short time. Once the holder runs, it needs much less than that to release the lock. A sleep
/// that grew would save processor time only while threads of a priority in between keep the holder from running, and
/// would delay this thread, which is the most urgent one, after they are done.
#[cfg(feature = "std")]
pub(crate) fn back_off(turn: u32) {
    use std::{thread, time::Duration};

    // On that target `thread::sleep` panics or, on the main thread of a browser, traps; and no thread has a priority.
    const CAN_SLEEP: bool = !cfg!(all(target_family = "wasm", target_os = "unknown"));

    if turn < SPINS {
        core::hint::spin_loop();
    } else if turn < SPINS + YIELDS || !CAN_SLEEP {
        thread::yield_now();
    } else {
        thread::sleep(Duration::from_micros(50));
    }
}

/// Pauses before the lock is tried again.
#[cfg(not(feature = "std"))]
pub(crate) fn back_off(_turn: u32) {
    core::hint::spin_loop();
}
