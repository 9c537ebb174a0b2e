//! An edition without `async`.

#![deny(warnings)]

extern crate oncelot;

use std::future::{Future, Ready, ready};
use std::task::{Context, Poll, Waker};

fn load() -> Ready<u32> {
    ready(1)
}

oncelot::lazy! {
    static CALL: u32 = load();
    static BLOCK: &str = async { "text" };
}

fn main() {
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(Box::pin(CALL.get()).as_mut().poll(&mut cx), Poll::Ready(&1));
    assert_eq!(Box::pin(BLOCK.get()).as_mut().poll(&mut cx), Poll::Ready(&"text"));
}
