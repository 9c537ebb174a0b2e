//! The lazies of all crates behind a common trait, without overhead.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use futures_util::FutureExt;
use futures_util::future::Shared;

use super::report::Named;
use super::waiting::Got;

/// A value that one future computes. `F` is the future, and `M` makes it.
pub(crate) trait Lazy: Named {
    type Of<M: FnOnce() -> F, F: Future<Output = u64>>;

    fn new<M: FnOnce() -> F, F: Future<Output = u64>>(make: M) -> Self::Of<M, F>;

    /// The smallest future that waits for the value, unwrapped: its size and its polls are the crate's.
    fn get<M: FnOnce() -> F, F: Future<Output = u64>>(lazy: Pin<&Self::Of<M, F>>)
    -> impl Future<Output: Got>;
}

/// `$make => $new` is how the crate takes its future: some want the closure that makes it.
macro_rules! lazy {
    ($subject:ident, $name:literal, $of:ty, $make:ident => $new:expr, $lazy:ident => $get:expr) => {
        pub(crate) struct $subject;

        impl Named for $subject {
            const NAME: &'static str = $name;
        }

        impl Lazy for $subject {
            type Of<M: FnOnce() -> F, F: Future<Output = u64>> = $of;

            fn new<M: FnOnce() -> F, F: Future<Output = u64>>($make: M) -> Self::Of<M, F> {
                $new
            }

            fn get<M: FnOnce() -> F, F: Future<Output = u64>>(
                $lazy: Pin<&Self::Of<M, F>>,
            ) -> impl Future<Output: Got> {
                $get
            }
        }
    };
}

lazy!(
    Oncelot, "oncelot", oncelot::Lazy<u64, F>,
    make => oncelot::Lazy::new(make()),
    lazy => lazy.get()
);
// Its `get` is an `async fn` around the same future.
lazy!(
    AsyncOnceCell, "async-once-cell", async_once_cell::Lazy<u64, F>,
    make => async_once_cell::Lazy::new(make()),
    lazy => lazy.into_future()
);
// The handle is the future, and each caller has a clone.
lazy!(
    FuturesUtil, "futures-util", Shared<F>,
    make => make().shared(),
    lazy => lazy.get_ref().clone()
);
lazy!(
    Asyncband, "asyncband", asyncband::once::LazyCell<u64, F, M>,
    make => asyncband::once::LazyCell::new(make),
    lazy => asyncband::once::LazyCell::force_pin(lazy)
);
lazy!(
    AsyncLazy, "async-lazy", async_lazy::Lazy<u64, F, M>,
    make => async_lazy::Lazy::new(make),
    lazy => lazy.force_pin()
);

/// Samples a figure for the lazy of every crate: `lazies!(L => bytes::<L>())`.
macro_rules! lazies {
    ($lazy:ident => $sample:expr) => {
        $crate::common::report::contenders!(
            $lazy => $sample; $crate::common::lazies::Oncelot, $crate::common::lazies::AsyncOnceCell,
            $crate::common::lazies::FuturesUtil, $crate::common::lazies::Asyncband, $crate::common::lazies::AsyncLazy
        )
    };
}

pub(crate) use lazies;
