//! Scenarios for a shared cell, with every kind of background activity, followed by operations that need `&mut`.

use std::sync::Arc;
use std::time::Duration;

use oncelot::{OnceCell, SetError, SharedInitError, runtime::OnceCellExt};

use crate::{
    bed::Bed,
    cast::{Actors, Cast, Deed, Sleeps, act, deed, own},
    things::{Error, Script, Value, Waits},
    threads::{self, Watched},
    world::{self, Order, Who, Wrong, wakers},
};

type Cell<B> = OnceCell<Value, B>;

/// What the actor does that a scenario is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deeds {
    GetOrInit(Script),
    GetOrTryInit(Script),
    Wait,
    Insert,
    Set,
    /// `set` by a destructor.
    SetInAnyCase,
    TryInsert,
    TryGetOrInit,
    GetOrTryInitShared(Script),
    WaitAttempt,
    /// `try_claim`, and `set` of the guard.
    SetGuard,
    /// `try_claim`, and a drop of the guard.
    DropGuard,
    /// The same by a destructor.
    DropGuardInAnyCase,
    /// `get_or_claim`, and `set` of the guard.
    GetOrClaim,
    WaitBlocking,
    GetOrInitBlocking,
    GetOrTryInitBlocking(Script),
    InsertBlocking,
    WaitTimeout,
    GetOrInitSpawned(Script),
    GetOrTryInitSpawned(Script),
    GetOrTryInitSharedSpawned(Script),
    GetOrInitUnblock,
    GetOrTryInitUnblock(Script),
}

/// The background activity of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    Alone,
    /// The cell has its value already.
    AValue,
    /// Two waiters for the value of an empty cell.
    TwoWhoWait,
    /// A running initializer, with waiters of both kinds before and behind the deed, some of which move to other
    /// tasks.
    AnInitializer(Ends),
    /// The same with so many waiters that they are woken in several batches.
    ACrowd(Ends),
    /// The deed comes first, and the others wait for its initializer.
    Waiters,
}

/// How the initializer of the background activity ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    WithAValue,
    WithAnError,
    Cancelled,
}

/// What is done to the cell in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finally {
    Drop,
    Take,
    IntoInner,
    Clone,
    Eq,
    Debug,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct CellScenario {
    pub(crate) deed: Deeds,
    pub(crate) company: Company,
    pub(crate) finally: Finally,
}

const GATED: Script = Script::VALUE.waiting(Waits::AtTheGate);
const GATED_ERROR: Script = Script::ERROR.waiting(Waits::AtTheGate);

impl CellScenario {
    /// One waits, alone.
    pub(crate) const WAIT: Self = Self {
        deed: Deeds::Wait,
        company: Company::Alone,
        finally: Finally::Drop,
    };

