//! The future of a static is not `Send`.

use std::{
    future::{Ready, ready},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

pub struct NotSend(Option<Rc<u32>>);

impl Future for NotSend {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u32> {
        Poll::Ready(self.0.as_deref().copied().unwrap_or_default())
    }
}

#[cfg(not(feature = "offending"))]
pub fn load() -> Ready<u32> {
    ready(1)
}

#[cfg(feature = "offending")]
pub fn load() -> NotSend {
    NotSend(None)
}

oncelot::lazy! {
    pub static BEFORE: u32 = ready(1);
    pub static VALUE: u32 = load(); // here
}

fn main() {}
