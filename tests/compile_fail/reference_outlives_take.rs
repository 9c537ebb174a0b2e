//! A reference into the cell is used after the value was taken out.

use oncelot::OnceCell;

fn main() {
    let mut cell = OnceCell::from(String::from("value"));
    let value = cell.get().unwrap();
    println!("{value}");
    let taken = cell.take();
    #[cfg(feature = "offending")]
    println!("{value}");
    drop(taken);
}
