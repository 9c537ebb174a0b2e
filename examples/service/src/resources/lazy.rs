//! Configuration, pool and cache in cells, opened by the first request.
//!
//! | cell | initialized by | so that |
//! |---|---|---|
//! | configuration | a thread: of the pool for blocking work, or the one that opens the connection pool | both wait for one reading |
//! | connection pool | a task of its own, on a thread of the pool for blocking work | no task is blocked by SQLite |
//! | cache | a task of its own | a client that disconnects does not discard it half-done |
//!
//! The requests that wait for an attempt to open the pool or to compute the cache share its failure. So a request during an
//! outage is answered with 503 when the attempt that is in progress has failed, however many requests wait for it.

use oncelot::{
    OnceCell,
    runtime::{OnceCellExt, Runtime},
};

use super::{Openings, Resources};
use crate::{
    args::Files,
    config::Config,
    error::{Error, OpenError},
    figures::Sales,
    pool::Pool,
    unblock::unblock,
};

pub(crate) struct Lazy<R> {
    files: Files,
    config: OnceCell<Config>,
    pool: OnceCell<Pool>,
    sales: OnceCell<Sales>,
    openings: Openings,
    runtime: R,
}

impl<R: Runtime + 'static> Lazy<R> {
    pub(crate) fn new(runtime: R, files: Files) -> Self {
        Self {
            files,
            config: OnceCell::new(),
            pool: OnceCell::new(),
            sales: OnceCell::new(),
            openings: Openings::default(),
            runtime,
        }
    }

    fn read_config(&self) -> Result<Config, OpenError> {
        let reading = &self.openings.config;
        reading.count(|| Config::read(self.files.config.as_ref()))
    }

    async fn open_pool(&'static self) -> Result<Pool, OpenError> {
        let open = || {
            let config = self.config.get_or_try_init_blocking(|| self.read_config())?;
            Pool::open(&self.files.database, config)
        };
        unblock(&self.runtime, move || self.openings.pool.count(open)).await
    }

    async fn warm_up(&'static self) -> Result<Sales, Error> {
        let warming_up = &self.openings.sales;
        warming_up.start();
        let sales = async { Ok(self.pool().await?.query(&self.runtime, Sales::compute).await?) };
        warming_up.end(sales.await)
    }
}

impl<R: Runtime + 'static> Resources for Lazy<R> {
    fn runtime(&self) -> &impl Runtime {
        &self.runtime
    }

    async fn config(&'static self) -> Result<&'static Config, Error> {
        let config = self
            .config
            .get_or_try_init_spawned_blocking(&self.runtime, || self.read_config());
        Ok(config.await?)
    }

    async fn pool(&'static self) -> Result<&'static Pool, Error> {
        let pool = self
            .pool
            .get_or_try_init_shared_spawned(&self.runtime, || self.open_pool());
        Ok(pool.await?)
    }

    async fn sales(&'static self) -> Result<&'static Sales, Error> {
        let sales = self
            .sales
            .get_or_try_init_shared_spawned(&self.runtime, || self.warm_up());
        Ok(sales.await?)
    }

    fn openings(&self) -> &Openings {
        &self.openings
    }
}
