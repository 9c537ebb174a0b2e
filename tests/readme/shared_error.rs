//! An error that is kept, as a value would be.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use futures_lite::future::{block_on, yield_now, zip};

use crate::{Error, Pool};

use oncelot::OnceCell;

static POOL: OnceCell<Result<Pool, Error>> = OnceCell::new();

/// Connects once. Whatever comes of it, everybody gets.
async fn pool() -> Result<&'static Pool, &'static Error> {
    POOL.get_or_init(connect).await.as_ref()
}

static ATTEMPTS: AtomicU32 = AtomicU32::new(0);

async fn connect() -> Result<Pool, Error> {
    ATTEMPTS.fetch_add(1, SeqCst);
    yield_now().await;
    Err(Error::Refused)
}

#[test]
fn everybody_gets_the_same_error() {
    let (first, second) = block_on(zip(pool(), pool()));
    assert!(std::ptr::eq(first.unwrap_err(), second.unwrap_err()));
    assert_eq!(block_on(pool()).unwrap_err(), &Error::Refused);
    assert_eq!(ATTEMPTS.load(SeqCst), 1);
}
