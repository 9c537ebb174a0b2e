//! Compares `Lazy` with its peers: size, time, allocations.
//!
//! `cargo bench --bench lazy` prints one table, in the format of `--bench peers`. What a lazy allocates counts as its
//! size. Peers that are handles (for example `Shared`) are cloned before each access.
//!
//! A static is computed once in a process, so it has figures only for access to its value.

#[path = "../common/mod.rs"]
mod common;

mod lazies;
mod scenarios;
mod statics;

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use common::figure::{Figure, Target};
use common::run::run;
use common::scenarios::{CALLS, Crowd, First, cancel_limit, init_limit, ready_limit, wake_limit};
use common::tasks::Gate;
use lazies::{AsyncOnceCell, Lazy, NAMES, all_lazies};
use scenarios::*;
use statics::*;

static SHUT: AtomicBool = AtomicBool::new(false);

async fn pass() -> u64 {
    Gate(&SHUT).await
}

/// At or ahead of the best.
const AIM: Target = Target::TimesBestPeer(1.0);

fn figures() -> Vec<Figure> {
    vec![
        Figure::exact(
            "bytes of a lazy `u64` beyond the value and a future of 8 bytes",
            AIM,
            all_lazies!(L => bytes_beyond_parts::<L, _, _>(|| Gate(&SHUT))),
        ),
        Figure::exact(
            "bytes of a lazy `u64` beyond the value and the future of an `async fn`",
            AIM,
            all_lazies!(L => bytes_beyond_parts::<L, _, _>(pass)),
        ),
        // A waiter is stored in its own future. A peer that keeps it in an allocation instead has a smaller future.
        Figure::exact(
            "bytes of the future of `get`",
            Target::Value(40.0),
            all_lazies!(L => bytes_of_get::<L>(); STATIC => bytes_of_static_get()),
        ),
        Figure::exact(
            "bytes of a waiter, allocations included, 100 waiters",
            Target::Value(40.0),
            all_lazies!(L => bytes_of_waiter::<L>(100)),
        ),
        Figure::timed(
            "`try_get`, ready (ns)",
            Target::EqualTo(AsyncOnceCell::NAME),
            all_lazies!(L => try_get_ready::<L>(CALLS).nanoseconds_each();
                STATIC => try_get_static(CALLS).nanoseconds_each()),
            None,
        ),
        Figure::timed(
            "`get`, ready, one poll (ns)",
            AIM,
            all_lazies!(L => get_ready::<L>(CALLS).nanoseconds_each();
                STATIC => get_static(CALLS).nanoseconds_each()),
            Some(|| ready_limit(CALLS).nanoseconds_each()),
        ),
        Figure::timed(
            "new + compute + drop, uncontended (ns)",
            AIM,
            all_lazies!(L => init::<L>(CALLS).nanoseconds_each()),
            Some(|| init_limit(CALLS).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + wake + return, 8 waiters (ns each)",
            AIM,
            all_lazies!(L => wait_and_wake::<L>(Crowd::EIGHT).nanoseconds_each()),
            Some(|| wake_limit(Crowd::EIGHT).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + wake + return, 100 waiters (ns each)",
            AIM,
            all_lazies!(L => wait_and_wake::<L>(Crowd::HUNDRED).nanoseconds_each()),
            Some(|| wake_limit(Crowd::HUNDRED).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + wake + return, 10,000 waiters (ns each)",
            AIM,
            all_lazies!(L => wait_and_wake::<L>(Crowd::TEN_THOUSAND).nanoseconds_each()),
            Some(|| wake_limit(Crowd::TEN_THOUSAND).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + cancel, 100 waiters, oldest first (ns each)",
            AIM,
            all_lazies!(L => wait_and_cancel::<L>(Crowd::HUNDRED, First::Oldest).nanoseconds_each()),
            Some(|| cancel_limit(Crowd::HUNDRED).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + cancel, 100 waiters, newest first (ns each)",
            AIM,
            all_lazies!(L => wait_and_cancel::<L>(Crowd::HUNDRED, First::Newest).nanoseconds_each()),
            Some(|| cancel_limit(Crowd::HUNDRED).nanoseconds_each()),
        ),
        Figure::exact(
            "allocations, uncontended",
            Target::Value(0.0),
            all_lazies!(L => init::<L>(1).allocations()),
        ),
        Figure::exact(
            "allocations, 100 waiters",
            Target::Value(0.0),
            all_lazies!(L => wait_and_wake::<L>(Crowd::of_one_cell(100)).allocations()),
        ),
    ]
}

fn main() -> ExitCode {
    run(&NAMES, figures())
}
