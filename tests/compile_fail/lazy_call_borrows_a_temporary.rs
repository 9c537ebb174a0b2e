//! A static calls a function whose future borrows a temporary value.

async fn count(text: &str) -> usize {
    text.len()
}

oncelot::lazy! {
    pub static BLOCK: usize = async { count(&String::from("text")).await };
}

#[cfg(feature = "offending")]
oncelot::lazy! {
    pub static CALL: usize = count(&String::from("text")); // here
}

fn main() {}
