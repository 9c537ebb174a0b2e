//! A cell with the backend `AtomicWaker`.

#![no_std]
#![no_main]

use oncelot::{OnceCell, backend::AtomicWaker};
use oncelot_firmware_size::{make, two_tasks};

static CELL: OnceCell<u32, AtomicWaker> = OnceCell::with_backend();

two_tasks!(CELL.get_or_init(make).await);
