//! Scenarios for `Lazy`, `BoxLazy` and statics of `lazy!`.

use std::{fmt::Debug, pin::Pin};

use oncelot::{__private::FutureStorage, BoxLazy, Lazy, StaticLazy};

use crate::{
    bed::Bed,
    cast::{Cast, Sleeps, act, deed, own},
    things::{Infallible, Value, Waits},
    util,
    world::{self, Kind, Order, Thing, Wrong, wakers},
};

/// The callers of the lazy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Askers {
    None,
    One,
    /// A thread.
    Blocking,
    /// Three, of which one moves to another task.
    Three,
    /// Three, of which the first is dropped.
    ThreeWithoutTheFirst,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Finally {
    Drop,
    IntoInner,
    IntoParts,
    Debug,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct LazyScenario {
    /// Whether it was made with its value.
    has_value: bool,
    computation: Waits,
    askers: Askers,
    /// Whether a task polls until there is a value.
    settles: bool,
    finally: Finally,
}

impl LazyScenario {
    pub(crate) fn all() -> Vec<Self> {
        let finallys = [
            Finally::Drop,
            Finally::IntoInner,
            Finally::IntoParts,
            Finally::Debug,
        ];
        let mut all = Vec::new();
        for computation in [Waits::No, Waits::Yields, Waits::AtTheGate] {
            for askers in Askers::ALL {
                for settles in [false, true] {
                    for finally in finallys {
                        all.push(Self {
                            has_value: false,
                            computation,
                            askers,
                            settles,
                            finally,
                        });
                    }
                }
            }
        }
        all.extend(finallys.map(|finally| Self {
            has_value: true,
            computation: Waits::No,
            askers: Askers::One,
            settles: true,
            finally,
        }));
        all.retain(|scenario| scenario.askers.fit(scenario.computation));
        all
    }

    pub(crate) fn play<B: Bed>(self) {
        self.play_on::<Lazy<Value, Infallible, B>>();
    }

    fn play_on<L: Asked>(self) {
        let mut lazy: Pin<Box<L>> = Box::pin(if self.has_value {
            L::finished(Value::new())
        } else {
            L::unfinished(Infallible::computation(self.computation))
        });
        {
            let lazy = lazy.as_ref();
            let mut cast = Cast::new();
            let ask = || deed(lazy.get(), Value::see);
            match self.askers {
                Askers::Blocking => {
                    cast.add(Sleeps::ForATurn, || act(|| lazy.get_blocking().see()));
                }
                _ => self.askers.enter(&mut cast, ask),
            }
            if self.settles {
                cast.play();
                settle(cast, ask, || lazy.try_get().is_some());
            } else {
                cast.play_with_the_gate_shut();
                cast.dismiss();
            }
        }
        wakers::assert_none();
        match self.finally {
            Finally::Drop => {}
            Finally::IntoInner => {
                let is_ready = lazy.as_mut().try_get_mut().is_some();
                let value = own(|| Pin::into_inner(lazy).into_inner());
                if value.as_ref().is_some_and(|value| value.is_some() != is_ready) {
                    world::complain("`into_inner` gives the value");
                }
                own(|| drop(value));
                return;
            }
            Finally::IntoParts => {
                let parts = own(|| Pin::into_inner(lazy).into_parts());
                if self.settles && matches!(parts, Some(Err(_))) {
                    world::complain("a future is left, and there was a value");
                }
                own(|| drop(parts));
                return;
            }
            Finally::Debug => {
                let expected = match lazy.try_get() {
                    Some(_) => &["Value"],
                    None => L::WITHOUT_VALUE,
                };
                let text = own(|| format!("{:?}", &*lazy));
                let is_right = |text: &String| {
                    (expected.iter()).any(|expected| *text == format!("{}({expected})", L::NAME))
                };
                if text.is_some_and(|text| !is_right(&text)) {
                    world::complain("`Debug` shows the value");
                }
            }
        }
        own(|| drop(lazy));
    }
}

/// A scenario of a `BoxLazy`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoxScenario(LazyScenario);

impl BoxScenario {
    pub(crate) fn all() -> Vec<Self> {
        LazyScenario::all().into_iter().map(Self).collect()
    }

    pub(crate) fn play<B: Bed + Send + Sync>(self) {
        self.0.play_on::<BoxLazy<'static, Value, B>>();
    }
}

/// The lazies that are played in the same scenarios.
trait Asked: Debug + Unpin {
    const NAME: &'static str;
    /// What `Debug` shows in place of a value, when no task asks for it.
    const WITHOUT_VALUE: &'static [&'static str];

    type Rest;

    fn unfinished(computation: Infallible) -> Self;
    fn finished(value: Value) -> Self;
    fn get(self: Pin<&Self>) -> impl Future<Output = &Value>;
    fn get_blocking(self: Pin<&Self>) -> &Value;
    fn try_get(&self) -> Option<&Value>;
    fn try_get_mut(self: Pin<&mut Self>) -> Option<&mut Value>;
    fn into_inner(self) -> Option<Value>;
    fn into_parts(self) -> Result<Value, Self::Rest>;
}

impl<B: Bed> Asked for Lazy<Value, Infallible, B> {
    const NAME: &'static str = "Lazy";
    const WITHOUT_VALUE: &'static [&'static str] = &["<uninit>"];

    type Rest = Infallible;

    fn unfinished(computation: Infallible) -> Self {
        Self::with_backend(computation)
    }

    fn finished(value: Value) -> Self {
        Self::with_backend_and_value(value)
    }

    fn get(self: Pin<&Self>) -> impl Future<Output = &Value> {
        self.get()
    }

    fn get_blocking(self: Pin<&Self>) -> &Value {
        self.get_blocking()
    }

    fn try_get(&self) -> Option<&Value> {
        self.try_get()
    }

    fn try_get_mut(self: Pin<&mut Self>) -> Option<&mut Value> {
        self.try_get_mut()
    }

    fn into_inner(self) -> Option<Value> {
        self.into_inner()
    }

    fn into_parts(self) -> Result<Value, Infallible> {
        self.into_parts()
    }
}

