//! Trying again, with pauses.

use std::{sync::Mutex, time::Instant};

use futures_util::future::join_all;

use crate::{Error, Pool};

use std::time::Duration;

use oncelot::OnceCell;

static POOL: OnceCell<Pool> = OnceCell::new();

async fn pool() -> Result<&'static Pool, Error> {
    POOL.get_or_try_init(connect_with_retries).await
}

async fn connect_with_retries() -> Result<Pool, Error> {
    let mut pause = Duration::from_millis(20);
    loop {
        match connect().await {
            Err(_) if pause < Duration::from_secs(1) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            result => return result,
        }
    }
}

static ATTEMPTS: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

/// Fails twice.
async fn connect() -> Result<Pool, Error> {
    let mut attempts = ATTEMPTS.lock().unwrap();
    attempts.push(Instant::now());
    if attempts.len() <= 2 {
        Err(Error::Refused)
    } else {
        Ok(Pool)
    }
}

#[test]
fn ten_callers_share_the_attempts_and_the_pauses() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let pools = runtime.block_on(join_all((0..10).map(|_| pool())));
    assert!(pools.iter().all(Result::is_ok));
    let attempts = ATTEMPTS.lock().unwrap();
    let pauses: Vec<_> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses.len(), 2, "the third attempt succeeds");
    for (pause, least) in pauses.into_iter().zip([20, 40]) {
        assert!(
            pause >= Duration::from_millis(least),
            "a caller connected {pause:?} after a failure, and not {least} ms"
        );
    }
}