    /// Every deed in every company that it can be in, and every end of a cell.
    pub(crate) fn all() -> Vec<Self> {
        let scripts = [
            Script::VALUE,
            Script::VALUE.waiting(Waits::Yields),
            GATED,
            Script::ERROR,
            GATED_ERROR,
        ];
        let mut deeds = vec![
            Deeds::Wait,
            Deeds::Insert,
            Deeds::Set,
            Deeds::SetInAnyCase,
            Deeds::TryInsert,
            Deeds::TryGetOrInit,
            Deeds::WaitAttempt,
            Deeds::SetGuard,
            Deeds::DropGuard,
            Deeds::DropGuardInAnyCase,
            Deeds::GetOrClaim,
            Deeds::WaitBlocking,
            Deeds::GetOrInitBlocking,
            Deeds::GetOrTryInitBlocking(Script::VALUE),
            Deeds::GetOrTryInitBlocking(Script::ERROR),
            Deeds::InsertBlocking,
            Deeds::WaitTimeout,
            Deeds::GetOrInitUnblock,
            Deeds::GetOrTryInitUnblock(Script::VALUE),
            Deeds::GetOrTryInitUnblock(Script::ERROR),
        ];
        for script in scripts {
            deeds.extend([
                Deeds::GetOrTryInit(script),
                Deeds::GetOrTryInitSpawned(script),
                Deeds::GetOrTryInitShared(script),
                Deeds::GetOrTryInitSharedSpawned(script),
            ]);
            if !script.fails {
                deeds.extend([Deeds::GetOrInit(script), Deeds::GetOrInitSpawned(script)]);
            }
        }
        let ends = [Ends::WithAValue, Ends::WithAnError, Ends::Cancelled];
        let mut companies = vec![
            Company::Alone,
            Company::AValue,
            Company::TwoWhoWait,
            Company::Waiters,
        ];
        companies.extend(ends.map(Company::AnInitializer));
        companies.extend(ends.map(Company::ACrowd));
        let mut all = Vec::new();
        for finally in [
            Finally::Take,
            Finally::IntoInner,
            Finally::Clone,
            Finally::Eq,
            Finally::Debug,
        ] {
            for (deed, company) in [
                (Deeds::Wait, Company::AValue),
                (Deeds::WaitTimeout, Company::Alone),
                (Deeds::GetOrInit(Script::VALUE), Company::Alone),
                (Deeds::Insert, Company::AnInitializer(Ends::WithAnError)),
            ] {
                all.push(Self {
                    deed,
                    company,
                    finally,
                });
            }
        }
        let finally = Finally::Drop;
        for deed in deeds {
            let fitting = companies.iter().filter(|company| company.fits(deed));
            all.extend(fitting.map(|&company| Self {
                deed,
                company,
                finally,
            }));
        }
        all
    }

    /// Returns the scenarios whose deeds do not need a `Sync` cell.
    pub(crate) fn of_one_thread() -> Vec<Self> {
        let mut all = Self::all();
        all.retain(|scenario| !scenario.deed.is_shared());
        all
    }

    pub(crate) fn play<B: Bed<Waiter: Send> + Send + Sync>(self) {
        if self.deed.is_of_a_thread() {
            self.play_on::<Watched<B>>();
        } else {
            self.play_on::<B>();
        }
    }

    pub(crate) fn play_on<B: Bed>(self) {
        let cell = Arc::new(match self.company {
            Company::AValue => Cell::<B>::with_backend_and_value(Value::new()),
            _ => Cell::<B>::with_backend(),
        });
        watch(&cell);
        let mut cast = Cast::new();
        self.enter(&mut cast, &cell);
        cast.play();
        let is_usable = self.settle(cast, &cell);
        wakers::assert_none();
        match Arc::into_inner(cell) {
            Some(cell) => self.finish(cell, is_usable),
            None => world::complain("something still holds the cell"),
        }
    }

