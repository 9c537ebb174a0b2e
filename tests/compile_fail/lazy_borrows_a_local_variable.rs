//! The future of a static uses a variable of the function that the static is in.

fn main() {
    let text = "text";
    oncelot::lazy! {
        static VALUE: usize = async {
            let length = 4;
            #[cfg(feature = "offending")]
            let length = text.len(); // here
            length
        };
    }
    assert_eq!(VALUE.try_get(), None, "{text}");
}
