//! A waiting future is kept after the cell was dropped.

use oncelot::OnceCell;

fn main() {
    let cell = OnceCell::<u32>::new();
    let wait = Box::pin(cell.wait());
    #[cfg(feature = "offending")]
    drop(cell);
    drop(wait);
}
