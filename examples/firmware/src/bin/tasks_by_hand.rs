//! The executor of this package plays the story.

#![no_std]
#![no_main]

use core::pin::pin;

use oncelot_firmware_example::{board::entry, executor, story, succeed};

#[entry]
fn main() -> ! {
    let mut tasks = [
        pin!(story::play(0)),
        pin!(story::play(1)),
        pin!(story::play(2)),
        pin!(story::play(3)),
    ];
    executor::run(&mut tasks, || {
        panic!("all tasks are asleep, and nobody is left to wake them")
    });
    succeed()
}
