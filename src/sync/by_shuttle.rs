//! shuttle's primitives. Every operation on its atomics is a scheduling point, and is sequentially consistent.

#[cfg(feature = "alloc")]
pub(crate) use shuttle::sync::Arc;
pub(crate) use shuttle::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

#[cfg(feature = "atomic-waker")]
pub(crate) use shuttle::sync::atomic::AtomicBool;

pub(crate) use super::unsafe_cell::UnsafeCell;

/// Loads a pointer that no other thread stores at the same time.
///
/// # Safety
///
/// Every store to the pointer happens before this load, or after it.
pub(crate) unsafe fn unsync_load<T>(pointer: &AtomicPtr<T>) -> *mut T {
    pointer.load(Ordering::Relaxed)
}

pub(crate) fn back_off(_turn: u32) {
    shuttle::thread::yield_now();
}

#[cfg(feature = "blocking")]
pub(super) use shuttle::thread;

#[cfg(feature = "blocking")]
pub(super) use self::notify::Notify;

#[cfg(feature = "blocking")]
#[path = "shuttle_notify.rs"]
mod notify;
