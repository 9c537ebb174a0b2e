//! Decodes bytes into a program for a stage.

use arbitrary::{Result, Unstructured};

/// As many futures as there can be at one time: more than a drain takes in one batch, which is 16.
pub(crate) const SLOTS: usize = 20;
/// As many tasks, each with one waker.
pub(crate) const TASKS: usize = 5;

/// As many operations as are played of one program.
const LENGTH: usize = 120;

/// What is on the stage, and what happens to it.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) subject: Subject,
    pub(crate) backend: Backend,
    /// Of the futures of lazies.
    pub(crate) plan: Plan,
    pub(crate) ops: Vec<Op>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Cell,
    Lazy,
    /// Has but one backend.
    StaticLazy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Intrusive,
    /// Not decoded: each program for `Intrusive` also runs on this backend.
    Local,
    AtomicWaker,
    EventListener,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    /// Makes a future in the first free slot.
    Make { kind: Kind, plan: Plan },
    /// Polls the future in one of the slots where one is, and is not being polled.
    Poll { pick: u8, task: u8, step: Step },
    /// Drops such a future.
    Drop { pick: u8 },
    /// Forgets such a future.
    Leak { pick: u8 },
    /// Makes futures, and polls each of them once, with one task after the other.
    Crowd { kind: Kind, count: u8 },
    /// Has the waker of a task do something the next time that this is done to it.
    Arm { task: u8, on: Deed, action: Action },
    /// `set`, or `try_insert`.
    Put { insert: bool },
    /// Uses the waker that a [`Step`] has kept.
    UseKept { deed: Deed },
    /// An operation on the subject alone, when there are no futures.
    Alone { deed: Alone },
}

/// Which future of a cell. Those of the other subjects are all of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    GetOrInit,
    GetOrTryInit,
    Insert,
    Wait,
}

/// The actions of an initializer outside its polls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// When its closure is called.
    pub(crate) on_call: Action,
    /// When it is dropped, or its closure is, without being called.
    pub(crate) on_drop: Action,
}

/// What an initializer does if it is polled in this poll.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) waker: Use,
    pub(crate) end: End,
}

/// What an initializer does with the waker that it is polled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Nothing,
    Keep,
    /// Wakes its own task, to be polled again.
    Wake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Pending,
    Value,
    /// A value where it cannot fail.
    Error,
}

/// What the user's code does when the subject runs it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Action {
    /// Plays so many of the next operations right there.
    pub(crate) ops: u8,
    /// Panics afterwards.
    pub(crate) panics: bool,
}

/// What is done to a waker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Clone,
    Wake,
    Drop,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Alone {
    /// `take`; of a lazy, `into_parts`.
    Take,
    IntoInner,
    /// `get_mut`.
    Change,
    /// Another subject, in the place of the one before.
    Renew,
    /// The same with a value from the start.
    RenewWithValue,
    /// `get_mut_or_try_init`, polled twice.
    Initialize {
        plan: Plan,
        steps: [Step; 2],
    },
}

impl Program {
    pub(crate) fn of_cells(data: &[u8]) -> Self {
        Self::decode(
            data,
            &[
                (Subject::Cell, Backend::Intrusive),
                (Subject::Cell, Backend::AtomicWaker),
                (Subject::Cell, Backend::EventListener),
            ],
        )
    }

    pub(crate) fn of_lazies(data: &[u8]) -> Self {
        Self::decode(
            data,
            &[
                (Subject::Lazy, Backend::Intrusive),
                (Subject::StaticLazy, Backend::Intrusive),
                (Subject::Lazy, Backend::AtomicWaker),
                (Subject::Lazy, Backend::EventListener),
            ],
        )
    }

    /// Returns the same program on `Local`, if this one is on `Intrusive` and its subject is not a static.
    pub(crate) fn on_local(self) -> Option<Self> {
        let is_for_local = self.backend == Backend::Intrusive && self.subject != Subject::StaticLazy;
        is_for_local.then_some(Self {
            backend: Backend::Local,
            ..self
        })
    }

