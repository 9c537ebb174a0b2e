//! A cell with the backend `EventListener`.

#![no_std]
#![no_main]

use oncelot::{OnceCell, backend::EventListener};
use oncelot_firmware_size::{make, two_tasks};

static CELL: OnceCell<u32, EventListener> = OnceCell::with_backend();

two_tasks!(CELL.get_or_init(make).await);
