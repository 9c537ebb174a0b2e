//! A reference into the cell is used after the cell was turned into its value.

use oncelot::OnceCell;

fn main() {
    let cell = OnceCell::new();
    let value = cell.try_insert(String::from("value")).unwrap();
    println!("{value}");
    let inner = cell.into_inner();
    #[cfg(feature = "offending")]
    println!("{value}");
    drop(inner);
}
