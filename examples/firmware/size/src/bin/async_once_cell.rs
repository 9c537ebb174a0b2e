//! The cell of async-once-cell.

#![no_std]
#![no_main]

use async_once_cell::OnceCell;
use oncelot_firmware_size::{make, two_tasks};

static CELL: OnceCell<u32> = OnceCell::new();

two_tasks!(CELL.get_or_init(make()).await);
