//! Checks the spans and events of the cells (feature `tracing`).

use std::{
    cell::RefCell,
    fmt::Debug,
    mem,
    sync::atomic::{AtomicU64, Ordering},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::set_global_default,
};

thread_local! {
    /// The messages of the events so far.
    static MESSAGES: RefCell<Vec<String>> = RefCell::default();
}

/// The spans that are open.
static OPEN_SPANS: AtomicU64 = AtomicU64::new(0);

/// Keeps the messages of events, and counts spans.
struct Messages;

pub(crate) fn install() {
    set_global_default(Messages).expect("this is the only one");
}

/// Returns the messages of the events so far, when all spans are closed.
pub(crate) fn messages() -> Vec<String> {
    assert_eq!(OPEN_SPANS.load(Ordering::Relaxed), 0);
    MESSAGES.with_borrow_mut(mem::take)
}

impl Subscriber for Messages {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _attributes: &Attributes<'_>) -> Id {
        static IDS: AtomicU64 = AtomicU64::new(1);

        OPEN_SPANS.fetch_add(1, Ordering::Relaxed);
        Id::from_u64(IDS.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _id: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _id: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        MESSAGES.with_borrow_mut(|messages| messages.push(message.0));
    }

    fn enter(&self, _id: &Id) {}

    fn exit(&self, _id: &Id) {}

    fn try_close(&self, _id: Id) -> bool {
        OPEN_SPANS.fetch_sub(1, Ordering::Relaxed);
        true
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.0 = format!("{value:?}"),
            "duration" => panic!("`std` has no clock on this target"),
            _ => {}
        }
    }
}
