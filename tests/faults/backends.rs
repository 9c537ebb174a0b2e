//! The backends under test, with the exceptions to the contract that their documentation names.

use crate::{
    check::Wrong,
    run::{Kind, Run},
};

pub(crate) struct Tested {
    pub(crate) name: &'static str,
    pub(crate) panics: Panics,
    pub(crate) exceptions: &'static [Exception],
    source: &'static str,
}

/// What a backend does with panics.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Panics {
    /// Whether the panic of a waker that is woken during another panic is discarded. Otherwise it aborts the program.
    pub(crate) of_wakers_are_discarded: bool,
    /// Whether the destructor of a waiter panics after its waker has panicked when it was cloned. If that panic drops the
    /// waiter, this aborts the program. So may another panic, after one of a waker.
    pub(crate) clone_breaks_destructor: bool,
}

/// Something that a backend may do wrong.
pub(crate) struct Exception {
    /// The sentence of the documentation that names the exception.
    pub(crate) reason: &'static str,
    pub(crate) excuses: fn(&Run, &Wrong) -> bool,
}

pub(crate) const INTRUSIVE: Tested = Tested {
    name: "Intrusive",
    panics: Panics {
        of_wakers_are_discarded: true,
        clone_breaks_destructor: false,
    },
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
    panics: Panics {
        of_wakers_are_discarded: false,
        clone_breaks_destructor: true,
    },
    exceptions: &[
        Exception {
            reason: "A waker that panics when it is cloned or woken may leave other waiters asleep forever",
            excuses: |run, wrong| matches!(wrong, Wrong::Asleep(_)) && has_broken_event(run),
        },
        Exception {
            reason: "or make later calls panic",
            // In debug builds: of the count of notified listeners.
            excuses: |run, wrong| {
                matches!(wrong, Wrong::Panicked(_, message) if message == "attempt to subtract with overflow")
                    && has_broken_event(run)
            },
        },
    ],
    source: include_str!("../../src/backend/event_listener.rs"),
};

/// Returns whether a waker has panicked when the event cloned or woke it, and not when an initializer did.
fn has_broken_event(run: &Run) -> bool {
    run.panicked()
        .any(|point| matches!(point.kind, Kind::CloneWaker | Kind::Wake) && point.polled.is_none())
}

pub(crate) const ATOMIC_WAKER: Tested = Tested {
    name: "AtomicWaker",
    panics: Panics {
        of_wakers_are_discarded: false,
        clone_breaks_destructor: false,
    },
    exceptions: &[
        Exception {
            reason: "while two tasks wait, **they keep waking each other**",
            excuses: |_, wrong| matches!(wrong, Wrong::Spinning(tasks) if tasks.len() > 1),
        },
        Exception {
            reason: "If a waker panics when it is cloned, or when it is woken while a task takes the slot, the slot \
                     becomes unusable. From then on, waiting tasks wake themselves until there is a value",
            excuses: |run, wrong| {
                matches!(wrong, Wrong::Spinning(tasks) if tasks.len() == 1)
                    && run.panicked().any(|point| point.is_clone_for_backend())
            },
        },
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
        for Exception { reason, .. } in backend.exceptions {
            assert!(text.contains(reason), "{}: {reason:?}", backend.name);
        }
    }
}
