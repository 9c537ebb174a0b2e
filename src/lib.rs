//! An asynchronous `OnceCell` for every executor: one word beside the value, no allocation, no runtime, no
//! standard library.
//!
//! ```
//! use oncelot::OnceCell;
//!
//! # struct Pool;
//! # async fn connect() -> Result<Pool, std::io::Error> { Ok(Pool) }
//! static POOL: OnceCell<Pool> = OnceCell::new();
//!
//! async fn pool() -> Result<&'static Pool, std::io::Error> {
//!     POOL.get_or_try_init(connect).await
//! }
//! # futures_lite::future::block_on(pool()).unwrap();
//! ```
//!
//! However many tasks ask at the same time, one of them runs the initializer, and the others wait for it. If
//! it fails, panics or is cancelled, another one takes over. See [`OnceCell`] for all of it.
//!
//! # Which to use
//!
//! A future that merely waits may be dropped, or kept and polled no more: nobody is held up. What differs is what
//! becomes of the value when that happens to the future that makes it. Two futures block the others if they are kept and not
//! polled: the one that runs its initializer inside, and the one that drives a [`Lazy`].
//!
//! | | it is dropped | it is kept and not polled | the value's own future | needs |
//! |---|---|---|---|---|
//! | [`OnceCell::get_or_init`] | another one starts anew | **all others wait** | may borrow | `core` |
//! | [`get_or_init_spawned`](runtime::OnceCellExt::get_or_init_spawned) | it goes on | it goes on | `Send + 'static` | a [`Runtime`](runtime::Runtime) |
//! | [`Lazy`] | another one goes on | **all others wait** | may borrow; is pinned | `core` |
//! | [`BoxLazy`] | another waiter resumes it | another waiter resumes it | may borrow; is boxed | `alloc` |
//! | a static of [`lazy!`] | another one goes on | another one goes on | `Send + 'static` | `core` |
//!
//! A `select!` by reference keeps the branch that has lost; a `FuturesUnordered` or a buffered stream keeps all its
//! futures while its owner awaits something else.
//!
//! # Features
//!
//! | feature | default | what it does |
//! |---|---|---|
//! | `std` | yes | a thread that meets the lock of the waiter list spins, then yields, then sleeps; panics of several wakers are survived; debug builds detect an initializer that awaits its own cell; [`runtime`]; includes `alloc` |
//! | `alloc` | | [`BoxLazy`], on targets with compare-and-swap for pointers |
//! | `blocking` | | threads wait on the same cells as tasks, as in [`OnceCell::wait_blocking`]; enables `rt-multi-thread` of tokio if `tokio` is on |
//! | `tokio`, `async-std`, `smol` | | [`runtime::Tokio`], [`runtime::AsyncStd`], [`runtime::Smol`]: runtimes on which initializers can be spawned. `async-std` is for existing applications: async-std is discontinued upstream |
//! | `tracing` | | [a span for each initializer](#tracing), and events for how it ends and for a waiter that begins to wait |
//! | `critical-section` | | changes happen in critical sections: for interrupt handlers, and for targets without compare-and-swap that have atomic loads and stores |
//! | `portable-atomic` | | atomics from that crate: the other way for targets without compare-and-swap, and the only one for those without atomic loads and stores |
//! | `atomic-waker` | | the backend [`AtomicWaker`](backend::AtomicWaker) |
//! | `atomic-waker-portable-atomic` | | the same backend for targets without compare-and-swap, with `portable-atomic` |
//! | `event-listener` | | the backend [`EventListener`](backend::EventListener), with the locks of `std`; includes `std` |
//! | `event-listener-alloc` | | the same backend without `std`: its lock spins |
//! | `event-listener-critical-section` | | the same backend without `std`, with `critical-section`: its lock is a critical section |
//! | `event-listener-portable-atomic` | | the same backend for targets without compare-and-swap, with `portable-atomic` |
//! | `testing` | | the conformance suite for backends, [`conformance_tests!`] |
//!
//! Without features there are no dependencies. Features only add: what a cell promises is the same with any of them. Four of them
//! are felt by every crate of a program, as one of them turns them on for all:
//!
//! - `critical-section` chooses how changes are kept apart, and needs an implementation of that crate to be linked.
//! - `tracing` makes cells and futures larger.
//! - `tokio` and `async-std` make blocking calls that have to wait look at the context they are called in: see
//!   [`OnceCell::wait_blocking`].
//!
//! # Tracing
//!
//! With the feature `tracing`, each attempt to initialize a cell runs in a span `initialize`, and ends with one event of the
//! target `oncelot`: at the level `DEBUG` for a value, `WARN` for an error or a cancellation, and `ERROR` for a panic. An
//! event at the level `TRACE` is emitted when a waiter begins to wait.
//!
//! A subscriber can use cells, and the cell whose initializer it is called for, as far as this table says:
//!
//! | the subscriber is called | that cell | what works |
//! |---|---|---|
//! | to create, enter or exit the span | is claimed | [`get`](OnceCell::get) and [`state`](OnceCell::state); [`set`](OnceCell::set) fails. **A wait for the cell never ends**; debug builds panic |
//! | for an event, and to close the span | is released, or ready | everything |
//!
//! The cells that a subscriber initializes or waits for while this crate calls it have no spans and events, so that the
//! subscriber does not call itself. The attempt number `attempt` counts those initializations all the same.
//!
//! The events have a field `duration`, except where the span is disabled, in which case the clock is never read, and on
//! targets whose `std` has no clock, such as `wasm32-unknown-unknown`.
//!
//! # Supported compilers
//!
//! Rust 1.85 and later. A higher version would be a minor release.

#![cfg_attr(not(test), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(all(feature = "std", not(test)))]
extern crate std;

mod deadlock;
mod error;
mod panics;
mod sync;
mod trace;

pub mod backend;
mod raw;

mod lazy;
mod once_cell;
mod static_lazy;

#[cfg(feature = "std")]
pub mod runtime;

#[cfg(all(feature = "testing", not(any(oncelot_loom, oncelot_shuttle))))]
pub mod testing;

#[doc(inline)]
pub use crate::backend::{Backend, Intrusive, State};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use crate::lazy::{BoxLazy, GetBoxLazy, LocalBoxLazy};
pub use crate::{
    error::{InitializingError, SetError},
    lazy::{GetLazy, Lazy},
    once_cell::{
        GetMutOrInit, GetMutOrTryInit, GetOrInit, GetOrTryInit, Insert, LocalOnceCell, OnceCell, Wait,
    },
    static_lazy::{GetStatic, StaticLazy},
};

/// What the macros expand to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use core::future::{Future, IntoFuture};

    pub use crate::static_lazy::{
        Align, Alignment, FutureStorage, InStatic, StaticFuture, align_of_future, size_of_future,
    };
}

// A part of the crate, and not a test beside it, so that loom is a dependency of the tests alone.
#[cfg(all(test, oncelot_loom))]
#[path = "../tests/loom/mod.rs"]
mod loom_models;

// Likewise.
#[cfg(all(test, oncelot_shuttle))]
#[path = "../tests/shuttle/mod.rs"]
mod shuttle_models;
