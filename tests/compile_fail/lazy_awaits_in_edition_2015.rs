//! `.await` in an edition that does not have it.

extern crate oncelot;

oncelot::lazy! {
    pub static VALUE: u32 = async {
        #[cfg(feature = "offending")]
        ::std::future::ready(()).await; // here
        1
    };
}

fn main() {}
