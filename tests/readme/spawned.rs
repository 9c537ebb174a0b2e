//! An initializer that survives its caller.

use std::pin::pin;

use futures_lite::future::poll_once;

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

async fn connect() -> Result<Pool, Error> {
    GATE.wait().await;
    Ok(Pool)
}

#[test]
fn a_connection_is_made_though_nobody_waits_for_it_any_more() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        assert!(poll_once(pin!(pool())).await.is_none());
        GATE.set(()).unwrap();
        POOL.wait().await;
        pool().await.unwrap();
    });
}
