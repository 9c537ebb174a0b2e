//! A lazy value whose future shares a `Cell`, which exposes a broken invariant after the panic is caught.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Waker},
};

use oncelot::Lazy;

fn main() {
    // Both are equal, except while the future changes them.
    let numbers = Cell::new((0_u32, 0_u32));
    let lazy = pin!(Lazy::new(async {
        numbers.set((1, 0));
        let next = numbers.get().0.checked_sub(2).expect("not negative");
        numbers.set((next, next));
    }));
    let lazy = lazy.into_ref();
    let poll = move || {
        let get = pin!(lazy.get());
        get.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    };
    #[cfg(feature = "offending")]
    let _ = catch_unwind(poll);
    let _ = catch_unwind(AssertUnwindSafe(poll));
}
