//! The future of a static holds a value that is not `Send` across an await.

use std::{future::ready, rc::Rc};

oncelot::lazy! {
    pub static BEFORE: u32 = ready(1);
    pub static VALUE: u32 = async {
        let number = Rc::new(1);
        #[cfg(feature = "offending")]
        ready(()).await; // here
        *number
    };
}

fn main() {}
