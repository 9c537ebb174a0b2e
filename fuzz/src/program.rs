//! The operations of a program, which `arbitrary` decodes from bytes.

use arbitrary::{Arbitrary, Result, Unstructured};
use oncelot::backend::WaiterKind;

#[derive(Debug, Clone, Arbitrary)]
pub(crate) struct Program {
    /// The script of the future of a lazy.
    pub(crate) lazy: Script,
    #[arbitrary(with = operations)]
    pub(crate) operations: Vec<Operation>,
}

/// Decodes all bytes. A `Vec` would end after a few elements.
fn operations(bytes: &mut Unstructured<'_>) -> Result<Vec<Operation>> {
    std::iter::from_fn(|| (!bytes.is_empty()).then(|| Operation::arbitrary(bytes))).collect()
}

/// The number of a future, modulo the number of those that exist.
type Pick = u8;

/// The number of a task, modulo the number of tasks.
type TaskNumber = u8;

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Operation {
    /// Creates futures, and polls each of them once, each with the next task. An empty crowd is one future that is not polled.
    Start(Kind, Crowd, TaskNumber, Script),
    Poll(Pick, TaskNumber, Script),
    Drop(Pick),
    Leak(Pick),
    /// Sets the action of a task's wakers for the next time that one of them is used in this way.
    Arm(TaskNumber, WakerUse, Action),
    /// Wakes or drops the waker that an initializer kept. `Clone` wakes it by reference.
    UseKept(WakerUse),
    /// An operation that needs exclusive access to the subject. It is skipped while there are futures.
    Exclusive(Exclusive),
}

/// A future of a cell, or one that calls a method which does not wait. A lazy has one kind of future only.
///
/// `GetOrClaim` and `TryClaim` leave another future behind, which owns the guard: its poll sets the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Kind {
    GetOrInit,
    GetOrTryInit,
    GetOrTryInitShared,
    GetOrClaim,
    Insert,
    Wait,
    WaitAttempt,
    Set,
    TryInsert,
    TryGetOrInit,
    TryClaim,
}

impl Kind {
    pub(crate) fn is_method(self) -> bool {
        matches!(
            self,
            Self::Set | Self::TryInsert | Self::TryGetOrInit | Self::TryClaim
        )
    }

    pub(crate) fn waiter(self) -> WaiterKind {
        if self == Self::Wait {
            WaiterKind::Passive
        } else {
            WaiterKind::Claimant
        }
    }
}

/// A number of futures. The largest is more than the largest batch of a drain, which is 16.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crowd(pub(crate) u8);

impl Arbitrary<'_> for Crowd {
    fn arbitrary(bytes: &mut Unstructured<'_>) -> Result<Self> {
        bytes.choose(&[1, 1, 0, 2, 4, 17, 19]).copied().map(Self)
    }
}

/// The behavior of an initializer.
#[derive(Debug, Clone, Copy, Default, Arbitrary)]
pub(crate) struct Script {
    /// When its closure is called.
    pub(crate) on_call: Action,
    /// When it is dropped, or when its closure is dropped without having been called.
    pub(crate) on_drop: Action,
    /// In one poll. The next fields belong to the same poll.
    pub(crate) on_poll: Action,
    pub(crate) waker: ScriptWaker,
    pub(crate) end: ScriptEnd,
}

#[derive(Debug, Clone, Copy, Default, Arbitrary)]
pub(crate) enum ScriptWaker {
    #[default]
    Unused,
    /// A clone of the waker is kept for [`Operation::UseKept`].
    Keep,
    /// The initializer wakes its own task.
    Wake,
}

#[derive(Debug, Clone, Copy, Default, Arbitrary)]
pub(crate) enum ScriptEnd {
    #[default]
    Pending,
    Value,
    /// A value, if the initializer cannot fail.
    Error,
}

/// The behavior of user code when the subject calls it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Action {
    /// It runs this number of the next operations.
    pub(crate) operations: u8,
    /// It panics afterwards.
    pub(crate) panics: bool,
}

impl Arbitrary<'_> for Action {
    fn arbitrary(bytes: &mut Unstructured<'_>) -> Result<Self> {
        let operations = *bytes.choose(&[0, 0, 0, 0, 0, 1, 1, 2, 3])?;
        let panics = bytes.ratio(1, 5)?;
        Ok(Self { operations, panics })
    }
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum WakerUse {
    Clone,
    Wake,
    Drop,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Exclusive {
    /// `take`, or `into_parts` of a lazy.
    Take,
    IntoInner,
    GetMut,
    /// Replaces the subject by an empty one.
    Replace,
    /// Replaces the subject by one that has a value.
    ReplaceByReady,
    /// `get_mut_or_try_init`, polled twice.
    Initialize([Script; 2]),
}
