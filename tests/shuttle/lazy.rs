//! A model of `Lazy`.

use std::sync::Arc;

use shuttle::future::{block_on, yield_now};

use super::support::{Modelled, cast, choose, in_many_orders, poll_times};
use crate::Lazy;

/// Five tasks drive one computation or wait for it. Some give up once or twice, in the middle of driving too; all get
/// the one value.
pub(super) fn whoever_is_left_drives_on<B: Modelled>() {
    in_many_orders::<B>(|stage| {
        let computing = stage.clone();
        let lazy = Lazy::<usize, _, B>::with_backend(Box::pin(async move {
            for _ in 0..4 {
                yield_now().await;
            }
            computing.initialize(0, Ok(1)).await.unwrap()
        }));
        let lazy = Arc::new(lazy);
        let driven = lazy.clone();
        let seen = cast(5, move |_| {
            for _ in 0..choose(3) {
                poll_times(driven.get_unpin(), 1 + choose(3));
            }
            *block_on(driven.get_unpin())
        });
        assert_eq!(seen, [1; 5]);
        assert_eq!(stage.runs(), 1);
    });
}
