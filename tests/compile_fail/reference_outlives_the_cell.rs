//! A reference into the cell is used after the cell is gone.

use oncelot::OnceCell;

fn main() {
    let mut kept = "another";
    println!("{kept}");
    {
        let cell = OnceCell::from(String::from("value"));
        let value = cell.get().unwrap();
        println!("{value}");
        #[cfg(feature = "offending")]
        kept.clone_from(&value.as_str());
        kept = kept.trim();
    }
    println!("{kept}");
}
