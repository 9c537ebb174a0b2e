//! A value whose destructor reads a dangling reference.

use oncelot::OnceCell;

struct Reads<'a>(&'a str);

impl Drop for Reads<'_> {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

fn main() {
    let lives_longer = String::from("longer");
    let cell = OnceCell::new();
    let lives_shorter = String::from("shorter");
    let _ = cell.set(Reads(&lives_longer));
    #[cfg(feature = "offending")]
    let _ = cell.set(Reads(&lives_shorter));
    drop(lives_shorter.clone());
}
