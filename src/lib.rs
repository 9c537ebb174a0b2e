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
//! becomes of the value when that happens to the future that makes it.
//!
//! | | it is dropped | it is kept and not polled | the value's own future | needs |
//! |---|---|---|---|---|
//! | [`OnceCell::get_or_init`] | another one starts anew | **all others wait** | may borrow | `core` |
//! | [`get_or_init_spawned`](runtime::SharedCell::get_or_init_spawned) | it goes on | it goes on | `Send + 'static` | a [`Runtime`](runtime::Runtime) |
//! | [`Lazy`] | another one goes on | **all others wait** | may borrow; is pinned | `core` |
//! | a static of [`lazy!`] | another one goes on | another one goes on | `Send + 'static` | `core` |
//!
//! A `select!` by reference keeps the branch that has lost; a `FuturesUnordered` or a buffered stream keeps all its
//! futures while its owner awaits something else.
//!
//! # Features
//!
//! | feature | default | what it does |
//! |---|---|---|
//! | `std` | yes | threads that meet in the waiter list yield; panics of several wakers are survived; debug builds detect an initializer that awaits its own cell; [`runtime`]; includes `alloc` |
//! | `alloc` | | [`BoxLazy`] |
//! | `blocking` | | threads wait on the same cells as tasks, as in [`OnceCell::wait_blocking`] |
//! | `tokio`, `async-std`, `smol` | | [`runtime::Tokio`], [`runtime::AsyncStd`], [`runtime::Smol`]: initializers as tasks of their own. `async-std` is for existing applications: async-std is discontinued upstream |
//! | `tracing` | | a span for each initializer, and events for how it ends and for who starts to wait |
//! | `critical-section` | | changes happen in critical sections: for interrupt handlers, and for targets without compare-and-swap |
//! | `portable-atomic` | | atomics from that crate: the other way for targets without compare-and-swap |
//! | `event-listener` | | the backend [`EventListener`](backend::EventListener) |
//! | `atomic-waker` | | the backend [`AtomicWaker`](backend::AtomicWaker) |
//! | `testing` | | the conformance suite for backends, [`conformance_tests!`] |
//!
//! Without features there are no dependencies. Features only add: what a cell promises is the same with any of them. Four of them
//! are felt by every crate of a program, as one of them turns them on for all:
//!
//! - `critical-section` chooses how changes are kept apart, and needs an implementation of that crate to be linked.
//! - `tracing` makes cells and futures larger.
//! - `tokio` and `async-std` have blocking calls look where they are made: see [`OnceCell::wait_blocking`].
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
pub use crate::backend::{Backend, Intrusive};

/// A [`OnceCell`] for one thread, without atomic operations.
///
/// It has the methods and the guarantees of [`OnceCell`]. It is not `Sync`, and its futures are not `Send`: it is for
/// thread-local variables, the tasks of a `LocalSet` or of another executor on one thread, WebAssembly, and firmware with one
/// executor. [`backend::Local`] lists all differences, and what the operations cost.
///
/// [`with_backend`](OnceCell::with_backend) and `default` create an empty cell,
/// [`with_backend_and_value`](OnceCell::with_backend_and_value) creates one that holds a value.
///
/// # Examples
///
/// Two tasks of a `LocalSet` share a value that is not `Send`:
///
/// ```
/// use std::rc::Rc;
/// use oncelot::LocalOnceCell;
///
/// thread_local! {
///     static CONFIG: Rc<LocalOnceCell<Rc<str>>> = Rc::default();
/// }
///
/// async fn config() -> Rc<str> {
///     let cell = CONFIG.with(Rc::clone);
///     Rc::clone(cell.get_or_init(load).await)
/// }
///
/// async fn load() -> Rc<str> {
///     tokio::task::yield_now().await;
///     Rc::from("configuration")
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let tasks = tokio::task::LocalSet::new();
/// let first = tasks.spawn_local(config());
/// let second = tasks.spawn_local(config());
/// runtime.block_on(tasks);
/// let (first, second) = (runtime.block_on(first)?, runtime.block_on(second)?);
/// assert!(Rc::ptr_eq(&first, &second));
/// # Ok(())
/// # }
/// ```
///
/// A `static` cannot hold it:
///
/// ```compile_fail,E0277
/// static CONFIG: oncelot::LocalOnceCell<u32> = oncelot::LocalOnceCell::with_backend();
/// ```
pub type LocalOnceCell<T> = OnceCell<T, backend::Local>;
#[cfg(feature = "alloc")]
pub use crate::lazy::{BoxLazy, LocalBoxLazy};
pub use crate::{
    error::SetError,
    lazy::{GetLazy, Lazy},
    once_cell::{GetMutOrInit, GetMutOrTryInit, GetOrInit, GetOrTryInit, Insert, OnceCell, Wait},
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
