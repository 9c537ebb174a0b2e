//! A minimal allocator, which never frees.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::{Cell, UnsafeCell},
    ptr,
};

use critical_section::Mutex;

const CAPACITY: usize = 1024;

#[repr(align(8))]
struct Arena(UnsafeCell<[u8; CAPACITY]>);

// SAFETY: every byte of it is given to one caller, once.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(UnsafeCell::new([0; CAPACITY]));
static USED: Mutex<Cell<usize>> = Mutex::new(Cell::new(0));

struct Bump;

// SAFETY: the pieces are aligned as asked for, up to the arena's own alignment, and do not overlap.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        critical_section::with(|cs| {
            let used = USED.borrow(cs);
            let start = used.get().next_multiple_of(layout.align());
            if layout.align() > align_of::<Arena>() || CAPACITY.saturating_sub(start) < layout.size() {
                return ptr::null_mut();
            }
            used.set(start + layout.size());
            ARENA.0.get().cast::<u8>().wrapping_add(start)
        })
    }

    unsafe fn dealloc(&self, _start: *mut u8, _layout: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump;
