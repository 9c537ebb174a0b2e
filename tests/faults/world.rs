//! The record of one run of a scenario: the calls into user code, each of which can be made to panic; what was
//! created and dropped; which actor a panic reached; and what was wrong.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe, resume_unwind},
    rc::Rc,
    sync::{Arc, Mutex, Once, PoisonError},
    task::Waker,
    thread,
};

/// What is made and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing {
    Value,
    Error,
    /// What an initializer's closure has captured.
    Closure,
    /// What lives as long as an initializer's future.
    Future,
    /// What a panic carries.
    Payload,
}

/// A call into the user's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Call,
    Poll,
    Drop(Thing),
    Clone,
    Eq,
    Debug,
    /// Not by the crate: an actor is about to do something in a destructor.
    Act,
    CloneWaker,
    Wake,
    WakeByRef,
    DropWaker,
    Spawn,
    Budget,
}

/// Who is running: an actor of the cast, or the run itself, which owns the cell.
pub(crate) type Who = usize;
pub(crate) const OWNER: Who = usize::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Doing {
    Polling,
    Dropping,
}

/// A recorded call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    pub(crate) who: Who,
    pub(crate) doing: Doing,
    /// Whose waker it is.
    pub(crate) target: Option<Who>,
    /// Whether it was made by a poll of an initializer, and whether that is the future of a `Lazy`.
    pub(crate) is_inside_poll: Option<bool>,
    /// Whether it could panic only into another panic.
    pub(crate) is_unwinding: bool,
    /// Whether its panic, then, would end in an abort.
    pub(crate) would_abort: bool,
}

/// A panic that reached an actor, or the owner.
#[derive(Debug)]
pub(crate) struct Caught {
    pub(crate) who: Who,
    pub(crate) panic: Panic,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Panic {
    /// The one that was put in at this call.
    Fault(usize),
    /// One of the crate's own.
    Own(String),
}

/// What was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// These would sleep forever.
    Asleep(Vec<Who>),
    /// These are polled on and on, and get nowhere.
    Spinning(Vec<Who>),
    /// The crate has panicked by itself.
    Panicked(Who, String),
    Leaked(Thing),
    Other(String),
}

/// An actor that a run drops in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cancel {
    pub(crate) who: Who,
    /// After so many polls.
    pub(crate) polls: usize,
    /// Not at once, but when it would be polled again.
    pub(crate) when_woken: bool,
}

/// What a backend does with panics.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Panics {
    /// Whether a waker that panics while another panic is on its way has its panic swallowed. Otherwise that aborts the
    /// program, and is not tried.
    pub(crate) swallows_wakers: bool,
    /// Whether a waiter panics in its destructor after its waker has panicked when cloned. If it is dropped while that
    /// panic unwinds, that aborts the program, and is not tried. Nor is another panic after one of a waker, which could
    /// drop a waiter too.
    pub(crate) breaks_on_clone: bool,
}

/// What is put into a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// Whether futures are polled inside an async block, which drops them while it unwinds.
    pub(crate) in_async: bool,
    pub(crate) cancel: Option<Cancel>,
    /// The calls that panic, by their number.
    pub(crate) faults: Vec<usize>,
}

/// The panic that is put in.
struct Fault {
    call: usize,
    _payload: Token,
}

/// What a run has written down.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) plan: Plan,
    /// What the backend does with panics; see `Bed`.
    pub(crate) panics: Panics,
    pub(crate) calls: Vec<Call>,
    pub(crate) caught: Vec<Caught>,
    pub(crate) wrong: Vec<Wrong>,
    /// How often each actor was polled.
    pub(crate) polls: Vec<usize>,
    /// How many of the actors, the last ones, are there to see how things have ended.
    pub(crate) extras: usize,
    /// Who has started a task, for the actor that is this task.
    pub(crate) parents: Vec<Option<Who>>,
    /// Actors that were dropped by others: by the plan, or as the scenario has it.
    pub(crate) cancelled: Vec<Who>,
    /// The things of this kind may be left when the run ends.
    pub(crate) may_leak: Option<Thing>,
    /// How many calls there were when the actor of the plan was cancelled.
    pub(crate) calls_before: usize,
    things: Vec<(Thing, u32)>,
    wakers: Vec<WakerOf>,
    woken: Vec<Who>,
    /// Who are threads, which cannot be cancelled.
    pub(crate) threads: Vec<Who>,
    /// Whose futures are `async` blocks of the crate, which drop what they have while they unwind.
    async_actors: Vec<Who>,
    orders: Vec<Order>,
    gate: Gate,
    is_off: bool,
    who: Option<Who>,
    is_dropping: bool,
    inside_poll: Option<bool>,
    seen: Option<usize>,
    progress: usize,
    is_poisoned: bool,
}

