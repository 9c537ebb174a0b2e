//! Lines that end with `// warns` cause one warning each: the lints of the compiler treat an expression of `lazy!` as
//! written by hand.

#![warn(missing_docs, unused)]

use std::future::ready;

oncelot::lazy! {
    /// Its expression is unused code.
    pub static VARIABLES: u32 = async {
        let unused = 1; // warns
        let mut constant = 1; // warns
        let _Named = 2; // warns
        constant
    };
    /// Its expression has needless code.
    pub static NEEDLESS: u32 = async {
        use std::mem; // warns
        fn unused() {} // warns
        ready(()); // warns
        let number = (1); // warns
        number
    };
    /// Its expression has `unsafe` blocks.
    pub static UNSAFE: u32 = async {
        let one = unsafe { ready(1).await }; // warns
        one + unsafe { sensor() }
    };
    /// Its expression is an `unsafe` block.
    pub static UNSAFE_BLOCK: u32 = unsafe { ready(1) }; // warns
    /// Its expression has code that is not reached.
    pub static UNREACHABLE: u32 = async {
        return 1;
        ready(2).await // warns
    };
    /// Its expression uses a deprecated function.
    pub static DEPRECATED: u32 = deprecated(); // warns
    /// Its attribute is for its expression too.
    #[allow(unused_variables)]
    pub static ALLOWED: u32 = async {
        let unused = 1;
        2
    };
}

unsafe fn sensor() -> u32 {
    1
}

/// Exists to be deprecated.
#[deprecated]
pub async fn deprecated() -> u32 {
    1
}
