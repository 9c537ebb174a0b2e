//! The primitives of `core`, `std` and `portable-atomic`.

pub(crate) use core::sync::atomic::Ordering;

pub(crate) use super::unsafe_cell::UnsafeCell;

#[cfg(not(feature = "portable-atomic"))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8};

#[cfg(feature = "portable-atomic")]
pub(crate) use portable_atomic::{AtomicBool, AtomicPtr, AtomicU8};

#[cfg(feature = "tracing")]
pub(crate) use core::sync::atomic::AtomicU32;

#[cfg(not(feature = "critical-section"))]
pub(crate) use self::backoff::back_off;

#[cfg(not(feature = "critical-section"))]
#[path = "backoff.rs"]
mod backoff;

#[cfg(feature = "std")]
pub(crate) use std::sync::Arc;

#[cfg(feature = "blocking")]
pub(crate) use parking::pair as parker;

#[cfg(feature = "blocking")]
pub(crate) fn is_past(deadline: std::time::Instant) -> bool {
    std::time::Instant::now() >= deadline
}