/// The wakers of one address.
#[derive(Debug)]
struct WakerOf {
    who: Who,
    live: i32,
    /// Whether the actor was given a newer one.
    is_old: bool,
}

/// What an initializer waits for.
#[derive(Debug, Default)]
struct Gate {
    is_open: bool,
    waker: Option<Waker>,
}

thread_local! {
    /// Shared with the threads that take part.
    static RECORD: RefCell<Arc<Mutex<Record>>> = RefCell::default();
    /// While set, the panic hook prints nothing: each panic is caught and checked.
    static IS_PLAYING: Cell<bool> = const { Cell::new(false) };
    static IS_CLAIMED: RefCell<Option<IsClaimed>> = const { RefCell::new(None) };
}

/// Whether an initializer of the watched cell is running.
type IsClaimed = Rc<dyn Fn() -> bool>;

fn with<R>(f: impl FnOnce(&mut Record) -> R) -> R {
    RECORD.with_borrow(|record| f(&mut record.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Returns a function that makes the thread that calls it a part of this run.
pub(crate) fn invite() -> impl FnOnce() + Send {
    let record = RECORD.with_borrow(Arc::clone);
    move || {
        RECORD.set(record);
        IS_PLAYING.set(true);
    }
}

pub(crate) fn begin(plan: Plan, panics: Panics) {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_PLAYING.get() {
                hook(info);
            }
        }));
    });
    IS_PLAYING.set(true);
    RECORD.set(Arc::new(Mutex::new(Record {
        plan,
        panics,
        ..Record::default()
    })));
}

/// Ends the run, after everything is gone.
pub(crate) fn end() -> Record {
    gate::close();
    IS_CLAIMED.take();
    IS_PLAYING.set(false);
    let mut record = with(std::mem::take);
    for (thing, drops) in &record.things {
        if *drops == 0 && record.may_leak != Some(*thing) {
            record.wrong.push(Wrong::Leaked(*thing));
        }
    }
    for waker in &record.wakers {
        if waker.live != 0 {
            let wrong = format!("{} wakers of {} were leaked", waker.live, waker.who);
            record.wrong.push(Wrong::Other(wrong));
        }
    }
    record
}

pub(crate) fn plan() -> Plan {
    with(|record| record.plan.clone())
}

pub(crate) fn wrong(wrong: Wrong) {
    with(|record| record.wrong.push(wrong));
}

pub(crate) fn complain(text: impl Into<String>) {
    wrong(Wrong::Other(text.into()));
}

/// Calls into the user's code made by `f` are neither counted nor made to panic.
pub(crate) fn unfaulted<R>(f: impl FnOnce() -> R) -> R {
    let was_off = with(|record| std::mem::replace(&mut record.is_off, true));
    let result = f();
    with(|record| record.is_off = was_off);
    result
}

/// The user's code is called. This may panic, and is never called with the record borrowed.
pub(crate) fn call(kind: Kind) {
    call_of(kind, None, false);
}

fn call_of(kind: Kind, target: Option<Who>, is_computation: bool) {
    let number = with(|record| {
        if record.is_off {
            return None;
        }
        let is_unwinding = thread::panicking();
        let doing = if record.is_dropping {
            Doing::Dropping
        } else {
            Doing::Polling
        };
        // A destructor that panics while the thread unwinds aborts the program. That holds for any Rust program,
        // except where the crate documents that it catches the panic: when it wakes, and when it poisons a `Lazy`.
        let is_caught = kind == Kind::Wake && record.panics.swallows_wakers
            || kind == Kind::Drop(Thing::Future) && is_computation;
        let who = record.who.unwrap_or(OWNER);
        let is_event = |kind, inside_poll: Option<bool>| kind == Kind::CloneWaker && inside_poll.is_none();
        let breaks_into_unwinding = is_event(kind, record.inside_poll)
            && (record.plan.in_async || record.async_actors.contains(&who));
        let is_dropped_broken = record.panics.breaks_on_clone
            && (breaks_into_unwinding
                || (record.faults())
                    .any(|call| call.kind == Kind::Wake || is_event(call.kind, call.is_inside_poll)));
        let call = Call {
            kind,
            who,
            doing,
            target,
            is_inside_poll: record.inside_poll,
            is_unwinding,
            would_abort: is_unwinding && !is_caught || is_dropped_broken,
        };
        let is_of_wakers = matches!(
            kind,
            Kind::CloneWaker | Kind::Wake | Kind::WakeByRef | Kind::DropWaker | Kind::Budget
        );
        record.progress += usize::from(!is_of_wakers);
        let number = record.calls.len();
        record.calls.push(call);
        if !record.plan.faults.contains(&number) {
            return None;
        }
        if call.would_abort {
            record
                .wrong
                .push(Wrong::Other(format!("{call:?} must not be made to panic")));
            return None;
        }
        // In a poll of the computation, or of its destructor at the end of one.
        record.is_poisoned |= call.is_inside_poll == Some(true)
            || is_computation && call.who != OWNER && doing == Doing::Polling;
        Some(number)
    });
    if let Some(call) = number {
        // Says nothing, unlike `panic_any`.
        resume_unwind(Box::new(Fault {
            call,
            _payload: Token::new(Thing::Payload),
        }));
    }
}

