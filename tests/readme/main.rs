//! The README, checked: its code stands word for word in programs that are compiled and run, most of them here, and
//! what it names is there.
//!
//! A module is one recipe: the code that the README shows, what that stands on, and a test of what is said of it.

#![allow(unreachable_pub, reason = "it is shown as it would stand in a library")]

mod app;
mod connect;
#[cfg(feature = "alloc")]
mod field;
#[cfg(feature = "std")]
mod generic;
mod library;
mod reset;
mod retry;
mod shared_error;
mod statics;
#[cfg(feature = "blocking")]
mod threads;
mod timeout;
#[cfg(feature = "smol")]
mod timeout_smol;

#[cfg(feature = "std")]
#[path = "../runtimes/one_thread.rs"]
mod one_thread;
#[cfg(feature = "tokio")]
mod spawned;
#[cfg(feature = "smol")]
mod spawned_blocking;

mod text;

/// What most of them connect to.
#[derive(Debug)]
struct Pool;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Error {
    Refused,
    TimedOut,
}
