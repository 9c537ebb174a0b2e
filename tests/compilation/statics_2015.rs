//! Statics of `lazy!` in an edition without `async` and `await`.

#![deny(warnings)]

extern crate oncelot;

use std::future::{Ready, ready};

pub fn load() -> Ready<u32> {
    ready(1)
}

oncelot::lazy! {
    pub static CALL: u32 = load();
    pub static BLOCK: &str = async {
        #[cfg(feature = "await")] // E0609: switch to Rust 2018 or later
        ::std::future::ready(()).await; // here
        "text"
    };
}

#[test]
fn the_statics_have_their_values() {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(Box::pin(CALL.get()).as_mut().poll(&mut cx), Poll::Ready(&1));
    assert_eq!(Box::pin(BLOCK.get()).as_mut().poll(&mut cx), Poll::Ready(&"text"));
}
