//! The lazies of all crates behind a common trait, without overhead.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use futures_util::FutureExt;
use futures_util::future::Shared;

use crate::common::scenarios::Got;

/// A value that one future computes.
pub(crate) trait Lazy {
    /// The name of its package.
    const NAME: &'static str;

    /// `F` is the future, and `M` makes it.
    type Of<M: FnOnce() -> F, F: Future<Output = u64>>;

    fn new<M: FnOnce() -> F, F: Future<Output = u64>>(make: M) -> Self::Of<M, F>;

    /// The cheapest look at a value that is there.
    fn try_get<M, F>(lazy: &Self::Of<M, F>) -> Option<&u64>
    where
        M: FnOnce() -> F,
        F: Future<Output = u64>;

    /// The smallest future that waits for the value, unwrapped: its size and its polls are the crate's.
    fn get<'a, M, F>(lazy: Pin<&'a Self::Of<M, F>>) -> impl Future<Output: Got>
    where
        M: FnOnce() -> F + 'a,
        F: Future<Output = u64> + 'a;
}

/// `$make => $argument` is how the crate takes its future: some want the closure that makes it.
macro_rules! lazy {
    (
        $marker:ident, $name:literal, $of:ty,
        $make:ident => $new:expr,
        $looked_at:ident => $try_get:expr,
        $asked:ident => $get:expr
    ) => {
        pub(crate) struct $marker;

        impl Lazy for $marker {
            const NAME: &'static str = $name;

            type Of<M: FnOnce() -> F, F: Future<Output = u64>> = $of;

            fn new<M: FnOnce() -> F, F: Future<Output = u64>>($make: M) -> Self::Of<M, F> {
                $new
            }

            fn try_get<M, F>($looked_at: &Self::Of<M, F>) -> Option<&u64>
            where
                M: FnOnce() -> F,
                F: Future<Output = u64>,
            {
                $try_get
            }

            fn get<'a, M, F>($asked: Pin<&'a Self::Of<M, F>>) -> impl Future<Output: Got>
            where
                M: FnOnce() -> F + 'a,
                F: Future<Output = u64> + 'a,
            {
                $get
            }
        }
    };
}

lazy!(
    Oncelot, "oncelot", oncelot::Lazy<u64, F>,
    make => oncelot::Lazy::new(make()),
    lazy => lazy.try_get(),
    lazy => lazy.get()
);
// Its `get` is an `async fn` around the same future.
lazy!(
    AsyncOnceCell, "async-once-cell", async_once_cell::Lazy<u64, F>,
    make => async_once_cell::Lazy::new(make()),
    lazy => lazy.try_get(),
    lazy => lazy.into_future()
);
// The handle is the future, and each caller has a clone.
lazy!(
    FuturesUtil, "futures-util", Shared<F>,
    make => make().shared(),
    lazy => lazy.peek(),
    lazy => lazy.get_ref().clone()
);
lazy!(
    Asyncband, "asyncband", asyncband::once::LazyCell<u64, F, M>,
    make => asyncband::once::LazyCell::new(make),
    lazy => asyncband::once::LazyCell::get(lazy),
    lazy => asyncband::once::LazyCell::force_pin(lazy)
);
lazy!(
    AsyncLazy, "async-lazy", async_lazy::Lazy<u64, F, M>,
    make => async_lazy::Lazy::new(make),
    lazy => lazy.get(),
    lazy => lazy.force_pin()
);

/// What `oncelot::lazy!` declares.
pub(crate) const STATIC: &str = "oncelot `lazy!`";

/// All of them, ours first.
pub(crate) const NAMES: [&str; 6] = [
    Oncelot::NAME,
    STATIC,
    AsyncOnceCell::NAME,
    FuturesUtil::NAME,
    Asyncband::NAME,
    AsyncLazy::NAME,
];

/// Samples a figure for every crate: `all_lazies!(L => bytes::<L>())`, and `; STATIC => ..` for a static.
macro_rules! all_lazies {
    ($lazy:ident => $sample:expr $(; STATIC => $of_static:expr)?) => {{
        let mut contenders = $crate::common::figure::contenders!(
            $lazy => $sample; $crate::lazies::Lazy;
            $crate::lazies::Oncelot, $crate::lazies::AsyncOnceCell, $crate::lazies::FuturesUtil,
            $crate::lazies::Asyncband, $crate::lazies::AsyncLazy
        );
        contenders.extend([$($crate::common::figure::Contender::of_ours(
            $crate::lazies::STATIC,
            || $of_static,
        ))?]);
        contenders
    }};
}

pub(crate) use all_lazies;
