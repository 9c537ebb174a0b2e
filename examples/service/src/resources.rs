//! The resources that requests need, in cells. The first request that needs one opens it:
//!
//! | cell | initialized by | so that |
//! |---|---|---|
//! | configuration | a thread: of the pool for blocking work, or the one that opens the connection pool | both wait for one reading |
//! | connection pool | a task of its own, on a thread of the pool for blocking work | no task is blocked by SQLite |
//! | cache of the sales | a task of its own | a client that disconnects does not discard it half-done |
//!
//! The requests that wait for an attempt to open the pool or to compute the cache share its failure. So a request
//! during an outage is answered with 503 when the attempt that is in progress has failed, however many requests wait
//! for it.

use std::{fs, num::NonZero, path::Path};

use anyhow::{Context, anyhow};
use oncelot::{
    OnceCell, SharedInitError,
    runtime::{OnceCellExt, Runtime},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Args,
    database::Pool,
    http::{count, count_end},
};

pub(crate) struct Resources<R> {
    runtime: R,
    args: Args,
    config: OnceCell<Config>,
    pool: OnceCell<Pool>,
    sales: OnceCell<Value>,
}

impl<R: Runtime + 'static> Resources<R> {
    pub(crate) fn new(runtime: R, args: Args) -> Self {
        Self {
            runtime,
            args,
            config: OnceCell::new(),
            pool: OnceCell::new(),
            sales: OnceCell::new(),
        }
    }

    pub(crate) async fn config(&'static self) -> anyhow::Result<&'static Config> {
        let read = || self.read_config();
        let config = self.config.get_or_try_init_spawned_blocking(&self.runtime, read);
        config.await
    }

    pub(crate) async fn pool(&'static self) -> anyhow::Result<&'static Pool> {
        let open = || self.open_pool();
        let pool = self.pool.get_or_try_init_shared_spawned(&self.runtime, open);
        pool.await.map_err(cause)
    }

    pub(crate) async fn sales(&'static self) -> anyhow::Result<&'static Value> {
        let compute = || self.compute_sales();
        let sales = self.sales.get_or_try_init_shared_spawned(&self.runtime, compute);
        sales.await.map_err(cause)
    }

    fn read_config(&self) -> anyhow::Result<Config> {
        count("config started");
        let path = self.args.config.as_deref();
        count_end("config", path.map_or_else(|| Ok(Config::default()), Config::read))
    }

    async fn open_pool(&'static self) -> anyhow::Result<Pool> {
        blocking::unblock(|| {
            count("pool started");
            let config = self.config.get_or_try_init_blocking(|| self.read_config());
            let pool = config.and_then(|config| Pool::open(&self.args.database, config));
            count_end("pool", pool)
        })
        .await
    }

    async fn compute_sales(&'static self) -> anyhow::Result<Value> {
        count("sales started");
        let sales = async { self.pool().await?.sales().await };
        count_end("sales", sales.await)
    }
}

fn cause(error: SharedInitError<anyhow::Error>) -> anyhow::Error {
    match error {
        SharedInitError::Failed(error) => error,
        // The answer to the request that made the attempt has the cause.
        SharedInitError::OtherFailed => anyhow!("the attempt that this request waited for has failed"),
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) connections: NonZero<usize>,
    /// How long a query waits for another process that has locked the database.
    pub(crate) busy_timeout_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "The Shop".to_owned(),
            connections: NonZero::new(4).expect("four is not zero"),
            busy_timeout_ms: 5000,
        }
    }
}

impl Config {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("cannot open '{}'", path.display());
        let text = fs::read_to_string(path).with_context(context)?;
        serde_json::from_str(&text).with_context(context)
    }
}