/// Records a call of the future of a `Lazy`.
pub(crate) fn call_of_computation(kind: Kind) {
    call_of(kind, None, true);
}

/// Returns whether a panic was put in that poisons a `Lazy`.
pub(crate) fn is_poisoned() -> bool {
    with(|record| record.is_poisoned)
}

/// Returns whether an actor has heard that a `Lazy` is poisoned.
pub(crate) fn has_heard_of_poison(who: Who) -> bool {
    with(|record| {
        let mut caught = record.caught.iter().filter(|caught| caught.who == who);
        caught.any(|caught| matches!(&caught.panic, Panic::Own(message) if message.contains("is poisoned")))
    })
}

/// Runs `f` in a destructor, after what may panic: then while the thread unwinds, and what panics in there is caught, as it
/// must be in a destructor.
pub(crate) fn in_a_destructor(f: impl FnOnce()) {
    struct Guard<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Guard<F> {
        fn drop(&mut self) {
            let f = self.0.take().expect("it is dropped once");
            if thread::panicking() {
                let _caught = panic::catch_unwind(AssertUnwindSafe(f));
            } else {
                f();
            }
        }
    }
    let _guard = Guard(Some(f));
    call(Kind::Act);
}

/// Makes this thread call `is_claimed` when a part of an initializer runs: it returns whether the claim of the cell is
/// taken.
pub(crate) fn watch(is_claimed: impl Fn() -> bool + 'static) {
    IS_CLAIMED.set(Some(Rc::new(is_claimed)));
}

/// Records that a part of an initializer is run or dropped. Its actor must hold the claim, so that there is neither another
/// initializer nor a value.
pub(crate) fn initializer_runs() {
    let is_claimed = IS_CLAIMED.with_borrow(|is_claimed| is_claimed.as_deref().is_none_or(unfaulted));
    if !is_claimed {
        complain("an initializer is running, or not yet dropped, and the claim is free");
    }
}

/// Returns whether the current actor is a task that another actor has spawned.
pub(crate) fn is_task() -> bool {
    let who = who();
    with(|record| record.parents.get(who).copied().flatten().is_some())
}

pub(crate) fn may_leak(thing: Thing) {
    with(|record| record.may_leak = Some(thing));
}

/// Runs a poll of an initializer.
pub(crate) fn inside_poll<R>(is_computation: bool, f: impl FnOnce() -> R) -> R {
    struct Outside(Option<bool>);
    impl Drop for Outside {
        fn drop(&mut self) {
            with(|record| record.inside_poll = self.0);
        }
    }
    let _outside = Outside(with(|record| record.inside_poll.replace(is_computation)));
    f()
}

/// Runs `f` as the actor `who`. `f` does not panic.
pub(crate) fn acting<R>(who: Who, is_dropping: bool, f: impl FnOnce() -> R) -> R {
    let outer = with(|record| {
        let outer = (record.who, record.is_dropping, record.inside_poll);
        (record.who, record.is_dropping, record.inside_poll) = (Some(who), is_dropping, None);
        outer
    });
    let result = f();
    with(|record| (record.who, record.is_dropping, record.inside_poll) = outer);
    result
}

/// Records that the future of the current actor is an `async` block.
pub(crate) fn is_async() {
    let who = who();
    with(|record| record.async_actors.push(who));
}

/// Records that the current actor is a thread.
pub(crate) fn is_thread() {
    let who = who();
    with(|record| record.threads.push(who));
}

