//! Drop counters that must return to zero, for tasks and interrupt handlers.

use core::cell::Cell;

use critical_section::Mutex;

/// A count of live objects.
pub struct Count(Mutex<Cell<i32>>);

impl Count {
    #[allow(clippy::new_without_default, reason = "for statics")]
    pub const fn new() -> Self {
        Self(Mutex::new(Cell::new(0)))
    }

    pub fn get(&self) -> i32 {
        critical_section::with(|cs| self.0.borrow(cs).get())
    }

    pub fn add(&self, change: i32) {
        critical_section::with(|cs| {
            let count = self.0.borrow(cs);
            count.set(count.get() + change);
        });
    }
}

static ALIVE: Count = Count::new();

/// A value that counts as alive until it is dropped.
#[derive(Debug)]
pub struct Tracked(u32);

/// What a dropped value is left with, so that dropping it again is seen.
const DROPPED: u32 = 0xdead_dead;

impl Tracked {
    pub fn new(value: u32) -> Self {
        ALIVE.add(1);
        Self(value)
    }

    pub fn value(&self) -> u32 {
        self.0
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        assert!(self.0 != DROPPED, "a value was dropped twice");
        self.0 = DROPPED;
        ALIVE.add(-1);
    }
}

/// Returns how many values there are.
pub fn alive() -> i32 {
    ALIVE.get()
}
