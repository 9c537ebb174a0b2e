//! What a stretch of code costs: time, and allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    /// Counted per thread and without atomics, so that a crate which allocates does not pay for
    /// being watched.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The system's allocator, counting what it hands out.
struct Counting;

fn count_allocation() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every method passes its arguments on to `System`, which keeps the contract. Counting
// neither allocates nor unwinds: the counter is initialized at compile time and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocation();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_allocation();
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count_allocation();
        // SAFETY: the caller keeps the contract of `realloc`; `block` came from `System`.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`; `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// What some equal parts of work have cost.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    parts: usize,
    elapsed: Duration,
    allocations: u64,
}

impl Cost {
    pub(crate) fn of(parts: usize, work: impl FnOnce()) -> Self {
        let allocations = ALLOCATIONS.get();
        let start = Instant::now();
        work();
        let elapsed = start.elapsed();
        let allocations = ALLOCATIONS.get() - allocations;
        Self {
            parts,
            elapsed,
            allocations,
        }
    }

    pub(crate) fn nanoseconds_each(self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.parts as f64
    }

    /// The allocations of all parts together.
    pub(crate) fn allocations(self) -> f64 {
        self.allocations as f64
    }
}
