//! The spans and events of a cell: three tasks race to connect, and the first attempt fails.
//!
//! ```sh
//! cargo run --example tracing --features tracing
//! ```

use std::sync::atomic::{AtomicU32, Ordering};

use futures_lite::future::{block_on, yield_now, zip};
use oncelot::OnceCell;
use tracing::{Instrument, info, info_span};
use tracing_subscriber::filter::LevelFilter;

#[derive(Debug)]
struct Connection;

static CONNECTION: OnceCell<Connection> = OnceCell::new();

async fn connect() -> Result<Connection, &'static str> {
    static FAILURES: AtomicU32 = AtomicU32::new(1);

    info!("connecting");
    yield_now().await;
    let left = FAILURES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    if left.is_ok() {
        Err("no route")
    } else {
        Ok(Connection)
    }
}

async fn request(id: u32) {
    async {
        match CONNECTION.get_or_try_init(connect).await {
            Ok(_) => info!("served"),
            Err(error) => info!(error, "refused"),
        }
    }
    .instrument(info_span!("request", id))
    .await;
}

fn main() {
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .init();
    block_on(zip(request(1), zip(request(2), request(3))));
}
