//! A task that performs random operations on a cell.

use std::{pin::pin, sync::Arc};

use futures_lite::future::{or, poll_once, yield_now};
use oncelot::runtime::{AsyncStd, OnceCellExt, Runtime, Smol, Tokio};
use tokio::runtime::Handle;

use crate::{
    generation::{CELLS, Generation, Stressed},
    initializer::{Ending, initialize, initialize_here},
    polls::{catch_planned, poll_times},
    random::Random,
    site::Value,
    totals::TOTALS,
};

macro_rules! deeds {
    ($($name:ident)*) => {
        /// What a client is doing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Deed {
            $($name,)*
        }

        impl Deed {
            pub(crate) fn of(number: u8) -> Option<Self> {
                [$(Self::$name,)*].get(usize::from(number)).copied()
            }
        }
    };
}

deeds! {
    Nothing
    Initializing
    InitializingInTime
    InitializingForAWhile
    InitializingAsATask
    InitializingOnAPool
    Inserting
    InsertingForAWhile
    HoldingAnInsertion
    Waiting
    WaitingForAWhile
    Lazy
    Static
}

pub(crate) struct Client<B: Stressed> {
    pub(crate) generation: Arc<Generation<B>>,
    pub(crate) index: usize,
    pub(crate) random: Random,
}

impl<B: Stressed> Client<B> {
    pub(crate) fn new(generation: Arc<Generation<B>>, index: usize, random: Random) -> Self {
        Self {
            generation,
            index,
            random,
        }
    }

    pub(crate) fn note(&self, deed: Deed) {
        self.generation.note(self.index, deed);
    }

    /// The cells in the order of visit. The first `CELLS` clients begin with a cell of their own, in which they see
    /// to it that there is a value: others may wait for one without ever making it.
    pub(crate) fn itinerary(&self) -> impl Iterator<Item = usize> + use<B> {
        let first = self.index;
        (0..CELLS).map(move |step| (first + step) % CELLS)
    }

    pub(crate) fn may_just_wait(&self, number: usize) -> bool {
        self.index != number
    }

    /// Looks at a value that an attempt of some kind has yielded.
    pub(crate) fn inspect(&self, number: usize, value: Option<&Value>) -> bool {
        if let Some(value) = value {
            self.generation.site(number).inspect(value);
        }
        value.is_some()
    }

    /// Notes what has come of an insertion.
    pub(crate) fn inspect_insertion(&self, number: usize, result: Result<&Value, (&Value, Value)>) {
        let site = self.generation.site(number);
        match result {
            Ok(value) => {
                TOTALS.values_inserted.add();
                site.note_publication();
                site.inspect(value);
            }
            Err((present, _)) => site.inspect(present),
        }
    }

    /// Puts a value in if that can be done at once.
    pub(crate) fn set(&self, number: usize) {
        let site = self.generation.site(number);
        if self.generation.cell(number).set(site.value()).is_ok() {
            TOTALS.values_set.add();
            site.note_publication();
        }
    }
}

impl<B: Stressed> Drop for Client<B> {
    fn drop(&mut self) {
        self.generation.leave(self.index);
    }
}

/// Visits every cell, and the lazies in between. If it stays on one executor, that may be tokio's.
pub(crate) async fn run<B: Stressed>(mut client: Client<B>, stays: bool) {
    for number in client.itinerary() {
        let mut visit = Visit {
            generation: client.generation.clone(),
            random: client.random.split(),
            client: &client,
            number,
            stays,
        };
        for _ in 0..visit.random.below(5) {
            visit.disturb().await;
        }
        visit.obtain().await;
    }
}

/// A client at a cell.
struct Visit<'a, B: Stressed> {
    generation: Arc<Generation<B>>,
    client: &'a Client<B>,
    number: usize,
    random: Random,
    stays: bool,
}

