//! The guide: which type to use, how cells behave when something goes wrong, and recipes. Documentation only.
//!
//! | page | answers |
//! |---|---|
//! | [`choosing`] | Which of the types and methods fits my case? |
//! | [`contract`] | What does a cell guarantee? |
//! | [`cancellation`] | What happens if a future is dropped, or kept without being polled? What is a futurelock? |
//! | [`failures`] | How do I retry, back off, limit the time, and share an error? |
//! | [`resetting`] | How do I reset, refresh or expire a value? |
//! | [`runtimes`] | How do I use cells with threads, blocking work, several runtimes, and tests? |
//! | [`firmware`] | Which features does my target need? What may an interrupt handler do? |
//! | [`wasm`] | What works in WebAssembly and on edge workers? |
//! | [`keys`] | How do I build a cache with one cell for each key? |
//! | [`tracing`](mod@tracing) | What does a subscriber get, and what may it do with a cell? |
//! | [`migration`] | What changes if I come from the cell of another crate, or from std? |
//! | [`performance`] | What does it cost in bytes, instructions and time? |
//! | [`backends`] | Which backends are there, and how do I write one? |
//!
//! Every code block in the guide is compiled, run and checked by the tests of this crate.

// The pages are modules of every build, so that links to them work in the documentation of crates that re-export items of this
// one. Their text is read only to build the documentation and its tests.
macro_rules! pages {
    ($($summary:literal $page:ident: $($part:literal)+;)+) => {$(
        #[doc = $summary]
        #[cfg_attr(any(doc, doctest), doc = "")]
        $(#[cfg_attr(any(doc, doctest), doc = include_str!($part), doc = "")])+
        #[cfg_attr(any(doc, doctest), doc = include_str!("guide/links/always.md"))]
        #[cfg_attr(all(any(doc, doctest), feature = "alloc"), doc = include_str!("guide/links/alloc.md"))]
        #[cfg_attr(all(any(doc, doctest), feature = "std"), doc = include_str!("guide/links/std.md"))]
        #[cfg_attr(all(any(doc, doctest), feature = "blocking"), doc = include_str!("guide/links/blocking.md"))]
        #[cfg_attr(all(any(doc, doctest), feature = "tokio"), doc = include_str!("guide/links/tokio.md"))]
        #[cfg_attr(all(any(doc, doctest), feature = "smol"), doc = include_str!("guide/links/smol.md"))]
        #[cfg_attr(all(any(doc, doctest), feature = "async-std"), doc = include_str!("guide/links/async-std.md"))]
        #[cfg_attr(all(any(doc, doctest), feature = "atomic-waker"), doc = include_str!("guide/links/atomic-waker.md"))]
        #[cfg_attr(
            all(any(doc, doctest), feature = "event-listener-alloc"),
            doc = include_str!("guide/links/event-listener.md")
        )]
        #[cfg_attr(all(any(doc, doctest), feature = "testing"), doc = include_str!("guide/links/testing.md"))]
        #[cfg_attr(any(doc, doctest), doc = include_str!("guide/links/absent.md"))]
        pub mod $page {}
    )+};
}

pages! {
    "Choosing between the types and methods of this crate."
    choosing: "guide/choosing.md";
    "The contract: what a cell guarantees, event by event."
    contract: "guide/contract.md";
    "Cancellation, futurelock, and initializers that wait for themselves."
    cancellation: "guide/cancellation.md";
    "Retries, backoff, timeouts, and shared errors."
    failures: "guide/failures.md";
    "Resetting, refreshing and expiring a value."
    resetting: "guide/resetting.md";
    "Threads, blocking work, spawned initializers, shutdown, and one runtime per test."
    runtimes: "guide/runtimes.md";
    "Firmware: features for each target, interrupts, priorities, and executors with wakers of their own."
    firmware: "guide/firmware.md";
    "WebAssembly and edge workers."
    wasm: "guide/wasm.md";
    "One cell for each key."
    keys: "guide/keys.md";
    "Spans and events for `tracing`, and subscribers that use cells or panic."
    tracing: "guide/tracing.md";
    "Migrating from tokio, async-lock, async-once-cell, embassy-sync, asyncband, once_cell and std."
    migration: "guide/migration.md";
    "Sizes, instruction counts, times and code size."
    performance: "guide/performance.md" "guide/times.md" "../docs/charts/waiters.svg" "../docs/charts/cancel.svg"
        "../docs/charts/uncontended.svg" "../docs/charts/lazy.svg";
    "The backends of this crate, and how to write one."
    backends: "guide/backends.md";
}
