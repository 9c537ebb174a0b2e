//! Measures the time and the allocations of a piece of code.

#[path = "../../tests/util/counting.rs"]
mod counting;

use std::hint::black_box;
use std::time::Instant;

use counting::ALLOCATIONS;

/// The cost of a number of equal parts of work together.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) parts: f64,
    pub(crate) nanoseconds: f64,
    pub(crate) allocations: f64,
    /// How many waiters were woken, where that is counted.
    pub(crate) woken: f64,
}

impl Cost {
    pub(crate) fn of(parts: usize, work: impl FnOnce()) -> Self {
        let allocations = ALLOCATIONS.get();
        let mut work = Some(work);
        let mut work = || work.take().expect("the work is run once")();
        let start = Instant::now();
        measured_work(&mut work);
        let elapsed = start.elapsed();
        Self {
            parts: parts as f64,
            nanoseconds: elapsed.as_nanos() as f64,
            allocations: (ALLOCATIONS.get() - allocations) as f64,
            woken: 0.0,
        }
    }

    pub(crate) fn nanoseconds_each(self) -> f64 {
        self.nanoseconds / self.parts
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
