//! Four embassy tasks run the scenarios of `story.rs`.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use oncelot_firmware_example::{pace::ROLES, story, succeed};

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    for role in 0..ROLES {
        spawner.spawn(play(role).unwrap());
    }
}

#[embassy_executor::task(pool_size = 4)]
async fn play(role: u32) {
    story::play(role).await;
    if role == 0 {
        succeed();
    }
}
