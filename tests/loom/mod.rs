//! Models of the cell, explored by loom. In each model, two or three threads do what one claim is about. loom runs
//! every schedule, or every schedule with a bounded number of preemptions, and lets each load return every value that
//! the memory orderings of the code allow.
//!
//! ```text
//! .ci/loom
//! ```
//!
//! The features `atomic-waker` and `event-listener` add models of those backends, without the internals of the crates
//! behind them. The feature `blocking` adds threads that wait next to tasks.
//!
//! Every model detects unsynchronized access to the value, to a node or to the data of initializers; a node that is
//! freed while another thread uses it; and a task that sleeps forever. loom reports a lost wakeup as a deadlock,
//! which ends the process.

#[cfg(any(feature = "atomic-waker", feature = "event-listener"))]
mod shadowed;
mod support;

mod attempt;
mod box_lazy;
mod cancel;
mod claim;
mod drain;
mod guard;
mod lazy;
mod publish;
mod reentrant;
mod spawned;
mod wake;

#[cfg(feature = "blocking")]
mod blocking;

#[cfg(feature = "atomic-waker")]
mod atomic_waker;
#[cfg(feature = "event-listener")]
mod event_listener;
