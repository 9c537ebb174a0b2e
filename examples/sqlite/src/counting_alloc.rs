//! The system's allocator, with a counter that a thread enables for the duration of a call.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

struct CountingAllocator;

thread_local! {
    // Both are initialized at compile time and have no destructor, so that reaching them never
    // allocates and works as long as the thread runs.
    static COUNTING: Cell<bool> = const { Cell::new(false) };
    static COUNTED: Cell<usize> = const { Cell::new(0) };
}

/// Calls `f` and returns how many allocations this thread made in it, up to the first call of [`stop`].
pub(crate) fn count_in<R>(f: impl FnOnce() -> R) -> (R, usize) {
    COUNTED.set(0);
    COUNTING.set(true);
    let result = f();
    COUNTING.set(false);
    (result, COUNTED.get())
}

/// Makes the innermost [`count_in`] on this thread count no further.
pub(crate) fn stop() {
    COUNTING.set(false);
}

fn note_allocation() {
    if COUNTING.get() {
        COUNTED.set(COUNTED.get() + 1);
    }
}

// SAFETY: every method hands its arguments to `System` and returns what `System` returned; the
// counter neither allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note_allocation();
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note_allocation();
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note_allocation();
        // SAFETY: as above; `block` came from `System`, as every block does.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; `block` came from `System`, as every block does.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn every_kind_of_allocation_counts() {
        let (_, count) = count_in(|| {
            let boxed = black_box(Box::new(1));
            let zeroed = black_box(vec![0; 100]);
            let mut grown = black_box(Vec::<u8>::with_capacity(1));
            grown.reserve_exact(black_box(100));
            (boxed, zeroed, grown)
        });
        assert_eq!(count, 4);
    }

    #[test]
    fn nothing_counts_before_after_or_once_stopped() {
        drop(black_box(Box::new(1)));
        let (_, count) = count_in(|| {
            stop();
            black_box(Box::new(1))
        });
        drop(black_box(Box::new(1)));
        assert_eq!((count, COUNTED.get()), (0, 0));
    }
}
