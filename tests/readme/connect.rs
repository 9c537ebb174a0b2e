//! The first example of the README.

use futures_lite::future::{block_on, yield_now, zip};

use oncelot::OnceCell;

static POOL: OnceCell<Pool> = OnceCell::new();

async fn pool() -> Result<&'static Pool, Error> {
    POOL.get_or_try_init(|| Pool::connect("postgres://localhost/app"))
        .await
}

#[derive(Debug)]
struct Error;

struct Pool {
    url: String,
}

impl Pool {
    async fn connect(url: &str) -> Result<Self, Error> {
        yield_now().await;
        Ok(Self { url: url.to_owned() })
    }
}

#[test]
fn two_callers_get_the_same_pool() {
    let (first, second) = block_on(zip(pool(), pool()));
    assert!(std::ptr::eq(first.unwrap(), second.unwrap()));
    assert_eq!(POOL.get().unwrap().url, "postgres://localhost/app");
}
