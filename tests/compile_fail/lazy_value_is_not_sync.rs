//! The value of a static cannot be shared between threads.

#[cfg(feature = "offending")]
use std::cell::Cell as Shared;
#[cfg(not(feature = "offending"))]
use std::sync::Mutex as Shared;

oncelot::lazy! {
    pub static VALUE: Shared<u32> = async { Shared::new(1) };
}

fn main() {}
