//! A static calls a function whose future holds a value that is not `Send` across an await.

use std::{future::ready, rc::Rc};

async fn load() -> u32 {
    let number = Rc::new(1);
    #[cfg(feature = "offending")]
    ready(()).await; // here
    *number
}

oncelot::lazy! {
    pub static BEFORE: u32 = ready(1);
    pub static VALUE: u32 = load();
}

fn main() {}
