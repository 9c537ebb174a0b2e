//! The spans and events of initializers and waiters (feature `tracing`).

mod util;

use std::{
    fmt::{Debug, Write},
    future::{pending, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Waker,
};

use futures_lite::future::{block_on, yield_now};
use oncelot::{
    Lazy, OnceCell,
    runtime::{OnceCellExt, Runtime, Smol},
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::with_default,
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};
use util::{Drops, With, now, panic_of, poll, static_cell};

/// Records spans and events: `LEVEL span{fields}: message fields`.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    /// Returns the notes of `program`.
    fn of(program: impl FnOnce()) -> Vec<String> {
        let notes = Self::default();
        with_default(Registry::default().with(notes.clone()), program);
        notes.take()
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct SpanText(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Notes {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut text = Text::default();
        attributes.record(&mut text);
        let name = attributes.metadata().name();
        let span = context.span(id).expect("it is new");
        span.extensions_mut()
            .insert(SpanText(format!("{name}{{{}}}: ", text.fields.trim())));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let mut note = format!("{} ", event.metadata().level());
        for span in context.event_scope(event).into_iter().flatten() {
            note += &span.extensions().get::<SpanText>().expect("each span has one").0;
        }
        let target = event.metadata().target();
        assert!(["oncelot", "tracing"].contains(&target), "{target}");
        self.0.lock().unwrap().push(note + &text.message + &text.fields);
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => write!(self.message, "{value:?}"),
            // It differs from run to run, but is there.
            "duration" => write!(self.fields, " duration"),
            name => write!(self.fields, " {name}={value:?}"),
        }
        .expect("a string takes all");
    }
}

/// Lets `program` go wrong.
fn caught(program: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(program));
}

#[test]
fn a_success_has_a_span_and_a_duration() {
    let notes = Notes::of(|| {
        let cell = OnceCell::new();
        now(cell.get_or_init(async || 1_u32));
        now(cell.get_or_init(async || 2));
    });
    assert_eq!(
        notes,
        ["DEBUG initialize{value=\"u32\" attempt=1}: initialized duration"]
    );
}

#[test]
fn attempts_are_counted_and_each_ends_once() {
    let notes = Notes::of(|| {
        let cell = OnceCell::<u32>::new();
        now(cell.get_or_try_init(async || Err("no route"))).unwrap_err();
        assert!(poll(&mut Box::pin(cell.get_or_init(pending))).is_pending());
        caught(|| _ = now(cell.get_or_init(|| -> std::future::Ready<u32> { panic!("in the closure") })));
        caught(|| _ = now(cell.get_or_init(async || panic!("in the future"))));
        now(cell.get_or_init(async || 1));
    });
    assert_eq!(
        notes,
        [
            "WARN initialize{value=\"u32\" attempt=1}: the initializer failed duration error=\"&str\"",
            "WARN initialize{value=\"u32\" attempt=2}: the initializer was cancelled duration",
            "ERROR initialize{value=\"u32\" attempt=3}: the initializer panicked duration",
            "ERROR initialize{value=\"u32\" attempt=4}: the initializer panicked duration",
            "DEBUG initialize{value=\"u32\" attempt=5}: initialized duration",
        ]
    );
}

/// Wants events, and no spans.
struct NoSpans;

impl<S: Subscriber> Layer<S> for NoSpans {
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        metadata.is_event()
    }
}

/// A span that is disabled costs no look at the clock, when it begins and when it ends.
#[test]
fn an_attempt_without_a_span_has_no_duration() {
    let notes = Notes::default();
    with_default(Registry::default().with(notes.clone()).with(NoSpans), || {
        let cell = OnceCell::<u32>::new();
        now(cell.get_or_try_init(async || Err(0_u8))).unwrap_err();
        assert!(poll(&mut Box::pin(cell.get_or_init(pending))).is_pending());
        caught(|| _ = now(cell.get_or_init(async || panic!("out of luck"))));
        now(cell.get_or_init(async || 1));
    });
    assert_eq!(
        notes.take(),
        [
            "WARN the initializer failed error=\"u8\"",
            "WARN the initializer was cancelled",
            "ERROR the initializer panicked",
            "DEBUG initialized",
        ]
    );
}

/// When it panics, not when its future is dropped at last.
#[test]
fn a_panic_is_emitted_at_once() {
    let notes = Notes::default();
    with_default(Registry::default().with(notes.clone()), || {
        let cell = OnceCell::<u32>::new();
        let mut future = Box::pin(cell.get_or_init(async || panic!("out of luck")));
        caught(|| _ = poll(&mut future));
        assert_eq!(notes.take().len(), 1);
        drop(future);
        assert_eq!(notes.take(), [""; 0]);
    });
}

