//! An asynchronous `OnceCell` for any executor: one word of overhead, no allocation, no runtime, and no need for the standard
//! library.
//!
//! ```
//! use oncelot::OnceCell;
//!
//! static POOL: OnceCell<Pool> = OnceCell::new();
//!
//! async fn pool() -> Result<&'static Pool, Error> {
//!     POOL.get_or_try_init(|| Pool::connect("postgres://localhost/app"))
//!         .await
//! }
//! # use futures_lite::future::{block_on, yield_now, zip};
//! #
//! # #[derive(Debug)]
//! # struct Error;
//! #
//! # struct Pool(&'static str);
//! #
//! # impl Pool {
//! #     async fn connect(url: &'static str) -> Result<Self, Error> {
//! #         yield_now().await;
//! #         Ok(Self(url))
//! #     }
//! # }
//! #
//! # let (first, second) = block_on(zip(pool(), pool()));
//! # assert!(std::ptr::eq(first.unwrap(), second.unwrap()));
//! # assert_eq!(POOL.get().unwrap().0, "postgres://localhost/app");
//! ```
//!
//! Any number of tasks may ask for the value concurrently. One of them runs the initializer, and the others wait. If the
//! initializer fails, panics or is cancelled, another waiting task retries. No waiter depends on another waiter being polled.
//!
//! [`OnceCell`] is the main type. A [`lazy!`] static and a [`BoxLazy`] declare the value together with its initializer. The trait
//! [`OnceCellExt`] spawns initializers, which then survive their callers. [`get_or_try_init_shared`] shares one attempt among all
//! callers, and an [`InitGuard`] initializes a cell from a callback or an interrupt handler. With the feature `blocking`, threads
//! and tasks can wait for one cell. The [guide] helps to choose, and contains recipes, the features for each target, migration
//! tables, and measurements:
//! [choosing] · [contract] · [cancellation] · [failures] · [resetting] · [runtimes] · [firmware] · [wasm] · [keys] ·
//! [tracing](crate::guide::tracing) · [migration] · [performance] · [backends].
//!
//! [`compat`] has cells with the interfaces of async-lock, async-once-cell, asyncband and embassy-sync, for programs that
//! migrate from them.
//!
//! # Features
//!
//! | feature | default | what it does |
//! |---|---|---|
//! | `std` | yes | a thread that finds the list of waiters locked spins, then yields, then sleeps; a second panicking waker does not abort the process; debug builds detect an initializer that awaits its own cell; the module [`runtime`]; includes `alloc` |
//! | `alloc` | | [`BoxLazy`], on targets with compare-and-swap for pointers |
//! | `blocking` | | blocking methods for threads, such as [`OnceCell::wait_blocking`] |
//! | `tokio`, `async-std`, `smol` | | [`Tokio`], [`AsyncStd`], [`Smol`]: runtimes on which initializers can be spawned. Except on WebAssembly, `tokio` enables `rt-multi-thread` of that crate. `async-std` is for existing applications: async-std is discontinued upstream |
//! | `tracing` | | [a span for each initializer, and events](crate::guide::tracing) for its outcome and for each waiter that starts to wait |
//! | `deadlock-detection` | | any build [detects](OnceCell#deadlocks) an initializer that awaits its own cell, as debug builds do with `std`, and names where each initializer began; includes `std` |
//! | `defmt` | | [`defmt::Format`](https://docs.rs/defmt/latest/defmt/trait.Format.html) for the cells, the lazies, the errors and [`State`], with the output of `Debug` |
//! | `critical-section` | | changes to a cell are made in critical sections: for interrupt handlers, and for targets that have atomic loads and stores but no compare-and-swap |
//! | `portable-atomic` | | atomics of that crate: an alternative for targets without compare-and-swap, and required on targets without atomic loads and stores |
//! | `atomic-waker` | | the backend [`AtomicWaker`] |
//! | `atomic-waker-portable-atomic` | | the backend [`AtomicWaker`] for targets without compare-and-swap, with `portable-atomic` |
//! | `event-listener` | | the backend [`EventListener`], with the locks of `std`; includes `std` |
//! | `event-listener-alloc` | | the backend [`EventListener`] without `std`: its lock spins |
//! | `event-listener-critical-section` | | the backend [`EventListener`] without `std`, with `critical-section`: its lock is a critical section |
//! | `event-listener-portable-atomic` | | the backend [`EventListener`] for targets without compare-and-swap, with `portable-atomic` |
//! | `testing` | | the conformance suite for backends, [`conformance_tests!`] |
//!
//! Without features, the only dependency is `pin-project-lite`. Features are additive: none of them changes the guarantees of a
//! cell. Because Cargo unifies features, some of them affect every crate in the build:
//!
//! - `std` changes how a thread waits for the lock of the list of waiters, and makes debug builds panic if an initializer awaits
//!   its own cell.
//! - `critical-section` makes every change to a cell run in a critical section, and requires an implementation of that crate to
//!   be linked.
//! - `portable-atomic` replaces the atomic types of `core` by those of that crate.
//! - `tracing` makes cells and futures larger.
//! - `deadlock-detection` makes futures and lazies larger, and makes any build panic if an initializer awaits its own cell.
//! - `tokio` and `async-std` make a blocking call that has to wait check whether it was made in an async task: see
//!   [`OnceCell::wait_blocking`].
//!
//! # Supported compilers
//!
//! Rust 1.85 and later. Raising this version requires at least a minor release.

