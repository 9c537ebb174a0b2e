//! Initializers that succeed, fail, panic, or are cancelled.

use std::{any::Any, panic::resume_unwind, pin::Pin, sync::Arc, thread};

use futures_lite::future::yield_now;

use crate::{
    census::{Counted, Kind},
    clock::Clock,
    generation::{Generation, Stressed},
    random::Random,
    site::{Site, Value},
    totals::TOTALS,
};

/// A part of the panic message of a poisoned lazy.
pub(crate) const POISONED: &str = "is poisoned: its future panicked";

/// Why there is no value.
#[derive(Debug)]
pub(crate) struct Failed {
    /// Something on the heap.
    _reason: Box<Ending>,
    _counted: Counted,
}

/// The payload of a panic that was planned.
pub(crate) struct PlannedPanic;

impl PlannedPanic {
    /// Returns whether the payload is a planned panic, or reports that one has poisoned a static.
    pub(crate) fn is_in(payload: &(dyn Any + Send)) -> bool {
        let message = payload.downcast_ref::<&str>();
        payload.is::<Self>() || message.is_some_and(|message| message.contains(POISONED))
    }
}

/// What an initializer does in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Success,
    Failure,
    Panic,
}

impl Ending {
    /// Seldom a success, so that many take turns before there is a value.
    pub(crate) fn any(random: &mut Random) -> Self {
        match random.below(16) {
            0 => Self::Success,
            1..4 => Self::Panic,
            _ => Self::Failure,
        }
    }

    fn happen(self, site: &Site) -> Result<Value, Failed> {
        match self {
            Self::Success => {
                TOTALS.values_made_by_initializers.add();
                site.note_publication();
                Ok(site.value())
            }
            Self::Failure => {
                TOTALS.failures.add();
                Err(Failed {
                    _reason: Box::new(self),
                    _counted: site.census().count(Kind::Error),
                })
            }
            Self::Panic => {
                TOTALS.panics.add();
                resume_unwind(Box::new(PlannedPanic))
            }
        }
    }
}

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An initializer of a cell, with pauses. It may need the values of cells with lower numbers.
pub(crate) async fn initialize<B: Stressed>(
    generation: Arc<Generation<B>>,
    number: usize,
    mut random: Random,
    ending: Ending,
) -> Result<Value, Failed> {
    let site = generation.site(number);
    let _counted = site.census().count(Kind::Initializer);
    let work = site.begin();
    for _ in 0..random.below(8) {
        match random.below(8) {
            0..4 => yield_now().await,
            4..7 => generation.crews().clock.nap().await,
            _ if number > 0 => {
                let before = random.below(number as u64) as usize;
                let init = boxed(&generation, before, &mut random);
                let value = generation.cell(before).get_or_try_init(|| init).await;
                generation.site(before).inspect(value.expect("it succeeds"));
            }
            _ => thread::yield_now(),
        }
        work.step();
    }
    work.end();
    ending.happen(site)
}

/// A function of its own, as the type of `initialize` would otherwise contain itself.
fn boxed<B: Stressed>(
    generation: &Arc<Generation<B>>,
    number: usize,
    random: &mut Random,
) -> Boxed<Result<Value, Failed>> {
    let generation = generation.clone();
    Box::pin(initialize(generation, number, random.split(), Ending::Success))
}

/// An initializer of a cell that blocks its thread.
pub(crate) fn initialize_here(site: &Arc<Site>, mut random: Random, ending: Ending) -> Result<Value, Failed> {
    let _counted = site.census().count(Kind::Initializer);
    let work = site.begin();
    for _ in 0..random.below(4) {
        thread::yield_now();
        work.step();
    }
    work.end();
    ending.happen(site)
}

/// Computes the value of a lazy, with pauses.
pub(crate) async fn compute(
    site: Arc<Site>,
    clock: &'static Clock,
    mut random: Random,
    ending: Ending,
) -> Value {
    let _counted = site.census().count(Kind::Initializer);
    let work = site.begin();
    for _ in 0..random.below(6) {
        if random.one_in(2) {
            yield_now().await;
        } else {
            clock.nap().await;
        }
        work.step();
    }
    work.end();
    ending.happen(&site).expect("a lazy does not fail")
}
