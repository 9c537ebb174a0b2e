//! Waiting for a while and no longer, on tokio.

use std::{future::pending, time::Duration};

use oncelot::OnceCell;

use crate::{Error, Pool};

async fn pool_in_time() -> Result<&'static Pool, Error> {
    let in_time = tokio::time::timeout(LIMIT, pool()).await;
    in_time.unwrap_or(Err(Error::TimedOut))
}

const LIMIT: Duration = Duration::from_millis(10);

static POOL: OnceCell<Pool> = OnceCell::new();

/// Never connects.
async fn pool() -> Result<&'static Pool, Error> {
    POOL.get_or_try_init(pending).await
}

#[test]
fn a_connection_that_is_never_made_is_given_up() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    assert_eq!(runtime.block_on(pool_in_time()).unwrap_err(), Error::TimedOut);
    assert_eq!(
        POOL.set(Pool).map_err(drop),
        Ok(()),
        "the initializer was dropped"
    );
}
