//! What the benches share: the crates behind common traits, the scenarios, their cost, and the tables.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each bench uses a part of it"
)]

pub(crate) mod cells;
pub(crate) mod cost;
pub(crate) mod lazies;
pub(crate) mod report;
pub(crate) mod scenarios;
pub(crate) mod waiting;
