//! Compare-and-swap on a byte: one instruction, or a critical section.

use super::{AtomicU8, Ordering};

/// Changes a byte from `current` to `new` with Acquire and Release.
///
/// # Errors
///
/// Returns the byte that was found if it is not `current`.
#[cfg(feature = "critical-section")]
pub(crate) fn compare_exchange_u8(byte: &AtomicU8, current: u8, new: u8) -> Result<(), u8> {
    critical_section::with(|_| {
        // ORDERING: Acquire and Release, as the callers hand data on in both directions.
        let found = byte.load(Ordering::Acquire);
        if found != current {
            return Err(found);
        }
        byte.store(new, Ordering::Release);
        Ok(())
    })
}

/// Changes a byte from `current` to `new` with Acquire and Release.
///
/// # Errors
///
/// Returns the byte that was found if it is not `current`.
#[cfg(not(feature = "critical-section"))]
pub(crate) fn compare_exchange_u8(byte: &AtomicU8, current: u8, new: u8) -> Result<(), u8> {
    // ORDERING: AcqRel, as the callers hand data on in both directions.
    match byte.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(()),
        Err(found) => Err(found),
    }
}
