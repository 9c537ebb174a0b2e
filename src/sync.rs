//! The one switch between the primitives of `core`, `portable-atomic`, `loom` and `shuttle`.
//!
//! Everything else in the crate is written against the names below, so that loom and shuttle explore the code that
//! ships and not a copy of it.

#[cfg(not(any(oncelot_loom, oncelot_shuttle)))]
pub(crate) use self::plain::*;

#[cfg(any(oncelot_loom, oncelot_shuttle))]
pub(crate) use self::modelled::*;

#[cfg(all(feature = "blocking", any(oncelot_loom, oncelot_shuttle)))]
pub(crate) use self::parker::{has_elapsed, parker};

pub(crate) use self::compare_exchange::compare_exchange_u8;

// With explicit paths, because `fuzz` compiles this file as a module at another path.

#[cfg(not(any(oncelot_loom, oncelot_shuttle)))]
#[path = "sync/plain.rs"]
mod plain;

#[cfg(oncelot_loom)]
#[path = "sync/by_loom.rs"]
mod modelled;

#[cfg(oncelot_shuttle)]
#[path = "sync/by_shuttle.rs"]
mod modelled;

#[cfg(not(oncelot_loom))]
#[path = "sync/unsafe_cell.rs"]
mod unsafe_cell;

#[cfg(all(feature = "blocking", any(oncelot_loom, oncelot_shuttle)))]
#[path = "sync/parker.rs"]
mod parker;

#[path = "sync/compare_exchange.rs"]
mod compare_exchange;