impl<B: Stressed> Visit<'_, B> {
    /// Does something that ends soon, with a value or without.
    async fn disturb(&mut self) {
        let times = self.random.below(5);
        match self.random.below(14) {
            0 => {
                self.client
                    .inspect(self.number, self.generation.cell(self.number).get());
            }
            1 | 2 => {
                let ending = Ending::any(&mut self.random);
                self.initialize(ending).await;
            }
            3 | 4 => self.initialize_for_a_while(times).await,
            5 => self.initialize_in_time(times).await,
            6 | 7 => self.wait_for_a_while(times).await,
            8 => self.insert_for_a_while(times).await,
            9 if self.random.one_in(8) => self.client.set(self.number),
            10 => self.hold_an_insertion().await,
            11 => self.initialize_as_a_task(times).await,
            12 => self.look_at_lazies(times).await,
            _ => yield_now().await,
        }
    }

    /// Gets the value.
    async fn obtain(&mut self) {
        match self.random.below(12) {
            0..6 => loop {
                let ending = Ending::any(&mut self.random);
                if self.initialize(ending).await {
                    break;
                }
            },
            6 => {
                self.client.note(Deed::Inserting);
                let value = self.generation.site(self.number).value();
                let inserted = self.generation.cell(self.number).insert(value).await;
                self.client.inspect_insertion(self.number, inserted);
            }
            7..11 if self.client.may_just_wait(self.number) => {
                self.client.note(Deed::Waiting);
                let value = self.generation.cell(self.number).wait().await;
                TOTALS.waits.add();
                self.client.inspect(self.number, Some(value));
            }
            _ => {
                self.initialize(Ending::Success).await;
            }
        }
        // Those that have not given up are seen through to the end.
        self.look_at_lazies(u64::MAX).await;
    }

    /// Returns whether there is a value then.
    async fn initialize(&mut self, ending: Ending) -> bool {
        self.client.note(Deed::Initializing);
        let init = initialize(self.generation.clone(), self.number, self.random.split(), ending);
        let cell = self.generation.cell(self.number);
        let result = catch_planned(cell.get_or_try_init(|| init)).await;
        self.client.inspect(self.number, result.and_then(Result::ok))
    }

    async fn initialize_for_a_while(&mut self, times: u64) {
        self.client.note(Deed::InitializingForAWhile);
        let ending = Ending::any(&mut self.random);
        let init = initialize(self.generation.clone(), self.number, self.random.split(), ending);
        let cell = self.generation.cell(self.number);
        let result = catch_planned(poll_times(cell.get_or_try_init(|| init), times)).await;
        self.client
            .inspect(self.number, result.flatten().and_then(Result::ok));
    }

    async fn initialize_in_time(&mut self, naps: u64) {
        self.client.note(Deed::InitializingInTime);
        let ending = Ending::any(&mut self.random);
        let init = initialize(self.generation.clone(), self.number, self.random.split(), ending);
        let cell = self.generation.cell(self.number);
        let value = async { catch_planned(cell.get_or_try_init(|| init)).await };
        let timeout = async {
            for _ in 0..naps {
                self.generation.crews().clock.nap().await;
            }
            TOTALS.timeouts.add();
            None
        };
        let result = or(value, timeout).await;
        self.client.inspect(self.number, result.and_then(Result::ok));
    }

    async fn wait_for_a_while(&mut self, times: u64) {
        self.client.note(Deed::WaitingForAWhile);
        let value = poll_times(self.generation.cell(self.number).wait(), times).await;
        if !self.client.inspect(self.number, value) {
            TOTALS.waits_abandoned.add();
        }
    }

    async fn insert_for_a_while(&mut self, times: u64) {
        self.client.note(Deed::InsertingForAWhile);
        let value = self.generation.site(self.number).value();
        let inserted = poll_times(self.generation.cell(self.number).insert(value), times).await;
        match inserted {
            Some(result) => self.client.inspect_insertion(self.number, result),
            None => TOTALS.waits_abandoned.add(),
        }
    }

    /// Starts to wait, and uses the same cell in another way before it continues or is dropped: it may be woken and
    /// not polled while others need the cell.
    async fn hold_an_insertion(&mut self) {
        self.client.note(Deed::HoldingAnInsertion);
        let generation = self.generation.clone();
        let value = generation.site(self.number).value();
        let mut insertion = pin!(generation.cell(self.number).insert(value));
        if let Some(result) = poll_once(insertion.as_mut()).await {
            return self.client.inspect_insertion(self.number, result);
        }
        let ending = Ending::any(&mut self.random);
        self.initialize(ending).await;
        if self.random.one_in(2) {
            let result = insertion.await;
            self.client.inspect_insertion(self.number, result);
        } else {
            TOTALS.waits_abandoned.add();
        }
    }

    /// Spawns the initializer on a random runtime, and drops the future that waits for it after a random number of
    /// polls.
    async fn initialize_as_a_task(&mut self, times: u64) {
        let times = times * self.random.below(20);
        let has_tokio = self.stays && Handle::try_current().is_ok();
        match self.random.below(3) {
            0 if has_tokio => self.initialize_by(Tokio, times).await,
            1 => self.initialize_by(AsyncStd, times).await,
            _ => self.initialize_by(Smol, times).await,
        }
    }

    async fn initialize_by(&mut self, runtime: impl Runtime, times: u64) {
        let ending = Ending::any(&mut self.random);
        let cell = self.generation.cell(self.number);
        let result = if self.random.one_in(4) {
            self.client.note(Deed::InitializingOnAPool);
            let site = self.generation.site(self.number).clone();
            let random = self.random.split();
            let init = move || {
                TOTALS.initializers_on_a_pool.add();
                initialize_here(&site, random, ending)
            };
            let attempt = cell.get_or_try_init_spawned_blocking(runtime, init);
            catch_planned(poll_times(attempt, times)).await
        } else {
            self.client.note(Deed::InitializingAsATask);
            let generation = self.generation.clone();
            let (number, random) = (self.number, self.random.split());
            let init = move || {
                TOTALS.initializers_as_tasks.add();
                initialize(generation, number, random, ending)
            };
            let attempt = cell.get_or_try_init_spawned(runtime, init);
            catch_planned(poll_times(attempt, times)).await
        };
        self.client
            .inspect(self.number, result.flatten().and_then(Result::ok));
    }

    /// Asks both lazies, for so many polls each.
    async fn look_at_lazies(&mut self, times: u64) {
        self.client.note(Deed::Lazy);
        let lazy = &self.generation.lazy;
        match catch_planned(poll_times(lazy.lazy.as_ref().get(), times)).await {
            Some(value) => value.into_iter().for_each(|value| lazy.site.inspect(value)),
            None => assert!(!lazy.has_value, "a lazy has panicked"),
        }
        let Some(a_static) = &self.generation.a_static else {
            return;
        };
        self.client.note(Deed::Static);
        match catch_planned(poll_times(a_static.get(), times)).await {
            Some(value) => value.into_iter().for_each(|value| a_static.site().inspect(value)),
            None => assert!(!a_static.has_value(), "a static has panicked"),
        }
    }
}
