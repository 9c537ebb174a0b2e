//! The program that the README shows: one embassy task starts the radio, and another one waits for it.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_futures::yield_now;
use oncelot_firmware_example::{report, succeed};

use oncelot::OnceCell;

static RADIO: OnceCell<Radio> = OnceCell::new();

#[embassy_executor::task]
async fn bring_up(spi: Spi) {
    RADIO.get_or_init(|| Radio::start(spi)).await;
}

#[embassy_executor::task]
async fn telemetry() {
    let radio = RADIO.wait().await; // never initializes, only waits
    radio.send(b"hello").await;
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    spawner.spawn(telemetry().unwrap());
    spawner.spawn(bring_up(Spi).unwrap());
}

struct Spi;

struct Radio {
    _spi: Spi,
}

impl Radio {
    async fn start(spi: Spi) -> Self {
        yield_now().await;
        Self { _spi: spi }
    }

    async fn send(&self, packet: &[u8]) {
        assert_eq!(packet, b"hello");
        report!("  one task has started the radio; the other one has waited for it, and sent");
        succeed();
    }
}
