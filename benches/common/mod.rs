//! Shared parts of the benches: scenarios, measurement and reports.

#![allow(dead_code, reason = "each bench uses a part of it")]

pub(crate) mod cell;
pub(crate) mod environment;
pub(crate) mod figure;
pub(crate) mod meter;
pub(crate) mod options;
pub(crate) mod report;
pub(crate) mod rounds;
pub(crate) mod run;
pub(crate) mod scenarios;
pub(crate) mod table;
pub(crate) mod tasks;
