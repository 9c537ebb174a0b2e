//! The resources that requests need.

mod eager;
mod lazy;

use std::sync::atomic::{AtomicU64, Ordering};

use oncelot::runtime::Runtime;
use serde::Serialize;

pub(crate) use self::{eager::Eager, lazy::Lazy};
use crate::{config::Config, error::Error, figures::Sales, pool::Pool};

pub(crate) trait Resources: Send + Sync + 'static {
    /// Returns the runtime that queries run on.
    fn runtime(&self) -> &impl Runtime;

    fn config(&'static self) -> impl Future<Output = Result<&'static Config, Error>> + Send;

    fn pool(&'static self) -> impl Future<Output = Result<&'static Pool, Error>> + Send;

    fn sales(&'static self) -> impl Future<Output = Result<&'static Sales, Error>> + Send;

    fn openings(&self) -> &Openings;
}

/// How often each of them was opened.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Openings {
    config: Opening,
    pool: Opening,
    sales: Opening,
}

#[derive(Debug, Default, Serialize)]
struct Opening {
    started: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl Opening {
    fn start(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    fn count<T, E>(&self, open: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.start();
        self.end(open())
    }

    fn end<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        let ended = if result.is_ok() {
            &self.succeeded
        } else {
            &self.failed
        };
        ended.fetch_add(1, Ordering::Relaxed);
        result
    }
}
