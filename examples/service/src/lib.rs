//! A shop's figures over HTTP, from an SQLite database that is opened by the first request that needs it.
//!
//! This library is the whole service, and is runtime-agnostic. `bin/serve-tokio.rs` and `bin/serve-smol.rs` serve it
//! on a runtime.
//!
//! | request | answer | what it opens |
//! |---|---|---|
//! | `GET /` | the shop's name | the configuration |
//! | `GET /cities/{id}` | a city, and what was ordered there | the connection pool |
//! | `GET /sales` | what was sold of each product | the cache of it, which is computed once |
//! | `GET /status` | how often these were opened, and the outcomes of the requests | nothing |
//!
//! ```sh
//! cargo run --release --bin serve-tokio -- --sample /tmp/shop.sqlite   # or serve-smol
//! curl http://127.0.0.1:8080/cities/7                                  # in another terminal
//! ```
//!
//! While a file is missing or is not a database, requests that need it are answered with 503. The next request
//! retries. Requests that wait for an attempt to open the database share its failure, so that an outage is answered
//! within the time of one attempt.
//!
//! | file | idea |
//! |---|---|
//! | `resources.rs` | **configuration, pool and cache in cells** |
//! | `database.rs` | what is opened: the pool of connections and its queries |
//! | `http.rs` | requests and answers |

mod database;
mod http;
mod resources;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

use anyhow::Context;
use axum::Router;
use clap::Parser;
use oncelot::runtime::Runtime;
use rusqlite::Connection;
use tracing_subscriber::{Layer, filter::Targets, fmt, prelude::*, registry};

use crate::resources::Resources;

/// Serves a shop's figures from an SQLite database over HTTP.
///
/// The database is opened when it is first asked for, and need not exist before.
#[derive(Parser)]
struct Args {
    /// An SQLite database, which is only read
    database: PathBuf,
    /// Create a sample database if there is no file of that name
    #[arg(long)]
    sample: bool,
    /// The configuration, in JSON [default: built in]
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Open everything before serving; end if that fails
    #[arg(long)]
    eager: bool,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// What to log to standard error, such as `off` or `info,oncelot=trace`
    #[arg(long, value_name = "FILTER", default_value = "info,oncelot=debug")]
    log: Targets,
}

/// Runs the command line. `serve` answers requests until the process gets a signal to stop. Initializers run on
/// `runtime`, which must be the runtime of the caller.
pub async fn run(
    runtime: impl Runtime + 'static,
    serve: impl AsyncFnOnce(TcpListener, Router) -> io::Result<()>,
) -> anyhow::Result<()> {
    let args = Args::parse();
    let lines = fmt::layer().with_writer(io::stderr);
    registry().with(lines.with_filter(args.log.clone())).init();
    if args.sample && !args.database.exists() {
        let sample = include_str!("../../sqlite/src/sample.sql");
        Connection::open(&args.database)?.execute_batch(sample)?;
    }

    let (listen, is_eager) = (args.listen, args.eager);
    // The resources live as long as the process.
    let resources = Box::leak(Box::new(Resources::new(runtime, args)));
    let router = if is_eager {
        http::eager(resources).await?
    } else {
        http::lazy(resources)
    };
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, router).await?;
    Ok(())
}
