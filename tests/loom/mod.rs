//! Models of the cell, explored by loom: in each, two or three threads do what one claim is about, in every
//! order (or in every one with a bounded number of preemptions) and with every value that the orderings of
//! the code allow a load to see.
//!
//! ```text
//! .ci/loom
//! ```
//!
//! With the features `atomic-waker` and `event-listener`, so are the backends of these names, as far as loom
//! sees into them; with `blocking`, threads that wait beside tasks.
//!
//! What loom notices in every model: unsynchronized access to the value, to a node or to what initializers
//! work on; a node that goes away while another thread is at it; a task that sleeps for ever. A wake-up that
//! is lost is reported as a deadlock and ends the process.

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