    fn enter<'a, B: Bed>(self, cast: &mut Cast<'a>, cell: &'a Arc<Cell<B>>) {
        let first = |script: Script| move || deed(cell.get_or_try_init(script.fallible()), got);
        match self.company {
            Company::Alone | Company::AValue => {
                self.deed.enter(cast, cell);
            }
            Company::TwoWhoWait => {
                cast.add(Sleeps::ForTheValue, || deed(cell.wait(), Value::see));
                cast.add(Sleeps::ForTheValue, || deed(cell.wait(), Value::see));
                self.deed.enter(cast, cell);
            }
            Company::Waiters => {
                self.deed.enter(cast, cell);
                Deeds::GetOrInit(Script::VALUE.waiting(Waits::Yields)).enter(cast, cell);
                Deeds::Wait.enter(cast, cell);
                Deeds::Insert.enter(cast, cell);
                cast.add(Sleeps::ForATurn, || act(world::gate::open_in_any_case));
            }
            Company::AnInitializer(ends) => {
                let initializer = cast.add(Sleeps::ForATurn, first(ends.script()));
                let before = [
                    Deeds::GetOrTryInit(Script::ERROR).enter(cast, cell),
                    Deeds::Wait.enter(cast, cell),
                ];
                let itself = self.deed.enter(cast, cell);
                Deeds::Wait.enter(cast, cell);
                Deeds::GetOrInit(Script::VALUE).enter(cast, cell);
                for moved in before.into_iter().chain([itself]) {
                    cast.add(Sleeps::ForATurn, move || {
                        act(move || world::order(Order::Move(moved)))
                    });
                }
                cast.add(Sleeps::ForATurn, move || ends.deed(initializer));
            }
            Company::ACrowd(ends) => {
                let initializer = cast.add(Sleeps::ForATurn, first(ends.script()));
                for _ in 0..9 {
                    Deeds::Wait.enter(cast, cell);
                    Deeds::GetOrInit(Script::VALUE).enter(cast, cell);
                }
                self.deed.enter(cast, cell);
                for _ in 0..9 {
                    Deeds::GetOrTryInit(Script::ERROR).enter(cast, cell);
                }
                cast.add(Sleeps::ForATurn, move || ends.deed(initializer));
            }
        }
    }

    /// Checks that only actors sleep that may. Then a new call fills the cell, or finds its value, and wakes them.
    fn settle<'a, B: Bed>(self, mut cast: Cast<'a>, cell: &'a Arc<Cell<B>>) -> bool {
        let asleep: Vec<Who> = (cast.present().into_iter())
            .filter(|who| cell.initialized() || cast.sleeps(*who) == Sleeps::ForATurn)
            .collect();
        if !asleep.is_empty() {
            world::wrong(Wrong::Asleep(asleep));
        }
        wakers::assert_none_but_of(&cast.present());
        world::unfaulted(|| {
            cast.add(Sleeps::ForTheValue, || deed(cell.wait(), Value::see));
            cast.add(Sleeps::ForATurn, || {
                deed(cell.get_or_init(Script::VALUE.infallible()), Value::see)
            });
            cast.play();
            let present = cast.present();
            if !present.is_empty() {
                world::wrong(Wrong::Asleep(present));
            }
            cast.dismiss();
        });
        if !cell.initialized() {
            world::complain("the cell is empty after all");
        }
        cell.initialized()
    }

    fn finish<B: Bed>(self, mut cell: Cell<B>, is_ready: bool) {
        let expected = if is_ready { 1 } else { 0 };
        match self.finally {
            Finally::Drop => {}
            Finally::Take => {
                let taken = own(|| cell.take()).flatten();
                require(
                    taken.iter().count() == expected && !cell.initialized(),
                    "`take` gives the value",
                );
                own(|| drop(taken));
                let again = world::unfaulted(|| cell.set(Value::new()));
                require(again.is_ok(), "the cell is usable after `take`");
            }
            Finally::IntoInner => {
                let value = own(|| cell.into_inner()).flatten();
                require(value.iter().count() == expected, "`into_inner` gives the value");
                own(|| drop(value));
                return;
            }
            Finally::Clone => {
                let clone = own(|| cell.clone());
                if let Some(clone) = clone {
                    require(
                        clone.initialized() == is_ready,
                        "the clone has a value if the cell has",
                    );
                    own(|| drop(clone));
                }
                require(cell.initialized() == is_ready, "cloning leaves the cell alone");
            }
            Finally::Eq => {
                let same = world::unfaulted(|| cell.clone());
                let is_equal = own(|| cell == same);
                require(is_equal != Some(false), "cells of equal values are equal");
                own(|| drop(same));
            }
            Finally::Debug => {
                let text = own(|| format!("{cell:?}"));
                require(
                    text.is_none_or(|text| text == "OnceCell(Value)"),
                    "`Debug` shows the value",
                );
            }
        }
        own(|| drop(cell));
    }
}

impl Company {
    fn fits(self, deed: Deeds) -> bool {
        match self {
            Self::ACrowd(_) => matches!(deed, Deeds::Insert | Deeds::InsertBlocking),
            // Only deeds with an initializer that others can wait for.
            Self::Waiters => match deed {
                Deeds::GetOrInit(script)
                | Deeds::GetOrTryInit(script)
                | Deeds::GetOrTryInitShared(script)
                | Deeds::GetOrInitSpawned(script)
                | Deeds::GetOrTryInitSpawned(script)
                | Deeds::GetOrTryInitSharedSpawned(script) => script.waits != Waits::No,
                Deeds::GetOrInitUnblock | Deeds::GetOrTryInitUnblock(_) => true,
                _ => false,
            },
            _ => true,
        }
    }
}

