//! Scenarios for the initialization of a cell that is borrowed exclusively.

use std::cell::Cell;

use oncelot::OnceCell;

use crate::{
    bed::Bed,
    cast::{Cast, Sleeps, deed, own},
    things::{Error, Script, Value, Waits},
    world,
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct ExclusiveScenario {
    is_filled: bool,
    is_fallible: bool,
    script: Script,
}

impl ExclusiveScenario {
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for is_filled in [false, true] {
            for waits in [Waits::No, Waits::Yields] {
                for (is_fallible, script) in [
                    (false, Script::VALUE),
                    (true, Script::VALUE),
                    (true, Script::ERROR),
                ] {
                    all.push(Self {
                        is_filled,
                        is_fallible,
                        script: script.waiting(waits),
                    });
                }
            }
        }
        all
    }

    pub(crate) fn play<B: Bed>(self) {
        let mut cell = if self.is_filled {
            OnceCell::<Value, B>::with_backend_and_value(Value::new())
        } else {
            OnceCell::with_backend()
        };
        let mut cast = Cast::new();
        let (is_fallible, script) = (self.is_fallible, self.script);
        let is_given = &Cell::new(false);
        let give = |value: &mut Value| {
            is_given.set(true);
            value.see();
        };
        cast.add(Sleeps::ForATurn, || {
            if is_fallible {
                let value = cell.get_mut_or_try_init(script.fallible());
                deed(value, move |result: Result<&mut Value, Error>| {
                    if let Ok(value) = result {
                        give(value);
                    }
                })
            } else {
                let value = cell.get_mut_or_init(script.infallible());
                deed(value, give)
            }
        });
        cast.play();
        if !cast.present().is_empty() {
            world::complain("an exclusive initializer has been forgotten");
        }
        cast.dismiss();
        if cell.initialized() != (self.is_filled || is_given.get()) {
            world::complain("a call that gets no value leaves the cell empty");
        }
        world::unfaulted(|| {
            let mut cast = Cast::continued();
            cast.add(Sleeps::ForATurn, || {
                let again = cell.get_mut_or_init(Script::VALUE.infallible());
                deed(again, |value: &mut Value| value.see())
            });
            cast.play();
            cast.dismiss();
        });
        if !cell.initialized() {
            world::complain("the cell is empty after all");
        }
        own(|| drop(cell));
    }
}
