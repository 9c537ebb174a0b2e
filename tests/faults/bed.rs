//! The backends under test, and the exceptions to the contract that their documentation names.

use std::sync::Arc;

use oncelot::{
    OnceCell,
    backend::{AtomicWaker, Backend, EventListener, Intrusive, Local},
};

use crate::{
    cast::Deed,
    cells::{Deeds, shared_deed},
    things::Value,
    world::{Call, Kind, Panics, Record, Wrong},
};

pub(crate) trait Bed: Backend + 'static {
    const NAME: &'static str;

    /// Does what needs a cell that is `Sync`. `None` for a backend of one thread.
    const SHARED: Option<SharedDeed<Self>>;

    const PANICS: Panics;

    const SOURCE: &'static str;

    const EXCEPTIONS: &'static [Exception];
}

pub(crate) type SharedDeed<B> = for<'a> fn(Deeds, &'a Arc<OnceCell<Value, B>>) -> Deed<'a>;

/// Something that a backend may do wrong.
pub(crate) struct Exception {
    /// The sentence of the documentation that names the exception.
    pub(crate) reason: &'static str,
    pub(crate) excuses: fn(&Record, &Wrong) -> bool,
}

impl Bed for Intrusive {
    const NAME: &'static str = "Intrusive";
    const SHARED: Option<SharedDeed<Self>> = Some(shared_deed::<Self>);
    const PANICS: Panics = Panics {
        swallows_wakers: true,
        breaks_on_clone: false,
    };
    const SOURCE: &'static str = include_str!("../../src/backend/intrusive.rs");
    const EXCEPTIONS: &'static [Exception] = &[];
}

impl Bed for Local {
    const NAME: &'static str = "Local";
    const SHARED: Option<SharedDeed<Self>> = None;
    const PANICS: Panics = Intrusive::PANICS;
    const SOURCE: &'static str = include_str!("../../src/backend/local.rs");
    const EXCEPTIONS: &'static [Exception] = &[];
}

impl Bed for EventListener {
    const NAME: &'static str = "EventListener";
    const SHARED: Option<SharedDeed<Self>> = Some(shared_deed::<Self>);
    // "or make later calls panic"
    const PANICS: Panics = Panics {
        swallows_wakers: false,
        breaks_on_clone: true,
    };
    const SOURCE: &'static str = include_str!("../../src/backend/event_listener.rs");
    const EXCEPTIONS: &'static [Exception] = &[
        Exception {
            reason: "A waker that panics when it is cloned or woken may leave other waiters asleep forever",
            excuses: |record, wrong| matches!(wrong, Wrong::Asleep(_)) && has_broken_an_event(record),
        },
        Exception {
            reason: "or make later calls panic",
            excuses: |record, wrong| {
                matches!(wrong, Wrong::Panicked(_, message) if message == OVERFLOW)
                    && has_broken_an_event(record)
            },
        },
    ];
}

/// Of the count of notified listeners, in debug builds.
const OVERFLOW: &str = "attempt to subtract with overflow";

/// Returns whether a waker has panicked in the hands of the event, that is, not in those of an initializer.
fn has_broken_an_event(record: &Record) -> bool {
    let is_such =
        |call: Call| matches!(call.kind, Kind::CloneWaker | Kind::Wake) && call.is_inside_poll.is_none();
    record.faults().any(is_such)
}

impl Bed for AtomicWaker {
    const NAME: &'static str = "AtomicWaker";
    const SHARED: Option<SharedDeed<Self>> = Some(shared_deed::<Self>);
    const PANICS: Panics = Panics {
        swallows_wakers: false,
        breaks_on_clone: false,
    };
    const SOURCE: &'static str = include_str!("../../src/backend/atomic_waker.rs");
    const EXCEPTIONS: &'static [Exception] = &[
        Exception {
            reason: "while two tasks wait, **they keep waking each other**",
            excuses: |_, wrong| matches!(wrong, Wrong::Spinning(waiting) if waiting.len() > 1),
        },
        Exception {
            reason: "If a waker panics when it is cloned, or when it is woken while a task takes the slot, the slot \
                     becomes unusable. From then on, waiting tasks wake themselves until there is a value",
            excuses: |record, wrong| {
                matches!(wrong, Wrong::Spinning(waiting) if waiting.len() == 1)
                    && record
                        .faults()
                        .any(|call| matches!(call.kind, Kind::CloneWaker) && call.is_inside_poll.is_none())
            },
        },
    ];
}
