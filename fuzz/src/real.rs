//! The real subjects, and the user code that they call.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    ptr::NonNull,
    sync::Once,
    task::{Context, Poll},
};

use oncelot::{
    Intrusive, Lazy, OnceCell,
    backend::{AtomicWaker, EventListener, Local},
};

use self::{
    parts::{Computation, Value},
    wakers::Handle,
};
use crate::{
    program::{Alone, Backend, Deed, Kind, Program, SLOTS, Subject as Name},
    stage::{self, Event, Id, Outcome, Player, Stage, Thrown},
};

mod cell;
mod lazy;
mod parts;
mod static_lazy;
mod wakers;

/// What the futures are of.
trait Subject: Sized + 'static {
    fn new(stage: &Stage<'_>) -> Self;
    /// `None` if there is no such thing.
    fn with_value(stage: &Stage<'_>) -> Option<Self>;
    fn future(&'static self, kind: Kind, id: Id, stage: &Stage<'_>) -> NonNull<dyn Driven>;
    fn put(&self, insert: bool, stage: &Stage<'_>) -> Option<Outcome>;
    /// Runs the operations of `Alone` other than `Renew` and `RenewWithValue`.
    fn alone(&mut self, deed: Alone, stage: &Stage<'_>) -> Option<Outcome>;
    fn look(&self) -> Option<Id>;
}

struct Real<'p, S> {
    stage: Stage<'p>,
    subject: NonNull<S>,
    futures: Cell<[Option<NonNull<dyn Driven>>; SLOTS]>,
    leaked: RefCell<Vec<NonNull<dyn Driven>>>,
}

/// A future in its place on the heap, which can be freed without the future's being dropped.
trait Driven {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome>;

    /// # Safety
    ///
    /// Called once, and nothing afterwards.
    unsafe fn destroy(&mut self);
}

struct Driver<F: Future> {
    future: ManuallyDrop<F>,
    outcome: fn(F::Output) -> Outcome,
}

fn drive<F: Future + 'static>(future: F, outcome: fn(F::Output) -> Outcome) -> NonNull<dyn Driven> {
    let driver: Box<dyn Driven> = Box::new(Driver {
        future: ManuallyDrop::new(future),
        outcome,
    });
    NonNull::new(Box::into_raw(driver)).expect("a box is not null")
}

impl<F: Future> Driven for Driver<F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        // SAFETY: the future stays on the heap until it is dropped there, or until nothing refers to it any more.
        let future = unsafe { Pin::new_unchecked(&mut *self.future) };
        future.poll(cx).map(self.outcome)
    }

    unsafe fn destroy(&mut self) {
        // SAFETY: the caller's promise.
        unsafe { ManuallyDrop::drop(&mut self.future) };
    }
}

thread_local! {
    /// Whose user's code runs now.
    static CURRENT: Cell<Option<NonNull<dyn Player>>> = const { Cell::new(None) };
    /// The waker that an initializer has kept.
    static KEPT: RefCell<Option<std::task::Waker>> = const { RefCell::new(None) };
    /// The number of calls of a subject in progress, whose panics are caught.
    static GUARDED: Cell<u32> = const { Cell::new(0) };
}

/// Lends what plays the program on its real subject.
pub(crate) fn with_player(program: &Program, play: impl FnOnce(&dyn Player)) {
    match (program.subject, program.backend) {
        (Name::Cell, Backend::Intrusive) => lend::<OnceCell<Value, Intrusive>>(program, play),
        (Name::Cell, Backend::Local) => lend::<OnceCell<Value, Local>>(program, play),
        (Name::Cell, Backend::AtomicWaker) => lend::<OnceCell<Value, AtomicWaker>>(program, play),
        (Name::Cell, Backend::EventListener) => lend::<OnceCell<Value, EventListener>>(program, play),
        (Name::Lazy, Backend::Intrusive) => lend::<Lazy<Value, Computation, Intrusive>>(program, play),
        (Name::Lazy, Backend::Local) => lend::<Lazy<Value, Computation, Local>>(program, play),
        (Name::Lazy, Backend::AtomicWaker) => lend::<Lazy<Value, Computation, AtomicWaker>>(program, play),
        (Name::Lazy, Backend::EventListener) => {
            lend::<Lazy<Value, Computation, EventListener>>(program, play)
        }
        (Name::StaticLazy, _) => lend::<static_lazy::Static>(program, play),
    }
}

fn lend<S: Subject>(program: &Program, play: impl FnOnce(&dyn Player)) {
    hush_planned_panics();
    let stage = Stage::new(program);
    let subject = Box::new(S::new(&stage));
    let real = Real {
        stage,
        subject: NonNull::new(Box::into_raw(subject)).expect("a box is not null"),
        futures: Cell::new([None; SLOTS]),
        leaked: RefCell::default(),
    };
    let player: &dyn Player = &real;
    // SAFETY: only the lifetime changes, and `CURRENT` is cleared before it ends.
    let player =
        unsafe { std::mem::transmute::<NonNull<dyn Player + '_>, NonNull<dyn Player>>(player.into()) };
    CURRENT.set(Some(player));
    play(&real);
    CURRENT.set(None);
}

/// Runs code of the user, if a program is being played.
fn run(event: Event) {
    if let Some(player) = CURRENT.get() {
        // SAFETY: `lend` keeps it until it clears `CURRENT`.
        let player = unsafe { player.as_ref() };
        if let Err(thrown) = stage::run(player, event) {
            resume_unwind(Box::new(thrown));
        }
    }
}

fn current<R>(look: impl FnOnce(&Stage<'_>) -> R) -> R {
    let player = CURRENT.get().expect("a program is being played");
    // SAFETY: `lend` keeps it until it clears `CURRENT`.
    look(unsafe { player.as_ref() }.stage())
}

/// Calls the subject, and catches its panic.
fn guarded(call: impl FnOnce() -> Outcome) -> Outcome {
    GUARDED.set(GUARDED.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(GUARDED.get() - 1);
    result.unwrap_or_else(|payload| Outcome::Panicked(Thrown::of(payload)))
}

/// A panic that is caught here is not reported, nor does it end the fuzzing.
fn hush_planned_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>();
            let aborts =
                text.is_some_and(|text| text.contains("during cleanup") || text.contains("cannot unwind"));
            if GUARDED.get() == 0 || aborts {
                report(info);
            }
        }));
    });
}

