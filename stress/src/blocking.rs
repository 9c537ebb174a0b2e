//! A thread that performs random blocking operations on a cell.

use std::{thread, time::Duration};

use crate::{
    client::{Client, Deed},
    generation::Stressed,
    initializer::{Ending, initialize_here},
    polls::catch_planned_here,
    totals::TOTALS,
};

/// Visits every cell, and the lazies in between.
pub(crate) fn run<B: Stressed>(mut client: Client<B>) {
    for number in client.itinerary() {
        for _ in 0..client.random.below(5) {
            client.disturb_here(number);
        }
        client.obtain_here(number);
        client.look_at_lazies_here();
    }
}

impl<B: Stressed> Client<B> {
    /// Does something that ends soon, with a value or without.
    fn disturb_here(&mut self, number: usize) {
        match self.random.below(8) {
            0 => {
                self.inspect(number, self.generation.cell(number).get());
            }
            1 | 2 => {
                let ending = Ending::any(&mut self.random);
                self.initialize_here(number, ending);
            }
            3..6 => {
                self.note(Deed::WaitingForAWhile);
                let timeout = Duration::from_micros(self.random.below(500));
                let value = self.generation.cell(number).wait_timeout(timeout);
                if !self.inspect(number, value) {
                    TOTALS.blocking_waits_out_of_time.add();
                }
            }
            6 if self.random.one_in(8) => self.set(number),
            _ => thread::yield_now(),
        }
    }

    /// Gets the value.
    fn obtain_here(&mut self, number: usize) {
        match self.random.below(8) {
            0..4 => loop {
                let ending = Ending::any(&mut self.random);
                if self.initialize_here(number, ending) {
                    break;
                }
            },
            4 => {
                self.note(Deed::Inserting);
                let value = self.generation.site(number).value();
                self.inspect_insertion(number, self.generation.cell(number).insert_blocking(value));
            }
            5..7 if self.may_just_wait(number) => {
                self.note(Deed::Waiting);
                self.inspect(number, Some(self.generation.cell(number).wait_blocking()));
                TOTALS.blocking_waits.add();
            }
            _ => {
                self.initialize_here(number, Ending::Success);
            }
        }
    }

    /// Returns whether there is a value then.
    fn initialize_here(&mut self, number: usize, ending: Ending) -> bool {
        self.note(Deed::Initializing);
        let random = self.random.split();
        let site = self.generation.site(number);
        let init = || initialize_here(site, random, ending);
        let cell = self.generation.cell(number);
        let result = catch_planned_here(|| cell.get_or_try_init_blocking(init));
        self.inspect(number, result.and_then(Result::ok))
    }

    /// Asks both lazies.
    fn look_at_lazies_here(&self) {
        self.note(Deed::Lazy);
        let lazy = &self.generation.lazy;
        match catch_planned_here(|| lazy.lazy.as_ref().get_blocking()) {
            Some(value) => lazy.site.inspect(value),
            None => assert!(!lazy.has_value, "a lazy has panicked"),
        }
        let Some(a_static) = &self.generation.a_static else {
            return;
        };
        self.note(Deed::Static);
        match catch_planned_here(|| a_static.get_blocking()) {
            Some(value) => a_static.site().inspect(value),
            None => assert!(!a_static.has_value(), "a static has panicked"),
        }
    }
}
