//! Decodes bytes into a program: a subject, and the operations on it.

use arbitrary::Unstructured;

/// The number of futures that can exist at one time: more than the largest batch of a drain, which is 16.
pub(crate) const SLOTS: usize = 20;
/// The number of tasks. Each task has one waker.
pub(crate) const TASKS: usize = 5;

/// The number of operations that are decoded at most.
const LENGTH: usize = 120;

#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) subject: SubjectKind,
    pub(crate) backend: Backend,
    /// The actions of the future of a lazy.
    pub(crate) plan: Plan,
    pub(crate) ops: Vec<Op>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubjectKind {
    Cell,
    Lazy,
    /// Has only the backend `Intrusive`.
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
    /// Creates a future in the first free slot.
    Create { kind: Kind, plan: Plan },
    /// Polls the future in one of the slots that contain one.
    Poll { pick: usize, task: usize, step: Step },
    /// Drops such a future.
    Drop { pick: usize },
    /// Leaks such a future.
    Leak { pick: usize },
    /// Creates futures, and polls each of them once, each with the next task.
    Crowd { kind: Kind, count: usize },
    /// Sets the action of a task's waker for the next time that it is used in this way.
    Arm {
        task: usize,
        on: WakerUse,
        action: Action,
    },
    /// `try_insert`, or `set`.
    Put { insert: bool },
    /// Uses the waker that a [`Step`] kept.
    UseKept { how: WakerUse },
    /// An operation that needs exclusive access to the subject. It is skipped while there are futures.
    Exclusive(Exclusive),
}

/// The future of a cell. A lazy has one kind of future only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    GetOrInit,
    GetOrTryInit,
    Insert,
    Wait,
}

/// The actions of an initializer outside its polls.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Plan {
    /// When its closure is called.
    pub(crate) on_call: Action,
    /// When it is dropped, or when its closure is dropped without having been called.
    pub(crate) on_drop: Action,
}

/// What an initializer does in one poll.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) waker: StepWaker,
    pub(crate) end: StepEnd,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum StepWaker {
    #[default]
    Unused,
    /// A clone of the waker is kept for [`Op::UseKept`].
    Keep,
    /// The initializer wakes its own task.
    Wake,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum StepEnd {
    #[default]
    Pending,
    Value,
    /// A value, if the initializer cannot fail.
    Error,
}

/// What user code does when the subject calls it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Action {
    /// It runs this number of the next operations.
    pub(crate) ops: usize,
    /// It panics afterwards.
    pub(crate) panics: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum WakerUse {
    Wake,
    Clone,
    Drop,
}

#[derive(Debug, Clone, Copy)]
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
    Initialize {
        plan: Plan,
        steps: [Step; 2],
    },
}

impl Program {
    /// Decodes a program whose subject is one of `subjects`.
    pub(crate) fn decode(data: &[u8], subjects: &[(SubjectKind, Backend)]) -> Self {
        let mut bytes = Bytes(Unstructured::new(data));
        let (subject, backend) = bytes.choose(subjects);
        let plan = match subject {
            SubjectKind::Cell => Plan::default(),
            _ => bytes.plan(),
        };
        let mut ops = Vec::new();
        while !bytes.0.is_empty() && ops.len() < LENGTH {
            ops.push(bytes.op());
        }
        Self {
            subject,
            backend,
            plan,
            ops,
        }
    }
}

/// The rest of the input. Bytes that are missing count as zeros.
pub(crate) struct Bytes<'a>(pub(crate) Unstructured<'a>);

impl Bytes<'_> {
    pub(crate) fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        *self.0.choose(choices).expect("there are choices")
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.int_in_range(0..=end - 1).expect("the range is not empty")
    }

    fn op(&mut self) -> Op {
        match self.below(32) {
            0..=5 => Op::Create {
                kind: self.kind(),
                plan: self.plan(),
            },
            6..=14 => Op::Poll {
                pick: self.below(SLOTS),
                task: self.below(TASKS),
                step: self.step(),
            },
            15..=18 => Op::Drop {
                pick: self.below(SLOTS),
            },
            19 => Op::Leak {
                pick: self.below(SLOTS),
            },
            20..=21 => Op::Crowd {
                kind: self.kind(),
                count: self.choose(&[2, 4, 17, SLOTS - 1]),
            },
            22..=25 => Op::Arm {
                task: self.below(TASKS),
                on: self.waker_use(),
                action: self.action(),
            },
            26..=27 => Op::Put {
                insert: self.choose(&[true, false]),
            },
            28..=29 => Op::UseKept {
                how: self.waker_use(),
            },
            _ => Op::Exclusive(self.exclusive()),
        }
    }

    fn kind(&mut self) -> Kind {
        self.choose(&[Kind::GetOrTryInit, Kind::Wait, Kind::GetOrInit, Kind::Insert])
    }

    fn plan(&mut self) -> Plan {
        if self.choose(&[true, false]) {
            return Plan::default();
        }
        Plan {
            on_call: self.action(),
            on_drop: self.action(),
        }
    }

    fn step(&mut self) -> Step {
        use StepEnd::{Error, Pending, Value};
        use StepWaker::{Keep, Unused, Wake};
        let end = self.choose(&[Pending, Value, Error, Pending]);
        let action = self.action();
        let waker = self.choose(&[Unused, Keep, Wake, Unused]);
        Step { action, waker, end }
    }

    fn action(&mut self) -> Action {
        let code = self.below(10);
        Action {
            ops: [0, 0, 0, 0, 1, 1, 2, 0, 1, 3][code],
            panics: matches!(code, 7 | 8),
        }
    }

    fn waker_use(&mut self) -> WakerUse {
        self.choose(&[WakerUse::Wake, WakerUse::Clone, WakerUse::Drop])
    }

    fn exclusive(&mut self) -> Exclusive {
        match self.below(8) {
            0..=1 => Exclusive::Take,
            2 => Exclusive::IntoInner,
            3 => Exclusive::GetMut,
            4 => Exclusive::Replace,
            5 => Exclusive::ReplaceByReady,
            _ => Exclusive::Initialize {
                plan: self.plan(),
                steps: [self.step(), self.step()],
            },
        }
    }
}