impl<B: Bed + Send + Sync> Asked for BoxLazy<'static, Value, B> {
    const NAME: &'static str = "BoxLazy";
    const WITHOUT_VALUE: &'static [&'static str] = &["<uninit>", "<initializing>"];

    type Rest = Pin<Box<dyn Future<Output = Value> + Send>>;

    fn unfinished(computation: Infallible) -> Self {
        Self::with_backend(Box::pin(computation))
    }

    fn finished(value: Value) -> Self {
        Self::with_backend_and_value(value)
    }

    fn get(self: Pin<&Self>) -> impl Future<Output = &Value> {
        self.get_ref().get()
    }

    fn get_blocking(self: Pin<&Self>) -> &Value {
        self.get_ref().get_blocking()
    }

    fn try_get(&self) -> Option<&Value> {
        self.try_get()
    }

    fn try_get_mut(self: Pin<&mut Self>) -> Option<&mut Value> {
        self.get_mut().try_get_mut()
    }

    fn into_inner(self) -> Option<Value> {
        self.into_inner()
    }

    fn into_parts(self) -> Result<Value, Self::Rest> {
        self.into_parts()
    }
}

impl Askers {
    const ALL: [Self; 5] = [
        Self::None,
        Self::One,
        Self::Blocking,
        Self::Three,
        Self::ThreeWithoutTheFirst,
    ];

    /// A thread that waits at the gate would block the only one.
    fn fit(self, computation: Waits) -> bool {
        self != Self::Blocking || computation != Waits::AtTheGate
    }

    fn enter<'a>(self, cast: &mut Cast<'a>, ask: impl Fn() -> crate::cast::Deed<'a>) {
        let asks = |cast: &mut Cast<'a>| cast.add(Sleeps::ForATurn, &ask);
        match self {
            Self::None | Self::Blocking => {}
            Self::One => {
                asks(cast);
            }
            Self::Three | Self::ThreeWithoutTheFirst => {
                let first = asks(cast);
                asks(cast);
                let last = asks(cast);
                let order = match self {
                    Self::Three => Order::Move(last),
                    _ => Order::Cancel(first),
                };
                cast.add(Sleeps::ForATurn, move || act(move || world::order(order)));
                cast.add(Sleeps::ForATurn, || act(world::gate::open_in_any_case));
            }
        }
    }
}

/// No actor stays asleep, and a new call gets the value, or the panic of a poisoned lazy.
fn settle<'a>(mut cast: Cast<'a>, ask: impl Fn() -> crate::cast::Deed<'a>, is_ready: impl Fn() -> bool) {
    let asleep = cast.present();
    if !asleep.is_empty() {
        world::wrong(Wrong::Asleep(asleep));
    }
    wakers::assert_none_but_of(&cast.present());
    let fresh = world::unfaulted(|| {
        let fresh = cast.add(Sleeps::ForATurn, &ask);
        cast.play();
        let present = cast.present();
        if !present.is_empty() {
            world::wrong(Wrong::Asleep(present));
        }
        cast.dismiss();
        fresh
    });
    if world::has_heard_of_poison(fresh) != world::is_poisoned() {
        world::complain("a call panics if the future has panicked");
    }
    if is_ready() == world::is_poisoned() {
        world::complain("there is a value, if the future has not panicked");
    }
}

/// Where the future of a static is.
type Room = FutureStorage<{ size_of::<Infallible>() }, { align_of::<Infallible>() }>;

#[derive(Debug, Clone, Copy)]
pub(crate) struct StaticScenario {
    computation: Waits,
    askers: Askers,
}

impl StaticScenario {
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for computation in [Waits::No, Waits::Yields, Waits::AtTheGate] {
            for askers in Askers::ALL {
                if askers.fit(computation) {
                    all.push(Self { computation, askers });
                }
            }
        }
        all
    }

    pub(crate) fn play(self) {
        let start: fn() -> Infallible = match self.computation {
            Waits::No => || start(Waits::No),
            Waits::Yields => || start(Waits::Yields),
            Waits::AtTheGate => || start(Waits::AtTheGate),
        };
        // SAFETY: it is never freed.
        let room = unsafe { &*util::leak_box(Box::new(Room::new())) };
        // SAFETY: the room is this static's alone.
        let lazy = unsafe { StaticLazy::<Value>::__new(room, start) };
        let lazy = util::leak_box(Box::new(lazy));
        // SAFETY: it is not dropped or borrowed exclusively before the end of this function.
        let shared: &'static StaticLazy<Value> = unsafe { &*lazy };
        let mut cast = Cast::new();
        let ask = || deed(shared.get(), Value::see);
        match self.askers {
            Askers::Blocking => {
                cast.add(Sleeps::ForATurn, || act(|| shared.get_blocking().see()));
            }
            _ => self.askers.enter(&mut cast, ask),
        }
        cast.play();
        settle(cast, ask, || shared.try_get().is_some());
        wakers::assert_none();
        if world::is_poisoned() {
            // "The remains of the future are leaked, as the contents of every static are."
            world::may_leak(Thing::Future);
        }
        // SAFETY: it is not used any more.
        own(|| unsafe { lazy.drop_in_place() });
    }
}

/// Runs the initializer of a static.
fn start(computation: Waits) -> Infallible {
    world::call_of_computation(Kind::Call);
    Infallible::computation(computation)
}
