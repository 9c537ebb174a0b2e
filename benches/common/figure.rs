//! A figure: the crates that are measured, the measurement, and the target for this crate.

use std::fmt;

use super::rounds::{Effort, Sample, Samples, sample};
use super::table::Unit;

/// A crate, and how to get its figure.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// Whether it is a peer's.
    pub(crate) is_peer: bool,
    pub(crate) sample: Sample,
}

impl Contender {
    /// Creates a subject with the name of a package, which may be this one.
    pub(crate) fn package(name: &'static str, sample: Sample) -> Self {
        Self {
            name,
            is_peer: name != env!("CARGO_PKG_NAME"),
            sample,
        }
    }

    /// Another subject of this crate.
    pub(crate) fn of_ours(name: &'static str, sample: Sample) -> Self {
        Self {
            name,
            is_peer: false,
            sample,
        }
    }
}

/// Samples a figure for each of several types: `contenders!(C => bytes::<C>(); Cell; Oncelot, Tokio)`. `Cell` is the trait that
/// has their names.
#[allow(unused_macros, reason = "not every bench compares crates")]
macro_rules! contenders {
    ($crate_type:ident => $sample:expr; $named:path; $($marker:path),+) => {
        vec![$($crate::common::figure::Contender::package(<$marker as $named>::NAME, || {
            type $crate_type = $marker;
            $sample
        })),+]
    };
}

#[allow(unused_imports, reason = "not every bench compares crates")]
pub(crate) use contenders;

/// What our figure must not exceed.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    Value(f64),
    TimesBestPeer(f64),
    Times(f64, &'static str),
    /// As fast as this crate, as far as the measurement can tell.
    EqualTo(&'static str),
}

impl Target {
    /// By how much two loops of the same instructions may differ: it matters where they lie.
    const EQUAL: f64 = 1.05;

    fn at_most(self) -> f64 {
        match self {
            Self::Value(value) => value,
            Self::TimesBestPeer(ratio) | Self::Times(ratio, _) => ratio,
            Self::EqualTo(_) => Self::EQUAL,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "<= {value}"),
            Self::TimesBestPeer(ratio) => write!(f, "<= {ratio} x best peer"),
            Self::Times(ratio, name) => write!(f, "<= {ratio} x {name}"),
            Self::EqualTo(name) => write!(f, "1.0 x {name}"),
        }
    }
}

pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    /// Ours is the first.
    pub(crate) crates: Vec<Contender>,
    /// The cost of what cannot be left out.
    pub(crate) floor: Option<Sample>,
    pub(crate) target: Target,
}

impl Figure {
    pub(crate) fn exact(name: &'static str, target: Target, crates: Vec<Contender>) -> Self {
        Self {
            name,
            unit: Unit::Exact,
            crates,
            floor: None,
            target,
        }
    }

    pub(crate) fn timed(
        name: &'static str,
        target: Target,
        crates: Vec<Contender>,
        floor: Option<Sample>,
    ) -> Self {
        Self {
            name,
            unit: Unit::Nanoseconds,
            crates,
            floor,
            target,
        }
    }

    pub(crate) fn measure(self, effort: Effort) -> Measured {
        eprintln!("measuring: {}", self.name);
        let effort = self.unit.effort(effort);
        let crates = self.crates.iter().map(|contender| contender.sample);
        let mut samples = sample(&Vec::from_iter(crates.chain(self.floor)), effort);
        let floor = self.floor.and_then(|_| samples.pop());
        Measured {
            figure: self,
            samples,
            floor,
        }
    }
}

/// A figure with its samples.
pub(crate) struct Measured {
    pub(crate) figure: Figure,
    /// In the order of the figure's crates.
    samples: Vec<Samples>,
    pub(crate) floor: Option<Samples>,
}

impl Measured {
    pub(crate) fn of(&self, name: &str) -> Option<&Samples> {
        let index = self
            .figure
            .crates
            .iter()
            .position(|contender| contender.name == name)?;
        self.samples.get(index)
    }

    pub(crate) fn ours(&self) -> &Samples {
        &self.samples[0]
    }

    /// The peer with the lowest median.
    pub(crate) fn best_peer(&self) -> (&'static str, &Samples) {
        let contenders = self.figure.crates.iter().zip(&self.samples);
        let peers = contenders
            .filter(|(contender, _)| contender.is_peer)
            .map(|(contender, samples)| (contender.name, samples));
        let best = peers.min_by(|(_, a), (_, b)| a.median().total_cmp(&b.median()));
        best.expect("a figure has peers")
    }

    pub(crate) fn ratio_to(&self, peer: &Samples) -> f64 {
        self.ours().ratios_to(peer).median()
    }

    /// Returns the number that the target limits: the value of this crate, or a ratio.
    pub(crate) fn judged(&self) -> f64 {
        match self.figure.target {
            Target::Value(_) => self.ours().median(),
            Target::TimesBestPeer(_) => self.ratio_to(self.best_peer().1),
            Target::Times(_, name) | Target::EqualTo(name) => {
                self.ratio_to(self.of(name).expect("the target names a peer of this figure"))
            }
        }
    }

    /// A figure that could not be measured does not fail.
    pub(crate) fn is_met(&self) -> bool {
        let judged = self.judged();
        judged.is_nan() || judged <= self.figure.target.at_most()
    }

    /// Noise is no excuse here.
    pub(crate) fn is_certainly_missed(&self) -> bool {
        self.figure.unit == Unit::Exact && !self.is_met()
    }
}
