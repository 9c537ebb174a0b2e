//! Sampling: many short rounds, in each of which every contender is sampled once.
//!
//! Harnesses such as criterion and divan measure one function after the other, and tango compares two builds of one
//! function. What disturbs the machine for a second must affect all contenders equally, so they take turns.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::common::report::Contender;

/// The least number of rounds, and the least time.
pub(crate) type Effort = (usize, Duration);

pub(crate) const FULL: Effort = (15, Duration::from_secs(5));
pub(crate) const QUICK: Effort = (3, Duration::from_millis(250));
pub(crate) const ONCE: Effort = (1, Duration::ZERO);

/// Samples every contender once a round, and returns each one's samples by round.
pub(crate) fn sample(contenders: &[Contender], (rounds, time): Effort) -> Vec<Samples> {
    let start = Instant::now();
    let mut samples = vec![Samples(Vec::new()); contenders.len()];
    let mut round = 0;
    while round < rounds || start.elapsed() < time {
        // The order rotates, so that no contender always runs first after the pause.
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            samples[index]
                .0
                .push(at_depth(round % DEPTHS, &contenders[index]));
        }
        round += 1;
    }
    samples
}

/// Enough frames for about a page of memory.
const DEPTHS: usize = 128;

/// Takes a sample deeper in the stack. Where a future lies on it can double what a few nanoseconds of
/// work cost; this must not be the same place for a whole run.
#[inline(never)]
fn at_depth(depth: usize, contender: &Contender) -> f64 {
    match depth {
        0 => (contender.sample)(),
        // What comes after the call keeps it from becoming a jump, which would use no stack.
        _ => black_box(at_depth(depth - 1, contender)),
    }
}

/// A contender's samples, one for each round.
#[derive(Clone)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// The three quartiles. The second one is the median.
    pub(crate) fn quartiles(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let quarters = [1, 2, 3].iter();
        quarters
            .map(|quarters| sorted[(sorted.len() - 1) * quarters / 4])
            .collect()
    }

    pub(crate) fn median(&self) -> f64 {
        self.quartiles()[1]
    }

    /// The median of the rounds' ratios. What disturbs a whole round cancels out.
    pub(crate) fn ratio_to(&self, other: &Self) -> f64 {
        let ratios = self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs);
        Self(ratios.collect()).median()
    }
}
