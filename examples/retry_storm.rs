//! The retry storm: a database is down, and a thousand requests share one cell for the connection.
//!
//! ```sh
//! cargo run --example retry_storm
//! ```
//!
//! All requests ask for the connection at the same time. While the database is down, each attempt to connect ends with an
//! error after a timeout. With `get_or_try_init`, the error is returned to the request that made the attempt. The next request
//! then makes an attempt of its own, which takes its own timeout. So the requests are answered one after the other, and the
//! last one waits for as many timeouts as there are requests before it, or until the database is up.
//!
//! With `get_or_try_init_shared`, the requests that wait for an attempt share its end. All of them are answered after one
//! timeout. A request that calls the method again shares the next attempt with the others that do.
//!
//! The time is simulated: tokio's clock is paused, and advances when every task waits. So the figures are the same in each
//! run, and an outage of an hour takes no longer than one of a second. The column `polls` counts how often the requests are
//! polled: it shows whether a failure wakes every waiting request, or one of them.

use std::{cell::Cell, future::poll_fn, pin::pin, rc::Rc, time::Duration};

use tokio::{
    task::{JoinSet, LocalSet},
    time::{Instant, sleep},
};

const REQUESTS: usize = 1_000;

/// After this time, an attempt to connect to a database that is down fails.
const TIMEOUT: Duration = Duration::from_millis(100);

/// After this time, an attempt to connect to a database that is up succeeds.
const CONNECT: Duration = Duration::from_millis(10);

const OUTAGES: [Duration; 2] = [Duration::from_secs(3600), Duration::from_secs(1)];

type Connection = u32;

/// A database that is down for the time `outage`.
struct Database {
    began: Instant,
    outage: Duration,
    attempts: Cell<u32>,
}

impl Database {
    /// Makes an attempt to connect.
    async fn connect(&self) -> Result<Connection, &'static str> {
        self.attempts.set(self.attempts.get() + 1);
        if self.began.elapsed() < self.outage {
            sleep(TIMEOUT).await;
            Err("the database does not answer")
        } else {
            sleep(CONNECT).await;
            Ok(1)
        }
    }
}

/// Makes all requests at the same time, and returns a row of the table. `request` returns whether the request got a
/// connection.
fn row<C: 'static>(
    method: &str,
    outage: Duration,
    cell: C,
    request: impl AsyncFn(&C, &Database) -> bool + Copy + 'static,
) -> String {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let database = Rc::new(Database {
            began: Instant::now(),
            outage,
            attempts: Cell::new(0),
        });
        let (cell, polls) = (Rc::new(cell), Rc::new(Cell::new(0)));
        let mut requests = JoinSet::new();
        for _ in 0..REQUESTS {
            let (cell, database, polls) = (Rc::clone(&cell), Rc::clone(&database), Rc::clone(&polls));
            requests.spawn_local(async move {
                let mut request = pin!(request(&cell, &database));
                poll_fn(|cx| {
                    polls.set(polls.get() + 1);
                    request.as_mut().poll(cx)
                })
                .await
            });
        }
        let answers = requests.join_all().await;
        let values = answers.iter().filter(|is_connected| **is_connected).count();
        format!(
            "| {method} | {} | {values} | {} | {} ms | {} |\n",
            database.attempts.get(),
            answers.len() - values,
            database.began.elapsed().as_millis(),
            polls.get(),
        )
    })
}

/// Returns the table of an outage.
fn table(outage: Duration) -> String {
    let header =
        "| method | attempts | values | errors | last answer | polls |\n|---|---:|---:|---:|---:|---:|\n";
    let rows = [
        row(
            "tokio: `get_or_try_init`",
            outage,
            tokio::sync::OnceCell::new(),
            async |cell, database| cell.get_or_try_init(|| database.connect()).await.is_ok(),
        ),
        row(
            "async-lock: `get_or_try_init`",
            outage,
            async_lock::OnceCell::new(),
            async |cell, database| cell.get_or_try_init(|| database.connect()).await.is_ok(),
        ),
        row(
            "async-once-cell: `get_or_try_init`",
            outage,
            async_once_cell::OnceCell::new(),
            async |cell, database| cell.get_or_try_init(database.connect()).await.is_ok(),
        ),
        row(
            "asyncband: `get_or_try_init`",
            outage,
            asyncband::once::OnceCell::new(),
            async |cell, database| cell.get_or_try_init(|| database.connect()).await.is_ok(),
        ),
        row(
            "oncelot: `get_or_try_init`",
            outage,
            oncelot::OnceCell::new(),
            async |cell, database| cell.get_or_try_init(|| database.connect()).await.is_ok(),
        ),
        row(
            "oncelot: `get_or_try_init_shared`",
            outage,
            oncelot::OnceCell::new(),
            async |cell, database| cell.get_or_try_init_shared(|| database.connect()).await.is_ok(),
        ),
        row(
            "oncelot: `get_or_try_init_shared`, up to 3 calls",
            outage,
            oncelot::OnceCell::new(),
            async |cell, database| {
                for _ in 0..3 {
                    if cell.get_or_try_init_shared(|| database.connect()).await.is_ok() {
                        return true;
                    }
                }
                false
            },
        ),
    ];
    header.to_owned() + &rows.concat()
}

fn main() {
    for outage in OUTAGES {
        println!(
            "{REQUESTS} requests, while the database is down for {} s",
            outage.as_secs()
        );
        println!("{}", table(outage));
    }
}

#[test]
fn the_guide_shows_the_figures() {
    for table in OUTAGES.map(table) {
        let guide = include_str!("../src/guide/failures.md");
        assert!(guide.contains(&table), "the guide does not have:\n{table}");
    }
}
