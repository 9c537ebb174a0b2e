//! The actors of a run, and their executor: one thread, which polls actors in the order of their wakes.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    things,
    world::{self, Cancel, Kind, Order, Plan, Who, Wrong, wakers},
};

pub(crate) type Deed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What an actor may be asleep for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sleeps {
    /// Only a value wakes it.
    ForTheValue,
    /// A value wakes it, and so does the end of an initializer.
    ForATurn,
}

struct Actor<'a> {
    /// `None` when it has ended.
    deed: Option<Deed<'a>>,
    waker: usize,
    sleeps: Sleeps,
}

/// The actors of a scenario, and the executor that runs them.
pub(crate) struct Cast<'a> {
    plan: Plan,
    actors: Vec<Actor<'a>>,
    /// How many of the faults have had their victims polled by hand.
    rescued: Vec<usize>,
}

thread_local! {
    static NEWBORN: RefCell<Vec<(Who, Deed<'static>)>> = const { RefCell::new(Vec::new()) };
}

/// Starts a task, as a runtime does.
pub(crate) fn spawn(deed: impl Future<Output = ()> + 'static) {
    let who = world::enter(Some(world::who()));
    NEWBORN.with_borrow_mut(|newborn| newborn.push((who, Box::pin(deed))));
}

/// A deed: what awaits `future` and hands the result to `then`.
///
/// If the plan says so, the deed is an async block, which drops the future while it unwinds. Otherwise the future is
/// dropped after a panic was caught.
pub(crate) fn deed<'a, F: Future + 'a>(future: F, then: impl FnOnce(F::Output) + 'a) -> Deed<'a> {
    if world::plan().in_async {
        return Box::pin(async { then(future.await) });
    }
    let mut future = Box::pin(future);
    let mut then = Some(then);
    Box::pin(std::future::poll_fn(move |cx| {
        let result = std::task::ready!(future.as_mut().poll(cx));
        let then = then.take().expect("it ends once");
        then(result);
        Poll::Ready(())
    }))
}

/// Returns a deed that does not wait.
pub(crate) fn act<'a>(f: impl FnOnce() + 'a) -> Deed<'a> {
    Box::pin(async { f() })
}

impl<'a> Cast<'a> {
    pub(crate) fn new() -> Self {
        Self {
            plan: world::plan(),
            actors: Vec::new(),
            rescued: Vec::new(),
        }
    }

    /// Adds an actor, which is polled after the actors before it. `make` already runs as this actor.
    pub(crate) fn add(&mut self, sleeps: Sleeps, make: impl FnOnce() -> Deed<'a>) -> Who {
        let who = world::enter(None);
        let made = world::acting(who, false, || catch_unwind(AssertUnwindSafe(make)));
        let deed = made.map_err(|payload| world::catch(who, payload)).ok();
        self.adopt(who, sleeps, deed);
        who
    }

    fn adopt(&mut self, who: Who, sleeps: Sleeps, deed: Option<Deed<'a>>) {
        assert_eq!(who, self.actors.len(), "actors are numbered as they come");
        self.actors.push(Actor {
            deed,
            waker: wakers::new(who),
            sleeps,
        });
        world::make_progress();
        world::schedule(who);
    }

    /// Returns a cast that continues a run after another cast was dropped.
    pub(crate) fn continued() -> Self {
        let mut cast = Self::new();
        cast.actors.resize_with(world::actors(), || Actor {
            deed: None,
            waker: 0,
            sleeps: Sleeps::ForATurn,
        });
        cast
    }

    /// Runs until no actor is awake.
    pub(crate) fn play_with_the_gate_shut(&mut self) {
        self.run_and_rescue();
    }

    /// Runs until no actor is awake, and helps those that an injected panic has left asleep: their own waker has
    /// panicked, or they wait for a gate that no actor has opened.
    pub(crate) fn play(&mut self) {
        self.run_and_rescue();
        world::unfaulted(world::gate::open);
        self.run_and_rescue();
    }

    fn run_and_rescue(&mut self) {
        loop {
            self.run();
            let victims = world::victims(&mut self.rescued);
            if victims.is_empty() {
                return;
            }
            victims.into_iter().for_each(world::schedule);
        }
    }

    fn run(&mut self) {
        let mut progress = world::progress();
        let mut in_vain = Vec::new();
        while let Some(who) = world::next_woken() {
            self.poll(who);
            self.obey();
            if world::progress() != progress {
                progress = world::progress();
                in_vain.clear();
                continue;
            }
            in_vain.push(who);
            if in_vain.len() > 3 * self.actors.len() + 4 {
                in_vain.sort_unstable();
                in_vain.dedup();
                world::wrong(Wrong::Spinning(in_vain));
                world::schedule(who);
                return;
            }
        }
    }

    /// Returns the actors that have not ended.
    pub(crate) fn present(&self) -> Vec<Who> {
        (0..self.actors.len())
            .filter(|who| self.actors[*who].deed.is_some())
            .collect()
    }

    pub(crate) fn sleeps(&self, who: Who) -> Sleeps {
        self.actors[who].sleeps
    }

    /// Drops the remaining actors.
    pub(crate) fn dismiss(mut self) {
        for who in self.present() {
            self.cancel(who);
        }
    }

    fn poll(&mut self, who: Who) {
        let planned = |when_woken| {
            self.plan.cancel
                == Some(Cancel {
                    who,
                    polls: world::polls(who),
                    when_woken,
                })
        };
        if planned(true) {
            return self.cancel(who);
        }
        let actor = &mut self.actors[who];
        let Some(deed) = &mut actor.deed else {
            return;
        };
        world::count_poll(who);
        let waker = things::waker(actor.waker);
        let cx = &mut Context::from_waker(&waker);
        let polled = world::acting(who, false, || {
            catch_unwind(AssertUnwindSafe(|| deed.as_mut().poll(cx)))
        });
        match polled {
            Ok(Poll::Pending) if planned(false) => self.cancel(who),
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(())) => self.end(who),
            Err(payload) => {
                world::catch(who, payload);
                self.end(who);
            }
        }
    }

    fn cancel(&mut self, who: Who) {
        if self.actors[who].deed.is_some() {
            world::cancelled(who);
            self.end(who);
        }
    }

    fn end(&mut self, who: Who) {
        let deed = self.actors[who].deed.take();
        world::make_progress();
        let dropped = world::acting(who, true, || catch_unwind(AssertUnwindSafe(|| drop(deed))));
        if let Err(payload) = dropped {
            world::catch(who, payload);
        }
    }

    /// Does what actors cannot do to others.
    fn obey(&mut self) {
        for (who, deed) in NEWBORN.take() {
            self.adopt(who, Sleeps::ForATurn, Some(deed));
        }
        for order in world::take_orders() {
            match order {
                Order::Cancel(who) => self.cancel(who),
                Order::Move(who) => {
                    self.actors[who].waker = wakers::new(who);
                    world::schedule(who);
                }
            }
        }
    }
}

/// Does something to a cell that no other actor uses.
pub(crate) fn own<R>(f: impl FnOnce() -> R) -> Option<R> {
    let done = world::acting(world::OWNER, false, || catch_unwind(AssertUnwindSafe(f)));
    done.map_err(|payload| world::catch(world::OWNER, payload)).ok()
}

/// A runtime whose tasks are actors.
pub(crate) struct Actors;

impl oncelot::runtime::Runtime for Actors {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        world::call(Kind::Spawn);
        spawn(task);
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        world::call(Kind::Spawn);
        spawn(async { work() });
    }

    fn poll_coop<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        world::call(Kind::Budget);
        poll(cx)
    }
}