/// Returns the current actor.
pub(crate) fn who() -> Who {
    with(|record| record.who.unwrap_or(OWNER))
}

/// Records that a panic has reached `who`.
pub(crate) fn catch(who: Who, payload: Box<dyn Any + Send>) -> Panic {
    let panic = match payload.downcast_ref::<Fault>() {
        Some(fault) => Panic::Fault(fault.call),
        None => Panic::Own(crate::util::message(&*payload)),
    };
    drop(payload);
    let caught = panic.clone();
    with(|record| record.caught.push(Caught { who, panic: caught }));
    panic
}

/// Something counted. Owns memory, so that a second drop is also a double free.
#[derive(Debug)]
pub(crate) struct Token {
    thing: Thing,
    id: Box<usize>,
    is_computation: bool,
}

impl Token {
    pub(crate) fn new(thing: Thing) -> Self {
        Self::make(thing, false)
    }

    /// Lives as long as the future of a `Lazy`.
    pub(crate) fn of_computation() -> Self {
        Self::make(Thing::Future, true)
    }

    fn make(thing: Thing, is_computation: bool) -> Self {
        let id = with(|record| {
            record.things.push((thing, 0));
            record.things.len() - 1
        });
        Self {
            thing,
            id: Box::new(id),
            is_computation,
        }
    }

    pub(crate) fn id(&self) -> usize {
        *self.id
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let drops = with(|record| match record.things.get_mut(*self.id) {
            Some((thing, drops)) if *thing == self.thing => {
                *drops += 1;
                *drops
            }
            _ => 2,
        });
        if drops > 1 {
            complain(format!("{:?} {} was dropped twice", self.thing, self.id));
        }
        if self.thing != Thing::Payload {
            call_of(Kind::Drop(self.thing), None, self.is_computation);
        }
    }
}

/// All actors that see a value of the cell while it is shared see this one.
pub(crate) fn see(value: &Token) {
    let id = value.id();
    let first = with(|record| *record.seen.get_or_insert(id));
    if first != id {
        complain(format!("value {id} was seen, and value {first} before"));
    }
}

/// Wakers, by the number of their address.
pub(crate) mod wakers {
    use super::{Kind, Who, Wrong, call_of, complain, with};

    /// A new address for wakers of an actor, whose older wakers have no effect any more.
    pub(crate) fn new(who: Who) -> usize {
        with(|record| {
            for waker in &mut record.wakers {
                waker.is_old |= waker.who == who;
            }
            record.wakers.push(super::WakerOf {
                who,
                live: 0,
                is_old: false,
            });
            record.wakers.len() - 1
        })
    }

    fn count(waker: usize, change: i32) -> Who {
        with(|record| {
            let counted = &mut record.wakers[waker];
            counted.live += change;
            let (who, is_dead) = (counted.who, counted.live < 0);
            if is_dead {
                let wrong = format!("a waker of {who} was used up twice");
                record.wrong.push(Wrong::Other(wrong));
            }
            who
        })
    }

    pub(crate) fn clone(waker: usize) {
        let who = with(|record| record.wakers[waker].who);
        call_of(Kind::CloneWaker, Some(who), false);
        count(waker, 1);
    }

    pub(crate) fn drop(waker: usize) {
        let who = count(waker, -1);
        call_of(Kind::DropWaker, Some(who), false);
    }

    pub(crate) fn wake(waker: usize) {
        let who = count(waker, -1);
        call_of(Kind::Wake, Some(who), false);
        schedule(waker, who);
    }

    pub(crate) fn wake_by_ref(waker: usize) {
        let who = with(|record| record.wakers[waker].who);
        call_of(Kind::WakeByRef, Some(who), false);
        schedule(waker, who);
    }

    fn schedule(waker: usize, who: Who) {
        if with(|record| !record.wakers[waker].is_old) {
            super::schedule(who);
        }
    }

    /// No wakers of actors that have ended are left, while those that are `present` may wait. The gate is open, and holds no
    /// waker.
    pub(crate) fn assert_none_but_of(present: &[Who]) {
        let left: Vec<Who> = with(|record| {
            let left = record.wakers.iter().filter(|waker| waker.live != 0);
            left.map(|waker| waker.who)
                .filter(|who| !present.contains(who))
                .collect()
        });
        if !left.is_empty() {
            complain(format!("wakers of {left:?} were left behind, which have ended"));
        }
    }

