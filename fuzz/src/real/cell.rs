//! `OnceCell`.

use std::{
    mem,
    ptr::NonNull,
    task::{Context, Poll},
};

use oncelot::{Backend, OnceCell, SetError};

use super::{
    Driven, Subject, drive, guarded,
    parts::{Value, closure},
    wakers::Handle,
};
use crate::{
    program::{Alone, Kind},
    stage::{Id, Outcome, Stage},
};

impl<B: Backend + 'static> Subject for OnceCell<Value, B> {
    fn new(_stage: &Stage<'_>) -> Self {
        Self::with_backend()
    }

    fn with_value(stage: &Stage<'_>) -> Option<Self> {
        Some(Self::with_backend_and_value(Value::new(stage)))
    }

    fn future(&'static self, kind: Kind, id: Id, stage: &Stage<'_>) -> NonNull<dyn Driven> {
        match kind {
            Kind::GetOrInit => drive(self.get_or_init(closure(id)), of_value),
            Kind::GetOrTryInit => drive(self.get_or_try_init(closure(id)), of_result),
            Kind::Insert => drive(self.insert(Value::new(stage)), |result| match result {
                Ok(value) => Outcome::Value(value.id()),
                Err((present, value)) => Outcome::Occupied(present.id(), value.into_id()),
            }),
            Kind::Wait => drive(self.wait(), of_value),
        }
    }

    fn put(&self, insert: bool, stage: &Stage<'_>) -> Option<Outcome> {
        let value = Value::new(stage);
        let result = if insert {
            self.try_insert(value).map(|value| Outcome::Value(value.id()))
        } else {
            self.set(value).map(|()| Outcome::Done)
        };
        Some(result.unwrap_or_else(|error| match error {
            SetError::AlreadyInitializedError(value) => Outcome::AlreadyInitialized(value.into_id()),
            SetError::InitializingError(value) => Outcome::Initializing(value.into_id()),
        }))
    }

    fn alone(&mut self, deed: Alone, stage: &Stage<'_>) -> Option<Outcome> {
        Some(match deed {
            Alone::Take => Outcome::Found(self.take().map(Value::into_id)),
            Alone::IntoInner => {
                let cell = mem::take(self);
                Outcome::Found(cell.into_inner().map(Value::into_id))
            }
            Alone::Change => Outcome::Found(self.get_mut().map(|value| value.id())),
            Alone::Initialize { plan, steps } => {
                let id = stage.new_initializer(plan);
                let mut future = Box::pin(self.get_mut_or_try_init(closure(id)));
                let outcomes = steps.map(|step| {
                    stage.set_step(step);
                    guarded(|| {
                        let handle = Handle::new(0);
                        match future.as_mut().poll(&mut Context::from_waker(handle.waker())) {
                            Poll::Ready(result) => of_result(result.map(|value| &*value)),
                            Poll::Pending => Outcome::Pending,
                        }
                    })
                });
                drop(future);
                Outcome::Twice(Box::new(outcomes))
            }
            Alone::Renew | Alone::RenewWithValue => return None,
        })
    }

    fn look(&self) -> Option<Id> {
        self.get().map(Value::id)
    }
}

fn of_value(value: &Value) -> Outcome {
    Outcome::Value(value.id())
}

fn of_result(result: Result<&Value, Value>) -> Outcome {
    result.map_or_else(|error| Outcome::Failed(error.into_id()), of_value)
}
