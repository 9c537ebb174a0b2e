//! An initializer that survives its caller.

use std::{
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    time::Duration,
};

use futures_util::future::join_all;

use crate::{Error, Pool};

use oncelot::{
    OnceCell,
    runtime::{OnceCellExt, Tokio},
};

static POOL: OnceCell<Pool> = OnceCell::new();

/// Connects in a task of its own.
async fn pool() -> Result<&'static Pool, Error> {
    POOL.get_or_try_init_spawned(Tokio, connect).await
}

/// Opened by the test.
static GATE: OnceCell<()> = OnceCell::new();

static ATTEMPTS: AtomicU32 = AtomicU32::new(0);

async fn connect() -> Result<Pool, Error> {
    ATTEMPTS.fetch_add(1, SeqCst);
    GATE.wait().await;
    Ok(Pool)
}

#[test]
fn one_attempt_outlasts_ten_callers_whose_time_is_up() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let calls = (0..10).map(|_| tokio::time::timeout(Duration::from_millis(10), pool()));
        assert!(join_all(calls).await.iter().all(Result::is_err));
        assert_eq!(ATTEMPTS.load(SeqCst), 1);
        GATE.set(()).unwrap();
        POOL.wait().await;
        pool().await.unwrap();
        assert_eq!(ATTEMPTS.load(SeqCst), 1);
    });
}