    fn decode(data: &[u8], subjects: &[(Subject, Backend)]) -> Self {
        let mut bytes = Unstructured::new(data);
        let (subject, backend) = *bytes
            .choose(subjects)
            .expect("zero will do for bytes that are missing");
        let plan = match subject {
            Subject::Cell => Plan::PLAIN,
            _ => Plan::decode(&mut bytes).expect("zero will do for bytes that are missing"),
        };
        let mut ops = Vec::new();
        while !bytes.is_empty() && ops.len() < LENGTH {
            ops.push(Op::decode(&mut bytes).expect("zero will do for bytes that are missing"));
        }
        Self {
            subject,
            backend,
            plan,
            ops,
        }
    }
}

impl Op {
    fn decode(bytes: &mut Unstructured<'_>) -> Result<Self> {
        let (task, slot) = (TASKS as u8 - 1, SLOTS as u8 - 1);
        Ok(match bytes.int_in_range(0..=31_u8)? {
            0..=5 => Self::Make {
                kind: Kind::decode(bytes)?,
                plan: Plan::decode(bytes)?,
            },
            6..=14 => Self::Poll {
                pick: bytes.int_in_range(0..=slot)?,
                task: bytes.int_in_range(0..=task)?,
                step: Step::decode(bytes)?,
            },
            15..=18 => Self::Drop {
                pick: bytes.int_in_range(0..=slot)?,
            },
            19 => Self::Leak {
                pick: bytes.int_in_range(0..=slot)?,
            },
            20..=21 => Self::Crowd {
                kind: Kind::decode(bytes)?,
                count: *bytes.choose(&[2, 4, 17, slot])?,
            },
            22..=25 => Self::Arm {
                task: bytes.int_in_range(0..=task)?,
                on: Deed::decode(bytes)?,
                action: Action::decode(bytes)?,
            },
            26..=27 => Self::Put {
                insert: bytes.ratio(1_u8, 2_u8)?,
            },
            28..=29 => Self::UseKept {
                deed: Deed::decode(bytes)?,
            },
            _ => Self::Alone {
                deed: Alone::decode(bytes)?,
            },
        })
    }
}

impl Kind {
    fn decode(bytes: &mut Unstructured<'_>) -> Result<Self> {
        bytes
            .choose(&[Self::GetOrTryInit, Self::Wait, Self::GetOrInit, Self::Insert])
            .copied()
    }
}

impl Plan {
    /// No actions.
    pub(crate) const PLAIN: Self = Self {
        on_call: Action::NONE,
        on_drop: Action::NONE,
    };

    fn decode(bytes: &mut Unstructured<'_>) -> Result<Self> {
        let is_plain = bytes.ratio(1_u8, 2_u8)?;
        Ok(if is_plain {
            Self::PLAIN
        } else {
            Self {
                on_call: Action::decode(bytes)?,
                on_drop: Action::decode(bytes)?,
            }
        })
    }
}

impl Step {
    /// The step of an initializer that stays pending.
    pub(crate) const PENDING: Self = Self {
        action: Action::NONE,
        waker: Use::Nothing,
        end: End::Pending,
    };

    fn decode(bytes: &mut Unstructured<'_>) -> Result<Self> {
        let end = *bytes.choose(&[End::Pending, End::Value, End::Error, End::Pending])?;
        Ok(Self {
            action: Action::decode(bytes)?,
            waker: *bytes.choose(&[Use::Nothing, Use::Keep, Use::Wake, Use::Nothing])?,
            end,
        })
    }
}

impl Action {
    pub(crate) const NONE: Self = Self {
        ops: 0,
        panics: false,
    };

    fn decode(bytes: &mut Unstructured<'_>) -> Result<Self> {
        let code = bytes.int_in_range(0..=9_u8)?;
        Ok(Self {
            ops: match code {
                4 | 5 | 8 => 1,
                6 => 2,
                9 => 3,
                _ => 0,
            },
            panics: matches!(code, 7..=8),
        })
    }
}

impl Deed {
    fn decode(bytes: &mut Unstructured<'_>) -> Result<Self> {
        bytes.choose(&[Self::Wake, Self::Clone, Self::Drop]).copied()
    }
}

impl Alone {
    fn decode(bytes: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match bytes.int_in_range(0..=7_u8)? {
            0..=1 => Self::Take,
            2 => Self::IntoInner,
            3 => Self::Change,
            4 => Self::Renew,
            5 => Self::RenewWithValue,
            _ => Self::Initialize {
                plan: Plan::decode(bytes)?,
                steps: [Step::decode(bytes)?, Step::decode(bytes)?],
            },
        })
    }
}
