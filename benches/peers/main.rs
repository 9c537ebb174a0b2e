//! Compares the cells of this crate and of its peers: size, time, allocations.
//!
//! `cargo bench --bench peers` measures every figure for every crate in one process and prints one table. A crate's
//! number is the median of its samples. A ratio is the median of the rounds' ratios; in each round, every crate is
//! sampled once. Nanoseconds differ from processor to processor and from run to run; ratios should not. Counts must
//! not: the run fails if a count is over its target.
//!
//! The floor is the cost, in the same rounds, of what no implementation can avoid.

#[path = "../common/mod.rs"]
mod common;

mod cells;

use std::hint::black_box;
use std::process::ExitCode;

use cells::{NAMES, all_cells, async_cells};
use common::cell::Cell;
use common::environment::Resolved;
use common::figure::{Contender, Figure, Target};
use common::meter::Cost;
use common::rounds::Sample;
use common::run::run;
use common::scenarios::*;
use common::tasks::PendThenFail;

fn figures() -> Vec<Figure> {
    vec![
        Figure::exact(
            "bytes of `OnceCell<u64>` beyond the value",
            Target::Value(8.0),
            all_cells!(C => bytes_of_cell::<C, u64>() - size_of::<u64>() as f64),
        ),
        Figure::exact(
            "bytes of `OnceCell<u8>`",
            Target::Value(16.0),
            all_cells!(C => bytes_of_cell::<C, u8>()),
        ),
        Figure::exact(
            "bytes of the init future beyond an 8-byte initializer",
            Target::Value(40.0),
            async_cells!(C => bytes_of_init_future::<C>()),
        ),
        Figure::timed(
            "`get`, ready (ns)",
            Target::EqualTo("std OnceLock"),
            all_cells!(C => get_ready::<C>(CALLS).nanoseconds_each()),
            None,
        ),
        Figure::timed(
            "`get_or_init`, ready, one poll (ns)",
            Target::TimesBestPeer(0.45),
            async_cells!(C => get_or_init_ready::<C>(CALLS).nanoseconds_each()),
            Some(|| ready_limit(CALLS).nanoseconds_each()),
        ),
        Figure::timed(
            "new + init + drop, uncontended (ns)",
            Target::TimesBestPeer(0.2),
            async_cells!(C => init::<C>(CALLS).nanoseconds_each()),
            Some(|| init_limit(CALLS).nanoseconds_each()),
        ),
        Figure::timed(
            "failed init, uncontended (ns)",
            Target::TimesBestPeer(0.27),
            async_cells!(C => failed_init::<C>(CALLS).nanoseconds_each()),
            Some(|| init_limit(CALLS).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + wake + return, 8 waiters (ns each)",
            Target::TimesBestPeer(0.42),
            async_cells!(C => wait_and_wake::<C>(Crowd::EIGHT).nanoseconds_each()),
            Some(|| wake_limit(Crowd::EIGHT).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + wake + return, 100 waiters (ns each)",
            Target::TimesBestPeer(0.42),
            async_cells!(C => wait_and_wake::<C>(Crowd::HUNDRED).nanoseconds_each()),
            Some(|| wake_limit(Crowd::HUNDRED).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + wake + return, 10,000 waiters (ns each)",
            Target::TimesBestPeer(0.42),
            async_cells!(C => wait_and_wake::<C>(Crowd::TEN_THOUSAND).nanoseconds_each()),
            Some(|| wake_limit(Crowd::TEN_THOUSAND).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + cancel, 100 waiters, oldest first (ns each)",
            Target::TimesBestPeer(0.48),
            async_cells!(C => wait_and_cancel::<C>(Crowd::HUNDRED, First::Oldest).nanoseconds_each()),
            Some(|| cancel_limit(Crowd::HUNDRED).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + cancel, 100 waiters, newest first (ns each)",
            Target::TimesBestPeer(0.48),
            async_cells!(C => wait_and_cancel::<C>(Crowd::HUNDRED, First::Newest).nanoseconds_each()),
            Some(|| cancel_limit(Crowd::HUNDRED).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + cancel, 10,000 waiters, oldest first (ns each)",
            Target::TimesBestPeer(0.48),
            async_cells!(C => wait_and_cancel::<C>(Crowd::TEN_THOUSAND, First::Oldest).nanoseconds_each()),
            Some(|| cancel_limit(Crowd::TEN_THOUSAND).nanoseconds_each()),
        ),
        Figure::timed(
            "wait + cancel, 10,000 waiters, newest first (ns each)",
            Target::TimesBestPeer(0.48),
            async_cells!(C => wait_and_cancel::<C>(Crowd::TEN_THOUSAND, First::Newest).nanoseconds_each()),
            Some(|| cancel_limit(Crowd::TEN_THOUSAND).nanoseconds_each()),
        ),
        Figure::exact(
            "allocations, 100 waiters",
            Target::Value(0.0),
            async_cells!(C => wait_and_wake::<C>(Crowd::of_one_cell(100)).allocations()),
        ),
        Figure::exact(
            "allocations, uncontended init",
            Target::Value(0.0),
            async_cells!(C => init::<C>(1).allocations()),
        ),
        Figure::timed(
            "1,000 tasks whose initializers pend and fail, ours by `get_or_try_init_shared` (ns a task)",
            Target::TimesBestPeer(1.0),
            shared_and_peers(
                || failing_shared_tasks(1_000).nanoseconds_each(),
                async_cells!(C => failing_tasks::<C>(1_000).nanoseconds_each()),
            ),
            None,
        ),
        Figure::timed(
            "1,000 tasks on one thread, every initializer pends once and fails (ns a task)",
            Target::Times(0.3, "async-once-cell"),
            async_cells!(C => failing_tasks::<C>(1_000).nanoseconds_each()),
            None,
        ),
        Figure::exact(
            "crates brought in, its own among them",
            Target::Value(2.0),
            async_cells!(C => crates_brought_in(C::NAME)),
        ),
    ]
}

/// Replaces this crate's sample, the first one.
fn shared_and_peers(shared: Sample, mut contenders: Vec<Contender>) -> Vec<Contender> {
    contenders[0].sample = shared;
    contenders
}

/// [`failing_tasks`] by the method that no peer has.
fn failing_shared_tasks(count: usize) -> Cost {
    let cell = oncelot::OnceCell::new();
    let cell = black_box(&cell);
    run_failing_tasks(count, || cell.get_or_try_init_shared(PendThenFail::default))
}

/// NaN if that cannot be measured.
fn crates_brought_in(package: &str) -> f64 {
    Resolved::from_name(package).map_or(f64::NAN, |resolved| resolved.crates as f64)
}

fn main() -> ExitCode {
    run(&NAMES, figures())
}