impl Ends {
    fn script(self) -> Script {
        match self {
            Self::WithAnError => GATED_ERROR,
            Self::WithAValue | Self::Cancelled => GATED,
        }
    }

    fn deed<'a>(self, initializer: Who) -> Deed<'a> {
        match self {
            Self::Cancelled => act(move || world::order(Order::Cancel(initializer))),
            _ => act(world::gate::open_in_any_case),
        }
    }
}

impl Deeds {
    fn is_of_a_thread(self) -> bool {
        matches!(
            self,
            Self::WaitBlocking
                | Self::GetOrInitBlocking
                | Self::GetOrTryInitBlocking(_)
                | Self::InsertBlocking
        )
    }

    fn is_shared(self) -> bool {
        self.is_of_a_thread() || self.is_spawned()
    }

    fn is_spawned(self) -> bool {
        matches!(
            self,
            Self::GetOrInitSpawned(_)
                | Self::GetOrTryInitSpawned(_)
                | Self::GetOrTryInitSharedSpawned(_)
                | Self::GetOrInitUnblock
                | Self::GetOrTryInitUnblock(_)
        )
    }

    fn enter<'a, B: Bed>(self, cast: &mut Cast<'a>, cell: &'a Arc<Cell<B>>) -> Who {
        let sleeps = match self {
            Self::Wait | Self::WaitBlocking => Sleeps::ForTheValue,
            _ => Sleeps::ForATurn,
        };
        cast.add(sleeps, move || self.of(cell))
    }

    fn of<B: Bed>(self, cell: &Arc<Cell<B>>) -> Deed<'_> {
        match self {
            Self::GetOrInit(script) => deed(cell.get_or_init(script.infallible()), Value::see),
            Self::GetOrTryInit(script) => deed(cell.get_or_try_init(script.fallible()), got),
            Self::Wait => deed(cell.wait(), Value::see),
            Self::Insert => {
                let value = Value::new();
                let id = value.id();
                deed(cell.insert(value), move |inserted| {
                    inserted_or_given_back(inserted, id)
                })
            }
            Self::Set => {
                let value = Value::new();
                act(move || {
                    let id = value.id();
                    given_back(cell.set(value), id);
                })
            }
            Self::SetInAnyCase => {
                let value = Value::new();
                act(move || {
                    let id = value.id();
                    world::in_a_destructor(move || given_back(cell.set(value), id));
                })
            }
            Self::TryInsert => {
                let value = Value::new();
                act(move || {
                    let id = value.id();
                    given_back(cell.try_insert(value).map(Value::see), id);
                })
            }
            Self::TryGetOrInit => {
                let init = Script::VALUE.at_once();
                act(move || {
                    let value = cell.try_get_or_init(|| init().expect("the outcome is that of the script"));
                    if let Ok(value) = value {
                        value.see();
                    }
                })
            }
            Self::GetOrTryInitShared(script) => {
                deed(cell.get_or_try_init_shared(script.fallible()), got_of_one_attempt)
            }
            Self::WaitAttempt => deed(cell.wait_attempt(), |value| {
                if let Some(value) = value {
                    value.see();
                }
            }),
            Self::SetGuard => {
                let value = Value::new();
                act(move || {
                    if let Ok(guard) = cell.try_claim() {
                        guard.set(value).see();
                    }
                })
            }
            Self::DropGuard => act(|| drop(cell.try_claim())),
            Self::DropGuardInAnyCase => act(|| world::in_a_destructor(|| drop(cell.try_claim()))),
            Self::GetOrClaim => {
                let value = Value::new();
                deed(cell.get_or_claim(), move |claimed| match claimed {
                    Ok(present) => present.see(),
                    Err(guard) => guard.set(value).see(),
                })
            }
            Self::WaitTimeout => act(|| {
                if let Some(value) = cell.wait_timeout(Duration::from_nanos(1)) {
                    value.see();
                }
            }),
            _ => {
                let shared_deed = B::SHARED.expect("the scenarios of one thread are without it");
                shared_deed(self, cell)
            }
        }
    }
}

