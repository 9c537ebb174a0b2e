//! Measures the time and the allocations of a piece of code.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

thread_local! {
    /// Counted per thread and without atomics, so that a crate which allocates does not pay for
    /// being watched.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Less what was given back.
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The system's allocator, with a count of its allocations.
struct Counting;

fn count_allocation(size: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    count_bytes(size as i64);
}

fn count_bytes(bytes: i64) {
    BYTES.set(BYTES.get() + bytes);
}

// SAFETY: every method passes its arguments on to `System`, which keeps the contract. Counting
// neither allocates nor unwinds: the counters are initialized at compile time and have no destructors.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocation(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_allocation(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count_allocation(new_size);
        count_bytes(-(layout.size() as i64));
        // SAFETY: the caller keeps the contract of `realloc`; `block` came from `System`.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count_bytes(-(layout.size() as i64));
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
    bytes: i64,
}

impl Cost {
    pub(crate) fn of(parts: usize, work: impl FnOnce()) -> Self {
        let (allocations, bytes) = (ALLOCATIONS.get(), BYTES.get());
        let mut work = Some(work);
        let mut work = || work.take().expect("the work is run once")();
        let start = Instant::now();
        measured_work(&mut work);
        let elapsed = start.elapsed();
        Self {
            parts,
            elapsed,
            allocations: ALLOCATIONS.get() - allocations,
            bytes: BYTES.get() - bytes,
        }
    }

    /// Returns how many parts there were.
    pub(crate) fn parts(self) -> f64 {
        self.parts as f64
    }

    pub(crate) fn nanoseconds_each(self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.parts as f64
    }

    /// The allocations of all parts together.
    pub(crate) fn allocations(self) -> f64 {
        self.allocations as f64
    }

    /// Returns the bytes that were allocated and not freed.
    pub(crate) fn bytes_kept(self) -> f64 {
        self.bytes as f64
    }
}

/// Runs the work. The bench `counts` passes this function's name to callgrind, so it is not inlined; and not generic, as
/// the name would then depend on how the compiler mangles type arguments.
#[inline(never)]
fn measured_work(work: &mut dyn FnMut()) {
    work();
    // What comes after the call keeps it from becoming a jump.
    black_box(work);
}
