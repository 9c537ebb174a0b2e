//! Scenarios for `Lazy`, `BoxLazy` and statics of `lazy!`.

use std::pin::Pin;

use oncelot::{__private::FutureStorage, Backend, BoxLazy, Lazy, StaticLazy};

use crate::{
    Runner,
    check::{check_tasks, check_wakers, has_found_poison},
    run::{Kind, Order, Sort, as_owner, point, require, with},
    tasks::{Job, Tasks, act, job, open_gate, order},
    user::{Initializer, Ready, Value},
    util::leak_box,
};

/// Who calls the lazy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Callers {
    None,
    One,
    /// One that blocks its thread.
    Blocking,
    /// Three, of which the last moves to another task.
    Three,
    /// Three, of which the first is cancelled.
    ThreeWithoutFirst,
}

#[derive(Debug, Clone, Copy)]
enum Last {
    Drop,
    IntoInner,
    IntoParts,
    Debug,
}

/// Returns each state of the future with the callers that can call it.
fn calls() -> Vec<(Ready, Callers)> {
    let mut calls = Vec::new();
    for ready in [Ready::AtOnce, Ready::Later, Ready::AtGate] {
        calls.extend([Callers::None, Callers::One].map(|callers| (ready, callers)));
        // A thread that waits at the gate would block the only one.
        if ready != Ready::AtGate {
            calls.push((ready, Callers::Blocking));
        }
        calls.extend([Callers::Three, Callers::ThreeWithoutFirst].map(|callers| (ready, callers)));
    }
    calls
}

/// When the future is ready, or none if the lazy is made with its value; the callers; whether they are run until there is a
/// value; and what is done to the lazy in the end.
type Scenario = (Option<Ready>, Callers, bool, Last);

fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for last in [Last::Drop, Last::IntoInner, Last::IntoParts, Last::Debug] {
        scenarios.push((None, Callers::One, true, last));
        for (ready, callers) in calls() {
            scenarios.extend([true, false].map(|to_end| (Some(ready), callers, to_end, last)));
        }
    }
    scenarios
}

/// Defines a scenario of a type whose functions have the same names, but not the same receivers.
macro_rules! scenario {
    ($scenario:ident, $bound:path, $lazy:ty, $from_future:path, $name:literal, $empty:expr) => {
        fn $scenario<B: Backend + $bound + 'static>((ready, callers, to_end, last): Scenario) {
            let mut lazy: Pin<Box<$lazy>> = Box::pin(match ready {
                Some(ready) => <$lazy>::with_backend($from_future(Initializer::of_lazy(ready))),
                None => <$lazy>::with_backend_and_value(Value::value()),
            });
            {
                let lazy = lazy.as_ref();
                let call = || job(lazy.get(), Value::see);
                let mut tasks = Tasks::new();
                callers.add(&mut tasks, call, || lazy.get_blocking());
                if to_end {
                    tasks.run();
                    check_calls(tasks, call, || lazy.try_get().is_some());
                } else {
                    tasks.run_with_gate_shut();
                    tasks.cancel_all();
                    check_wakers();
                }
            }
            match last {
                Last::Drop => {}
                Last::IntoInner => {
                    let has_value = lazy.as_mut().try_get_mut().is_some();
                    let value = as_owner(|| Pin::into_inner(lazy).into_inner());
                    let is_right = value
                        .as_ref()
                        .is_none_or(|value| value.is_some() == has_value);
                    require(is_right, "`into_inner` returns the value");
                    as_owner(|| drop(value));
                    return;
                }
                Last::IntoParts => {
                    let parts = as_owner(|| Pin::into_inner(lazy).into_parts());
                    let has_future = matches!(parts, Some(Err(_)));
                    require(!has_future || !to_end, "`into_parts` returns the value");
                    as_owner(|| drop(parts));
                    return;
                }
                Last::Debug => {
                    let expected: &[&str] = match lazy.try_get() {
                        Some(_) => &[concat!($name, "(Value)")],
                        None => &$empty,
                    };
                    let text = as_owner(|| format!("{:?}", &*lazy));
                    require(
                        text.is_none_or(|text| expected.contains(&&*text)),
                        "`Debug` shows the value",
                    );
                }
            }
            as_owner(|| drop(lazy));
        }
    };
}

