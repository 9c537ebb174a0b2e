//! The instruments of the tests: tasks that count their wakes, jobs, futures that the test completes, and values that count their
//! drops.
//!
//! The conformance suite uses them as a module of the crate. The integration tests include this folder by its path, so that they
//! need no feature; see `tests/util`.

#![allow(
    dead_code,
    unused_imports,
    reason = "each crate that includes this folder uses a part of it"
)]

mod drops;
mod futures;
mod job;
mod leak;
mod poll;
mod task;

pub(crate) use self::{
    drops::{Counted, Drops, OnDrop},
    futures::{Event, Gate, Panicking, With, yield_now},
    job::{Job, run},
    leak::{leak, leak_box},
    poll::{message, now, panic_of, panics, poll, poll_with},
    task::{Log, Op, Task},
};
