//! Tests of the documented behavior of `OnceCell` through its public API, where it does not depend on the backend, or where
//! only the default backend has it.
//!
//! What a cell does with any backend is in the conformance suite, `oncelot::testing`, which the unit tests run on the default
//! backend: for example, which waiters an event wakes.

#[path = "../util/mod.rs"]
mod util;

mod attempts;
mod destructors;
mod guards;
mod order_of_events;
mod own_cell;
mod panicking_wakers;
mod polling;
mod reentrant_wakers;
mod synchronous;
