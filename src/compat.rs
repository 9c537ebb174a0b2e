//! Cells with the interfaces of other crates, so that a program migrates by changing its `use` lines.
//!
//! | crate | before | after |
//! |---|---|---|
//! | tokio | `tokio::sync::{OnceCell, SetError}` | [`oncelot::{OnceCell, SetError}`](crate::OnceCell) |
//! | tokio | `tokio::sync::SetOnce` | `oncelot::OnceCell as SetOnce` |
//! | async-lock | `async_lock::OnceCell` | [`oncelot::compat::async_lock::OnceCell`](async_lock::OnceCell) |
//! | async-once-cell | `async_once_cell::{OnceCell, Lazy}` | [`oncelot::compat::async_once_cell::{OnceCell, Lazy}`](async_once_cell) |
//! | asyncband | `asyncband::once::{OnceCell, LazyCell}` | [`oncelot::compat::asyncband::{OnceCell, LazyCell}`](asyncband) |
//! | embassy-sync | `embassy_sync::once_lock::OnceLock` | [`oncelot::compat::embassy_sync::OnceLock`](embassy_sync::OnceLock) |
//!
//! The names and the signatures are those of the other crate. The behavior is that of [`OnceCell`](crate::OnceCell) and
//! [`Lazy`](crate::Lazy). The documentation of each type here lists the differences that a program may notice. A defect of the other
//! crate is not reproduced.
//!
//! Each type is a newtype without cost: it has the size of the cell inside, and its futures have the size of the cell's
//! futures. A cell here dereferences to the [`OnceCell`](crate::OnceCell) inside, so its methods
//! that the other crate lacks are available, too.
//!
//! Code that is written from scratch does not need this module.
//!
//! # Examples
//!
//! ```
//! // Before: use async_lock::OnceCell;
//! use oncelot::compat::async_lock::OnceCell;
//!
//! # futures_lite::future::block_on(async {
//! let cell = OnceCell::new();
//! assert_eq!(cell.set(1).await, Ok(&1));
//! assert_eq!(cell.set(2).await, Err(2));
//! # });
//! ```

use core::{
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

/// Defines a newtype around [`OnceCell`](crate::OnceCell), with the methods that the cells of all peers have.
macro_rules! newtype {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        #[repr(transparent)]
        pub struct $name<T>($crate::OnceCell<T>);

        impl<T> $name<T> {
            /// Creates an empty cell.
            #[must_use]
            pub const fn new() -> Self {
                Self($crate::OnceCell::new())
            }

            /// Takes the value out and resets the cell. Returns `None` if the cell is empty.
            pub fn take(&mut self) -> Option<T> {
                self.0.take()
            }

            /// Returns the value, or `None` if the cell is empty.
            pub fn into_inner(self) -> Option<T> {
                self.0.into_inner()
            }
        }

        impl<T> Default for $name<T> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<T> From<T> for $name<T> {
            fn from(value: T) -> Self {
                Self($crate::OnceCell::const_new_with(value))
            }
        }

        impl<T> ::core::ops::Deref for $name<T> {
            type Target = $crate::OnceCell<T>;

            #[inline]
            fn deref(&self) -> &$crate::OnceCell<T> {
                &self.0
            }
        }

        impl<T> ::core::ops::DerefMut for $name<T> {
            #[inline]
            fn deref_mut(&mut self) -> &mut $crate::OnceCell<T> {
                &mut self.0
            }
        }
    };
}

/// Adds the methods `get` and `get_mut` to a newtype, and shows it as its cell.
macro_rules! accessors {
    ($name:ident) => {
        impl<T> $name<T> {
            /// Returns the value, or `None` if the cell is empty. Never waits: one load (Acquire).
            #[inline]
            pub fn get(&self) -> Option<&T> {
                self.0.get()
            }

            /// Returns a mutable reference to the value, or `None` if the cell is empty.
            #[inline]
            pub fn get_mut(&mut self) -> Option<&mut T> {
                self.0.get_mut()
            }
        }

        impl<T: ::core::fmt::Debug> ::core::fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

/// Implements the methods that take a closure which returns the future of the value.
macro_rules! initializers {
    ($name:ident) => {
        impl<T> $name<T> {
            /// Returns the value, or initializes the cell with the future of `init`. See
            /// [`OnceCell::get_or_init`](crate::OnceCell::get_or_init).
            #[inline]
            #[cfg_attr(feature = "deadlock-detection", track_caller)]
            pub fn get_or_init<Fut: Future<Output = T>>(
                &self,
                init: impl FnOnce() -> Fut,
            ) -> impl Future<Output = &T> {
                self.0.get_or_init(init)
            }

            /// Returns the value, or initializes the cell with the future of `init`, which can fail. See
            /// [`OnceCell::get_or_try_init`](crate::OnceCell::get_or_try_init).
            ///
            /// # Errors
            ///
            /// Returns the error of `init` if this call ran it and it failed.
            #[inline]
            #[cfg_attr(feature = "deadlock-detection", track_caller)]
            pub fn get_or_try_init<E, Fut: Future<Output = Result<T, E>>>(
                &self,
                init: impl FnOnce() -> Fut,
            ) -> impl Future<Output = Result<&T, E>> {
                self.0.get_or_try_init(init)
            }
        }
    };
}

pub mod async_lock;
pub mod async_once_cell;
pub mod asyncband;
pub mod embassy_sync;

pin_project! {
    /// Maps the output of a future. Has the size of the future if `map` captures nothing, which an `async` block around the
    /// future would not have.
    struct Map<Fut, M> {
        #[pin]
        future: Fut,
        map: M,
    }
}

impl<Fut: Future, R, M: FnMut(Fut::Output) -> R> Future for Map<Fut, M> {
    type Output = R;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let this = self.project();
        this.future.poll(cx).map(this.map)
    }
}

fn value_or_rejected<'a, T>(inserted: Result<&'a T, (&'a T, T)>) -> Result<&'a T, T> {
    inserted.map_err(|(_, rejected)| rejected)
}
