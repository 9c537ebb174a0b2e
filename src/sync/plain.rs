//! The primitives of `core`, `std` and `portable-atomic`.

pub(crate) use core::sync::atomic::Ordering;

pub(crate) use super::unsafe_cell::UnsafeCell;

#[allow(unused_imports, reason = "`AtomicBool` is for a backend that a feature adds")]
pub(crate) use self::atomics::{AtomicBool, AtomicPtr, AtomicU8};

#[cfg(feature = "tracing")]
pub(crate) use core::sync::atomic::AtomicU32;

/// Loads a pointer that no other thread stores at the same time.
///
/// # Safety
///
/// Every store to the pointer happens before this load, or after it.
#[inline(always)]
pub(crate) unsafe fn unsync_load<T>(pointer: &AtomicPtr<T>) -> *mut T {
    // ORDERING: Relaxed: there is only one value to see, as the caller guarantees.
    pointer.load(Ordering::Relaxed)
}

#[cfg(not(feature = "critical-section"))]
pub(crate) use self::backoff::back_off;

#[cfg(not(feature = "critical-section"))]
#[path = "backoff.rs"]
mod backoff;

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub(crate) use alloc::sync::Arc;

#[cfg(feature = "blocking")]
pub(crate) use parking::pair as parker;

#[cfg(feature = "blocking")]
pub(crate) fn has_elapsed(deadline: std::time::Instant) -> bool {
    std::time::Instant::now() >= deadline
}

#[path = "atomics.rs"]
mod atomics;
