//! A guard is kept while `take` recovers the claim of its cell.

use oncelot::OnceCell;

fn main() {
    let mut cell = OnceCell::<u32>::new();
    let guard = cell.try_claim();
    #[cfg(feature = "offending")]
    cell.take();
    drop(guard);
    cell.take();
}
