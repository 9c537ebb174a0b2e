//! Statics of `lazy!` that the compiler rejects. A message must point at the line of the cause, and not only at a macro call of
//! several lines.

use std::{
    cell::Cell,
    future::ready,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

oncelot::lazy! {
    pub static BLOCK_THAT_IS_NOT_SEND: u32 = async {
        let number = Rc::new(1);
        #[cfg(feature = "block_is_not_send")] // no code: `Rc<u32>` | `Send` | await occurs here
        ready(()).await; // here
        *number
    };
    pub static CALL_THAT_IS_NOT_SEND: u32 = load();
    pub static BLOCK_OF_ANOTHER_TYPE: u32 = async {
        #[cfg(feature = "block_has_another_type")] // E0308: expected `u32`, found `&str`
        return "1"; // here
        #[cfg(not(feature = "block_has_another_type"))]
        1
    };
    pub static BORROWS_FROM_ITS_FUTURE: &str = async {
        let text = String::from("text");
        #[cfg(feature = "borrows_from_its_future")] // E0515: `text` is borrowed here
        return text.as_str(); // here
        #[cfg(not(feature = "borrows_from_its_future"))]
        text.leak()
    };
    pub static BORROWS_A_TEMPORARY: usize = async { count(&String::from("text")).await };
}

async fn load() -> u32 {
    let number = Rc::new(1);
    #[cfg(feature = "call_is_not_send")] // no code: `load` | `Rc<u32>` | `Send` | await occurs here
    ready(()).await; // here
    *number
}

async fn count(text: &str) -> usize {
    text.len()
}

#[cfg(feature = "call_borrows_a_temporary")] // E0716: `'static`
oncelot::lazy! {
    pub static CALL: usize = count(&String::from("text")); // here
}

#[cfg(feature = "call_has_another_type")] // E0271: expected `u64`, found `u32`
oncelot::lazy! {
    pub static CALL: u64 = load(); // here
}

#[cfg(feature = "not_a_future")] // E0277: `u32` is not a future, and `lazy!` needs one | write `async { expression }`
oncelot::lazy! {
    pub static EXPRESSION: u32 = 1_u32; // here
}

pub struct NotSend(Rc<u32>);

impl Future for NotSend {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u32> {
        Poll::Ready(*self.0)
    }
}

#[cfg(feature = "future_is_not_send")] // E0277: `Rc<u32>` | `NotSend` | `Send`
oncelot::lazy! {
    pub static CALL: u32 = NotSend(Rc::new(1)); // here
}

// The compiler points at the whole macro call, which therefore takes one line, and names the type.
#[cfg(feature = "value_is_not_sync")] // E0277: `Cell<u32>` cannot be shared between threads safely
oncelot::lazy! { pub static NUMBER: Cell<u32> = async { Cell::new(1) }; } // here

pub fn borrows_a_local_variable() {
    let text = "text";
    oncelot::lazy! {
        static VALUE: usize = async {
            let length = 4;
            #[cfg(feature = "borrows_a_local_variable")] // E0435: non-constant value
            let length = text.len(); // here
            length
        };
    }
    assert_eq!(VALUE.try_get(), None, "{text}");
}
