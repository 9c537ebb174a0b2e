//! Trying again, with pauses.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::{Error, Pool};

use std::time::Duration;

use oncelot::OnceCell;

static POOL: OnceCell<Pool> = OnceCell::new();

async fn pool() -> Result<&'static Pool, Error> {
    let mut pause = Duration::from_millis(20);
    loop {
        match POOL.get_or_try_init(connect).await {
            Err(_) if pause < Duration::from_secs(1) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            result => return result,
        }
    }
}

static ATTEMPTS: AtomicU32 = AtomicU32::new(0);

async fn connect() -> Result<Pool, Error> {
    if ATTEMPTS.fetch_add(1, SeqCst) < 2 {
        Err(Error::Refused)
    } else {
        Ok(Pool)
    }
}

#[test]
fn a_connection_is_made_at_the_third_attempt() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(pool()).unwrap();
    assert_eq!(ATTEMPTS.load(SeqCst), 3);
}
