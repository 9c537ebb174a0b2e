//! The `OnceLock` of embassy-sync. It has no asynchronous initialization, so that both tasks make a value, and its waiters
//! are polled all the time.

#![no_std]
#![no_main]

use embassy_sync::once_lock::OnceLock;
use oncelot_firmware_size::{make, two_tasks};

static CELL: OnceLock<u32> = OnceLock::new();

two_tasks!({
    let _ = CELL.init(make().await);
    CELL.get().await
});
