//! A cell with the backend `Local`.

#![no_std]
#![no_main]

use oncelot::LocalOnceCell;
use oncelot_firmware_size::{make, two_tasks};

/// A cell in a static, for a program of one thread.
struct OneThread(LocalOnceCell<u32>);

// SAFETY: the executor's thread is the only one, and no interrupt handler uses the cell.
unsafe impl Sync for OneThread {}

static CELL: OneThread = OneThread(LocalOnceCell::with_backend());

two_tasks!(CELL.0.get_or_init(make).await);
