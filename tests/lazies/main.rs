//! Tests of the documented behavior of `Lazy`, `BoxLazy`, `LocalBoxLazy` and the statics of `lazy!`.
//!
//! Each claim that several kinds of lazies share is tested once, for every kind that `kinds` lists.

#[path = "../util/counting.rs"]
mod counting;
#[path = "../../examples/custom_backend/locked.rs"]
mod locked;
#[path = "../util/mod.rs"]
mod util;

mod kinds;

mod drops;
mod panics;
mod self_waking;
mod values;

mod boxed;
mod plain;
mod statics;

#[cfg(feature = "blocking")]
mod blocking;
mod costs;
