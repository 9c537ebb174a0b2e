//! The errors of cells.

use core::fmt;

/// The error of [`OnceCell::set`](crate::OnceCell::set) and [`OnceCell::try_insert`](crate::OnceCell::try_insert), which
/// contains the rejected value.
///
/// [`into_inner`](Self::into_inner) returns the value.
///
/// # Examples
///
/// ```
/// use oncelot::{OnceCell, SetError};
///
/// let cell = OnceCell::new_with(Some(1));
/// assert_eq!(cell.set(2), Err(SetError::AlreadyInitializedError(2)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SetError<T> {
    /// The cell already holds a value.
    AlreadyInitializedError(T),
    /// An initializer is running. To wait for it, use [`OnceCell::insert`](crate::OnceCell::insert).
    InitializingError(T),
}

impl<T> SetError<T> {
    /// Returns `true` if the cell already held a value.
    pub fn is_already_init_err(&self) -> bool {
        matches!(self, Self::AlreadyInitializedError(_))
    }

    /// Returns `true` if an initializer was running.
    pub fn is_initializing_err(&self) -> bool {
        matches!(self, Self::InitializingError(_))
    }

    /// Returns the rejected value.
    pub fn into_inner(self) -> T {
        match self {
            Self::AlreadyInitializedError(value) | Self::InitializingError(value) => value,
        }
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyInitializedError(_) => "the cell already holds a value; read it with `get`",
            Self::InitializingError(_) => {
                "the cell is being initialized; wait for it with `insert`, `wait` or `get_or_init`"
            }
        })
    }
}

impl<T: fmt::Debug> core::error::Error for SetError<T> {}

/// The error of [`OnceCell::try_get_or_init`](crate::OnceCell::try_get_or_init), which cannot wait for a running initializer.
///
/// # Examples
///
/// ```
/// use oncelot::{InitializingError, OnceCell};
///
/// let cell = OnceCell::new();
/// let value = cell.try_get_or_init(|| {
///     assert_eq!(cell.try_get_or_init(|| 2), Err(InitializingError));
///     1
/// });
/// assert_eq!(value, Ok(&1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InitializingError;

impl fmt::Display for InitializingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the cell is being initialized; wait for it with `get_or_init` or `wait`, or try again later",
        )
    }
}

impl core::error::Error for InitializingError {}

/// The error of [`OnceCell::get_or_try_init_shared`](crate::OnceCell::get_or_try_init_shared), which makes or waits for one
/// attempt to initialize a cell.
///
/// `E` is the error of the initializer.
///
/// # Examples
///
/// ```
/// use futures_lite::future;
/// use oncelot::{OnceCell, SharedInitError};
///
/// # future::block_on(async {
/// let cell = OnceCell::<u32>::new();
/// let connect = async || {
///     future::yield_now().await;
///     Err("no route")
/// };
/// let both = future::zip(cell.get_or_try_init_shared(connect), cell.get_or_try_init_shared(connect)).await;
/// assert_eq!(both, (Err(SharedInitError::Failed("no route")), Err(SharedInitError::OtherFailed)));
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SharedInitError<E> {
    /// This call ran its initializer, which returned an error.
    Failed(E),
    /// This call waited for another initializer, which returned an error, panicked, or was cancelled.
    OtherFailed,
}

/// Converts the error of an initializer, so that `?` can be used in a function that returns a `SharedInitError`.
impl<E> From<E> for SharedInitError<E> {
    fn from(error: E) -> Self {
        Self::Failed(error)
    }
}

impl<E> fmt::Display for SharedInitError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed(_) => "the initializer failed",
            Self::OtherFailed => {
                "the initializer of another caller ended without a value; call the method again to retry"
            }
        })
    }
}

impl<E: core::error::Error + 'static> core::error::Error for SharedInitError<E> {
    /// Returns the error of this call's initializer.
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::OtherFailed => None,
        }
    }
}