/// Does what needs a cell that is `Sync`.
pub(crate) fn shared_deed<B>(itself: Deeds, cell: &Arc<Cell<B>>) -> Deed<'_>
where
    B: Bed<Waiter: Send> + Send + Sync,
{
    if itself.is_spawned() {
        world::is_async();
    }
    match itself {
        Deeds::WaitBlocking => on_a_thread(cell, |cell| cell.wait_blocking().see()),
        Deeds::GetOrInitBlocking => {
            let init = Script::VALUE.at_once();
            on_a_thread(cell, |cell| {
                let value = cell.get_or_init_blocking(|| init().expect("the outcome is that of the script"));
                value.see();
            })
        }
        Deeds::GetOrTryInitBlocking(script) => {
            let init = script.at_once();
            on_a_thread(cell, |cell| got(cell.get_or_try_init_blocking(init)))
        }
        Deeds::InsertBlocking => {
            let value = Value::new();
            on_a_thread(cell, |cell| {
                let id = value.id();
                inserted_or_given_back(cell.insert_blocking(value), id);
            })
        }
        Deeds::GetOrInitSpawned(script) => {
            deed(cell.get_or_init_spawned(Actors, script.infallible()), Value::see)
        }
        Deeds::GetOrTryInitSpawned(script) => {
            deed(cell.get_or_try_init_spawned(Actors, script.fallible()), got)
        }
        Deeds::GetOrTryInitSharedSpawned(script) => deed(
            cell.get_or_try_init_shared_spawned(Actors, script.fallible()),
            got_of_one_attempt,
        ),
        Deeds::GetOrInitUnblock => {
            let init = Script::VALUE.at_once();
            let init = || init().expect("the outcome is that of the script");
            deed(cell.get_or_init_spawned_blocking(Actors, init), Value::see)
        }
        Deeds::GetOrTryInitUnblock(script) => deed(
            cell.get_or_try_init_spawned_blocking(Actors, script.at_once()),
            got,
        ),
        _ => unreachable!("any cell can do the others"),
    }
}

/// Does something with the cell on a thread of its own.
fn on_a_thread<B>(cell: &Arc<Cell<B>>, work: impl FnOnce(&Cell<B>) + Send + 'static) -> Deed<'static>
where
    B: Bed<Waiter: Send> + Send + Sync,
{
    let cell = Arc::clone(cell);
    threads::deed(move || {
        watch(&cell);
        work(&cell);
    })
}

/// Makes this thread check the claim of the cell when a part of an initializer runs.
fn watch<B: Bed>(cell: &Arc<Cell<B>>) {
    let watched = Arc::downgrade(cell);
    world::watch(move || watched.upgrade().is_none_or(|cell| is_claimed(&cell)));
}

/// Returns whether the cell is claimed. If it is not, the run has failed, and this call may have set a value.
fn is_claimed<B: Bed>(cell: &Cell<B>) -> bool {
    cell.set(Value::new())
        .is_err_and(|error| error.is_initializing_err())
}

fn require(is_so: bool, claim: &str) {
    if !is_so {
        world::complain(format!("does not hold: {claim}"));
    }
}

/// A value of any initializer, or an error of the caller's own.
fn got(result: Result<&Value, Error>) {
    match result {
        Ok(value) => value.see(),
        Err(error) => require(error.is_of(world::who()), "an error goes to its caller alone"),
    }
}

/// A value, the caller's own error, or `OtherFailed`.
fn got_of_one_attempt(result: Result<&Value, SharedInitError<Error>>) {
    match result {
        Ok(value) => value.see(),
        Err(SharedInitError::Failed(error)) => got(Err(error)),
        Err(SharedInitError::OtherFailed) => {}
    }
}

fn inserted_or_given_back(inserted: Result<&Value, (&Value, Value)>, id: usize) {
    match inserted {
        Ok(value) => {
            value.see();
            require(value.id() == id, "the value is the one that was inserted");
        }
        Err((present, value)) => {
            present.see();
            require(
                value.id() == id,
                "the value that is given back is the one that was given",
            );
        }
    }
}

fn given_back(set: Result<(), SetError<Value>>, id: usize) {
    if let Err(error) = set {
        require(
            error.into_inner().id() == id,
            "the value that is given back is the one that was given",
        );
    }
}
