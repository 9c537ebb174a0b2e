//! Statics of `lazy!` in a crate without `std`, whose code has no prelude.

#![no_std]
#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

::oncelot::lazy! {
    /// An `async` block.
    pub static BLOCK: ::core::option::Option<u32> = async {
        let number = 7;
        ::core::future::ready(()).await;
        ::core::option::Option::Some(number)
    };
    /// A call.
    pub static CALL: u32 = load();
    /// Another value that becomes a future.
    pub static INTO_FUTURE: u32 = Load;
    /// A reference.
    pub static REFERENCE: &str = async { "text" };
}

async fn load() -> u32 {
    *INTO_FUTURE.get().await
}

/// Becomes a future.
struct Load;

impl ::core::future::IntoFuture for Load {
    type Output = u32;
    type IntoFuture = ::core::future::Ready<u32>;

    fn into_future(self) -> Self::IntoFuture {
        ::core::future::ready(1)
    }
}
