//! The primitives of `core`, `std` and `portable-atomic`.

pub(crate) use core::sync::atomic::Ordering;

#[cfg(not(feature = "portable-atomic"))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8};

#[cfg(feature = "portable-atomic")]
pub(crate) use portable_atomic::{AtomicBool, AtomicPtr, AtomicU8};

#[cfg(feature = "tracing")]
pub(crate) use core::sync::atomic::AtomicU32;

#[cfg(all(feature = "std", not(feature = "critical-section")))]
pub(crate) use std::thread::yield_now;

#[cfg(not(any(feature = "std", feature = "critical-section")))]
pub(crate) use core::hint::spin_loop as yield_now;

#[cfg(feature = "std")]
pub(crate) use std::sync::Arc;

#[cfg(feature = "blocking")]
pub(crate) use parking::pair as parker;

pub(crate) use super::unsafe_cell::UnsafeCell;
