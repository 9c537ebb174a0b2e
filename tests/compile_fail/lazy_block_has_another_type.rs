//! The block of a static returns another type.

oncelot::lazy! {
    pub static BEFORE: u32 = async { 1 };
    pub static VALUE: u32 = async {
        #[cfg(feature = "offending")]
        return "1"; // here
        #[cfg(not(feature = "offending"))]
        1
    };
}

fn main() {}
