//! A cell that the closure of an `ArcField` captures, and that lives no longer than its function.

use std::sync::Arc;

use oncelot::{OnceCell, runtime::ArcField};

fn main() {
    static LIVES_FOREVER: OnceCell<u32> = OnceCell::new();
    let lives_shorter = OnceCell::<u32>::new();
    let owner = Arc::new(());
    let captured = &LIVES_FOREVER;
    let _ = ArcField::new(&owner, move |_| captured);
    let captured = &lives_shorter;
    #[cfg(feature = "offending")]
    let _ = ArcField::new(&owner, move |_| captured);
    let _ = captured;
}
