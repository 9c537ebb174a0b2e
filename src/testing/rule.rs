//! The messages of failed properties.

use std::fmt;

/// The rule in the documentation of [`Backend`](crate::Backend) that a property tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    StateMachine,
    Exclusion,
    Publication,
    Succession,
    Pinning,
    NoLostWakeup,
    NoUserCodeUnderALock,
    NothingLeftBehind,
    CheapRelease,
    OneAttempt,
    /// The order of wakes, in the documentation of `publish` and `release`.
    OldestFirst,
    /// `poll_wait` and `cancel` wake no task.
    NoSpuriousWake,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StateMachine => "the state machine of `Backend`",
            Self::Exclusion => "rule 1 of `Backend` (exclusion)",
            Self::Publication => "rule 2 of `Backend` (publication)",
            Self::Succession => "rule 3 of `Backend` (succession)",
            Self::Pinning => "rule 4 of `Backend` (pinning)",
            Self::NoLostWakeup => "rule 5 of `Backend` (no lost wakeup)",
            Self::NoUserCodeUnderALock => "rule 6 of `Backend` (no user code under a lock)",
            Self::NothingLeftBehind => "rule 7 of `Backend` (nothing is left behind)",
            Self::CheapRelease => "rule 8 of `Backend` (cost of failures)",
            Self::OneAttempt => "rule 9 of `Backend` (one attempt)",
            Self::OldestFirst => "the order of `Backend::publish` and `release` (oldest first)",
            Self::NoSpuriousWake => "`Backend::poll_wait` and `cancel` (no spurious wakeups)",
        })
    }
}

/// Panics and names the rule, unless the condition holds.
macro_rules! require {
    ($condition:expr, $rule:ident, $($message:tt)+) => {
        if !$condition {
            $crate::testing::rule::broken($crate::testing::rule::Rule::$rule, format_args!($($message)+));
        }
    };
}
pub(super) use require;

#[cold]
#[track_caller]
pub(super) fn broken(rule: Rule, how: fmt::Arguments<'_>) -> ! {
    panic!("{rule} is broken: {how}")
}
