//! The same without cells: opened before serving.

use oncelot::runtime::Runtime;

use super::{Openings, Resources};
use crate::{args::Files, config::Config, error::Error, figures::Sales, pool::Pool};

pub(crate) struct Eager<R> {
    config: Config,
    pool: Pool,
    sales: Sales,
    openings: Openings,
    runtime: R,
}

impl<R: Runtime + 'static> Eager<R> {
    /// Opens everything. Blocks the thread.
    pub(crate) fn open(runtime: R, files: &Files) -> Result<Self, Error> {
        let openings = Openings::default();
        let config = openings.config.count(|| Config::read(files.config.as_ref()))?;
        let pool = openings.pool.count(|| Pool::open(&files.database, &config))?;
        let sales = openings.sales.count(|| pool.query_here(Sales::compute))?;
        Ok(Self {
            config,
            pool,
            sales,
            openings,
            runtime,
        })
    }
}

impl<R: Runtime + 'static> Resources for Eager<R> {
    fn runtime(&self) -> &impl Runtime {
        &self.runtime
    }

    async fn config(&'static self) -> Result<&'static Config, Error> {
        Ok(&self.config)
    }

    async fn pool(&'static self) -> Result<&'static Pool, Error> {
        Ok(&self.pool)
    }

    async fn sales(&'static self) -> Result<&'static Sales, Error> {
        Ok(&self.sales)
    }

    fn openings(&self) -> &Openings {
        &self.openings
    }
}
