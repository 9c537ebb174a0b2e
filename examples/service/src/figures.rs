//! The queries.

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

/// A city, and what was ordered there.
#[derive(Debug, Serialize)]
pub(crate) struct City {
    name: String,
    country: String,
    orders: i64,
    cents: i64,
}

/// What was sold of each product, best first.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Sales(Vec<Sold>);

#[derive(Debug, Serialize)]
struct Sold {
    product: String,
    quantity: i64,
    cents: i64,
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

/// Returns whether the database has what the queries need.
pub(crate) fn check(connection: &Connection) -> rusqlite::Result<()> {
    for query in [CITY, SALES] {
        connection.prepare_cached(query)?;
    }
    Ok(())
}

impl City {
    pub(crate) fn find(connection: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        let mut query = connection.prepare_cached(CITY)?;
        let city = query.query_row([id], |row| {
            Ok(Self {
                name: row.get(0)?,
                country: row.get(1)?,
                orders: row.get(2)?,
                cents: row.get(3)?,
            })
        });
        city.optional()
    }
}

impl Sales {
    /// Goes through all orders.
    pub(crate) fn compute(connection: &Connection) -> rusqlite::Result<Self> {
        let mut query = connection.prepare_cached(SALES)?;
        let sold = query.query_map([], |row| {
            Ok(Sold {
                product: row.get(0)?,
                quantity: row.get(1)?,
                cents: row.get(2)?,
            })
        })?;
        sold.collect::<Result<_, _>>().map(Self)
    }
}
