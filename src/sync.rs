//! The one switch between the primitives of `core`, `portable-atomic` and `loom`.
//!
//! Everything else in the crate is written against the names below, so that loom explores the code that ships and not a
//! copy of it.

#[cfg(not(oncelot_loom))]
pub(crate) use self::plain::*;

#[cfg(oncelot_loom)]
pub(crate) use self::modelled::*;

#[cfg(all(feature = "blocking", oncelot_loom))]
pub(crate) use self::parker::{has_elapsed, parker};

pub(crate) use self::compare_exchange::compare_exchange_u8;

#[cfg(not(oncelot_loom))]
mod plain;

#[cfg(oncelot_loom)]
#[path = "sync/by_loom.rs"]
mod modelled;

#[cfg(not(oncelot_loom))]
mod unsafe_cell;

#[cfg(all(feature = "blocking", oncelot_loom))]
mod parker;

mod compare_exchange;