#[test]
fn events_of_the_initializer_are_inside_its_span() {
    let notes = Notes::of(|| {
        let tell = || tracing::info!(target: "tracing", "connecting");
        let cell = OnceCell::new();
        let mut future = Box::pin(cell.get_or_init(|| {
            tell();
            async {
                yield_now().await;
                tell();
                1_u8
            }
        }));
        assert!(poll(&mut future).is_pending());
        tracing::info!(target: "tracing", "something else");
        assert!(poll(&mut future).is_ready());
    });
    assert_eq!(
        notes,
        [
            "INFO initialize{value=\"u8\" attempt=1}: connecting",
            "INFO something else",
            "INFO initialize{value=\"u8\" attempt=1}: connecting",
            "DEBUG initialize{value=\"u8\" attempt=1}: initialized duration",
        ]
    );
}

#[test]
fn a_waiter_emits_an_event_when_it_begins_to_wait() {
    let notes = Notes::of(|| {
        let cell = OnceCell::<u32>::new();
        let mut passive = Box::pin(cell.wait());
        for _ in 0..3 {
            assert!(poll(&mut passive).is_pending());
        }
        let mut init = Box::pin(cell.get_or_init(pending));
        assert!(poll(&mut init).is_pending());
        let mut claimant = Box::pin(cell.get_or_init(async || 1));
        for _ in 0..3 {
            assert!(poll(&mut claimant).is_pending());
        }
        drop(init);
        assert!(poll(&mut claimant).is_ready());
        assert!(poll(&mut passive).is_ready());
    });
    assert_eq!(
        notes,
        [
            "TRACE waiting value=\"u32\"",
            "TRACE waiting value=\"u32\"",
            "WARN initialize{value=\"u32\" attempt=1}: the initializer was cancelled duration",
            "DEBUG initialize{value=\"u32\" attempt=2}: initialized duration",
        ]
    );
}

#[test]
fn a_guard_is_an_attempt() {
    let notes = Notes::of(|| {
        let cell = OnceCell::<u32>::new();
        drop(cell.try_claim());
        let guard = cell.try_claim().unwrap();
        assert!(cell.try_claim().is_err());
        tracing::info!(target: "tracing", "something else");
        guard.set(1);
        assert!(cell.try_claim().is_err());
        let cell = OnceCell::<u16>::new();
        now(cell.get_or_claim()).unwrap_err().set(1);
    });
    assert_eq!(
        notes,
        [
            "WARN initialize{value=\"u32\" attempt=1}: the initializer was cancelled duration",
            "INFO something else",
            "DEBUG initialize{value=\"u32\" attempt=2}: initialized duration",
            "DEBUG initialize{value=\"u16\" attempt=1}: initialized duration",
        ]
    );
}

#[test]
fn a_shared_attempt_has_one_span_for_all_calls_that_wait() {
    let notes = Notes::of(|| {
        let cell = OnceCell::<u32>::new();
        let failing = || async {
            yield_now().await;
            Err("no route")
        };
        let mut running = Box::pin(cell.get_or_try_init_shared(failing));
        assert!(poll(&mut running).is_pending());
        let mut calls = [(); 2].map(|()| Box::pin(cell.get_or_try_init_shared(failing)));
        let mut waiting = Box::pin(cell.wait_attempt());
        for _ in 0..2 {
            assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
            assert!(poll(&mut waiting).is_pending());
        }
        assert!(poll(&mut running).is_ready());
        assert!(calls.iter_mut().all(|call| poll(call).is_ready()));
        assert!(poll(&mut waiting).is_ready());
        now(cell.get_or_try_init_shared(async || Ok::<_, ()>(1))).unwrap();
    });
    assert_eq!(
        notes,
        [
            "TRACE waiting value=\"u32\"",
            "TRACE waiting value=\"u32\"",
            "TRACE waiting value=\"u32\"",
            "WARN initialize{value=\"u32\" attempt=1}: the initializer failed duration error=\"&str\"",
            "DEBUG initialize{value=\"u32\" attempt=2}: initialized duration",
        ]
    );
}

#[test]
fn a_lazy_value_has_one_attempt_for_all_its_drivers() {
    let notes = Notes::of(|| {
        let lazy = pin!(Lazy::new(async {
            yield_now().await;
            1_u32
        }));
        assert!(poll(&mut Box::pin(lazy.as_ref().get())).is_pending());
        assert!(poll(&mut Box::pin(lazy.as_ref().get())).is_ready());
        drop(Box::pin(Lazy::new(async { 1_u32 })));
        let lazy = pin!(Lazy::new(pending::<u16>()));
        assert!(poll(&mut Box::pin(lazy.as_ref().get())).is_pending());
        let mut driver = Box::pin(lazy.as_ref().get());
        assert!(poll(&mut driver).is_pending());
        assert!(poll(&mut Box::pin(lazy.as_ref().get())).is_pending());
        drop(driver);
        let poisoned = pin!(Lazy::<u64, _>::new(async { panic!("out of luck") }));
        caught(|| _ = now(poisoned.as_ref().get()));
        caught(|| _ = now(poisoned.as_ref().get()));
    });
    assert_eq!(
        notes,
        [
            "DEBUG initialize{value=\"u32\" attempt=1}: initialized duration",
            "TRACE waiting value=\"u16\"",
            "ERROR initialize{value=\"u64\" attempt=1}: the initializer panicked duration",
            "WARN initialize{value=\"u16\" attempt=1}: the initializer was cancelled duration",
        ]
    );
}

