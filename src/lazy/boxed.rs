//! Lazies whose futures are boxed.

use core::pin::Pin;

use alloc::boxed::Box;

use crate::{backend::Intrusive, lazy::Lazy};

/// A [`Lazy`] whose future is boxed. Its type can be named, and it need not be pinned.
///
/// So a field can have this type, whatever its future is. The field is awaited as `(&self.field).await`. Drivers,
/// cancellation and poisoning are those of [`Lazy`]. The box is freed as soon as the future yields the value.
///
/// To stop the future when no caller waits for it, see [cancellation][stopping] in the guide.
///
/// [stopping]: crate::guide::cancellation#stopping-an-initializer-that-no-caller-needs
///
/// # Unwind safety
///
/// It is neither `UnwindSafe` nor `RefUnwindSafe`, because the box may contain any future. Nor is std's
/// `LazyLock<T, Box<dyn FnOnce() -> T>>`. If code that catches a panic of the future cannot observe a broken invariant, wrap
/// the reference in [`AssertUnwindSafe`](core::panic::AssertUnwindSafe):
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

/// A [`BoxLazy`] whose future need not be `Send`.
pub type LocalBoxLazy<'a, T, B = Intrusive> = Lazy<T, Pin<Box<dyn Future<Output = T> + 'a>>, B>;

impl<'a, T> BoxLazy<'a, T> {
    /// Creates a lazy whose value `future` computes when a task asks for it.
    #[must_use]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn boxed(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self::with_backend(Box::pin(future))
    }
}

impl<'a, T> LocalBoxLazy<'a, T> {
    /// Creates a lazy whose value `future` computes when a task asks for it.
    #[must_use]
    #[cfg_attr(feature = "deadlock-detection", track_caller)]
    pub fn boxed_local(future: impl Future<Output = T> + 'a) -> Self {
        Self::with_backend(Box::pin(future))
    }
}
