//! `StaticLazy`, outside a `static`, so that it can be dropped.

use std::{cell::Cell, ptr::NonNull};

use oncelot::{__private::FutureStorage, StaticLazy};

use super::{
    Driven, Subject, drive,
    parts::{Computation, Value},
    run,
};
use crate::{
    program::{Alone, Kind},
    stage::{Event, Id, Outcome, Stage},
};

pub(super) struct Static {
    lazy: StaticLazy<Value>,
    _room: Room,
}

type Inside = FutureStorage<{ size_of::<Computation>() }, { align_of::<Computation>() }>;

/// Where the future is.
struct Room(NonNull<Inside>);

impl Room {
    fn new() -> Self {
        Self(NonNull::from(Box::leak(Box::new(Inside::new()))))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: the pointer comes from a box, and what uses it has gone.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

thread_local! {
    /// The name of the future of the static that was made last.
    static COMPUTATION: Cell<Id> = const { Cell::new(0) };
}

fn start() -> Computation {
    let id = COMPUTATION.get();
    run(Event::Called(id));
    Computation::new(id)
}

impl Subject for Static {
    fn new(stage: &Stage<'_>) -> Self {
        COMPUTATION.set(stage.new_computation());
        let room = Room::new();
        // SAFETY: it is there as long as the static is.
        let inside = unsafe { room.0.as_ref() };
        Self {
            // SAFETY: the room is this static's alone.
            lazy: unsafe { StaticLazy::__new(inside, start) },
            _room: room,
        }
    }

    fn with_value(_stage: &Stage<'_>) -> Option<Self> {
        None
    }

    fn future(&'static self, _kind: Kind, _id: Id, _stage: &Stage<'_>) -> NonNull<dyn Driven> {
        drive(self.lazy.get(), |value| Outcome::Value(value.id()))
    }

    fn put(&self, _insert: bool, _stage: &Stage<'_>) -> Option<Outcome> {
        None
    }

    fn alone(&mut self, _deed: Alone, _stage: &Stage<'_>) -> Option<Outcome> {
        None
    }

    fn look(&self) -> Option<Id> {
        self.lazy.try_get().map(Value::id)
    }
}
