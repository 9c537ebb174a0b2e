//! Four embassy tasks run the scenarios of `scenarios.rs`.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use oncelot_firmware_example::{scenarios, steps::ROLES, succeed};

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    for role in 0..ROLES {
        spawner.spawn(run_round(role).unwrap());
    }
}

#[embassy_executor::task(pool_size = 4)]
async fn run_round(role: u32) {
    scenarios::run(role).await;
    if role == 0 {
        succeed();
    }
}
