//! Tests of the documented behavior of `OnceCell` through its public API, where it does not depend on the backend.
//!
//! What a cell does with any backend is in the conformance suite, `oncelot::testing`, which the unit tests run on the default
//! backend: for example, which waiters an event wakes. What wakers may do is in `tests/drains.rs`.

#[path = "../util/mod.rs"]
mod util;

mod attempts;
mod endings;
mod own_cell;
mod polling;
mod synchronous;
