//! A static calls a function that returns another type.

#[cfg(not(feature = "offending"))]
async fn load() -> u64 {
    1
}

#[cfg(feature = "offending")]
async fn load() -> u32 {
    1
}

oncelot::lazy! {
    pub static BEFORE: u32 = async { 1 };
    pub static VALUE: u64 = load(); // here
}

fn main() {}