scenario!(
    lazy,
    Sized,
    Lazy<Value, Initializer<Value>, B>,
    std::convert::identity,
    "Lazy",
    ["Lazy(<uninit>)"]
);

scenario!(
    box_lazy,
    Shared,
    BoxLazy<'static, Value, B>,
    Box::pin,
    "BoxLazy",
    ["BoxLazy(<uninit>)", "BoxLazy(<initializing>)"]
);

/// What the backend of a `BoxLazy` is.
pub(crate) trait Shared: Send + Sync {}

impl<B: Send + Sync> Shared for B {}

pub(crate) fn run<B: Backend + 'static>(runner: &mut Runner) {
    for scenario in scenarios() {
        runner.scenario(&format!("Lazy: {scenario:?}"), || lazy::<B>(scenario));
    }
}

pub(crate) fn run_boxes<B: Backend + Shared + 'static>(runner: &mut Runner) {
    for scenario in scenarios() {
        runner.scenario(&format!("BoxLazy: {scenario:?}"), || box_lazy::<B>(scenario));
    }
}

pub(crate) fn run_statics(runner: &mut Runner) {
    for (ready, callers) in calls() {
        runner.scenario(&format!("lazy!: {ready:?}, {callers:?}"), || {
            static_lazy(ready, callers)
        });
    }
}

fn static_lazy(ready: Ready, callers: Callers) {
    type Storage = FutureStorage<{ size_of::<Initializer<Value>>() }, { align_of::<Initializer<Value>>() }>;

    fn start(ready: Ready) -> Initializer<Value> {
        point(Kind::Call(Sort::LazyFuture));
        Initializer::of_lazy(ready)
    }

    let start: fn() -> Initializer<Value> = match ready {
        Ready::AtOnce => || start(Ready::AtOnce),
        Ready::Later => || start(Ready::Later),
        Ready::AtGate => || start(Ready::AtGate),
    };
    // SAFETY: it is never freed.
    let storage = unsafe { &*leak_box(Box::new(Storage::new())) };
    // SAFETY: the storage is this static's alone.
    let lazy = leak_box(Box::new(unsafe { StaticLazy::<Value>::__new(storage, start) }));
    // SAFETY: it is not dropped or borrowed exclusively before the end of this function.
    let shared: &'static StaticLazy<Value> = unsafe { &*lazy };
    let call = || job(shared.get(), Value::see);
    let mut tasks = Tasks::new();
    callers.add(&mut tasks, call, || shared.get_blocking());
    tasks.run();
    check_calls(tasks, call, || shared.try_get().is_some());
    // "The remains of the future are leaked, as the contents of every static are."
    with(|run| run.may_leak_future = run.is_poisoned);
    // SAFETY: it is not used any more.
    as_owner(|| unsafe { lazy.drop_in_place() });
}

impl Callers {
    fn add<'a>(
        self,
        tasks: &mut Tasks<'a>,
        call: impl Fn() -> Job<'a>,
        call_blocking: impl FnOnce() -> &'a Value + 'a,
    ) {
        match self {
            Self::None => {}
            Self::One => {
                tasks.add(call);
            }
            Self::Blocking => {
                tasks.add(|| act(|| call_blocking().see()));
            }
            Self::Three | Self::ThreeWithoutFirst => {
                let first = tasks.add(&call);
                tasks.add(&call);
                let last = tasks.add(&call);
                tasks.add(|| {
                    order(match self {
                        Self::Three => Order::Move(last),
                        _ => Order::Cancel(first),
                    })
                });
                tasks.add(|| open_gate());
            }
        }
    }
}

/// No task stays asleep, and a new call returns the value, or panics if the future has panicked.
fn check_calls<'a>(tasks: Tasks<'a>, call: impl Fn() -> Job<'a>, has_value: impl Fn() -> bool) {
    let mut new = 0;
    check_tasks(tasks, true, |tasks| new = tasks.add(call));
    let is_poisoned = with(|run| run.is_poisoned);
    require(
        has_found_poison(new) == is_poisoned,
        "a call panics if the future has panicked",
    );
    require(
        has_value() != is_poisoned,
        "there is a value if the future has not panicked",
    );
}
