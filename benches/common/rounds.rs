//! Sampling: many short rounds, in each of which every contender is sampled once, and medians over the rounds.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Measures a contender once.
pub(crate) type Sample = fn() -> f64;

/// How long to measure: until both are reached.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
}

impl Effort {
    pub(crate) const FULL: Self = Self {
        rounds: 15,
        time: Duration::from_secs(5),
    };
    pub(crate) const QUICK: Self = Self {
        rounds: 3,
        time: Duration::from_millis(250),
    };
    /// For a test run, or for figures that are the same each time.
    pub(crate) const ONCE: Self = Self {
        rounds: 1,
        time: Duration::ZERO,
    };
}

/// Samples every contender once a round, so that noise hits all of them alike, and returns each
/// one's samples by round.
pub(crate) fn sample(contenders: &[Sample], effort: Effort) -> Vec<Samples> {
    let start = Instant::now();
    let mut samples = vec![Samples::default(); contenders.len()];
    let mut round = 0;
    while round < effort.rounds || start.elapsed() < effort.time {
        // The order rotates, so that no subject always runs first after the pause.
        for turn in 0..contenders.len() {
            let contender = (round + turn) % contenders.len();
            samples[contender]
                .0
                .push(at_depth(round % DEPTHS, contenders[contender]));
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
fn at_depth(depth: usize, sample: Sample) -> f64 {
    match depth {
        0 => sample(),
        // What comes after the call keeps it from becoming a jump, which would use no stack.
        _ => black_box(at_depth(depth - 1, sample)),
    }
}

/// A contender's samples, one for each round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// The value that so many quarters of the samples do not exceed.
    pub(crate) fn quartile(&self, quarters: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[(sorted.len() - 1) * quarters / 4]
    }

    pub(crate) fn median(&self) -> f64 {
        self.quartile(2)
    }

    /// The rounds' ratios. What disturbs a whole round cancels out.
    pub(crate) fn ratios_to(&self, other: &Self) -> Self {
        Self(
            self.0
                .iter()
                .zip(&other.0)
                .map(|(ours, theirs)| ours / theirs)
                .collect(),
        )
    }
}
