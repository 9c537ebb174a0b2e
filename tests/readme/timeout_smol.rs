//! Waiting for a while and no longer, on smol.

use std::{future::pending, time::Duration};

use oncelot::OnceCell;

use crate::{Error, Pool};

use smol::{Timer, future};

async fn pool_in_time() -> Result<&'static Pool, Error> {
    let too_late = async {
        Timer::after(LIMIT).await;
        Err(Error::TimedOut)
    };
    future::or(pool(), too_late).await
}

const LIMIT: Duration = Duration::from_millis(10);

static POOL: OnceCell<Pool> = OnceCell::new();

/// Never connects.
async fn pool() -> Result<&'static Pool, Error> {
    POOL.get_or_try_init(pending).await
}

#[test]
fn a_connection_that_is_never_made_is_given_up() {
    assert_eq!(smol::block_on(pool_in_time()).unwrap_err(), Error::TimedOut);
    assert_eq!(
        POOL.set(Pool).map_err(drop),
        Ok(()),
        "the initializer was dropped"
    );
}
