//! The expression of a static computes the value without a future.

#[cfg(not(feature = "offending"))]
async fn load() -> u32 {
    1
}

#[cfg(feature = "offending")]
fn load() -> u32 {
    1
}

oncelot::lazy! {
    pub static BEFORE: u32 = async { 1 };
    pub static VALUE: u32 = load(); // here
}

fn main() {}