    /// When no actor waits any more, no wakers are left except those that the gate holds.
    pub(crate) fn assert_none() {
        super::gate::close();
        let live = with(|record| record.wakers.iter().map(|waker| waker.live).sum::<i32>());
        if live != 0 {
            complain(format!("{live} wakers were left behind, and no actor waits"));
        }
    }
}

/// Schedules a poll of an actor.
pub(crate) fn schedule(who: Who) {
    with(|record| {
        if !record.woken.contains(&who) {
            record.woken.push(who);
        }
    });
}

/// Returns the actor to be polled next.
pub(crate) fn next_woken() -> Option<Who> {
    with(|record| (!record.woken.is_empty()).then(|| record.woken.remove(0)))
}

/// What an initializer waits for. Like a timer, it keeps the newest waker.
pub(crate) mod gate {
    use std::{mem, task::Waker};

    use super::{in_a_destructor, with};

    /// Returns whether it is open. If not, `waker` is woken when it opens.
    pub(crate) fn is_open_or_wakes(waker: &Waker) -> bool {
        if with(|record| record.gate.is_open) {
            return true;
        }
        let is_kept = with(|record| {
            record
                .gate
                .waker
                .as_ref()
                .is_some_and(|kept| kept.will_wake(waker))
        });
        if !is_kept {
            let newer = waker.clone();
            let older = with(|record| record.gate.waker.replace(newer));
            drop(older);
        }
        false
    }

    /// Drops the waker of the gate.
    pub(crate) fn close() {
        let waker = with(|record| record.gate.waker.take());
        super::unfaulted(|| drop(waker));
    }

    /// Opens the gate, even if the actor that is to open it panics.
    pub(crate) fn open_in_any_case() {
        in_a_destructor(open);
    }

    pub(crate) fn open() {
        let waker = with(|record| {
            record.gate.is_open = true;
            mem::take(&mut record.gate.waker)
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Records a new actor, of the scenario or spawned by another actor.
pub(crate) fn enter(parent: Option<Who>) -> Who {
    with(|record| {
        record.polls.push(0);
        record.parents.push(parent);
        record.extras += usize::from(record.is_off);
        record.polls.len() - 1
    })
}

/// Returns the number of actors so far.
pub(crate) fn actors() -> usize {
    with(|record| record.polls.len())
}

/// Returns whether `maker` is `who`, or a task that `who` spawned.
pub(crate) fn acts_for(maker: Who, who: Who) -> bool {
    maker == who || with(|record| record.parents.get(maker).copied().flatten()) == Some(who)
}

pub(crate) fn count_poll(who: Who) {
    with(|record| record.polls[who] += 1);
}

pub(crate) fn polls(who: Who) -> usize {
    with(|record| record.polls[who])
}

/// The actor that the executor is to drop, or to move to another task.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    Cancel(Who),
    Move(Who),
}

pub(crate) fn order(order: Order) {
    with(|record| record.orders.push(order));
}

pub(crate) fn take_orders() -> Vec<Order> {
    with(|record| std::mem::take(&mut record.orders))
}

/// An actor is about to be dropped.
pub(crate) fn cancelled(who: Who) {
    with(|record| {
        record.cancelled.push(who);
        if record.plan.cancel.is_some_and(|cancel| cancel.who == who) {
            record.calls_before = record.calls.len();
        }
    });
}

/// The number of events other than wakes: their number is finite in a run that ends.
pub(crate) fn progress() -> usize {
    with(|record| record.progress)
}

/// An actor was added or removed.
pub(crate) fn make_progress() {
    with(|record| record.progress += 1);
}

/// Returns the actors that an injected panic may have left asleep, because it was a panic of their own wakers, except
/// those in `rescued`.
pub(crate) fn victims(rescued: &mut Vec<usize>) -> Vec<Who> {
    with(|record| {
        let mut victims = Vec::new();
        for fault in &record.plan.faults {
            let Some(call) = record.calls.get(*fault) else {
                continue;
            };
            let is_wake = matches!(call.kind, Kind::Wake | Kind::WakeByRef);
            if is_wake && !rescued.contains(fault) {
                rescued.push(*fault);
                victims.extend(call.target);
            }
        }
        victims
    })
}

impl Record {
    pub(crate) fn is_poisoned(&self) -> bool {
        self.is_poisoned
    }

    /// The calls that were made to panic.
    pub(crate) fn faults(&self) -> impl Iterator<Item = Call> {
        let faults = self.plan.faults.iter();
        faults.filter_map(|fault| self.calls.get(*fault).copied())
    }
}
