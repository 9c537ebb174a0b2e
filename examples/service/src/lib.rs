//! A shop's figures over HTTP, from an SQLite database that is opened by the first request that needs it.
//!
//! This library is all of the service, and names no runtime. `bin/serve-tokio.rs` and `bin/serve-smol.rs` serve it on
//! theirs.
//!
//! | request | answer | what it opens |
//! |---|---|---|
//! | `GET /` | the shop's name and currency | the configuration |
//! | `GET /cities/{id}` | a city, and what was ordered there | the connection pool |
//! | `GET /sales` | what was sold of each product | the cache of it, which is computed once |
//! | `GET /status` | how often these were opened, and how the requests went | nothing |
//!
//! ```sh
//! cargo run --release --bin sample -- /tmp/shop.sqlite
//! cargo run --release --bin serve-tokio -- /tmp/shop.sqlite    # or serve-smol
//! curl http://127.0.0.1:8080/cities/7                          # in another terminal
//! ```
//!
//! While a file is missing or is no database, that is answered by 503. The next request tries again.
//!
//! | file | idea |
//! |---|---|
//! | `resources/lazy.rs` | **configuration, pool and cache in cells** |
//! | `resources/eager.rs` | the same without cells, opened before serving |
//! | `resources.rs` | what the two have in common |
//! | `config.rs`, `pool.rs`, `figures.rs` | what is opened |
//! | `unblock.rs` | work that blocks, on any runtime |
//! | `router.rs`, `requests.rs`, `error.rs` | requests and answers |
//! | `program.rs`, `args.rs` | what the programs have in common |
//! | `sample.rs` | a database for those who have none |

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