#[test]
fn so_has_a_static() {
    oncelot::lazy! {
        static LAZY: u32 = async {
            yield_now().await;
            1
        };
        static POISONED: u64 = async { panic!("out of luck") };
    }
    let notes = Notes::of(|| {
        assert!(poll(&mut Box::pin(LAZY.get())).is_pending());
        assert!(poll(&mut Box::pin(LAZY.get())).is_ready());
        caught(|| _ = now(POISONED.get()));
        caught(|| _ = now(POISONED.get()));
    });
    assert_eq!(
        notes,
        [
            "DEBUG initialize{value=\"u32\" attempt=1}: initialized duration",
            "ERROR initialize{value=\"u64\" attempt=1}: the initializer panicked duration",
        ]
    );
}

#[test]
fn so_have_threads() {
    let notes = Notes::of(|| {
        let cell = OnceCell::<u32>::new();
        assert!(cell.get_or_try_init_blocking(|| Err(0_u8)).is_err());
        panic_of(|| cell.get_or_init_blocking(|| panic!("out of luck")));
        cell.get_or_init_blocking(|| 1);
    });
    assert_eq!(
        notes,
        [
            "WARN initialize{value=\"u32\" attempt=1}: the initializer failed duration error=\"u8\"",
            "ERROR initialize{value=\"u32\" attempt=2}: the initializer panicked duration",
            "DEBUG initialize{value=\"u32\" attempt=3}: initialized duration",
        ]
    );
}

/// Runs tasks immediately on this thread, so that its subscriber sees their events.
struct AtOnce;

impl Runtime for AtOnce {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        block_on(task);
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        work();
    }
}

/// And the wait for what they have to report is not a waiter's wait.
#[test]
fn so_have_spawned_initializers() {
    let notes = Notes::of(|| {
        let cell = static_cell();
        now(cell.get_or_try_init_spawned(AtOnce, async || Err(0_u8))).unwrap_err();
        caught(|| _ = now(cell.get_or_init_spawned(AtOnce, async || panic!("out of luck"))));
        now(cell.get_or_try_init_spawned_blocking(AtOnce, || Err(0_u8))).unwrap_err();
        now(cell.get_or_init_spawned(AtOnce, async || 1));
    });
    assert_eq!(
        notes,
        [
            "WARN initialize{value=\"u32\" attempt=1}: the initializer failed duration error=\"u8\"",
            "ERROR initialize{value=\"u32\" attempt=2}: the initializer panicked duration",
            "WARN initialize{value=\"u32\" attempt=3}: the initializer failed duration error=\"u8\"",
            "DEBUG initialize{value=\"u32\" attempt=4}: initialized duration",
        ]
    );
    let notes = Notes::of(|| {
        let cell = static_cell();
        let mut waits = pin!(cell.get_or_init_spawned(Smol, pending));
        assert!(
            waits
                .as_mut()
                .poll(&mut std::task::Context::from_waker(Waker::noop()))
                .is_pending()
        );
    });
    assert_eq!(notes, [""; 0]);
}

#[test]
fn attempts_are_counted_without_a_subscriber() {
    let cell = OnceCell::<u32>::new();
    now(cell.get_or_try_init(async || Err(0_u8))).unwrap_err();
    let notes = Notes::of(|| _ = now(cell.get_or_init(async || 1)));
    assert_eq!(
        notes,
        ["DEBUG initialize{value=\"u32\" attempt=2}: initialized duration"]
    );
}

/// Whose span it is a part of, wherever its task runs.
#[test]
fn a_spawned_initializer_is_inside_the_span_of_its_caller() {
    let notes = Notes::of(|| {
        let caller = tracing::error_span!("request");
        let value = static_cell().get_or_init_spawned(AtOnce, async || 1);
        now(tracing::Instrument::instrument(value, caller));
    });
    // The innermost comes first.
    assert_eq!(
        notes,
        ["DEBUG initialize{value=\"u32\" attempt=1}: request{}: initialized duration"]
    );
}

/// Panics at each event.
struct Explosive;

