//! No cell: each task makes the value for itself.

#![no_std]
#![no_main]

use oncelot_firmware_size::{make, two_tasks};

two_tasks!(make().await);
