//! The connection pool.

use std::{error::Error, path::Path, time::Duration};

use async_channel::{Receiver, RecvError, Sender};
use oncelot::runtime::Runtime;
use rusqlite::{Connection, OpenFlags};

use crate::{config::Config, error::OpenError, figures, unblock::unblock};

/// Connections, of which each works for one query at a time.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Receiver<Connection>,
    returned: Sender<Connection>,
}

impl Pool {
    /// Opens all connections to a file that must be there, for reading only. Blocks the thread.
    pub(crate) fn open(path: &Path, config: &Config) -> Result<Self, OpenError> {
        let count = config.connections.get();
        let (returned, idle) = async_channel::bounded(count);
        for _ in 0..count {
            let connection = connect(path, config).map_err(|cause| OpenError::new(path, cause))?;
            returned.try_send(connection).expect("there is room for all");
        }
        Ok(Self { idle, returned })
    }

    /// Waits for a connection, and queries it on the runtime's pool for blocking work.
    pub(crate) async fn query<T: Send + 'static>(
        &'static self,
        runtime: &impl Runtime,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let lease = Lease::new(self, self.idle.recv().await);
        unblock(runtime, move || query(lease.connection())).await
    }

    /// Queries on this thread, which waits for a connection.
    pub(crate) fn query_here<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let lease = Lease::new(self, self.idle.recv_blocking());
        query(lease.connection())
    }
}

fn connect(path: &Path, config: &Config) -> Result<Connection, Box<dyn Error + Send + Sync>> {
    // An absolute path is a file to SQLite, whatever its name; ":memory:" would not be.
    let path = path.canonicalize()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(config.busy_timeout_ms.into()))?;
    // SQLite looks into the file only when it must.
    figures::check(&connection)?;
    Ok(connection)
}

/// Returns the connection when the query has ended, even if it panicked or its caller was cancelled.
struct Lease<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl<'a> Lease<'a> {
    fn new(pool: &'a Pool, received: Result<Connection, RecvError>) -> Self {
        Self {
            pool,
            connection: Some(received.expect("the pool has a sender")),
        }
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let connection = self.connection.take().expect("there until it is dropped");
        let returned = self.pool.returned.try_send(connection);
        returned.expect("there is room for all");
    }
}