impl<S: Subscriber> Layer<S> for Explosive {
    fn on_event(&self, _event: &Event<'_>, _context: Context<'_, S>) {
        panic!("the subscriber panics");
    }
}

fn hears_the_subscriber_panic(program: impl FnOnce()) {
    let message = with_default(Registry::default().with(Explosive), || panic_of(program));
    assert_eq!(message, "the subscriber panics");
}

#[test]
fn a_subscriber_that_panics_at_a_success_takes_no_value_with_it() {
    oncelot::lazy! {
        static LAZY: u32 = async { 1 };
    }
    let cell = static_cell();
    hears_the_subscriber_panic(|| _ = now(cell.get_or_init(async || 1)));
    assert_eq!(cell.get(), Some(&1));

    let cell = static_cell();
    hears_the_subscriber_panic(|| _ = cell.get_or_init_blocking(|| 1));
    assert_eq!(cell.get(), Some(&1));

    let cell = static_cell();
    hears_the_subscriber_panic(|| _ = now(cell.get_or_init_spawned(AtOnce, async || 1)));
    assert_eq!(cell.get(), Some(&1));

    let lazy = pin!(Lazy::new(async { 1 }));
    hears_the_subscriber_panic(|| _ = now(lazy.as_ref().get()));
    assert_eq!(lazy.try_get(), Some(&1));

    hears_the_subscriber_panic(|| _ = now(LAZY.get()));
    assert_eq!(LAZY.try_get(), Some(&1));
}

/// Panics when a span is left for the time of that number.
struct ExplodesOnExit(AtomicUsize);

impl<S: Subscriber> Layer<S> for ExplodesOnExit {
    fn on_exit(&self, _id: &span::Id, _context: Context<'_, S>) {
        if self.0.fetch_sub(1, SeqCst) == 1 {
            panic!("the subscriber panics");
        }
    }
}

/// Neither the closure's future, nor its value or error.
#[test]
fn a_subscriber_that_panics_as_a_span_is_left_leaks_nothing() {
    for exit in [1, 2] {
        let hears_it = |program: &mut dyn FnMut()| {
            let subscriber = Registry::default().with(ExplodesOnExit(AtomicUsize::new(exit)));
            let message = with_default(subscriber, || panic_of(program));
            assert_eq!(message, "the subscriber panics");
        };
        let drops = Drops::new();
        let cell = OnceCell::new();
        let mut value = Some(drops.counted());
        hears_it(&mut || _ = now(cell.get_or_init(|| ready(value.take().unwrap()))));
        assert_eq!(drops.count(), 1);
        let mut error = Some(drops.counted());
        hears_it(&mut || _ = now(cell.get_or_try_init(|| ready(Err(error.take().unwrap())))));
        assert_eq!(drops.count(), 2);
    }
    let drops = Drops::new();
    let cell = OnceCell::new();
    let value = drops.counted();
    let subscriber = Registry::default().with(ExplodesOnExit(AtomicUsize::new(1)));
    with_default(subscriber, || panic_of(|| cell.get_or_init_blocking(|| value)));
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_subscriber_that_panics_as_a_lazy_value_is_taken_apart_leaks_nothing() {
    let drops = Drops::new();
    let lazy = Lazy::new(With::new(pending::<u32>(), drops.counted()));
    hears_the_subscriber_panic(|| {
        assert!(poll(&mut Box::pin(lazy.get_unpin())).is_pending());
        _ = lazy.into_parts();
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_subscriber_that_panics_at_a_failure_leaves_the_cell_usable() {
    let cell = OnceCell::<u32>::new();
    hears_the_subscriber_panic(|| _ = now(cell.get_or_try_init(async || Err(0_u8))));
    let mut pending_init = Box::pin(cell.get_or_init(pending));
    assert!(poll(&mut pending_init).is_pending());
    hears_the_subscriber_panic(|| drop(pending_init));
    assert_eq!(now(cell.get_or_init(async || 1)), &1);
}

/// The panic that propagates is the initializer's.
#[test]
fn a_subscriber_that_panics_at_a_panic_does_not_abort() {
    with_default(Registry::default().with(Explosive), || {
        let cell = OnceCell::<u32>::new();
        let message = panic_of(|| now(cell.get_or_init(async || panic!("the initializer is"))));
        assert_eq!(message, "the initializer is");
    });
}

#[test]
fn calls_without_a_shared_initializer_emit_nothing() {
    let notes = Notes::of(|| {
        let cell = OnceCell::new();
        now(cell.insert(1)).unwrap();
        cell.set(2).unwrap_err();
        cell.get();
        now(cell.wait());
        let mut cell = OnceCell::<u32>::new();
        now(cell.get_mut_or_init(async || 1));
    });
    assert_eq!(notes, [""; 0]);
}
