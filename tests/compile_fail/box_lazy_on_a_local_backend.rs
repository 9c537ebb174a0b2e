//! A boxed lazy whose backend is for one thread, where any thread may wake its future.

use oncelot::{LocalBoxLazy, backend::Local};

fn main() {
    let lazy = LocalBoxLazy::boxed_local(async { 1 });
    #[cfg(feature = "offending")]
    let lazy = LocalBoxLazy::<u32, Local>::with_backend(Box::pin(async { 1 }));
    drop(lazy);
}
