//! `Lazy`.

use std::{mem, pin::Pin, ptr::NonNull};

use oncelot::{Backend, Lazy};

use super::{
    Driven, Subject, drive,
    parts::{Computation, Value},
};
use crate::{
    program::{Alone, Kind},
    stage::{Id, Outcome, Stage},
};

impl<B: Backend + 'static> Subject for Lazy<Value, Computation, B> {
    fn new(stage: &Stage<'_>) -> Self {
        Self::with_backend(Computation::new(stage.new_computation()))
    }

    fn with_value(stage: &Stage<'_>) -> Option<Self> {
        Some(Self::with_backend_and_value(Value::new(stage)))
    }

    fn future(&'static self, _kind: Kind, _id: Id, _stage: &Stage<'_>) -> NonNull<dyn Driven> {
        drive(self.get_unpin(), |value| Outcome::Value(value.id()))
    }

    fn put(&self, _insert: bool, _stage: &Stage<'_>) -> Option<Outcome> {
        None
    }

    fn alone(&mut self, deed: Alone, stage: &Stage<'_>) -> Option<Outcome> {
        Some(match deed {
            Alone::Take => {
                let lazy = mem::replace(self, Self::new(stage));
                match lazy.into_parts() {
                    Ok(value) => Outcome::Found(Some(value.into_id())),
                    Err(future) => {
                        *self = Self::with_backend(future);
                        Outcome::Unfinished
                    }
                }
            }
            Alone::IntoInner => {
                let lazy = mem::replace(self, Self::new(stage));
                Outcome::Found(lazy.into_inner().map(Value::into_id))
            }
            Alone::Change => Outcome::Found(Pin::new(self).try_get_mut().map(|value| value.id())),
            _ => return None,
        })
    }

    fn look(&self) -> Option<Id> {
        self.try_get().map(Value::id)
    }
}
