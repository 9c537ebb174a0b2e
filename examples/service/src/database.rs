//! The connection pool and its queries.

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use serde_json::{Value, json};

use crate::resources::Config;

/// Connections, of which each works for one query at a time.
pub(crate) struct Pool {
    connections: Vec<Mutex<Connection>>,
    turn: AtomicUsize,
}

const CITY: &str = "
    SELECT cities.name, country, count(orders.id), coalesce(sum(quantity * cents), 0)
    FROM cities
    LEFT JOIN orders ON city_id = cities.id
    LEFT JOIN products ON product_id = products.id
    WHERE cities.id = ?1
    GROUP BY cities.id";

const SALES: &str = "
    SELECT name, sum(quantity), sum(quantity * cents)
    FROM orders JOIN products ON product_id = products.id
    GROUP BY products.id
    ORDER BY 3 DESC";

impl Pool {
    /// Opens all connections to a file that must exist, for reading only. Blocks the thread.
    pub(crate) fn open(path: &Path, config: &Config) -> anyhow::Result<Self> {
        let connect = |_| connect(path, config).map(Mutex::new);
        let connections: anyhow::Result<_> = (0..config.connections.get()).map(connect).collect();
        Ok(Self {
            connections: connections.with_context(|| format!("cannot open '{}'", path.display()))?,
            turn: AtomicUsize::new(0),
        })
    }

    /// Finds a city, and what was ordered there.
    pub(crate) async fn city(&'static self, id: i64) -> anyhow::Result<Option<Value>> {
        let to_json = |row: &Row<'_>| {
            let (name, country, orders, cents): (String, String, i64, i64) = row.try_into()?;
            Ok(json!({ "name": name, "country": country, "orders": orders, "cents": cents }))
        };
        self.query(move |connection| {
            let mut city = connection.prepare_cached(CITY)?;
            city.query_row([id], to_json).optional()
        })
        .await
    }

    /// Goes through all orders: what was sold of each product, the best first.
    pub(crate) async fn sales(&'static self) -> anyhow::Result<Value> {
        let to_json = |row: &Row<'_>| {
            let (product, quantity, cents): (String, i64, i64) = row.try_into()?;
            Ok(json!({ "product": product, "quantity": quantity, "cents": cents }))
        };
        self.query(move |connection| {
            let mut sales = connection.prepare_cached(SALES)?;
            sales.query_map([], to_json)?.collect()
        })
        .await
    }

    /// Runs a query on a thread for blocking work. The connections take turns.
    async fn query<T: Send + 'static>(
        &'static self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let turn = self.turn.fetch_add(1, Relaxed) % self.connections.len();
        let connection = &self.connections[turn];
        let result = blocking::unblock(|| query(&connection.lock().unwrap())).await;
        result.context("cannot read the database")
    }
}

fn connect(path: &Path, config: &Config) -> anyhow::Result<Connection> {
    // SQLite opens a file for an absolute path of any name, but not for ":memory:".
    let path = path.canonicalize()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(config.busy_timeout_ms.into()))?;
    // SQLite reads the file at the first query. The database must have what the queries need.
    for query in [CITY, SALES] {
        connection.prepare_cached(query)?;
    }
    Ok(connection)
}