impl Thrown {
    fn of(payload: Box<dyn Any + Send>) -> Self {
        let payload = match payload.downcast::<Self>() {
            Ok(thrown) => return *thrown,
            Err(payload) => payload,
        };
        let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => text,
            (_, Some(text)) => text.as_str(),
            _ => "no text",
        };
        match text {
            _ if text.starts_with("deadlock: an initializer awaits its own cell") => Self::Deadlock,
            _ if text.contains("polled after completion") => Self::PolledAfterCompletion,
            _ if text.contains("is poisoned") => Self::Poisoned,
            _ => Self::Unknown(text.to_owned()),
        }
    }
}

impl<S: Subject> Real<'_, S> {
    fn subject(&self) -> &'static S {
        // SAFETY: it is freed after all its futures, in `drop`. Those that are leaked are not used any more.
        unsafe { &*self.subject.as_ptr() }
    }

    fn put_future(&self, slot: usize, future: Option<NonNull<dyn Driven>>) -> Option<NonNull<dyn Driven>> {
        let mut futures = self.futures.get();
        let before = std::mem::replace(&mut futures[slot], future);
        self.futures.set(futures);
        before
    }
}

impl<S: Subject> Player for Real<'_, S> {
    fn stage(&self) -> &Stage<'_> {
        &self.stage
    }

    fn is_unwinding(&self) -> bool {
        std::thread::panicking()
    }

    fn create(&self, slot: usize, kind: Kind, id: Id) -> Outcome {
        guarded(|| {
            let future = self.subject().future(kind, id, &self.stage);
            self.put_future(slot, Some(future));
            Outcome::Done
        })
    }

    fn poll(&self, slot: usize, task: u8) -> Outcome {
        let mut future = self.futures.get()[slot].expect("there is a future in the slot");
        let handle = Handle::new(task);
        // SAFETY: no other code uses the future, as its slot is busy.
        let future = unsafe { future.as_mut() };
        guarded(|| match future.poll(&mut Context::from_waker(handle.waker())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Outcome::Pending,
        })
    }

    fn destroy(&self, slot: usize) -> Outcome {
        let future = self
            .put_future(slot, None)
            .expect("there is a future in the slot");
        // SAFETY: it came from a box, and has no other owner.
        let mut future = unsafe { Box::from_raw(future.as_ptr()) };
        guarded(move || {
            // SAFETY: it is freed now.
            unsafe { future.destroy() };
            Outcome::Done
        })
    }

    fn leak(&self, slot: usize) {
        let future = self.put_future(slot, None);
        self.leaked.borrow_mut().extend(future);
    }

    fn put(&self, insert: bool) -> Option<Outcome> {
        let mut has_it = true;
        let outcome = guarded(|| {
            let outcome = self.subject().put(insert, &self.stage);
            has_it = outcome.is_some();
            outcome.unwrap_or(Outcome::Done)
        });
        has_it.then_some(outcome)
    }

    fn use_kept(&self, deed: Deed) -> Option<Outcome> {
        let waker = KEPT.take()?;
        Some(guarded(|| {
            match deed {
                Deed::Clone => waker.wake_by_ref(),
                Deed::Wake => waker.wake(),
                Deed::Drop => drop(waker),
            }
            Outcome::Done
        }))
    }

    fn alone(&self, deed: Alone) -> Option<Outcome> {
        let mut has_it = true;
        let outcome = guarded(|| {
            // SAFETY: no other code uses the subject: only futures that are not used any more are left.
            let subject = unsafe { &mut *self.subject.as_ptr() };
            let outcome = match deed {
                Alone::Renew => {
                    // It may be the subject's own.
                    drop(KEPT.take());
                    *subject = S::new(&self.stage);
                    Some(Outcome::Done)
                }
                Alone::RenewWithValue => S::with_value(&self.stage).map(|new| {
                    drop(KEPT.take());
                    *subject = new;
                    Outcome::Done
                }),
                _ => subject.alone(deed, &self.stage),
            };
            has_it = outcome.is_some();
            outcome.unwrap_or(Outcome::Done)
        });
        has_it.then_some(outcome)
    }

    fn look(&self) -> Option<Id> {
        self.subject().look()
    }
}

impl<S> Drop for Real<'_, S> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What is left may be broken.
            return;
        }
        // SAFETY: it came from a box, and is not used any more.
        drop(unsafe { Box::from_raw(self.subject.as_ptr()) });
        for leaked in self.leaked.take() {
            // SAFETY: it came from a box. The future in it is not dropped, and nothing refers to it after the subject
            // is dropped.
            drop(unsafe { Box::from_raw(leaked.as_ptr()) });
        }
    }
}
