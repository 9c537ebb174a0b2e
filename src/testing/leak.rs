//! Leaking on purpose.

use core::pin::Pin;
use std::{
    boxed::Box,
    sync::{Mutex, PoisonError, atomic::AtomicPtr},
    vec::Vec,
};

/// Leaks a pinned box, and stores its address where a leak checker finds it.
pub(super) fn leak<T>(pinned: Pin<Box<T>>) {
    static LEAKED: Mutex<Vec<AtomicPtr<()>>> = Mutex::new(Vec::new());

    // SAFETY: it is never touched again, so it is never moved.
    let place = Box::into_raw(unsafe { Pin::into_inner_unchecked(pinned) });
    (LEAKED.lock().unwrap_or_else(PoisonError::into_inner)).push(AtomicPtr::new(place.cast()));
}
