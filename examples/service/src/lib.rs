//! A shop's figures over HTTP, from an SQLite database that is opened by the first request that needs it.
//!
//! This library is the whole service, and is runtime-agnostic. `bin/serve-tokio.rs` and `bin/serve-smol.rs` serve it
//! on a runtime.
//!
//! | request | answer | what it opens |
//! |---|---|---|
//! | `GET /` | the shop's name and currency | the configuration |
//! | `GET /cities/{id}` | a city, and what was ordered there | the connection pool |
//! | `GET /sales` | what was sold of each product | the cache of it, which is computed once |
//! | `GET /status` | how often these were opened, and the outcomes of the requests | nothing |
//!
//! ```sh
//! cargo run --release --bin sample -- /tmp/shop.sqlite
//! cargo run --release --bin serve-tokio -- /tmp/shop.sqlite    # or serve-smol
//! curl http://127.0.0.1:8080/cities/7                          # in another terminal
//! ```
//!
//! While a file is missing or is not a database, requests that need it are answered with 503. The next request
//! retries. Requests that wait for an attempt to open the database share its failure, so that an outage is answered within the
//! time of one attempt.
//!
//! | file | idea |
//! |---|---|
//! | `resources/lazy.rs` | **configuration, pool and cache in cells** |
//! | `resources/eager.rs` | the same without cells, opened before serving |
//! | `resources.rs` | common parts of the two |
//! | `config.rs`, `pool.rs`, `figures.rs` | what is opened |
//! | `unblock.rs` | work that blocks, on any runtime |
//! | `router.rs`, `requests.rs`, `error.rs` | requests and answers |
//! | `program.rs`, `args.rs` | common parts of the programs |
//! | `sample.rs` | a sample database |

mod args;
mod config;
mod error;
mod figures;
mod pool;
mod program;
mod requests;
mod resources;
mod router;
pub mod sample;
mod unblock;

pub use crate::program::run;
