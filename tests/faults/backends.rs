//! The backends under test, with the exceptions to the contract that their documentation names.

use crate::{check::Wrong, run::Run};

pub(crate) struct Tested {
    pub(crate) name: &'static str,
    pub(crate) waker_panics: WakerPanics,
    pub(crate) exceptions: &'static [Exception],
    source: &'static str,
}

/// The effect of a panic of a waker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum WakerPanics {
    /// The panic of a waker that is woken while the thread unwinds is discarded.
    #[default]
    Discarded,
    /// The panic of a waker that is woken while the thread unwinds aborts the program.
    Propagate,
    /// As `Propagate`. In addition, after a waker has panicked when it was cloned, the destructor of its waiter panics, and after a
    /// waker has panicked when it was woken, other calls panic. While the thread unwinds, that aborts the program.
    BreakEvent,
}

/// The sentence of the documentation that names something that the backend may do wrong, and what it excuses.
pub(crate) type Exception = (&'static str, fn(&Run, &Wrong) -> bool);

pub(crate) const INTRUSIVE: Tested = Tested {
    name: "Intrusive",
    waker_panics: WakerPanics::Discarded,
    exceptions: &[],
    source: include_str!("../../src/backend/intrusive.rs"),
};

pub(crate) const LOCAL: Tested = Tested {
    name: "Local",
    source: include_str!("../../src/backend/local.rs"),
    ..INTRUSIVE
};

pub(crate) const EVENT_LISTENER: Tested = Tested {
    name: "EventListener",
    waker_panics: WakerPanics::BreakEvent,
    exceptions: &[
        (
            "A waker that panics when it is cloned or woken may leave other waiters asleep forever",
            |run, wrong| matches!(wrong, Wrong::Asleep(_)) && run.has_broken_event(),
        ),
        (
            "or make later calls panic",
            // In debug builds, the count of notified listeners underflows.
            |run, wrong| {
                matches!(wrong, Wrong::Panicked(_, message) if message == "attempt to subtract with overflow")
                    && run.has_broken_event()
            },
        ),
    ],
    source: include_str!("../../src/backend/event_listener.rs"),
};

pub(crate) const ATOMIC_WAKER: Tested = Tested {
    name: "AtomicWaker",
    waker_panics: WakerPanics::Propagate,
    exceptions: &[
        (
            "while two tasks wait, **they keep waking each other**",
            |_, wrong| matches!(wrong, Wrong::Spinning(tasks) if tasks.len() > 1),
        ),
        (
            "If a waker panics when it is cloned, or when it is woken while a task takes the slot, the slot \
                     becomes unusable. From then on, waiting tasks wake themselves until there is a value",
            |run, wrong| {
                matches!(wrong, Wrong::Spinning(tasks) if tasks.len() == 1)
                    && run.faults().any(|point| point.is_clone_for_backend())
            },
        ),
    ],
    source: include_str!("../../src/backend/atomic_waker.rs"),
};

#[test]
fn each_exception_is_documented() {
    for backend in [INTRUSIVE, LOCAL, EVENT_LISTENER, ATOMIC_WAKER] {
        let lines = backend.source.lines();
        let lines: Vec<_> = lines
            .map(|line| line.trim().trim_start_matches("///").trim())
            .collect();
        let text = lines.join(" ");
        for (reason, _) in backend.exceptions {
            assert!(text.contains(reason), "{}: {reason:?}", backend.name);
        }
    }
}
