//! An `ArcField` is used after its owner has gone.

use std::sync::Arc;

use oncelot::{OnceCell, runtime::ArcField};

fn main() {
    let owner = Arc::new(OnceCell::<u32>::new());
    let field = ArcField::new(&owner, |cell| cell);
    let _ = field;
    drop(owner);
    #[cfg(feature = "offending")]
    let _ = field.clone();
}
