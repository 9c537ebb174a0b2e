//! Tests of the documented behavior of `OnceCell`, event by event, through its public API.

#[path = "../util/mod.rs"]
mod util;

mod attempts;
mod cancellation;
mod destructors;
mod failure;
mod guards;
mod nested_drains;
mod own_cell;
mod panicking_wakers;
mod passive;
mod polling;
mod reentrant_wakers;
mod setting;
mod synchronous;
mod value;
