//! `StaticLazy`, outside a `static`, so that it can be dropped.

use std::{cell::Cell, ptr::NonNull};

use oncelot::StaticLazy;

use super::{
    Driven, Subject, drive,
    parts::{Computation, Value},
    run,
};
use crate::{
    program::{Alone, Kind},
    stage::{Event, Id, Outcome, Stage},
};

pub(super) type Static = StaticLazy<Value, { size_of::<Computation>() }, { align_of::<Computation>() }>;

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
        Self::__new(start)
    }

    fn with_value(_stage: &Stage<'_>) -> Option<Self> {
        None
    }

    fn future(&'static self, _kind: Kind, _id: Id, _stage: &Stage<'_>) -> NonNull<dyn Driven> {
        drive(self.get(), |value| Outcome::Value(value.id()))
    }

    fn put(&self, _insert: bool, _stage: &Stage<'_>) -> Option<Outcome> {
        None
    }

    fn alone(&mut self, _deed: Alone, _stage: &Stage<'_>) -> Option<Outcome> {
        None
    }

    fn look(&self) -> Option<Id> {
        self.try_get().map(Value::id)
    }
}