// The targets of the links above: first for the items of enabled features, and at the end for all others.
#![cfg_attr(any(doc, doctest), doc = "", doc = include_str!("guide/links/always.md"))]
#![cfg_attr(all(any(doc, doctest), feature = "alloc"), doc = include_str!("guide/links/alloc.md"))]
#![cfg_attr(all(any(doc, doctest), feature = "std"), doc = include_str!("guide/links/std.md"))]
#![cfg_attr(all(any(doc, doctest), feature = "blocking"), doc = include_str!("guide/links/blocking.md"))]
#![cfg_attr(all(any(doc, doctest), feature = "tokio"), doc = include_str!("guide/links/tokio.md"))]
#![cfg_attr(all(any(doc, doctest), feature = "smol"), doc = include_str!("guide/links/smol.md"))]
#![cfg_attr(all(any(doc, doctest), feature = "async-std"), doc = include_str!("guide/links/async-std.md"))]
#![cfg_attr(all(any(doc, doctest), feature = "atomic-waker"), doc = include_str!("guide/links/atomic-waker.md"))]
#![cfg_attr(all(any(doc, doctest), feature = "event-listener-alloc"), doc = include_str!("guide/links/event-listener.md"))]
#![cfg_attr(all(any(doc, doctest), feature = "testing"), doc = include_str!("guide/links/testing.md"))]
#![cfg_attr(any(doc, doctest), doc = include_str!("guide/links/absent.md"))]
#![cfg_attr(not(test), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(all(feature = "std", not(test)))]
extern crate std;

mod deadlock;
mod error;
#[cfg(feature = "defmt")]
mod format;
mod panics;
mod sync;
mod trace;

pub mod backend;
mod raw;

mod lazy;
mod once_cell;
mod static_lazy;

pub mod compat;
#[cfg(feature = "std")]
pub mod runtime;

pub mod guide;

// The unit tests run the suite too, without the feature.
#[cfg(all(any(test, feature = "testing"), not(oncelot_loom)))]
pub mod testing;

#[doc(inline)]
pub use crate::backend::{Backend, Intrusive, State};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use crate::lazy::{BoxLazy, GetBoxLazy, LocalBoxLazy};
pub use crate::{
    error::{InitializingError, SetError, SharedInitError},
    lazy::{GetLazy, Lazy},
    once_cell::{
        GetMutOrInit, GetMutOrTryInit, GetOrClaim, GetOrInit, GetOrTryInit, GetOrTryInitShared, InitGuard,
        Insert, LocalOnceCell, OnceCell, Wait, WaitAttempt,
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

// A module of the crate and not an integration test, so that loom is a dependency of the tests only.
#[cfg(all(test, oncelot_loom))]
#[path = "../tests/loom/mod.rs"]
mod loom_models;
