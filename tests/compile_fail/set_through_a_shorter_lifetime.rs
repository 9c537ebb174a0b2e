//! A cell is invariant in its value: otherwise a value could be stored through a shared reference that does not live
//! as long as the cell's type says.

use oncelot::OnceCell;

fn set_shorter<'a>(cell: &OnceCell<&'a str>, value: &'a str) {
    let _ = cell.set(value);
}

fn main() {
    let cell = OnceCell::<&'static str>::new();
    set_shorter(&cell, "static");
    {
        let lives_shorter = String::from("shorter");
        #[cfg(feature = "offending")]
        set_shorter(&cell, &lives_shorter);
        drop(lives_shorter.clone());
    }
    println!("{cell:?}");
}
