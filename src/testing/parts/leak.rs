//! Leaks that a leak checker does not report.

use core::pin::Pin;
use std::{
    boxed::Box,
    sync::{Mutex, PoisonError, atomic::AtomicPtr},
    vec::Vec,
};

/// The addresses of what was leaked, where a leak checker finds them.
static LEAKED: Mutex<Vec<AtomicPtr<()>>> = Mutex::new(Vec::new());

pub(crate) fn leak_box<T: ?Sized>(leaked: Box<T>) -> *mut T {
    let leaked = Box::into_raw(leaked);
    (LEAKED.lock().unwrap_or_else(PoisonError::into_inner)).push(AtomicPtr::new(leaked.cast()));
    leaked
}

/// Leaks a pinned box, which is never dropped.
pub(crate) fn leak<T: ?Sized>(pinned: Pin<Box<T>>) {
    // SAFETY: it is never touched again, so it is never moved.
    leak_box(unsafe { Pin::into_inner_unchecked(pinned) });
}
