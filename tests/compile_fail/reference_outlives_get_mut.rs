//! A reference into the cell is used after the value was lent for changing.

use oncelot::OnceCell;

fn main() {
    let mut cell = OnceCell::from(String::from("value"));
    let value = cell.get().unwrap();
    println!("{value}");
    cell.get_mut().unwrap().push('!');
    #[cfg(feature = "offending")]
    println!("{value}");
}
