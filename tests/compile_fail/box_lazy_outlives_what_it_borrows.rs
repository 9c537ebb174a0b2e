//! A boxed lazy whose future borrows a value that is dropped before it.

use oncelot::BoxLazy;

fn main() {
    let text = String::from("text");
    let lazy = BoxLazy::boxed(async { text.len() });
    #[cfg(feature = "offending")]
    drop(text);
    drop(lazy);
}
