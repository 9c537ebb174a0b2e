//! The value of a static borrows from the future, which is dropped.

oncelot::lazy! {
    pub static BEFORE: u32 = async { 1 };
    pub static VALUE: &str = async {
        let text = String::from("text");
        #[cfg(feature = "offending")]
        return text.as_str(); // here
        #[cfg(not(feature = "offending"))]
        text.leak()
    };
}

fn main() {}
