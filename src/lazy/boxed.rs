//! A `Lazy` of any future, for fields and trait objects.

use core::pin::Pin;

use alloc::boxed::Box;

use crate::{backend::Intrusive, lazy::Lazy};

/// A [`Lazy`] whose future is in a box: its type can be written down, and it need not be pinned.
///
/// So it can be a field, of a type whose futures come from somewhere else; it is awaited as `(&self.field).await`.
/// What [`Lazy`] says of drivers, cancellation and poisoning holds. The box is freed as soon as the value is there.
///
/// # Unwind safety
///
/// It is neither `UnwindSafe` nor `RefUnwindSafe`, as the box may contain any future, as std's
/// `LazyLock<T, Box<dyn FnOnce() -> T>>` is neither. Where a panic that is caught cannot show what the future has left
/// half-done, wrap the reference in [`AssertUnwindSafe`](core::panic::AssertUnwindSafe):
///
/// ```
/// use std::panic::{AssertUnwindSafe, catch_unwind};
///
/// use futures_lite::future::block_on;
/// use oncelot::BoxLazy;
///
/// let lazy = BoxLazy::boxed(async { 1 });
/// let get = AssertUnwindSafe(|| block_on(lazy.get_unpin()));
/// assert_eq!(catch_unwind(get).unwrap(), &1);
/// ```
///
/// # Examples
///
/// ```
/// use oncelot::BoxLazy;
///
/// struct Client {
///     token: BoxLazy<'static, String>,
/// }
///
/// impl Client {
///     fn new(user: String) -> Self {
///         Self { token: BoxLazy::boxed(async move { log_in(&user).await }) }
///     }
///
///     async fn token(&self) -> &str {
///         (&self.token).await
///     }
/// }
///
/// async fn log_in(user: &str) -> String {
///     format!("token of {user}")
/// }
///
/// # futures_lite::future::block_on(async {
/// assert_eq!(Client::new("me".to_owned()).token().await, "token of me");
/// # });
/// ```
pub type BoxLazy<'a, T, B = Intrusive> = Lazy<T, Pin<Box<dyn Future<Output = T> + Send + 'a>>, B>;

/// A [`BoxLazy`] whose future stays on its thread.
pub type LocalBoxLazy<'a, T, B = Intrusive> = Lazy<T, Pin<Box<dyn Future<Output = T> + 'a>>, B>;

impl<'a, T> BoxLazy<'a, T> {
    /// Makes one whose value `future` computes, when somebody asks for it.
    #[must_use]
    pub fn boxed(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self::with_backend(Box::pin(future))
    }
}

impl<'a, T> LocalBoxLazy<'a, T> {
    /// Makes one whose value `future` computes, when somebody asks for it.
    #[must_use]
    pub fn boxed_local(future: impl Future<Output = T> + 'a) -> Self {
        Self::with_backend(Box::pin(future))
    }
}
